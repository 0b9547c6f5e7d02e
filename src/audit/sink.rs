//! Sink: where audit records go; a bounded queue and one thread that writes it.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::output::Output;
use super::{Outcome, record};

mod output;

/// SinkPlan: where audit records go and what happens when they come too fast.
#[derive(Debug, Clone)]
pub struct SinkPlan {
    /// Where they go.
    pub target: Target,
    /// The most records that wait, those being written included.
    pub queue: usize,
    /// What happens to a record that finds the queue full.
    pub when_full: WhenFull,
    /// How long [`Sink::close`] waits for the last records to be written.
    pub close_within: Duration,
}

impl SinkPlan {
    /// A plan with the safe defaults: 8,192 records wait, later ones are dropped, closing takes at most 5 seconds.
    pub fn new(target: Target) -> Self {
        Self { target, queue: 8192, when_full: WhenFull::Drop, close_within: Duration::from_secs(5) }
    }
}

/// Target: where audit records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To the end of this file, made readable by its owner only.
    File(PathBuf),
    /// To standard output.
    Stdout,
    /// Nowhere.
    Nowhere,
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

/// Sink: takes records from any thread; whatever it has taken is written before it is closed or dropped.
#[derive(Debug)]
pub struct Sink {
    shared: Option<Arc<Shared>>,
    plan: SinkPlan,
}

impl Sink {
    /// The sink of `plan`, with its file open and its thread running.
    pub fn open(plan: SinkPlan) -> io::Result<Self> {
        let Some(output) = Output::open(&plan.target)? else { return Ok(Self { shared: None, plan }) };
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        std::thread::Builder::new().name("audit".into()).spawn(move || write(&Ended(writer).0, output))?;
        Ok(Self { shared: Some(shared), plan })
    }

    /// Queues the record of `outcome`.
    pub fn record(&self, outcome: &Outcome<'_>) {
        let Some(shared) = &self.shared else { return };
        // Each thread writes its line before it takes the lock, into memory that it keeps.
        thread_local!(static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
        let kept = LINE.with_borrow_mut(|line| {
            line.clear();
            record::append(line, outcome) && shared.push(line, &self.plan)
        });
        if !kept {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file anew before the next record, for a log rotation that has renamed it.
    pub fn reopen(&self) {
        if let Some(shared) = &self.shared {
            shared.lock().reopen = true;
            shared.filled.notify_one();
        }
    }

    /// How many records were lost because the queue was full or closed.
    pub fn dropped(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.dropped.load(Ordering::Relaxed))
    }

    /// How many records were lost because they could not be written: a full disk, a closed pipe.
    pub fn failed(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| shared.failed.load(Ordering::Relaxed))
    }

    /// Takes no more records and waits until all that were taken are written; what the plan's time does not suffice
    /// for is counted as dropped.
    pub fn close(&self) {
        let Some(shared) = &self.shared else { return };
        let mut queue = shared.lock();
        queue.closed = true;
        shared.filled.notify_one();
        let waited = shared
            .progress
            .wait_timeout_while(queue, self.plan.close_within, |queue| !queue.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let mut queue = waited.0;
        if !queue.ended {
            let lost = std::mem::take(&mut queue.waiting) + std::mem::take(&mut queue.writing);
            queue.lines.clear();
            queue.ended = true;
            drop(queue);
            shared.dropped.fetch_add(lost as u64, Ordering::Relaxed);
            tracing::error!(lost, "the audit log could not be written before its time ran out");
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.close();
    }
}

/// Shared: what the threads that record and the thread that writes have in common.
#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// The writer sleeps on it.
    filled: Condvar,
    /// Those who wait for room or for the end sleep on it.
    progress: Condvar,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// Queue: the lines that wait, one after the other in one piece of memory.
#[derive(Debug, Default)]
struct Queue {
    lines: Vec<u8>,
    waiting: usize,
    writing: usize,
    /// The writer sleeps.
    idle: bool,
    /// A wait for room has run out since the writer last made some.
    stalled: bool,
    reopen: bool,
    closed: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Every change under this lock is whole at each step, so a panic elsewhere leaves nothing half done.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends one line; false where there is no room, or nobody to write it.
    fn push(&self, line: &[u8], plan: &SinkPlan) -> bool {
        let mut queue = self.lock();
        let full = |queue: &Queue| queue.waiting + queue.writing >= plan.queue.max(1);
        if full(&queue) && !queue.closed {
            let WhenFull::Wait(patience) = plan.when_full else { return false };
            if queue.stalled {
                return false;
            }
            let wait = self
                .progress
                .wait_timeout_while(queue, patience, |queue| full(queue) && !queue.stalled && !queue.closed);
            queue = wait.unwrap_or_else(PoisonError::into_inner).0;
            if full(&queue) {
                queue.stalled = true;
                return false;
            }
        }
        if queue.closed || queue.ended {
            return false;
        }
        queue.lines.extend_from_slice(line);
        queue.waiting += 1;
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.filled.notify_one();
        }
        true
    }

    /// Waits for work and moves it to `batch`: whether to open the file anew first; `None` when all is done.
    fn take(&self, batch: &mut Vec<u8>) -> Option<bool> {
        batch.clear();
        batch.shrink_to(KEPT);
        let mut queue = self.lock();
        queue.writing = 0;
        queue.stalled = false;
        self.progress.notify_all();
        while queue.waiting == 0 && !queue.reopen && !queue.closed {
            queue.idle = true;
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle = false;
        }
        std::mem::swap(&mut queue.lines, batch);
        queue.writing = std::mem::take(&mut queue.waiting);
        let reopen = std::mem::take(&mut queue.reopen);
        (queue.writing > 0 || reopen || !queue.closed).then_some(reopen)
    }
}

/// The most memory that an empty batch keeps.
const KEPT: usize = 1 << 20;

/// Ended: tells those who close that the writer is gone, by whichever way it went.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.progress.notify_all();
    }
}

/// The writer's thread.
fn write(shared: &Shared, mut output: Output) {
    let mut batch = Vec::new();
    let mut complaint = Complaint::default();
    while let Some(reopen) = shared.take(&mut batch) {
        if reopen && let Err(error) = output.reopen() {
            tracing::error!(%error, "the audit file cannot be opened anew: records still go to the old one");
        }
        if let Err(failure) = output.write(&batch) {
            shared.failed.fetch_add(failure.lost, Ordering::Relaxed);
            complaint.error = Some(failure.error);
        }
        complaint.say(shared.dropped.load(Ordering::Relaxed), shared.failed.load(Ordering::Relaxed));
    }
}

/// Complaint: lost records in the program's log, at most once a minute.
#[derive(Default)]
struct Complaint {
    error: Option<io::Error>,
    last: Option<Instant>,
    told: u64,
}

impl Complaint {
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

#[cfg(test)]
mod tests;
