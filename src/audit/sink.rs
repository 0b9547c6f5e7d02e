//! Sink: the destination of audit records: a queue and one thread that writes it.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use self::queue::{SinkState, WriterCommand};
use self::segment::Segment;
use super::Outcome;
use super::record::{self, RecordKind};

mod chain_tail;
mod open;
mod plan;
mod queue;
mod rotate;
mod segment;
mod writer;

pub use plan::{SinkPlan, SinkTarget, WhenFull};
pub use queue::WriteFailure;
pub use rotate::Rotation;

/// SinkCounts: the counters of a sink since its start, and the number of waiting records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SinkCounts {
    /// Records that were written.
    pub written: u64,
    /// Records that were lost because the queue was full or closed.
    pub dropped: u64,
    /// Records that were lost, or may be, because writing failed: a full disk, a closed pipe.
    pub failed: u64,
    /// Calls that asked the disk to confirm what was written.
    pub syncs: u64,
    /// Those of these calls that failed.
    pub sync_failures: u64,
    /// The total time of these calls.
    pub sync_time: Duration,
    /// Records that wait to be written.
    pub waiting: usize,
}

/// Sink: accepts records from any thread and writes every accepted record before it is closed or dropped.
#[derive(Debug)]
pub struct Sink {
    shared: Option<Arc<SinkState>>,
    plan: SinkPlan,
}

thread_local! {
    /// Each thread formats its line before it takes the lock, into a buffer that it reuses.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Sink {
    /// Opens the file of `plan` and starts the writer's thread.
    ///
    /// # Errors
    /// Fails if the file cannot be opened or another process writes to it.
    pub fn open(plan: SinkPlan) -> io::Result<Self> {
        let Some(segment) = Segment::open(&plan.target, plan.rotation)? else { return Ok(Self { shared: None, plan }) };
        let shared = Arc::new(SinkState::default());
        let writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("audit".into());
        thread.spawn(move || writer::run_writer(&writer::WriterEndGuard(writer).0, segment))?;
        Ok(Self { shared: Some(shared), plan })
    }

    /// Checks that a sink of `plan` could be opened if no other process writes to its file.
    ///
    /// # Errors
    /// Fails if the folder does not exist, or the file exists and cannot be written to.
    pub fn check(plan: &SinkPlan) -> io::Result<()> {
        if let SinkTarget::File(path) = &plan.target { open::check_writable(path) } else { Ok(()) }
    }

    /// Queues a record of `outcome`.
    pub fn record(&self, kind: RecordKind, outcome: &Outcome<'_>) {
        let Some(shared) = &self.shared else { return };
        LINE.with_borrow_mut(|line| {
            line.clear();
            if record::append_record(line, kind, outcome) {
                shared.push(line, &self.plan);
            } else {
                shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Queues the decision in `outcome`; the result waits until the decision is on disk.
    pub fn record_decision(&self, outcome: &Outcome<'_>) -> PendingDecision {
        let wait =
            self.shared.as_ref().filter(|shared| !shared.disk_stuck.load(Ordering::Relaxed)).and_then(|shared| {
                LINE.with_borrow_mut(|line| {
                    line.clear();
                    let appended = record::append_record(line, RecordKind::Decision, outcome);
                    let wait = appended.then(|| shared.push_awaited(line)).flatten();
                    wait.map(|wait| (Arc::clone(shared), wait))
                })
            });
        PendingDecision { wait, patience: self.plan.patience }
    }

    /// Reopens the file before the next record, for a log rotation that has renamed it.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.send_command(WriterCommand::Reopen);
        }
    }

    /// Hands the live file over to another process, which continues the chain.
    ///
    /// The file of this process gets its final name, under which this process writes its last records. An output that
    /// is not a file on a disk is not changed.
    ///
    /// # Errors
    /// Fails if the file cannot be written or renamed now. It may be half done until [`Sink::take_back`].
    pub async fn hand_over(&self) -> io::Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let (reply, wait) = oneshot::channel();
        shared.send_command(WriterCommand::HandOver(reply));
        let done = tokio::time::timeout(self.plan.patience, wait).await;
        done.map_err(|_| io::ErrorKind::TimedOut)?.map_err(|_| io::Error::other("it has ended"))?
    }

    /// Writes the live file again, because the process that it was handed over to does not.
    pub fn take_back(&self) {
        if let Some(shared) = &self.shared {
            shared.send_command(WriterCommand::TakeBack);
        }
    }

    /// Returns the counters of the sink.
    pub fn counts(&self) -> SinkCounts {
        let Some(shared) = &self.shared else { return SinkCounts::default() };
        let counts = &shared.counts;
        SinkCounts {
            written: counts.written.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            syncs: counts.syncs.load(Ordering::Relaxed),
            sync_failures: counts.sync_failures.load(Ordering::Relaxed),
            sync_time: Duration::from_nanos(counts.sync_nanos.load(Ordering::Relaxed)),
            waiting: shared.waiting_records(),
        }
    }

    /// Returns why records cannot be written now; `None` while they can.
    pub fn write_failure(&self) -> Option<WriteFailure> {
        self.shared.as_ref()?.write_failure()
    }

    /// Rejects further records and waits until all accepted ones are written.
    ///
    /// Records that are not written within the plan's time are counted as dropped.
    pub fn close(&self) {
        let Some(shared) = &self.shared else { return };
        let lost = shared.close(self.plan.close_timeout);
        if lost > 0 {
            shared.counts.dropped.fetch_add(lost as u64, Ordering::Relaxed);
            tracing::error!(lost, "the audit log could not be written before its time ran out");
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.close();
    }
}

/// PendingDecision: a queued decision that is not yet known to be on disk; it borrows nothing.
#[derive(Debug)]
pub struct PendingDecision {
    wait: Option<(Arc<SinkState>, oneshot::Receiver<bool>)>,
    patience: Duration,
}

impl PendingDecision {
    /// Waits until the decision is on disk; returns `false` if it is not, or not in time.
    pub async fn persisted(self) -> bool {
        let Some((shared, wait)) = self.wait else { return false };
        match tokio::time::timeout(self.patience, wait).await {
            Ok(persisted) => persisted.unwrap_or(false),
            Err(_) => {
                shared.disk_stuck.store(true, Ordering::Relaxed);
                if shared.set_write_failure(Some("the disk does not answer in time")) {
                    tracing::error!("audit records are not written in time");
                }
                false
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
