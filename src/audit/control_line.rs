//! Control lines: the lines of an audit chain that describe the chain itself, not a request.

use serde::{Deserialize, Serialize};

use super::Rfc3339Time;
use super::chain::{Hash, MAX_NUMBER};

/// The `record` of a line from which another process may continue the chain.
pub(super) const HANDOVER: &str = "handover";

/// The `record` of the last line that a process writes to a file.
pub(super) const END: &str = "end";

/// The `why` of a segment that continues after a failure under its own number, because another process has the next.
pub(super) const RESUMED: &str = "resumed";

/// SegmentStart: the first line of a segment.
#[derive(Serialize)]
pub(super) struct SegmentStart {
    pub(super) record: &'static str,
    pub(super) number: u64,
    pub(super) time: Rfc3339Time,
    pub(super) process: u32,
    pub(super) why: &'static str,
    pub(super) previous: Hash,
    pub(super) torn: u64,
    pub(super) torn_sha256: Option<Hash>,
    pub(super) lost: u64,
}

/// SegmentStartLine: the first line of a segment as it is read.
#[derive(Deserialize)]
pub(super) struct SegmentStartLine {
    pub(super) number: u64,
    #[serde(default)]
    pub(super) why: String,
    pub(super) previous: String,
    pub(super) torn: u64,
    pub(super) torn_sha256: Option<String>,
    pub(super) lost: u64,
}

/// DroppedRecords: the line that counts records dropped because the queue was full.
#[derive(Serialize)]
pub(super) struct DroppedRecords {
    pub(super) record: &'static str,
    pub(super) time: Rfc3339Time,
    pub(super) number: u64,
    pub(super) why: &'static str,
}

/// DroppedRecordsLine: the line that counts dropped records, as it is read.
#[derive(Deserialize)]
pub(super) struct DroppedRecordsLine {
    pub(super) number: u64,
}

/// ChainMark: a line that marks a position in the chain: a hand-over or an end.
#[derive(Serialize)]
pub(super) struct ChainMark {
    pub(super) record: &'static str,
    pub(super) time: Rfc3339Time,
}

/// The segment number in the first line of a segment; `None` for any other line.
pub(super) fn segment_number(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"record\":\"segment\",\"number\":")?;
    let digits = rest.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&number| number <= MAX_NUMBER)
}

/// Whether the first line of a segment says that the segment continues after a failure.
pub(super) fn is_resumed(line: &[u8]) -> bool {
    let why = format!("\"why\":\"{RESUMED}\"");
    line.windows(why.len()).any(|window| window == why.as_bytes())
}
