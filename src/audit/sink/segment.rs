//! Segment: the file or pipe behind a sink, and the chain that is written into it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::chain_tail::ChainTail;
use super::open::{AT_START, open_for_append};
use super::plan::SinkTarget;
use super::rotate::{self, Rotation};
use crate::audit::Rfc3339Time;
use crate::audit::chain::{ChainPosition, Hash, SealedLine};
use crate::audit::control_line::{DroppedRecords, RESUMED, SegmentStart};

mod file_check;
mod succession;

/// Segment: an open output, and the position of its chain.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: Option<PathBuf>,
    /// The live file's path after a hand-over to another process; `path` is then the file's final name.
    live_path: Option<PathBuf>,
    /// Whether this process takes the live file back, because the other process does not continue.
    taking_back: bool,
    /// Whether the output is a file on a disk; only such a file can be durable, read again and finished.
    is_regular: bool,
    rotation: Rotation,
    position: ChainPosition,
    number: u64,
    size: u64,
    /// When the file was opened, and its age then: the age grows evenly even if the system's clock jumps.
    opened: (Instant, Duration),
    /// Records since the start of the file.
    records: u64,
    /// Records that the disk has not confirmed.
    unsynced: u64,
    /// The part of the last line that was written, if it was not the whole line.
    torn: Vec<u8>,
    /// The torn bytes at the end of the previous file that no line reports yet: their number and hash.
    previous_torn: Option<(u64, Hash)>,
    state: SegmentState,
    /// Lost records that no line reports yet.
    lost: u64,
    /// The earliest time at which finishing the file is tried again after a failure.
    rotate_not_before: Option<Instant>,
    /// The earliest time of the next check of the file, unless a request waits for the disk.
    next_check: Instant,
}

/// How long a file that cannot be finished is used before the next attempt.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// SegmentState: whether lines can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SegmentState {
    /// Lines can be written.
    Writable,
    /// A line could not be written.
    Broken,
    /// The disk did not confirm what was written, so the content of the file is unknown.
    Unconfirmed,
}

impl Segment {
    /// Opens `target` and begins a segment in it; returns `None` if records are discarded.
    ///
    /// An output that opens but cannot be written to is broken, and may be repaired later.
    ///
    /// # Errors
    /// Fails if the file cannot be opened or another process writes to it.
    pub(super) fn open(target: &SinkTarget, rotation: Rotation) -> io::Result<Option<Self>> {
        let (file, path) = match target {
            SinkTarget::File(path) => (open_for_append(path, AT_START)?, Some(path.clone())),
            // A copy of the descriptor, because `std::io::Stdout` would buffer lines.
            SinkTarget::Stdout => (File::from(io::stdout().as_fd().try_clone_to_owned()?), None),
            SinkTarget::Nowhere => return Ok(None),
        };
        let mut segment = Self {
            is_regular: path.is_some() && file.metadata()?.is_file(),
            file,
            path,
            live_path: None,
            taking_back: false,
            rotation,
            position: ChainPosition::BEGIN,
            number: 0,
            size: 0,
            opened: (Instant::now(), Duration::ZERO),
            records: 0,
            unsynced: 0,
            torn: Vec::new(),
            previous_torn: None,
            state: SegmentState::Writable,
            lost: 0,
            rotate_not_before: None,
            next_check: Instant::now(),
        };
        if let Err(error) = segment.read_tail().and_then(|tail| {
            let why = if tail.handover.is_some() { "upgrade" } else { "start" };
            segment.begin_segment(why, tail)
        }) {
            tracing::error!(%error, "the audit cannot be written to");
        }
        Ok(Some(segment))
    }

    /// Whether lines can be written now.
    pub(super) fn is_writable(&self) -> bool {
        self.state == SegmentState::Writable
    }

    /// Whether written records can be made durable.
    pub(super) fn is_durable(&self) -> bool {
        self.is_regular
    }

    /// Counts lost records, which the next segment reports.
    pub(super) fn add_lost(&mut self, records: u64) {
        self.lost = self.lost.saturating_add(records);
    }

    /// Writes records, one JSON object per line, after a line that counts the records dropped from a full queue.
    ///
    /// # Errors
    /// Fails if not all of them are written, with the number of lost records and the reason.
    pub(super) fn write_records(&mut self, records: &[u8], dropped: u64) -> Result<(), (u64, io::Error)> {
        let mut out = Vec::with_capacity(records.len() + records.len() / 4);
        let (mut position, mut count) = (self.position, 0);
        if dropped > 0 {
            let lost = DroppedRecords { record: "lost", time: now(), number: dropped, why: "queue-full" };
            position.append(&to_json(&lost), &mut out);
        }
        for record in records.split(|&byte| byte == b'\n').filter(|record| !record.is_empty()) {
            position.append(record, &mut out);
            count += 1;
        }
        if let Err(error) = self.write_lines(&out) {
            let whole = out.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
            let unwritten = whole
                .filter_map(|line| SealedLine::read(line.trim_ascii_end()))
                .filter(|line| line.position.seq > self.position.seq && line.record_kind() != b"lost");
            let unwritten = u64::try_from(unwritten.count()).unwrap_or(u64::MAX);
            // The first line reports the dropped records. If it was not written, the next segment reports them.
            let reported = SealedLine::read(out.split(|&byte| byte == b'\n').next().unwrap_or_default());
            let reported = reported.is_some_and(|first| first.position.seq <= self.position.seq);
            self.add_lost(unwritten + if reported { 0 } else { dropped });
            return Err((unwritten, error));
        }
        self.position = position;
        self.records += count;
        self.unsynced += count;
        Ok(())
    }

    /// Asks the disk to confirm what was written.
    ///
    /// # Errors
    /// Fails if the disk does not. The records may be lost although they can still be read, so that the next ones go
    /// into a new file.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.sync_data() {
            self.state = SegmentState::Unconfirmed;
            let unsynced = std::mem::take(&mut self.unsynced);
            self.add_lost(unsynced);
            return Err(error);
        }
        self.unsynced = 0;
        Ok(())
    }

    /// Tries to continue after a failure.
    pub(super) fn repair(&mut self) -> io::Result<()> {
        if self.is_regular
            && let Some(path) = &self.path
        {
            let own = self.live_path.is_none() && is_same_file(&self.file, path);
            if self.state == SegmentState::Unconfirmed && self.records > 0 && own {
                rotate::rename_finished(path, self.number)?;
                self.records = 0;
                tracing::error!(path = %path.display(), "records that the disk did not confirm stay in a separate file");
            }
            let path = path.clone();
            self.switch_to(&path)?;
        }
        let tail = self.read_tail()?;
        self.begin_segment(if self.live_path.is_some() { RESUMED } else { "failure" }, tail)
    }

    /// Reopens the path if the file was renamed; if that fails, the old file stays in use.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let due = |path: &PathBuf| self.live_path.is_none() && (!self.is_regular || !is_same_file(&self.file, path));
        let Some(path) = self.path.clone().filter(due) else { return Ok(()) };
        if self.is_regular {
            // The disk must have the earlier records before it has the later ones.
            self.sync()?;
        }
        self.switch_to(&path)?;
        let tail = self.read_tail()?;
        self.begin_segment("reopened", tail)
    }

    /// Finishes the file if it is full or old, and starts the next one.
    pub(super) fn rotate_if_due(&mut self) -> io::Result<()> {
        let due =
            |_: &PathBuf| self.is_regular && self.live_path.is_none() && self.records > 0 && self.is_rotation_due();
        let Some(path) = self.path.clone().filter(due) else { return Ok(()) };
        self.rotate_file(&path).inspect_err(|_| self.rotate_not_before = Instant::now().checked_add(RETRY_PAUSE))
    }

    fn rotate_file(&mut self, path: &Path) -> io::Result<()> {
        if !is_same_file(&self.file, path) {
            return self.reopen();
        }
        self.sync()?;
        let finished = rotate::rename_finished(path, self.number)?;
        tracing::info!(path = %finished.display(), "an audit file is finished");
        if let Some(keep) = self.rotation.keep {
            rotate::delete_oldest(path, keep);
        }
        self.switch_to(path)?;
        let tail = self.read_tail()?;
        self.begin_segment("rotated", tail)
    }

    fn is_rotation_due(&self) -> bool {
        if self.rotate_not_before.is_some_and(|then| Instant::now() < then) {
            return false;
        }
        let (opened, older) = self.opened;
        let old = |age| opened.elapsed().saturating_add(older) >= age;
        self.rotation.size.is_some_and(|size| self.size >= size) || self.rotation.age.is_some_and(old)
    }

    /// Switches to the file at `path`, which may be a new one.
    fn switch_to(&mut self, path: &Path) -> io::Result<()> {
        if self.is_regular && is_same_file(&self.file, path) {
            return Ok(());
        }
        let file = open_for_append(path, Duration::ZERO)?;
        if self.is_regular && !self.is_writable() {
            self.previous_torn = ChainTail::read(&self.file).ok().and_then(|tail| tail.torn);
        }
        self.file = file;
        self.is_regular = self.file.metadata()?.is_file();
        (self.records, self.size) = (0, 0);
        self.torn.clear();
        Ok(())
    }

    /// Reads what the output holds after the chain, and takes the position of the chain over from a file.
    fn read_tail(&mut self) -> io::Result<ChainTail> {
        let (Some(path), true) = (&self.path, self.is_regular) else {
            let torn = std::mem::take(&mut self.torn);
            let torn = (!torn.is_empty()).then(|| (byte_count(&torn), Hash::of(&[&torn])));
            return Ok(ChainTail { needs_line_feed: torn.is_some(), torn, ..ChainTail::default() });
        };
        self.torn.clear();
        let file = File::open(path)?;
        let mut tail = ChainTail::read(&file)?;
        tail.handover = None;
        let metadata = file.metadata()?;
        let truncated = metadata.len() < self.size;
        let created = metadata.created().ok().filter(|_| metadata.len() > 0);
        let older = created.and_then(|created| created.elapsed().ok()).unwrap_or_default();
        (self.size, self.opened) = (metadata.len(), (Instant::now(), older));
        self.records = self.records.max(u64::from(tail.position.is_some() && self.number == 0));
        // A running process knows its chain. A new process reads where the previous one stopped.
        let known = (self.number > 0).then_some((self.position, self.number));
        // A file that was truncated does not show where its chain ended, so that the gap stays visible.
        let here = tail.position.map(|position| (position, tail.segment.unwrap_or(0)));
        let here = here.filter(|_| !(truncated && known.is_some()));
        if here.is_none() && known.is_some() {
            tail.torn = tail.torn.or(self.previous_torn);
        }
        let newest = here.or(known).or_else(|| {
            let before = ChainTail::read_newest_finished(path)?;
            tail.handover = before.handover;
            // Torn bytes after a hand-over are still being written, or the file has no end line.
            tail.torn = tail.torn.or(before.torn.filter(|_| before.handover.is_none()));
            Some((before.handover.or(before.position)?, before.segment?))
        });
        (self.position, self.number) =
            newest.map_or((self.position, self.number), |(position, number)| (position, number.max(self.number)));
        Ok(tail)
    }

    /// Writes the first line of the next segment.
    fn begin_segment(&mut self, why: &'static str, tail: ChainTail) -> io::Result<()> {
        let (torn, torn_sha256) = tail.torn.map_or((0, None), |(length, hash)| (length, Some(hash)));
        // Higher numbers belong to the process that has taken over.
        let number = if self.live_path.is_some() { self.number } else { self.number.saturating_add(1) };
        let previous = self.position.hash;
        let process = std::process::id();
        let start = SegmentStart {
            record: "segment",
            number,
            time: now(),
            process,
            why,
            previous,
            torn,
            torn_sha256,
            lost: self.lost,
        };
        let mut out = if tail.needs_line_feed { b"\n".to_vec() } else { Vec::new() };
        let mut position = self.position;
        position.append(&to_json(&start), &mut out);
        self.state = SegmentState::Broken;
        self.write_lines(&out)?;
        if self.is_regular {
            self.sync()?;
            if let Some(path) = &self.path {
                rotate::sync_directory(path)?;
            }
        }
        if torn > 0 {
            tracing::warn!(bytes = torn, "the audit file did not end with a whole line; the new segment reports it");
        }
        (self.position, self.number, self.lost, self.state) = (position, number, 0, SegmentState::Writable);
        self.previous_torn = None;
        Ok(())
    }

    /// Writes whole lines; after a failure the chain ends with the last line that was written whole.
    fn write_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut rest = lines;
        let failed = loop {
            if rest.is_empty() {
                self.size += byte_count(lines);
                return Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break io::ErrorKind::WriteZero.into(),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        self.state = SegmentState::Broken;
        let out = lines.get(..lines.len() - rest.len()).unwrap_or_default();
        let whole = out.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let (whole, torn) = out.split_at_checked(whole).unwrap_or_default();
        self.torn.extend_from_slice(torn);
        if let Some(last) = whole.rsplit(|&byte| byte == b'\n').find_map(SealedLine::read) {
            self.position = last.position;
            self.records += 1;
        }
        Err(failed)
    }
}

/// Whether `path` names the open `file`.
fn is_same_file(file: &File, path: &Path) -> bool {
    let same =
        |(one, other): (std::fs::Metadata, std::fs::Metadata)| (one.dev(), one.ino()) == (other.dev(), other.ino());
    file.metadata().ok().zip(std::fs::metadata(path).ok()).is_some_and(same)
}

fn now() -> Rfc3339Time {
    Rfc3339Time(SystemTime::now())
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn byte_count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
