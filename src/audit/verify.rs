//! ChainVerification: whether the lines of audit files are those that were written, one file after the other.

use std::collections::HashMap;
use std::io::{self, BufRead};

use serde::Deserialize;

use super::chain::{ChainPosition, Hash, IncrementalHash, MOST, SealedLine};
use super::sink::recover;
pub use fault::{ChainFault, FaultKind, LineLocation};

mod fault;

/// ChainVerification: a chain of which some files have been read.
#[derive(Default)]
pub struct ChainVerification {
    since: Option<Hash>,
    /// The first line of the chain, where it is here.
    start: Option<Hash>,
    expect: Option<Hash>,
    files: Vec<Box<str>>,
    at: LineLocation,
    /// The chain as it stands in the files.
    link: Option<ChainPosition>,
    /// The chain before the last line that was wrong: the next one may follow that.
    before: Option<ChainPosition>,
    segment: u64,
    /// The line of this segment from which another process may go on.
    handover: Option<ChainPosition>,
    /// The last line of the chain, and whether it is an end.
    last: (LineLocation, bool),
    doubt: Option<UnverifiedBytes>,
    open: HashMap<u128, LineLocation>,
    report: VerificationReport,
}

/// VerificationReport: what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerificationReport {
    /// Whole lines.
    pub lines: u64,
    /// The first and the last segment.
    pub segments: Option<(u64, u64)>,
    /// Decision records.
    pub decisions: u64,
    /// Outcome records.
    pub outcomes: u64,
    /// Records of decision and outcome together.
    pub exchanges: u64,
    /// Outcomes whose decision stands in no file that was read.
    pub without_decision: u64,
    /// Decisions without an outcome: what was under way when the process was killed, or is now.
    pub without_outcome: Vec<(u128, LineLocation)>,
    /// Decisions of which it was not looked for an outcome, because too many had none.
    pub not_followed: u64,
    /// Records of which a line tells that they were lost: the queue was full, or the disk failed.
    pub lost: u64,
    /// Bytes that a crash left in the middle of a line, of which the next segment tells.
    pub torn: u64,
    /// Bytes behind the last whole line: it is being written, or a crash has cut it.
    pub unfinished: u64,
    /// Segments that do not end although another process goes on from them, each with its last line: its process was
    /// killed, writes still, or the end was cut off.
    pub not_ended: Vec<(u64, LineLocation)>,
    /// Whether the last segment has its end: its process has ended in order.
    pub ended: bool,
    /// Where the chain ends.
    pub end: Option<ChainPosition>,
    /// Where the value stands that was expected.
    pub expected: Option<LineLocation>,
    /// What is wrong, in the order of the files.
    pub faults: Vec<ChainFault>,
}

/// UnverifiedBytes: bytes that are no line of the chain; the next segment may tell of them.
struct UnverifiedBytes {
    place: LineLocation,
    length: u64,
    last: u8,
    lines: u64,
    hashing: IncrementalHash,
}

/// The first line of a segment.
#[derive(Deserialize)]
struct SegmentStartLine {
    number: u64,
    #[serde(default)]
    why: String,
    previous: String,
    torn: u64,
    torn_sha256: Option<String>,
    lost: u64,
}

#[derive(Deserialize)]
struct DroppedRecordsLine {
    number: u64,
}

/// Lines longer than this are none of ours.
const LONGEST: u64 = 1 << 20;

const ENDS_IN_DOUBT: &str = "the file ends in what is no line of the chain";

/// The most decisions without an outcome that are remembered: about 100 MB.
const MOST_OPEN: usize = 1 << 20;

/// The most faults that are told.
const MOST_FAULTS: usize = 1000;

impl ChainVerification {
    /// A verification of files that begin right behind `since` and hold `expect`.
    pub fn new(since: Option<Hash>, expect: Option<Hash>) -> Self {
        Self { since, expect, ..Self::default() }
    }

    /// Reads the next file; `progress` is told the bytes of each line.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn file(&mut self, name: &str, mut from: impl BufRead, mut progress: impl FnMut(usize)) -> io::Result<()> {
        self.files.push(name.into());
        self.at = LineLocation { file: self.files.len() - 1, line: 0 };
        let mut line = Vec::new();
        let mut fresh = true;
        loop {
            line.clear();
            io::Read::take(&mut from, LONGEST).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(());
            }
            self.at.line += u64::from(fresh);
            fresh = line.ends_with(b"\n");
            progress(line.len());
            self.line(&line);
        }
    }

    /// What was found, and the names of the files.
    pub fn end(mut self) -> (VerificationReport, Vec<Box<str>>) {
        if let Some(doubt) = self.doubt.take() {
            if doubt.lines == 1 && doubt.last != b'\n' {
                self.report.unfinished += doubt.length;
            } else {
                self.fault(FaultKind::Altered, doubt.place, "it is no line of the chain".to_owned());
            }
        }
        if let (Some(expect), None) = (self.expect, self.report.expected) {
            let message = format!("the chain value {expect} stands nowhere: what ended in it was cut off or replaced");
            self.fault(FaultKind::CutOff, self.at, message);
        }
        if self.link.is_none() {
            self.fault(FaultKind::Altered, self.at, "no segment begins in these files".to_owned());
        }
        let mut open: Vec<(u128, LineLocation)> = self.open.into_iter().collect();
        open.sort_by_key(|(_, place)| *place);
        (VerificationReport { without_outcome: open, ended: self.last.1, end: self.link, ..self.report }, self.files)
    }

    fn line(&mut self, line: &[u8]) {
        let Some(sealed) = line.strip_suffix(b"\n").and_then(SealedLine::read) else { return self.add_doubt(line) };
        if self.expect == Some(sealed.link.hash) {
            self.report.expected = Some(self.at);
        }
        self.report.lines += 1;
        if sealed.record() == b"segment" {
            match serde_json::from_slice::<SegmentStartLine>(line).ok().filter(|begun| begun.number <= MOST) {
                Some(begun) => self.segment(&sealed, &begun),
                None => {
                    self.fault(FaultKind::Altered, self.at, "the first line of a segment cannot be read".to_owned())
                }
            }
        } else if self.belongs(&sealed) {
            self.last = (self.at, sealed.record() == recover::END.as_bytes());
            if sealed.record() == recover::HANDOVER.as_bytes() {
                self.handover = Some(sealed.link);
            }
            self.count(&sealed, line);
        }
    }

    /// Whether a line that begins no segment stands where it was written; a fault where not.
    fn belongs(&mut self, sealed: &SealedLine<'_>) -> bool {
        let Some(last) = self.link else {
            if self.report.faults.is_empty() {
                self.fault(FaultKind::Altered, self.at, "lines stand before the first segment".to_owned());
            }
            return false;
        };
        let follows = sealed.follows(last.hash) && sealed.link.seq == last.seq + 1;
        if let Some(doubt) = self.doubt.take() {
            let (sort, message) = if doubt.place.file != self.at.file {
                (FaultKind::Truncated, ENDS_IN_DOUBT)
            } else if follows {
                (FaultKind::Inserted, "what stands here was not written by the gateway")
            } else {
                (FaultKind::Altered, "it is no line of the chain any more")
            };
            self.fault(sort, doubt.place, message.to_owned());
            self.before = Some(last);
            self.link = Some(sealed.link);
            return true;
        }
        if follows {
            self.link = Some(sealed.link);
            return true;
        }
        let moved = self.report.faults.last().is_some_and(|fault| fault.missing.contains(&sealed.link.seq));
        if let Some(before) = self.before.take().filter(|_| !moved)
            && sealed.follows(before.hash)
            && sealed.link.seq == before.seq + 1
        {
            if let Some(fault) = self.report.faults.last_mut() {
                (fault.sort, fault.message) =
                    (FaultKind::Inserted, "a line that was not written by the gateway".into());
            }
            self.link = Some(sealed.link);
            return true;
        }
        let (seq, next) = (sealed.link.seq, last.seq + 1);
        if seq < next {
            let gap = self.report.faults.iter_mut().rev().find(|fault| fault.missing.contains(&seq));
            if let Some(gap) = gap {
                gap.sort = FaultKind::Reordered;
                gap.message = format!("line {seq} of the chain should stand before this one, and comes later");
            } else {
                let message = format!("line {seq} of the chain, or one that says so, stands here a second time");
                self.fault(FaultKind::Inserted, self.at, message);
            }
            return false;
        }
        if seq == next {
            let message = "this line, or the chain value of the line before it, is not as it was written".to_owned();
            self.fault(FaultKind::Altered, self.at, message);
        } else {
            self.fault(FaultKind::Removed, self.at, format!("before this one {} are missing", lines(seq - next)));
            if let Some(fault) = self.report.faults.last_mut() {
                fault.missing = next..seq;
            }
        }
        self.before = Some(last);
        self.link = Some(sealed.link);
        true
    }

    fn segment(&mut self, sealed: &SealedLine<'_>, begun: &SegmentStartLine) {
        let Some(previous) = Hash::read(begun.previous.as_bytes()).filter(|previous| sealed.follows(*previous)) else {
            let message = "the first line of a segment is not as it was written".to_owned();
            return self.fault(FaultKind::Altered, self.at, message);
        };
        let number = begun.number;
        let from = self.handover.filter(|from| from.hash == previous && sealed.link.seq == from.seq + 1);
        let branches = from.is_some() && number == self.segment + 1;
        if branches && let Some(doubt) = self.doubt.take_if(|doubt| doubt.place.file != self.at.file) {
            // Its process writes it now, or was killed: no line tells of it.
            self.report.unfinished += doubt.length;
        }
        self.torn(begun);
        self.report.lost = self.report.lost.saturating_add(begun.lost);
        if !self.last.1 && self.link.is_some() && (branches || begun.why == "start") {
            self.report.not_ended.push((self.segment, self.last.0));
        }
        match self.link {
            Some(_) if branches => {}
            None => self.begins(sealed, number, previous),
            Some(_)
                if self.start.is_some_and(|start| start != sealed.link.hash) && starts(sealed, number, previous) =>
            {
                let message = "a second chain begins here: these are the files of two audits".to_owned();
                self.report.faults.clear();
                self.fault(FaultKind::TwoChains, self.at, message);
            }
            Some(last) if last.hash == previous && sealed.link.seq == last.seq + 1 => {}
            Some(_) if number > self.segment + 1 => {
                let missing = if number == self.segment + 2 {
                    format!("segment {} is missing", self.segment + 1)
                } else {
                    format!("segments {} to {} are missing", self.segment + 1, number - 1)
                };
                self.fault(FaultKind::Missing, self.at, missing);
            }
            Some(_) if number <= self.segment => {
                let message = format!("segment {number} stands behind segment {}", self.segment);
                self.fault(FaultKind::Reordered, self.at, message);
            }
            Some(last) if sealed.link.seq > last.seq + 1 => {
                let gone = lines(sealed.link.seq - last.seq - 1);
                let told = if begun.lost > 0 { ", and this one tells that its disk had failed" } else { "" };
                let message = format!("at the end of segment {} {gone} are missing{told}", self.segment);
                self.fault(FaultKind::Truncated, self.at, message);
            }
            Some(_) => {
                let message = format!("the last line of segment {} is not as it was written", self.segment);
                self.fault(FaultKind::Altered, self.at, message);
            }
        }
        let (first, _) = self.report.segments.unwrap_or((number, number));
        self.report.segments = Some((first, number));
        (self.link, self.before, self.segment) = (Some(sealed.link), None, number);
        self.last = (self.at, false);
        // A segment that goes on behind a failure has its own number again.
        self.handover = self.handover.filter(|_| begun.why == recover::RESUMED);
    }

    fn begins(&mut self, sealed: &SealedLine<'_>, number: u64, previous: Hash) {
        let message = match self.since {
            Some(since) if since == previous => return,
            Some(since) => format!("segment {number} does not follow the chain value {since}"),
            None if starts(sealed, number, previous) => return self.start = Some(sealed.link.hash),
            None => format!(
                "it begins at segment {number}: what was before is not here; with `--since {previous}` it need not be, \
                 if that is the value that was noted"
            ),
        };
        self.fault(FaultKind::Missing, self.at, message);
    }

    /// Settles what stands before a segment and is no line: the segment tells of it, or somebody has put it there.
    fn torn(&mut self, begun: &SegmentStartLine) {
        let told = |hash: Hash| begun.torn_sha256.as_deref() == Some(hash.as_str());
        let as_told = match &self.doubt {
            None => begun.torn == 0,
            Some(doubt) if doubt.length == begun.torn => told(doubt.hash(true)),
            // The line feed behind it came with the segment.
            Some(doubt) => {
                doubt.last == b'\n' && doubt.length.checked_sub(1) == Some(begun.torn) && told(doubt.hash(false))
            }
        };
        let place = self.doubt.take().map_or(self.at, |doubt| doubt.place);
        if as_told {
            self.report.torn = self.report.torn.saturating_add(begun.torn);
        } else if place.file != self.at.file {
            self.fault(FaultKind::Truncated, place, ENDS_IN_DOUBT.to_owned());
        } else {
            let message = "what stands before a segment is not what the segment tells of".to_owned();
            self.fault(FaultKind::Altered, place, message);
        }
    }

    fn count(&mut self, sealed: &SealedLine<'_>, line: &[u8]) {
        match sealed.record() {
            b"exchange" => {
                self.report.exchanges += 1;
                // A decision that could not be kept in time is told again with its outcome.
                id(line).map(|id| self.open.remove(&id));
            }
            b"decision" => {
                self.report.decisions += 1;
                match id(line) {
                    Some(id) if self.open.len() < MOST_OPEN || self.open.contains_key(&id) => {
                        self.open.insert(id, self.at);
                    }
                    _ => self.report.not_followed += 1,
                }
            }
            b"outcome" => {
                self.report.outcomes += 1;
                if id(line).is_none_or(|id| self.open.remove(&id).is_none()) {
                    self.report.without_decision += 1;
                }
            }
            b"lost" => {
                let lost = serde_json::from_slice::<DroppedRecordsLine>(line).map_or(0, |lost| lost.number);
                self.report.lost = self.report.lost.saturating_add(lost);
            }
            _ => {}
        }
    }

    fn add_doubt(&mut self, line: &[u8]) {
        let place = self.at;
        let doubt = self.doubt.get_or_insert_with(|| UnverifiedBytes {
            place,
            length: 0,
            last: 0,
            lines: 0,
            hashing: IncrementalHash::default(),
        });
        doubt.lines += 1;
        doubt.add(line);
    }

    fn fault(&mut self, sort: FaultKind, place: LineLocation, message: String) {
        // Where two chains are mixed nothing else that is found means anything.
        let mixed = self.report.faults.first().is_some_and(|fault| fault.sort == FaultKind::TwoChains);
        if self.report.faults.len() < MOST_FAULTS && !mixed {
            self.report.faults.push(ChainFault { sort, place, message, missing: 0..0 });
        }
    }
}

impl UnverifiedBytes {
    /// The last byte waits: it may not belong.
    fn add(&mut self, bytes: &[u8]) {
        let Some((last, rest)) = bytes.split_last() else { return };
        if self.length > 0 {
            self.hashing.add(&[self.last]);
        }
        self.hashing.add(rest);
        self.last = *last;
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }

    fn hash(&self, whole: bool) -> Hash {
        let mut hashing = self.hashing.clone();
        if whole {
            hashing.add(&[self.last]);
        }
        hashing.end()
    }
}

/// The number of the first segment that begins in a file; `None` where none does.
///
/// # Errors
/// The file cannot be read.
pub fn first_segment(mut from: impl BufRead) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut from, LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if let Some(number) = recover::number(&line) {
            return Ok(Some(number));
        }
    }
}

/// The id of a record: it stands before anything that a client has sent.
fn id(line: &[u8]) -> Option<u128> {
    const FIELD: &[u8] = b"\"id\":\"";
    let at = line.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
    u128::from_str_radix(std::str::from_utf8(line.get(at..at + 32)?).ok()?, 16).ok()
}

/// Whether a segment is the first one of a chain.
fn starts(sealed: &SealedLine<'_>, number: u64, previous: Hash) -> bool {
    (number, sealed.link.seq, previous) == (1, 1, Hash::ZERO)
}

fn lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

#[cfg(test)]
mod tests;
