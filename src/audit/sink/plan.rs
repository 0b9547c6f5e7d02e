//! SinkPlan: the destination and the limits of an audit sink.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::rotate::Rotation;

/// SinkPlan: where audit records go and what happens when they arrive too fast.
#[derive(Debug, Clone)]
pub struct SinkPlan {
    /// The destination.
    pub target: SinkTarget,
    /// The most records that wait, those being written included.
    pub queue: usize,
    /// What happens to a record when the queue is full.
    pub when_full: WhenFull,
    /// How long a decision or a hand-over waits for the disk.
    pub patience: Duration,
    /// When a file is finished and the next one started.
    pub rotation: Rotation,
    /// How long closing the sink waits for the last records to be written.
    pub close_timeout: Duration,
}

impl SinkPlan {
    /// A plan with the safe defaults: 8,192 records wait, later ones are dropped and files are never finished.
    ///
    /// Waiting for the disk and closing take at most 5 seconds each.
    pub fn new(target: SinkTarget) -> Self {
        let patience = Duration::from_secs(5);
        let rotation = Rotation::default();
        Self { target, queue: 8192, when_full: WhenFull::Drop, patience, rotation, close_timeout: patience }
    }
}

/// SinkTarget: the destination of audit records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTarget {
    /// The end of this file, which only its owner can read.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// No destination: records are discarded.
    Nowhere,
}

impl SinkTarget {
    /// Whether the target can be durable: it is a file on a disk, or one that does not exist yet.
    pub fn can_be_durable(&self) -> bool {
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

/// WhenFull: what happens to a record when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The record is dropped and counted.
    Drop,
    /// The recording thread waits at most this long; then the record is dropped and counted.
    ///
    /// The thread also serves other requests, so it must not wait repeatedly for a disk that is stuck. After one wait
    /// has timed out, records are dropped immediately until the writer has made room.
    Wait(Duration),
}
