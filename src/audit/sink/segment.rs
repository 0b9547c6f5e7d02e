//! Segment: the file or pipe behind a sink, and the chain that is written into it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::SinkTarget;
use super::recover::{ChainTail, RESUMED};
use super::rotate::{self, Rotation};
use crate::audit::Rfc3339Time;
use crate::audit::chain::{ChainPosition, Hash, SealedLine};
pub(super) use open::check;
use open::{AT_START, append_to};

mod succession;
mod open;
mod watch;

/// Segment: an open output, and how far its chain has come.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: Option<PathBuf>,
    /// The live file's path, where another process may have it: then `path` is the file's final name.
    home: Option<PathBuf>,
    /// Whether that process does not go on, so that this one does.
    returning: bool,
    /// Whether it is a file on a disk: only such a one can be made to last, read again and finished.
    regular: bool,
    rotation: Rotation,
    link: ChainPosition,
    number: u64,
    size: u64,
    /// When it was opened, and how old it was then: its age goes on evenly where the clock of the system jumps.
    opened: (Instant, Duration),
    /// Records since the file began.
    records: u64,
    /// Records since the last time that the disk had all of them.
    unsynced: u64,
    /// What of the last line got out, where it was not the whole line.
    torn: Vec<u8>,
    /// What stands torn at the end of the file before this one, of which no line tells yet.
    left: Option<(u64, Hash)>,
    standing: SegmentState,
    /// Records that were lost and that no line tells of yet.
    lost: u64,
    /// A file that cannot be finished is not tried again before.
    not_before: Option<Instant>,
    /// Whether the file is still there is not looked at again before, unless somebody waits for the disk.
    look_at: Instant,
}

/// How long a file that cannot be finished goes on.
const AGAIN: Duration = Duration::from_secs(10);

/// SegmentState: whether lines can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SegmentState {
    /// They can.
    Sound,
    /// A line could not be written.
    Broken,
    /// The disk did not say that it has what was written: what the file holds is not known.
    Doubtful,
}

/// The first line of a segment.
#[derive(Serialize)]
struct SegmentStart {
    record: &'static str,
    number: u64,
    time: Rfc3339Time,
    process: u32,
    why: &'static str,
    previous: Hash,
    torn: u64,
    torn_sha256: Option<Hash>,
    lost: u64,
}

/// The line that tells of records that found the queue full.
#[derive(Serialize)]
struct DroppedRecords {
    record: &'static str,
    time: Rfc3339Time,
    number: u64,
    why: &'static str,
}

impl Segment {
    /// The segment that begins in `target` now; `None` where nothing is to be written.
    ///
    /// # Errors
    /// The file cannot be opened, or another process writes to it. One that opens and cannot be written to is broken,
    /// and may be mended.
    pub(super) fn open(target: &SinkTarget, rotation: Rotation) -> io::Result<Option<Self>> {
        let (file, path) = match target {
            SinkTarget::File(path) => (append_to(path, AT_START)?, Some(path.clone())),
            // A copy of the descriptor: `std::io::Stdout` would keep lines back in a buffer of its own.
            SinkTarget::Stdout => (File::from(io::stdout().as_fd().try_clone_to_owned()?), None),
            SinkTarget::Nowhere => return Ok(None),
        };
        let mut segment = Self {
            regular: path.is_some() && file.metadata()?.is_file(),
            file,
            path,
            home: None,
            returning: false,
            rotation,
            link: ChainPosition::BEGIN,
            number: 0,
            size: 0,
            opened: (Instant::now(), Duration::ZERO),
            records: 0,
            unsynced: 0,
            torn: Vec::new(),
            left: None,
            standing: SegmentState::Sound,
            lost: 0,
            not_before: None,
            look_at: Instant::now(),
        };
        if let Err(error) = segment.read_tail().and_then(|tail| {
            let why = if tail.handover.is_some() { "upgrade" } else { "start" };
            segment.begin(why, tail)
        }) {
            tracing::error!(%error, "the audit cannot be written to");
        }
        Ok(Some(segment))
    }

    /// Whether lines can be written now.
    pub(super) fn is_sound(&self) -> bool {
        self.standing == SegmentState::Sound
    }

    /// Whether what is written can be made to last.
    pub(super) fn can_last(&self) -> bool {
        self.regular
    }

    /// Counts records that are lost, for the next segment to tell of.
    pub(super) fn lose(&mut self, records: u64) {
        self.lost = self.lost.saturating_add(records);
    }

    /// Writes records, one JSON object a line, and before them how many others found the queue full.
    ///
    /// # Errors
    /// Not all of them are written: the number of records that are lost, and why.
    pub(super) fn write(&mut self, records: &[u8], dropped: u64) -> Result<(), (u64, io::Error)> {
        let mut out = Vec::with_capacity(records.len() + records.len() / 4);
        let (mut link, mut count) = (self.link, 0);
        if dropped > 0 {
            let lost = DroppedRecords { record: "lost", time: now(), number: dropped, why: "queue-full" };
            link.append(&json(&lost), &mut out);
        }
        for record in records.split(|&byte| byte == b'\n').filter(|record| !record.is_empty()) {
            link.append(record, &mut out);
            count += 1;
        }
        if let Err(error) = self.put(&out) {
            let whole = out.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
            let left = whole
                .filter_map(|line| SealedLine::read(line.trim_ascii_end()))
                .filter(|line| line.link.seq > self.link.seq && line.record() != b"lost");
            let left = u64::try_from(left.count()).unwrap_or(u64::MAX);
            // The first line tells of those that were dropped; where it is not out, the next segment tells of them.
            let told = SealedLine::read(out.split(|&byte| byte == b'\n').next().unwrap_or_default());
            let told = told.is_some_and(|first| first.link.seq <= self.link.seq);
            self.lose(left + if told { 0 } else { dropped });
            return Err((left, error));
        }
        self.link = link;
        self.records += count;
        self.unsynced += count;
        Ok(())
    }

    /// Makes what was written last.
    ///
    /// # Errors
    /// It may be lost, although it can still be read: what follows goes into a new file.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Err(error) = self.file.sync_data() {
            self.standing = SegmentState::Doubtful;
            let unsynced = std::mem::take(&mut self.unsynced);
            self.lose(unsynced);
            return Err(error);
        }
        self.unsynced = 0;
        Ok(())
    }

    /// Tries to go on after a failure.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if self.regular
            && let Some(path) = &self.path
        {
            let own = self.home.is_none() && is_open(&self.file, path);
            if self.standing == SegmentState::Doubtful && self.records > 0 && own {
                rotate::finish(path, self.number)?;
                self.records = 0;
                tracing::error!(path = %path.display(), "what the disk did not confirm stays in a file of its own");
            }
            let path = path.clone();
            self.change_to(&path)?;
        }
        let tail = self.read_tail()?;
        self.begin(if self.home.is_some() { RESUMED } else { "failure" }, tail)
    }

    /// Opens the path anew where somebody has renamed the file; where that fails the old one stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let due = |path: &PathBuf| self.home.is_none() && (!self.regular || !is_open(&self.file, path));
        let Some(path) = self.path.clone().filter(due) else { return Ok(()) };
        if self.regular {
            // What was written before belongs to the disk before what follows does.
            self.sync()?;
        }
        self.change_to(&path)?;
        let tail = self.read_tail()?;
        self.begin("reopened", tail)
    }

    /// Finishes the file where it is full or old, and begins the next one.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        let due = |_: &PathBuf| self.regular && self.home.is_none() && self.records > 0 && self.is_due();
        let Some(path) = self.path.clone().filter(due) else { return Ok(()) };
        self.turn(&path).inspect_err(|_| self.not_before = Instant::now().checked_add(AGAIN))
    }

    fn turn(&mut self, path: &Path) -> io::Result<()> {
        if !is_open(&self.file, path) {
            return self.reopen();
        }
        self.sync()?;
        let finished = rotate::finish(path, self.number)?;
        tracing::info!(path = %finished.display(), "an audit file is finished");
        if let Some(keep) = self.rotation.keep {
            rotate::prune(path, keep);
        }
        self.change_to(path)?;
        let tail = self.read_tail()?;
        self.begin("rotated", tail)
    }

    fn is_due(&self) -> bool {
        if self.not_before.is_some_and(|then| Instant::now() < then) {
            return false;
        }
        let (opened, older) = self.opened;
        let old = |age| opened.elapsed().saturating_add(older) >= age;
        self.rotation.size.is_some_and(|size| self.size >= size) || self.rotation.age.is_some_and(old)
    }

    /// Goes on in the file at `path`, which may be a new one.
    fn change_to(&mut self, path: &Path) -> io::Result<()> {
        if self.regular && is_open(&self.file, path) {
            return Ok(());
        }
        let file = append_to(path, Duration::ZERO)?;
        if self.regular && !self.is_sound() {
            self.left = ChainTail::of(&self.file).ok().and_then(|tail| tail.torn);
        }
        self.file = file;
        self.regular = self.file.metadata()?.is_file();
        (self.records, self.size) = (0, 0);
        self.torn.clear();
        Ok(())
    }

    /// What the output holds behind the chain, which is taken over from a file.
    fn read_tail(&mut self) -> io::Result<ChainTail> {
        let (Some(path), true) = (&self.path, self.regular) else {
            let torn = std::mem::take(&mut self.torn);
            let told = (!torn.is_empty()).then(|| (length(&torn), Hash::of(&[&torn])));
            return Ok(ChainTail { open: told.is_some(), torn: told, ..ChainTail::default() });
        };
        self.torn.clear();
        let file = File::open(path)?;
        let mut tail = ChainTail::of(&file)?;
        tail.handover = None;
        let metadata = file.metadata()?;
        let cut = metadata.len() < self.size;
        let created = metadata.created().ok().filter(|_| metadata.len() > 0);
        let older = created.and_then(|created| created.elapsed().ok()).unwrap_or_default();
        (self.size, self.opened) = (metadata.len(), (Instant::now(), older));
        self.records = self.records.max(u64::from(tail.link.is_some() && self.number == 0));
        // A process that runs knows its chain; a new one reads where the last one stopped.
        let known = (self.number > 0).then_some((self.link, self.number));
        // A file that somebody has cut does not say where it stopped: the gap stays to be seen.
        let here = tail.link.map(|link| (link, tail.segment.unwrap_or(0))).filter(|_| !(cut && known.is_some()));
        if here.is_none() && known.is_some() {
            tail.torn = tail.torn.or(self.left);
        }
        let newest = here.or(known).or_else(|| {
            let before = ChainTail::before(path)?;
            tail.handover = before.handover;
            // What is torn behind a line that hands over is still being written, or its file has no end.
            tail.torn = tail.torn.or(before.torn.filter(|_| before.handover.is_none()));
            Some((before.handover.or(before.link)?, before.segment?))
        });
        (self.link, self.number) =
            newest.map_or((self.link, self.number), |(link, number)| (link, number.max(self.number)));
        Ok(tail)
    }

    /// Writes the first line of the next segment.
    fn begin(&mut self, why: &'static str, tail: ChainTail) -> io::Result<()> {
        let (torn, torn_sha256) = tail.torn.map_or((0, None), |(length, hash)| (length, Some(hash)));
        // Numbers beyond are those of the process that has taken over.
        let number = if self.home.is_some() { self.number } else { self.number.saturating_add(1) };
        let previous = self.link.hash;
        let process = std::process::id();
        let begun = SegmentStart {
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
        let mut out = if tail.open { b"\n".to_vec() } else { Vec::new() };
        let mut link = self.link;
        link.append(&json(&begun), &mut out);
        self.standing = SegmentState::Broken;
        self.put(&out)?;
        if self.regular {
            self.sync()?;
            if let Some(path) = &self.path {
                rotate::sync_folder(path)?;
            }
        }
        if torn > 0 {
            tracing::warn!(bytes = torn, "the audit file did not end with a whole line: the new segment tells of it");
        }
        (self.link, self.number, self.lost, self.standing) = (link, number, 0, SegmentState::Sound);
        self.left = None;
        Ok(())
    }

    /// Writes whole lines; where it fails, the chain ends behind the last whole line that got out.
    fn put(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut rest = lines;
        let failed = loop {
            if rest.is_empty() {
                self.size += length(lines);
                return Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => break io::ErrorKind::WriteZero.into(),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        self.standing = SegmentState::Broken;
        let out = lines.get(..lines.len() - rest.len()).unwrap_or_default();
        let whole = out.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let (whole, torn) = out.split_at_checked(whole).unwrap_or_default();
        self.torn.extend_from_slice(torn);
        if let Some(last) = whole.rsplit(|&byte| byte == b'\n').find_map(SealedLine::read) {
            self.link = last.link;
            self.records += 1;
        }
        Err(failed)
    }
}

/// Whether `file` is what `path` names.
fn is_open(file: &File, path: &Path) -> bool {
    let same =
        |(one, other): (std::fs::Metadata, std::fs::Metadata)| (one.dev(), one.ino()) == (other.dev(), other.ino());
    file.metadata().ok().zip(std::fs::metadata(path).ok()).is_some_and(same)
}

fn now() -> Rfc3339Time {
    Rfc3339Time(SystemTime::now())
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
