//! ChainVerification: verifies that the lines of audit files are the lines that were written.

use std::collections::HashMap;
use std::io::{self, BufRead};

use super::chain::{ChainPosition, Hash, MAX_NUMBER, SealedLine};
use super::control_line::{self, DroppedRecordsLine, SegmentStartLine};
use unverified::UnverifiedBytes;

mod fault;
mod report;
mod unverified;

pub use fault::{ChainFault, FaultKind, LineLocation};
pub use report::VerificationReport;

/// ChainVerification: the state of verifying a chain, file by file.
#[derive(Default)]
pub struct ChainVerification {
    since: Option<Hash>,
    /// The hash of the first line of the chain, if the files hold that line.
    first_line: Option<Hash>,
    expected_hash: Option<Hash>,
    files: Vec<Box<str>>,
    location: LineLocation,
    /// The position of the last line of the chain in the files.
    position: Option<ChainPosition>,
    /// The position before the last wrong line: the next line may follow it.
    last_good: Option<ChainPosition>,
    segment: u64,
    /// The line of this segment from which another process may continue.
    handover: Option<ChainPosition>,
    /// The last line of the chain, and whether it is an end line.
    last: (LineLocation, bool),
    unverified: Option<UnverifiedBytes>,
    open_decisions: HashMap<u128, LineLocation>,
    report: VerificationReport,
}

/// The length of the longest line that can belong to a chain.
const MAX_LINE: u64 = 1 << 20;

const ENDS_UNVERIFIED: &str = "the file ends in bytes that are not a line of the chain";

/// The most decisions without an outcome that are kept: about 100 MB.
const MAX_OPEN_DECISIONS: usize = 1 << 20;

/// The most faults that are reported.
const MAX_FAULTS: usize = 1000;

impl ChainVerification {
    /// A verification of files that begin directly after the chain value `since` and hold `expected_hash`.
    pub fn new(since: Option<Hash>, expected_hash: Option<Hash>) -> Self {
        Self { since, expected_hash, ..Self::default() }
    }

    /// Reads the next file and calls `progress` with the length of each line.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn read_file(&mut self, name: &str, mut from: impl BufRead, mut progress: impl FnMut(usize)) -> io::Result<()> {
        self.files.push(name.into());
        self.location = LineLocation { file: self.files.len() - 1, line: 0 };
        let mut line = Vec::new();
        let mut fresh = true;
        loop {
            line.clear();
            io::Read::take(&mut from, MAX_LINE).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(());
            }
            self.location.line += u64::from(fresh);
            fresh = line.ends_with(b"\n");
            progress(line.len());
            self.verify_line(&line);
        }
    }

    /// Ends the verification; returns the report and the names of the files.
    pub fn finish(mut self) -> (VerificationReport, Vec<Box<str>>) {
        if let Some(unverified) = self.unverified.take() {
            if unverified.lines == 1 && unverified.last != b'\n' {
                self.report.unfinished += unverified.length;
            } else {
                self.add_fault(
                    FaultKind::Altered,
                    unverified.location,
                    "these bytes are not a line of the chain".to_owned(),
                );
            }
        }
        if let (Some(hash), None) = (self.expected_hash, self.report.expected) {
            let message = format!("no line has the chain value {hash}: the lines up to it were cut off or replaced");
            self.add_fault(FaultKind::CutOff, self.location, message);
        }
        if self.position.is_none() {
            self.add_fault(FaultKind::Altered, self.location, "no segment begins in these files".to_owned());
        }
        let mut open_decisions: Vec<(u128, LineLocation)> = self.open_decisions.into_iter().collect();
        open_decisions.sort_by_key(|(_, location)| *location);
        (
            VerificationReport {
                without_outcome: open_decisions,
                ended: self.last.1,
                end: self.position,
                ..self.report
            },
            self.files,
        )
    }

    fn verify_line(&mut self, line: &[u8]) {
        let Some(sealed) = line.strip_suffix(b"\n").and_then(SealedLine::read) else {
            return self.add_unverified(line);
        };
        if self.expected_hash == Some(sealed.position.hash) {
            self.report.expected = Some(self.location);
        }
        self.report.lines += 1;
        if sealed.record_kind() == b"segment" {
            match serde_json::from_slice::<SegmentStartLine>(line).ok().filter(|start| start.number <= MAX_NUMBER) {
                Some(start) => self.verify_segment_start(&sealed, &start),
                None => self.add_fault(
                    FaultKind::Altered,
                    self.location,
                    "the first line of a segment cannot be read".to_owned(),
                ),
            }
        } else if self.check_line(&sealed) {
            self.last = (self.location, sealed.record_kind() == control_line::END.as_bytes());
            if sealed.record_kind() == control_line::HANDOVER.as_bytes() {
                self.handover = Some(sealed.position);
            }
            self.count_record(&sealed, line);
        }
    }

    /// Checks that a line that begins no segment is at its position in the chain, and adds a fault if it is not.
    ///
    /// Returns whether the chain continues with this line.
    fn check_line(&mut self, sealed: &SealedLine<'_>) -> bool {
        let Some(last) = self.position else {
            if self.report.faults.is_empty() {
                self.add_fault(
                    FaultKind::Altered,
                    self.location,
                    "there are lines before the first segment".to_owned(),
                );
            }
            return false;
        };
        let follows = sealed.follows(last.hash) && sealed.position.seq == last.seq + 1;
        if let Some(unverified) = self.unverified.take() {
            let (kind, message) = if unverified.location.file != self.location.file {
                (FaultKind::Truncated, ENDS_UNVERIFIED)
            } else if follows {
                (FaultKind::Inserted, "the gateway did not write these bytes")
            } else {
                (FaultKind::Altered, "this is no longer a line of the chain")
            };
            self.add_fault(kind, unverified.location, message.to_owned());
            self.last_good = Some(last);
            self.position = Some(sealed.position);
            return true;
        }
        if follows {
            self.position = Some(sealed.position);
            return true;
        }
        let moved = self.report.faults.last().is_some_and(|fault| fault.missing.contains(&sealed.position.seq));
        if let Some(last_good) = self.last_good.take().filter(|_| !moved)
            && sealed.follows(last_good.hash)
            && sealed.position.seq == last_good.seq + 1
        {
            if let Some(fault) = self.report.faults.last_mut() {
                (fault.kind, fault.message) = (FaultKind::Inserted, "the gateway did not write this line".into());
            }
            self.position = Some(sealed.position);
            return true;
        }
        let (seq, next) = (sealed.position.seq, last.seq + 1);
        if seq < next {
            let gap = self.report.faults.iter_mut().rev().find(|fault| fault.missing.contains(&seq));
            if let Some(gap) = gap {
                gap.kind = FaultKind::Reordered;
                gap.message = format!("line {seq} of the chain belongs before this line, and comes later");
            } else {
                let message = format!("line {seq} of the chain, or a line with that number, is here a second time");
                self.add_fault(FaultKind::Inserted, self.location, message);
            }
            return false;
        }
        if seq == next {
            let message =
                "this line, or the chain value of the line before it, was changed after it was written".to_owned();
            self.add_fault(FaultKind::Altered, self.location, message);
        } else {
            let message = format!("before this line {} are missing", count_lines(seq - next));
            self.add_fault(FaultKind::Removed, self.location, message);
            if let Some(fault) = self.report.faults.last_mut() {
                fault.missing = next..seq;
            }
        }
        self.last_good = Some(last);
        self.position = Some(sealed.position);
        true
    }

    fn verify_segment_start(&mut self, sealed: &SealedLine<'_>, start: &SegmentStartLine) {
        let Some(previous) = Hash::read(start.previous.as_bytes()).filter(|previous| sealed.follows(*previous)) else {
            let message = "the first line of a segment was changed after it was written".to_owned();
            return self.add_fault(FaultKind::Altered, self.location, message);
        };
        let number = start.number;
        let from = self.handover.filter(|from| from.hash == previous && sealed.position.seq == from.seq + 1);
        let branches = from.is_some() && number == self.segment + 1;
        if branches
            && let Some(unverified) =
                self.unverified.take_if(|unverified| unverified.location.file != self.location.file)
        {
            // The process of that file is writing these bytes, or was killed: no line reports them.
            self.report.unfinished += unverified.length;
        }
        self.check_torn_bytes(start);
        self.report.lost = self.report.lost.saturating_add(start.lost);
        if !self.last.1 && self.position.is_some() && (branches || start.why == "start") {
            self.report.not_ended.push((self.segment, self.last.0));
        }
        match self.position {
            Some(_) if branches => {}
            None => self.check_first_segment(sealed, number, previous),
            Some(_)
                if self.first_line.is_some_and(|first_line| first_line != sealed.position.hash)
                    && starts_chain(sealed, number, previous) =>
            {
                let message = "a second chain begins here: the files belong to two audits".to_owned();
                self.report.faults.clear();
                self.add_fault(FaultKind::TwoChains, self.location, message);
            }
            Some(last) if last.hash == previous && sealed.position.seq == last.seq + 1 => {}
            Some(_) if number > self.segment + 1 => {
                let missing = if number == self.segment + 2 {
                    format!("segment {} is missing", self.segment + 1)
                } else {
                    format!("segments {} to {} are missing", self.segment + 1, number - 1)
                };
                self.add_fault(FaultKind::Missing, self.location, missing);
            }
            Some(_) if number <= self.segment => {
                let message = format!("segment {number} comes after segment {}", self.segment);
                self.add_fault(FaultKind::Reordered, self.location, message);
            }
            Some(last) if sealed.position.seq > last.seq + 1 => {
                let gone = count_lines(sealed.position.seq - last.seq - 1);
                let reason = if start.lost > 0 { ", and this segment reports that the disk had failed" } else { "" };
                let message = format!("at the end of segment {} {gone} are missing{reason}", self.segment);
                self.add_fault(FaultKind::Truncated, self.location, message);
            }
            Some(_) => {
                let message = format!("the last line of segment {} was changed after it was written", self.segment);
                self.add_fault(FaultKind::Altered, self.location, message);
            }
        }
        let (first, _) = self.report.segments.unwrap_or((number, number));
        self.report.segments = Some((first, number));
        (self.position, self.last_good, self.segment) = (Some(sealed.position), None, number);
        self.last = (self.location, false);
        // A segment that continues after a failure keeps its number.
        self.handover = self.handover.filter(|_| start.why == control_line::RESUMED);
    }

    fn check_first_segment(&mut self, sealed: &SealedLine<'_>, number: u64, previous: Hash) {
        let message = match self.since {
            Some(since) if since == previous => return,
            Some(since) => format!("segment {number} does not follow the chain value {since}"),
            None if starts_chain(sealed, number, previous) => return self.first_line = Some(sealed.position.hash),
            None => format!(
                "it begins at segment {number}: what was before is not here; with `--since {previous}` it need not be, \
                 if that is the value that was noted"
            ),
        };
        self.add_fault(FaultKind::Missing, self.location, message);
    }

    /// Checks the unverified bytes before a segment: the segment reports them, or they were inserted later.
    fn check_torn_bytes(&mut self, start: &SegmentStartLine) {
        let unverified = self.unverified.take();
        let is_reported = unverified
            .as_ref()
            .map_or(start.torn == 0, |unverified| unverified.is_reported_as(start.torn, start.torn_sha256.as_deref()));
        let location = unverified.map_or(self.location, |unverified| unverified.location);
        if is_reported {
            self.report.torn = self.report.torn.saturating_add(start.torn);
        } else if location.file != self.location.file {
            self.add_fault(FaultKind::Truncated, location, ENDS_UNVERIFIED.to_owned());
        } else {
            let message = "the bytes before a segment are not those that the segment reports".to_owned();
            self.add_fault(FaultKind::Altered, location, message);
        }
    }

    fn count_record(&mut self, sealed: &SealedLine<'_>, line: &[u8]) {
        match sealed.record_kind() {
            b"exchange" => {
                self.report.exchanges += 1;
                // A decision that could not be persisted in time is recorded again with its outcome.
                record_id(line).map(|id| self.open_decisions.remove(&id));
            }
            b"decision" => {
                self.report.decisions += 1;
                match record_id(line) {
                    Some(id)
                        if self.open_decisions.len() < MAX_OPEN_DECISIONS || self.open_decisions.contains_key(&id) =>
                    {
                        self.open_decisions.insert(id, self.location);
                    }
                    _ => self.report.not_followed += 1,
                }
            }
            b"outcome" => {
                self.report.outcomes += 1;
                if record_id(line).is_none_or(|id| self.open_decisions.remove(&id).is_none()) {
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

    fn add_unverified(&mut self, line: &[u8]) {
        let location = self.location;
        self.unverified.get_or_insert_with(|| UnverifiedBytes::new(location)).add_line(line);
    }

    fn add_fault(&mut self, kind: FaultKind, location: LineLocation, message: String) {
        // In mixed chains no other fault is meaningful.
        let mixed = self.report.faults.first().is_some_and(|fault| fault.kind == FaultKind::TwoChains);
        if self.report.faults.len() < MAX_FAULTS && !mixed {
            self.report.faults.push(ChainFault { kind, location, message, missing: 0..0 });
        }
    }
}

/// Reads the number of the first segment that begins in a file; `None` if none does.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn first_segment(mut from: impl BufRead) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut from, MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if let Some(number) = control_line::segment_number(&line) {
            return Ok(Some(number));
        }
    }
}

/// Reads the id of a record, which comes before all text that a client has sent.
fn record_id(line: &[u8]) -> Option<u128> {
    const FIELD: &[u8] = b"\"id\":\"";
    let at = line.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
    u128::from_str_radix(std::str::from_utf8(line.get(at..at + 32)?).ok()?, 16).ok()
}

/// Whether a segment is the first segment of a chain.
fn starts_chain(sealed: &SealedLine<'_>, number: u64, previous: Hash) -> bool {
    (number, sealed.position.seq, previous) == (1, 1, Hash::ZERO)
}

fn count_lines(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{count} lines") }
}

#[cfg(test)]
mod tests;
