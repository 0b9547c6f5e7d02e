//! RecordQueue: the records that wait for the writer, and the requests that wait for the disk.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::plan::{SinkPlan, WhenFull};

/// SinkState: the state that the recording threads and the writer's thread share.
#[derive(Debug, Default)]
pub(super) struct SinkState {
    queue: Mutex<RecordQueue>,
    /// Wakes the writer when there is work.
    work_ready: Condvar,
    /// Wakes the threads that wait for room in the queue or for the end of the writer.
    progress: Condvar,
    pub(super) counts: SinkCounters,
    /// Whether a wait for the disk has timed out since the writer's last batch. No other wait starts meanwhile.
    pub(super) disk_stuck: AtomicBool,
    write_failure: Mutex<Option<WriteFailure>>,
}

/// SinkCounters: the counters of a sink since its start.
#[derive(Debug, Default)]
pub(super) struct SinkCounters {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) sync_failures: AtomicU64,
    pub(super) sync_nanos: AtomicU64,
}

/// WriteFailure: a failure that keeps records from being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFailure {
    /// When the failure began.
    pub since: SystemTime,
    /// The error.
    pub error: Box<str>,
}

/// RecordQueue: the waiting lines, concatenated in one buffer.
#[derive(Debug, Default)]
struct RecordQueue {
    lines: Vec<u8>,
    waiting: usize,
    writing: usize,
    /// Notified when all waiting lines are on disk.
    waiters: Vec<oneshot::Sender<bool>>,
    /// Records that were dropped since the last batch because the queue was full.
    dropped: u64,
    /// Whether the writer sleeps.
    writer_idle: bool,
    /// Whether a wait for room has timed out since the writer last made room.
    stalled: bool,
    commands: Vec<WriterCommand>,
    closed: bool,
    ended: bool,
}

/// RecordBatch: the records and commands that the writer takes at once.
#[derive(Debug, Default)]
pub(super) struct RecordBatch {
    pub(super) lines: Vec<u8>,
    pub(super) count: u64,
    pub(super) waiters: Vec<oneshot::Sender<bool>>,
    pub(super) dropped: u64,
    pub(super) commands: Vec<WriterCommand>,
}

/// WriterCommand: what the writer does with its file before it writes the waiting records.
#[derive(Debug)]
pub(super) enum WriterCommand {
    /// Reopen the file if it was renamed.
    Reopen,
    /// Hand the live file over to another process, and reply with the result.
    HandOver(oneshot::Sender<io::Result<()>>),
    /// Write the live file again, because the other process does not.
    TakeBack,
}

/// The most memory, in bytes, that an empty batch retains.
const RETAINED_CAPACITY: usize = 1 << 20;

impl SinkState {
    fn lock(&self) -> MutexGuard<'_, RecordQueue> {
        // Every change under this lock is complete at each step, so a panic leaves no inconsistent state.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one line; if there is no room for it or the writer has ended, the line is counted as dropped.
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
        self.append(queue, line);
    }

    /// Appends one line whose request waits for it; such a line always has room.
    ///
    /// The receiver is notified when the line is on disk. The result is `None` if no writer will write the line.
    pub(super) fn push_awaited(&self, line: &[u8]) -> Option<oneshot::Receiver<bool>> {
        let (sender, wait) = oneshot::channel();
        let mut queue = self.lock();
        if queue.closed || queue.ended {
            return None;
        }
        queue.waiters.push(sender);
        self.append(queue, line);
        Some(wait)
    }

    fn append(&self, mut queue: MutexGuard<'_, RecordQueue>, line: &[u8]) {
        queue.lines.extend_from_slice(line);
        queue.waiting += 1;
        let wake = std::mem::take(&mut queue.writer_idle);
        drop(queue);
        if wake {
            self.work_ready.notify_one();
        }
    }

    /// Sends the writer a command about its file.
    pub(super) fn send_command(&self, command: WriterCommand) {
        let mut queue = self.lock();
        // The writer has ended. Dropping the command notifies its sender.
        if queue.ended {
            return;
        }
        queue.commands.push(command);
        drop(queue);
        self.work_ready.notify_one();
    }

    /// The number of records that are not written yet.
    pub(super) fn waiting_records(&self) -> usize {
        let queue = self.lock();
        queue.waiting + queue.writing
    }

    /// Waits for work, for at most `timeout`, and moves it to `batch`, which is empty after a timeout.
    ///
    /// Returns whether the writer continues: `false` once the queue is closed and empty.
    pub(super) fn take_batch(&self, batch: &mut RecordBatch, timeout: Option<Duration>) -> bool {
        batch.lines.clear();
        batch.lines.shrink_to(RETAINED_CAPACITY);
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut queue = self.lock();
        queue.writing = 0;
        queue.stalled = false;
        self.disk_stuck.store(false, Ordering::Relaxed);
        self.progress.notify_all();
        while queue.waiting == 0 && queue.commands.is_empty() && !queue.closed {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            queue.writer_idle = true;
            queue = match left {
                Some(left) => self.work_ready.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.work_ready.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.writer_idle = false;
        }
        std::mem::swap(&mut queue.lines, &mut batch.lines);
        std::mem::swap(&mut queue.waiters, &mut batch.waiters);
        queue.writing = std::mem::take(&mut queue.waiting);
        batch.count = u64::try_from(queue.writing).unwrap_or(u64::MAX);
        std::mem::swap(&mut queue.commands, &mut batch.commands);
        batch.dropped = std::mem::take(&mut queue.dropped);
        queue.writing > 0 || !batch.commands.is_empty() || batch.dropped > 0 || !queue.closed
    }

    /// Rejects further records and waits until all are written; returns how many were not written within `timeout`.
    pub(super) fn close(&self, timeout: Duration) -> usize {
        let mut queue = self.lock();
        queue.closed = true;
        self.work_ready.notify_one();
        let waited = self
            .progress
            .wait_timeout_while(queue, timeout, |queue| !queue.ended)
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

    /// Notifies the threads that close the sink that the writer has ended.
    pub(super) fn mark_ended(&self) {
        let mut queue = self.lock();
        queue.ended = true;
        queue.waiters.clear();
        queue.commands.clear();
        drop(queue);
        self.progress.notify_all();
    }

    /// Returns why records cannot be written now.
    pub(super) fn write_failure(&self) -> Option<WriteFailure> {
        self.write_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the current failure, or clears it with `None`; returns whether records could be written before and cannot
    /// now, or the reverse.
    pub(super) fn set_write_failure(&self, error: Option<&str>) -> bool {
        let mut write_failure = self.write_failure.lock().unwrap_or_else(PoisonError::into_inner);
        let news = write_failure.is_some() != error.is_some();
        *write_failure = error.map(|error| WriteFailure {
            since: write_failure.as_ref().map_or_else(SystemTime::now, |write_failure| write_failure.since),
            error: error.into(),
        });
        news
    }
}
