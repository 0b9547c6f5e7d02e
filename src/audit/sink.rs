//! Sink: where audit records go; a queue and one thread that writes it, for those who wait and those who do not.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use self::queue::{SinkState, WriterCommand};
use self::segment::Segment;
use super::Outcome;
use super::record::{self, RecordKind};

mod queue;
pub(crate) mod recover;
mod rotate;
mod segment;
mod writer;

pub use queue::WriteFailure;
pub use rotate::Rotation;

/// SinkPlan: where audit records go and what happens when they come too fast.
#[derive(Debug, Clone)]
pub struct SinkPlan {
    /// Where they go.
    pub target: SinkTarget,
    /// The most records that wait, those being written included.
    pub queue: usize,
    /// What happens to a record that finds the queue full.
    pub when_full: WhenFull,
    /// How long [`Sink::decide`] waits for the disk.
    pub patience: Duration,
    /// When a file is finished and the next one begun.
    pub rotation: Rotation,
    /// How long [`Sink::close`] waits for the last records to be written.
    pub close_within: Duration,
}

impl SinkPlan {
    /// A plan with the safe defaults: 8,192 records wait, later ones are dropped, files are never finished, and waiting
    /// for the disk or closing takes at most 5 seconds.
    pub fn new(target: SinkTarget) -> Self {
        let patience = Duration::from_secs(5);
        let rotation = Rotation::default();
        Self { target, queue: 8192, when_full: WhenFull::Drop, patience, rotation, close_within: patience }
    }
}

/// SinkTarget: where audit records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTarget {
    /// To the end of this file, made readable by its owner only.
    File(PathBuf),
    /// To standard output.
    Stdout,
    /// Nowhere.
    Nowhere,
}

impl SinkTarget {
    /// Whether what is written there can be made to last: a file on a disk, or one that is yet to be made.
    pub fn can_last(&self) -> bool {
        matches!(self, Self::File(path) if std::fs::metadata(path).is_ok_and(|of| of.is_file()) || !path.exists())
    }
}

impl fmt::Display for SinkTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "`{}`", path.display()),
            Self::Stdout => out.write_str("standard output"),
            Self::Nowhere => out.write_str("nowhere"),
        }
    }
}

/// WhenFull: what happens to a record that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It is dropped and counted.
    Drop,
    /// Its thread waits at most this long, then the record is dropped and counted.
    ///
    /// The thread serves other requests too, so it must not wait again and again for a disk that is stuck: once a
    /// wait has run out, records are dropped at once until the writer has made room.
    Wait(Duration),
}

/// SinkCounts: the numbers of a sink since its start, and how many records wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SinkCounts {
    /// Records that were written.
    pub written: u64,
    /// Records that were lost because the queue was full or closed.
    pub dropped: u64,
    /// Records that were lost, or may be, because they could not be written: a full disk, a closed pipe.
    pub failed: u64,
    /// How often the disk was asked to confirm.
    pub syncs: u64,
    /// How often it did not.
    pub sync_failures: u64,
    /// How long that took, all in all.
    pub syncing: Duration,
    /// Records that wait to be written.
    pub waiting: usize,
}

/// Sink: takes records from any thread; whatever it has taken is written before it is closed or dropped.
#[derive(Debug)]
pub struct Sink {
    shared: Option<Arc<SinkState>>,
    plan: SinkPlan,
}

thread_local! {
    /// Each thread writes its line before it takes the lock, into memory that it keeps.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Sink {
    /// The sink of `plan`, with its file open and its thread running.
    ///
    /// # Errors
    /// The file cannot be opened, or another process writes to it.
    pub fn open(plan: SinkPlan) -> io::Result<Self> {
        let Some(segment) = Segment::open(&plan.target, plan.rotation)? else { return Ok(Self { shared: None, plan }) };
        let shared = Arc::new(SinkState::default());
        let writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("audit".into());
        thread.spawn(move || writer::run(&writer::WriterEndGuard(writer).0, segment))?;
        Ok(Self { shared: Some(shared), plan })
    }

    /// Whether a sink of `plan` could be opened once no other process writes to its file.
    ///
    /// # Errors
    /// The folder is none, or the file is there and cannot be written to.
    pub fn check(plan: &SinkPlan) -> io::Result<()> {
        if let SinkTarget::File(path) = &plan.target { segment::check(path) } else { Ok(()) }
    }

    /// Queues a record of `outcome`.
    pub fn record(&self, sort: RecordKind, outcome: &Outcome<'_>) {
        let Some(shared) = &self.shared else { return };
        LINE.with_borrow_mut(|line| {
            line.clear();
            if record::append(line, sort, outcome) {
                shared.push(line, &self.plan);
            } else {
                shared.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Queues the decision in `outcome`, and gives what waits until it is on disk.
    pub fn decide(&self, outcome: &Outcome<'_>) -> PendingDecision {
        let wait = self.shared.as_ref().filter(|shared| !shared.stuck.load(Ordering::Relaxed)).and_then(|shared| {
            LINE.with_borrow_mut(|line| {
                line.clear();
                let wait =
                    record::append(line, RecordKind::Decision, outcome).then(|| shared.push_waiting(line)).flatten();
                wait.map(|wait| (Arc::clone(shared), wait))
            })
        });
        PendingDecision { wait, patience: self.plan.patience }
    }

    /// Opens the file anew before the next record, for a log rotation that has renamed it.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.order(WriterCommand::Reopen);
        }
    }

    /// Makes room for a process that goes on with the file of this one: the live file gets its final name, under which
    /// this process writes its last records. An output that is no file on a disk stays as it is.
    ///
    /// # Errors
    /// The file cannot be written or renamed now; it may be half done until [`Sink::take_back`].
    pub async fn hand_over(&self) -> io::Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let (told, wait) = oneshot::channel();
        shared.order(WriterCommand::HandOver(told));
        let done = tokio::time::timeout(self.plan.patience, wait).await;
        done.map_err(|_| io::ErrorKind::TimedOut)?.map_err(|_| io::Error::other("it has ended"))?
    }

    /// Goes on with a live file where the process that it made room for does not.
    pub fn take_back(&self) {
        if let Some(shared) = &self.shared {
            shared.order(WriterCommand::TakeBack);
        }
    }

    /// Its numbers.
    pub fn counts(&self) -> SinkCounts {
        let Some(shared) = &self.shared else { return SinkCounts::default() };
        let counts = &shared.counts;
        SinkCounts {
            written: counts.written.load(Ordering::Relaxed),
            dropped: counts.dropped.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            syncs: counts.syncs.load(Ordering::Relaxed),
            sync_failures: counts.sync_failures.load(Ordering::Relaxed),
            syncing: Duration::from_nanos(counts.sync_nanos.load(Ordering::Relaxed)),
            waiting: shared.waiting(),
        }
    }

    /// Why records cannot be written now; `None` while they can.
    pub fn trouble(&self) -> Option<WriteFailure> {
        self.shared.as_ref()?.trouble()
    }

    /// Takes no more records and waits until all that were taken are written; what the plan's time does not suffice
    /// for is counted as dropped.
    pub fn close(&self) {
        let Some(shared) = &self.shared else { return };
        let lost = shared.close(self.plan.close_within);
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

/// PendingDecision: a decision on its way to the disk; it borrows nothing.
#[derive(Debug)]
pub struct PendingDecision {
    wait: Option<(Arc<SinkState>, oneshot::Receiver<bool>)>,
    patience: Duration,
}

impl PendingDecision {
    /// Waits until the decision is on disk; `false` where it is not, or not in time.
    pub async fn kept(self) -> bool {
        let Some((shared, wait)) = self.wait else { return false };
        match tokio::time::timeout(self.patience, wait).await {
            Ok(kept) => kept.unwrap_or(false),
            Err(_) => {
                shared.stuck.store(true, Ordering::Relaxed);
                if shared.note(Some("the disk does not answer in time")) {
                    tracing::error!("audit records are not written in time");
                }
                false
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
