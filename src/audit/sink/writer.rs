//! Writer: the thread that writes the waiting records, makes them durable, and recovers after a failure.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::queue::{RecordBatch, SinkState, WriterCommand};
use super::segment::Segment;

/// The pause before a broken output is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How often a broken output is tried while no record arrives.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// WriterEndGuard: notifies the threads that close the sink when the writer ends, after a panic too.
pub(super) struct WriterEndGuard(pub(super) Arc<SinkState>);

impl Drop for WriterEndGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set_write_failure(Some("the thread that writes audit records has failed"));
        }
        self.0.mark_ended();
    }
}

/// Runs the writer until the queue is closed and empty.
pub(super) fn run_writer(shared: &SinkState, mut segment: Segment) {
    let (mut batch, mut loss_log) = (RecordBatch::default(), LossLog::default());
    let mut tried = Instant::now();
    if !segment.is_writable() {
        shared.set_write_failure(Some("the first line of a segment could not be written"));
    }
    loop {
        let timeout = (!segment.is_writable() || segment.is_taking_back()).then_some(RETRY_INTERVAL);
        if !shared.take_batch(&mut batch, timeout) {
            break;
        }
        batch.commands.drain(..).for_each(|command| execute_command(command, &mut segment));
        segment.try_take_back();
        let ready = if segment.is_writable() {
            let awaited = !batch.waiters.is_empty();
            let checked = segment.check_file(awaited);
            let checked = checked.or_else(|error| if segment.is_writable() { Ok(()) } else { Err(error) });
            checked.and_then(|()| {
                segment.rotate_if_due().or_else(|error| {
                    tracing::error!(%error, "the audit file cannot be finished");
                    if segment.is_writable() { Ok(()) } else { Err(error) }
                })
            })
        } else if tried.elapsed() >= RETRY_PAUSE || timeout.is_some() && batch.count == 0 {
            tried = Instant::now();
            segment.repair()
        } else {
            let failure = shared.write_failure();
            let error = failure.map_or_else(|| "an earlier write failed".into(), |failure| failure.error);
            Err(io::Error::other(error.into_string()))
        };
        let result = match ready {
            Ok(()) => write_batch(shared, &mut segment, &batch),
            Err(error) => {
                segment.add_lost(batch.count + batch.dropped);
                Err((batch.count, error))
            }
        };
        let persisted = result.is_ok() && segment.is_durable();
        // A request that has stopped waiting has already treated its decision as not persisted.
        for waiter in batch.waiters.drain(..) {
            let _ = waiter.send(persisted);
        }
        if let Err((lost, error)) = result {
            shared.counts.failed.fetch_add(lost, Ordering::Relaxed);
            if shared.set_write_failure(Some(&error.to_string())) {
                tracing::error!(%error, "audit records cannot be written");
            }
            tried = Instant::now();
            loss_log.error = Some(error);
        } else if segment.is_writable() && shared.set_write_failure(None) {
            tracing::warn!("audit records are written again");
        }
        let counts = &shared.counts;
        loss_log.log_losses(counts.dropped.load(Ordering::Relaxed), counts.failed.load(Ordering::Relaxed));
    }
    if segment.is_writable()
        && let Err(error) = segment.write_end()
    {
        tracing::error!(%error, "the end of the audit is not written, or the disk did not confirm the last records");
    }
}

fn execute_command(command: WriterCommand, segment: &mut Segment) {
    match command {
        WriterCommand::Reopen => {
            if let Err(error) = segment.reopen() {
                tracing::error!(%error, "the audit file cannot be reopened; records still go to the old file");
            }
        }
        WriterCommand::HandOver(reply) => {
            // A caller that has stopped waiting takes the file back.
            let _ = reply.send(segment.hand_over());
        }
        WriterCommand::TakeBack => segment.request_take_back(),
    }
}

fn write_batch(shared: &SinkState, segment: &mut Segment, batch: &RecordBatch) -> Result<(), (u64, io::Error)> {
    let counts = &shared.counts;
    segment.write_records(&batch.lines, batch.dropped)?;
    if !batch.waiters.is_empty() && segment.is_durable() {
        let started = Instant::now();
        let synced = segment.sync();
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
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

/// LossLog: logs lost records at most once a minute.
#[derive(Default)]
struct LossLog {
    error: Option<io::Error>,
    last: Option<Instant>,
    reply: u64,
}

impl LossLog {
    fn log_losses(&mut self, dropped: u64, failed: u64) {
        let due = self.last.is_none_or(|last| last.elapsed() >= Duration::from_secs(60));
        if due && dropped + failed > self.reply {
            let error = self.error.take().map(|error| error.to_string());
            tracing::error!(dropped, failed, error, "audit records were lost; the numbers count since the start");
            self.last = Some(Instant::now());
            self.reply = dropped + failed;
        }
    }
}
