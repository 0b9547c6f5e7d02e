//! Writer: the thread that writes all that waits, makes it last, and goes on by itself after a failure.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::queue::{RecordBatch, SinkState, WriterCommand};
use super::segment::Segment;

/// How long a broken output is left alone before it is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// How often a broken output is tried while nothing comes.
const WATCH: Duration = Duration::from_millis(500);

/// WriterEndGuard: tells those who close that the writer is gone, by whichever way it went.
pub(super) struct WriterEndGuard(pub(super) Arc<SinkState>);

impl Drop for WriterEndGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.note(Some("the thread that writes audit records has failed"));
        }
        self.0.end();
    }
}

/// The writer's thread.
pub(super) fn run(shared: &SinkState, mut segment: Segment) {
    let (mut batch, mut complaint) = (RecordBatch::default(), LossLog::default());
    let mut tried = Instant::now();
    if !segment.is_sound() {
        shared.note(Some("the first line of a segment could not be written"));
    }
    loop {
        let rest = (!segment.is_sound() || segment.is_returning()).then_some(WATCH);
        if !shared.take(&mut batch, rest) {
            break;
        }
        batch.orders.drain(..).for_each(|order| obey(order, &mut segment));
        segment.go_back();
        let mended = if segment.is_sound() {
            let waited = !batch.waiters.is_empty();
            let looked = segment.watch(waited).or_else(|error| if segment.is_sound() { Ok(()) } else { Err(error) });
            looked.and_then(|()| {
                segment.rotate().or_else(|error| {
                    tracing::error!(%error, "the audit file cannot be finished");
                    if segment.is_sound() { Ok(()) } else { Err(error) }
                })
            })
        } else if tried.elapsed() >= AGAIN || rest.is_some() && batch.count == 0 {
            tried = Instant::now();
            segment.mend()
        } else {
            let before = shared.trouble().map_or_else(|| "it was broken before".into(), |trouble| trouble.error);
            Err(io::Error::other(before.into_string()))
        };
        let result = match mended {
            Ok(()) => write(shared, &mut segment, &batch),
            Err(error) => {
                segment.lose(batch.count + batch.dropped);
                Err((batch.count, error))
            }
        };
        let kept = result.is_ok() && segment.can_last();
        // Whoever has stopped waiting has gone the way of a failure already.
        for waiter in batch.waiters.drain(..) {
            let _ = waiter.send(kept);
        }
        if let Err((lost, error)) = result {
            shared.counts.failed.fetch_add(lost, Ordering::Relaxed);
            if shared.note(Some(&error.to_string())) {
                tracing::error!(%error, "audit records cannot be written");
            }
            tried = Instant::now();
            complaint.error = Some(error);
        } else if segment.is_sound() && shared.note(None) {
            tracing::warn!("audit records are written again");
        }
        let counts = &shared.counts;
        complaint.say(counts.dropped.load(Ordering::Relaxed), counts.failed.load(Ordering::Relaxed));
    }
    if segment.is_sound()
        && let Err(error) = segment.end()
    {
        tracing::error!(%error, "the end of the audit is not written, or the disk did not confirm the last records");
    }
}

fn obey(order: WriterCommand, segment: &mut Segment) {
    match order {
        WriterCommand::Reopen => {
            if let Err(error) = segment.reopen() {
                tracing::error!(%error, "the audit file cannot be opened anew: records still go to the old one");
            }
        }
        WriterCommand::HandOver(told) => {
            // Whoever has stopped waiting takes it back.
            let _ = told.send(segment.hand_over());
        }
        WriterCommand::TakeBack => segment.take_back(),
    }
}

fn write(shared: &SinkState, segment: &mut Segment, batch: &RecordBatch) -> Result<(), (u64, io::Error)> {
    let counts = &shared.counts;
    segment.write(&batch.lines, batch.dropped)?;
    if !batch.waiters.is_empty() && segment.can_last() {
        let begun = Instant::now();
        let synced = segment.sync();
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        counts.sync_nanos.fetch_add(nanos, Ordering::Relaxed);
        counts.syncs.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = synced {
            counts.sync_failures.fetch_add(1, Ordering::Relaxed);
            return Err((batch.count, error));
        }
    }
    counts.written.fetch_add(batch.count, Ordering::Relaxed);
    Ok(())
}

/// LossLog: lost records in the program's log, at most once a minute.
#[derive(Default)]
struct LossLog {
    error: Option<io::Error>,
    last: Option<Instant>,
    told: u64,
}

impl LossLog {
    fn say(&mut self, dropped: u64, failed: u64) {
        let due = self.last.is_none_or(|last| last.elapsed() >= Duration::from_secs(60));
        if due && dropped + failed > self.told {
            let error = self.error.take().map(|error| error.to_string());
            tracing::error!(dropped, failed, error, "audit records were lost; the numbers count since the start");
            self.last = Some(Instant::now());
            self.told = dropped + failed;
        }
    }
}
