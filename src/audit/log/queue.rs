//! LogQueue: passes log lines to a thread that writes them, so that logging never blocks on a reader.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// The most lines that wait; further lines are dropped and counted.
const MAX_WAITING_LINES: usize = 4096;

/// The most time for writing the waiting lines at the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// LogQueue: the sending end of the queue; a line is dropped if the queue is full.
#[derive(Clone)]
pub(super) struct LogQueue {
    lines: SyncSender<Box<[u8]>>,
    counts: Arc<LogCounts>,
    dropped: &'static AtomicU64,
}

/// FlushGuard: when dropped, waits at most a second until the accepted lines are written.
#[derive(Debug)]
#[must_use = "the last lines are lost without it"]
pub struct FlushGuard(Arc<LogCounts>);

#[derive(Debug, Default)]
struct LogCounts {
    accepted: AtomicU64,
    written: AtomicU64,
}

impl LogQueue {
    /// Starts a thread that writes the queue's lines to `output`; `dropped` counts the dropped lines.
    pub(super) fn spawn(
        output: impl Write + Send + 'static,
        dropped: &'static AtomicU64,
    ) -> io::Result<(Self, FlushGuard)> {
        let (lines, waiting) = sync_channel(MAX_WAITING_LINES);
        let counts = Arc::new(LogCounts::default());
        let written = Arc::clone(&counts);
        std::thread::Builder::new().name("log".into()).spawn(move || write(output, &waiting, &written, dropped))?;
        Ok((Self { lines, counts: Arc::clone(&counts), dropped }, FlushGuard(counts)))
    }
}

/// Writes the lines one by one; logs how many were dropped once lines are written again.
fn write(mut output: impl Write, waiting: &Receiver<Box<[u8]>>, counts: &LogCounts, dropped: &AtomicU64) {
    let mut reported = 0;
    while let Ok(line) = waiting.recv() {
        // A failure of the output cannot be logged anywhere else.
        let _ = output.write_all(&line).and_then(|()| output.flush());
        counts.written.fetch_add(1, Ordering::Release);
        let now = dropped.load(Ordering::Relaxed);
        if now > reported {
            tracing::warn!(dropped = now - reported, "the log was not read fast enough: lines were dropped");
            // If this line was dropped too, the next round logs it again.
            if dropped.load(Ordering::Relaxed) == now {
                reported = now;
            }
        }
    }
}

/// One call writes one line, because the tracing layer writes whole lines.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Counted before sending, so that the written count never exceeds the accepted count.
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
        let end = Instant::now() + FLUSH_TIMEOUT;
        let waits = || self.0.written.load(Ordering::Acquire) < self.0.accepted.load(Ordering::Relaxed);
        while waits() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests;
