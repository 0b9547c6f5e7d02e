//! RecordQueue: the records that wait for the writer, and those that wait for the disk with them.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::{SinkPlan, WhenFull};

/// SinkState: what the threads that record and the thread that writes have in common.
#[derive(Debug, Default)]
pub(super) struct SinkState {
    queue: Mutex<RecordQueue>,
    /// The writer sleeps on it.
    filled: Condvar,
    /// Those who wait for room or for the end sleep on it.
    progress: Condvar,
    pub(super) counts: SinkCounters,
    /// A wait for the disk has run out since the writer last came round: no other one begins.
    pub(super) stuck: AtomicBool,
    trouble: Mutex<Option<WriteFailure>>,
}

/// SinkCounters: numbers since the start.
#[derive(Debug, Default)]
pub(super) struct SinkCounters {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) sync_failures: AtomicU64,
    pub(super) sync_nanos: AtomicU64,
}

/// WriteFailure: since when records cannot be written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFailure {
    /// Since when.
    pub since: SystemTime,
    /// Why.
    pub error: Box<str>,
}

/// RecordQueue: the lines that wait, one after the other in one piece of memory.
#[derive(Debug, Default)]
struct RecordQueue {
    lines: Vec<u8>,
    waiting: usize,
    writing: usize,
    /// Those who are told when all that waits is on disk.
    waiters: Vec<oneshot::Sender<bool>>,
    /// Records that found no room since the last batch.
    dropped: u64,
    /// The writer sleeps.
    idle: bool,
    /// A wait for room has run out since the writer last made some.
    stalled: bool,
    orders: Vec<WriterCommand>,
    closed: bool,
    ended: bool,
}

/// RecordBatch: what the writer takes at once.
#[derive(Debug, Default)]
pub(super) struct RecordBatch {
    pub(super) lines: Vec<u8>,
    pub(super) count: u64,
    pub(super) waiters: Vec<oneshot::Sender<bool>>,
    pub(super) dropped: u64,
    pub(super) orders: Vec<WriterCommand>,
}

/// WriterCommand: what the writer does with its file before it writes what waits.
#[derive(Debug)]
pub(super) enum WriterCommand {
    /// Open it anew where somebody has renamed it.
    Reopen,
    /// Make room for another process, and say whether there is.
    HandOver(oneshot::Sender<io::Result<()>>),
    /// Write the live file again: the other process does not.
    TakeBack,
}

/// The most memory that an empty batch keeps.
const KEPT: usize = 1 << 20;

impl SinkState {
    fn lock(&self) -> MutexGuard<'_, RecordQueue> {
        // Every change under this lock is whole at each step, so a panic elsewhere leaves nothing half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one line; where there is no room for it, or nobody to write it, it is counted as dropped.
    pub(super) fn push(&self, line: &[u8], plan: &SinkPlan) {
        let mut queue = self.lock();
        let full = |queue: &RecordQueue| queue.waiting + queue.writing >= plan.queue.max(1);
        if full(&queue)
            && !queue.closed
            && !queue.stalled
            && let WhenFull::Wait(patience) = plan.when_full
        {
            let wait = self
                .progress
                .wait_timeout_while(queue, patience, |queue| full(queue) && !queue.stalled && !queue.closed);
            queue = wait.unwrap_or_else(PoisonError::into_inner).0;
            queue.stalled |= full(&queue);
        }
        if full(&queue) || queue.closed || queue.ended {
            queue.dropped += 1;
            drop(queue);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.put(queue, line);
    }

    /// Appends one line, for which there is always room because its request waits; what is told when it is on disk,
    /// `None` where nobody will write it.
    pub(super) fn push_waiting(&self, line: &[u8]) -> Option<oneshot::Receiver<bool>> {
        let (told, wait) = oneshot::channel();
        let mut queue = self.lock();
        if queue.closed || queue.ended {
            return None;
        }
        queue.waiters.push(told);
        self.put(queue, line);
        Some(wait)
    }

    fn put(&self, mut queue: MutexGuard<'_, RecordQueue>, line: &[u8]) {
        queue.lines.extend_from_slice(line);
        queue.waiting += 1;
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Asks the writer to do something with its file.
    pub(super) fn order(&self, order: WriterCommand) {
        let mut queue = self.lock();
        // Nobody carries it out any more: whoever waits for it hears so.
        if queue.ended {
            return;
        }
        queue.orders.push(order);
        drop(queue);
        self.filled.notify_one();
    }

    /// How many records wait.
    pub(super) fn waiting(&self) -> usize {
        let queue = self.lock();
        queue.waiting + queue.writing
    }

    /// Waits for work and moves it to `batch`, which may be empty once `rest` is over; whether there is any more.
    pub(super) fn take(&self, batch: &mut RecordBatch, rest: Option<Duration>) -> bool {
        batch.lines.clear();
        batch.lines.shrink_to(KEPT);
        let end = rest.and_then(|rest| Instant::now().checked_add(rest));
        let mut queue = self.lock();
        queue.writing = 0;
        queue.stalled = false;
        self.stuck.store(false, Ordering::Relaxed);
        self.progress.notify_all();
        while queue.waiting == 0 && queue.orders.is_empty() && !queue.closed {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            queue.idle = true;
            queue = match left {
                Some(left) => self.filled.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.idle = false;
        }
        std::mem::swap(&mut queue.lines, &mut batch.lines);
        std::mem::swap(&mut queue.waiters, &mut batch.waiters);
        queue.writing = std::mem::take(&mut queue.waiting);
        batch.count = u64::try_from(queue.writing).unwrap_or(u64::MAX);
        std::mem::swap(&mut queue.orders, &mut batch.orders);
        batch.dropped = std::mem::take(&mut queue.dropped);
        queue.writing > 0 || !batch.orders.is_empty() || batch.dropped > 0 || !queue.closed
    }

    /// Takes no more records and waits until all are written; how many were not before `within` was over.
    pub(super) fn close(&self, within: Duration) -> usize {
        let mut queue = self.lock();
        queue.closed = true;
        self.filled.notify_one();
        let waited = self
            .progress
            .wait_timeout_while(queue, within, |queue| !queue.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let mut queue = waited.0;
        if queue.ended {
            return 0;
        }
        let lost = std::mem::take(&mut queue.waiting) + std::mem::take(&mut queue.writing);
        queue.lines.clear();
        queue.waiters.clear();
        queue.ended = true;
        lost
    }

    /// Tells those who close that the writer is gone.
    pub(super) fn end(&self) {
        let mut queue = self.lock();
        queue.ended = true;
        queue.waiters.clear();
        queue.orders.clear();
        drop(queue);
        self.progress.notify_all();
    }

    /// Why nothing can be written now.
    pub(super) fn trouble(&self) -> Option<WriteFailure> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of a failure, or with `None` that all is well again; whether that is news.
    pub(super) fn note(&self, error: Option<&str>) -> bool {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let news = trouble.is_some() != error.is_some();
        *trouble = error.map(|error| WriteFailure {
            since: trouble.as_ref().map_or_else(SystemTime::now, |trouble| trouble.since),
            error: error.into(),
        });
        news
    }
}
