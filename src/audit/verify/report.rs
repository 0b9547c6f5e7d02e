//! VerificationReport: the result of verifying audit files.

use super::fault::{ChainFault, LineLocation};
use crate::audit::chain::ChainPosition;

/// VerificationReport: the counts of a verification, and the faults that it found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerificationReport {
    /// The number of whole lines.
    pub lines: u64,
    /// The numbers of the first and the last segment.
    pub segments: Option<(u64, u64)>,
    /// The number of decision records.
    pub decisions: u64,
    /// The number of outcome records.
    pub outcomes: u64,
    /// The number of records that hold a decision and its outcome.
    pub exchanges: u64,
    /// The number of outcomes whose decision is in none of the files.
    pub without_decision: u64,
    /// Decisions without an outcome: requests in progress when the process was killed, or in progress now.
    pub without_outcome: Vec<(u128, LineLocation)>,
    /// Decisions whose outcomes were not searched for, because too many had none.
    pub not_followed: u64,
    /// Lost records that a line reports, because the queue was full or the disk failed.
    pub lost: u64,
    /// Bytes that a crash left in the middle of a line and that the next segment reports.
    pub torn: u64,
    /// Bytes after the last whole line: the line is being written, or a crash has cut it.
    pub unfinished: u64,
    /// Segments without an end line from which another process continues, each with its last line.
    ///
    /// Their process was killed, is still writing, or the end was cut off.
    pub not_ended: Vec<(u64, LineLocation)>,
    /// Whether the last segment has an end line: its process ended normally.
    pub ended: bool,
    /// The position at which the chain ends.
    pub end: Option<ChainPosition>,
    /// The location of the expected chain value.
    pub expected: Option<LineLocation>,
    /// The faults, in the order of the files.
    pub faults: Vec<ChainFault>,
}
