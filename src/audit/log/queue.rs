//! LogQueue: the lines of the log on their way to a thread that writes them, so that nobody who logs waits for a reader.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// How many lines may wait; more are dropped and counted.
const LINES: usize = 4096;

/// How long the lines that wait at the end of the process may take.
const LAST: Duration = Duration::from_secs(1);

/// LogQueue: where lines are handed in; a line that finds no place is dropped.
#[derive(Clone)]
pub(super) struct LogQueue {
    lines: SyncSender<Box<[u8]>>,
    counts: Arc<LogCounts>,
    dropped: &'static AtomicU64,
}

/// FlushGuard: waits for the lines that have been handed in when it is dropped, a second at most.
#[derive(Debug)]
#[must_use = "the last lines are lost without it"]
pub struct FlushGuard(Arc<LogCounts>);

#[derive(Debug, Default)]
struct LogCounts {
    accepted: AtomicU64,
    written: AtomicU64,
}

impl LogQueue {
    /// A queue before `output`, which is written to on a thread of its own; `dropped` counts what finds no place.
    pub(super) fn before(
        output: impl Write + Send + 'static,
        dropped: &'static AtomicU64,
    ) -> io::Result<(Self, FlushGuard)> {
        let (lines, waiting) = sync_channel(LINES);
        let counts = Arc::new(LogCounts::default());
        let written = Arc::clone(&counts);
        std::thread::Builder::new().name("log".into()).spawn(move || write(output, &waiting, &written, dropped))?;
        Ok((Self { lines, counts: Arc::clone(&counts), dropped }, FlushGuard(counts)))
    }
}

/// Writes line for line; how many were dropped is itself a line, once it flows again.
fn write(mut output: impl Write, waiting: &Receiver<Box<[u8]>>, counts: &LogCounts, dropped: &AtomicU64) {
    let mut told = 0;
    while let Ok(line) = waiting.recv() {
        // An output that fails has no other place where it could be told.
        let _ = output.write_all(&line).and_then(|()| output.flush());
        counts.written.fetch_add(1, Ordering::Release);
        let now = dropped.load(Ordering::Relaxed);
        if now > told {
            tracing::warn!(dropped = now - told, "the log was not read fast enough: lines were dropped");
            // Where this line was dropped too, it comes again.
            if dropped.load(Ordering::Relaxed) == now {
                told = now;
            }
        }
    }
}

/// One call is one line: that is how the lines come from their layer.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Counted before, so that the thread is never ahead.
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        if self.lines.try_send(line.into()).is_err() {
            self.counts.accepted.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        let end = Instant::now() + LAST;
        let waits = || self.0.written.load(Ordering::Acquire) < self.0.accepted.load(Ordering::Relaxed);
        while waits() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests;
