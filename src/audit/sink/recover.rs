//! ChainTail: where the chain of a file ends, and what stands behind it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::rotate;
use crate::audit::chain::{ChainPosition, Hash, IncrementalHash, MOST, SealedLine};

/// ChainTail: where the chain of a file ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ChainTail {
    /// The last whole line; `None` where there is none.
    pub(super) link: Option<ChainPosition>,
    /// The line from which another process may go on, where the file has not ended.
    pub(super) handover: Option<ChainPosition>,
    /// The number of the last segment that begins in the file.
    pub(super) segment: Option<u64>,
    /// The bytes behind the last whole line, and their hash.
    pub(super) torn: Option<(u64, Hash)>,
    /// Whether the next line needs a line feed before it.
    pub(super) open: bool,
}

impl ChainTail {
    /// The tail of a file; what a crash has left behind the last whole line is torn.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut tail = Self::default();
        let (mut whole, mut ended) = (0, false);
        let mut lines = ReverseLines { file, at: length, kept: Vec::new() };
        while let Some((begin, line)) = lines.next()? {
            let terminated = line.ends_with(b"\n");
            let Some(sealed) = SealedLine::read(line.strip_suffix(b"\n").unwrap_or(&line)) else { continue };
            if tail.link.is_none() {
                tail.link = Some(sealed.link);
                whole = begin + u64::try_from(line.len()).unwrap_or(u64::MAX);
                tail.open = !terminated;
                ended = sealed.record() == END.as_bytes();
            }
            if sealed.record() == HANDOVER.as_bytes() && !ended && tail.handover.is_none() {
                tail.handover = Some(sealed.link);
            }
            if sealed.record() == b"segment" {
                tail.segment = number(&line);
                if !is_resumed(&line) {
                    break;
                }
            }
        }
        if whole < length {
            let mut last = [0];
            file.read_exact_at(&mut last, length - 1)?;
            tail.open = last != [b'\n'];
            tail.torn = Some((length - whole, hash(file, whole, length)?));
        }
        Ok(tail)
    }

    /// The tail of the newest finished file beside `path`: `audit-000007.jsonl`, and as logrotate names them,
    /// `audit.jsonl.1`.
    pub(super) fn before(path: &Path) -> Option<Self> {
        let own = path.file_name()?.to_str()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).filter(|entry| {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { return false };
            let renamed = name.strip_prefix(own).is_some_and(|rest| rest.starts_with(['.', '-']));
            renamed || rotate::place(path, name).is_some()
        });
        let mut begun: Vec<(u64, File)> = beside.filter_map(|entry| begun(&entry.path())).collect();
        begun.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let ours = |file: File| {
            let tail = Self::of(&file).ok()?;
            // What another process writes is of its own chain, unless it has made room.
            (tail.handover.is_some() || !rotate::is_written(&file)).then_some(tail)
        };
        begun.into_iter().find_map(|(_, file)| ours(file))
    }
}

/// The file at `path` with the number of the segment that its first line begins; `None` where it is none of ours.
pub(super) fn begun(path: &Path) -> Option<(u64, File)> {
    // What is no file on a disk is not opened: it could hang.
    std::fs::metadata(path).ok().filter(|of| of.is_file())?;
    let file = File::open(path).ok()?;
    let mut first = [0; 512];
    let read = file.read_at(&mut first, 0).ok()?;
    let first = first.get(..read)?.split(|&byte| byte == b'\n').next()?;
    Some((number(first)?, file))
}

/// The record of a line from which another process goes on.
pub(crate) const HANDOVER: &str = "handover";

/// The record of a line behind which its process writes nothing.
pub(crate) const END: &str = "end";

/// Why a segment line repeats its segment's number: behind a failure, in a file that another process has gone on from.
pub(crate) const RESUMED: &str = "resumed";

fn is_resumed(line: &[u8]) -> bool {
    let why = format!("\"why\":\"{RESUMED}\"");
    line.windows(why.len()).any(|window| window == why.as_bytes())
}

/// The number in the first line of a segment.
pub(crate) fn number(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"record\":\"segment\",\"number\":")?;
    let digits = rest.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&number| number <= MOST)
}

fn hash(file: &File, mut at: u64, end: u64) -> io::Result<Hash> {
    let (mut hashing, mut chunk) = (IncrementalHash::default(), vec![0; CHUNK]);
    while at < end {
        let read = file.read_at(&mut chunk, at)?;
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        let read = chunk.get(..read.min(left)).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        hashing.add(read);
        at += u64::try_from(read.len()).unwrap_or_default();
    }
    Ok(hashing.end())
}

const CHUNK: usize = 64 << 10;

/// Lines longer than this are none of ours.
const LONGEST: usize = 1 << 20;

/// ReverseLines: the lines of a file from its end, each with the place where it begins.
struct ReverseLines<'f> {
    file: &'f File,
    /// Where the bytes begin that have been read and not been handed out.
    at: u64,
    kept: Vec<u8>,
}

impl ReverseLines<'_> {
    fn next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut searched = 0;
        loop {
            // The last byte may be the line feed that ends the line itself.
            let inner = self.kept.len().saturating_sub(1 + searched);
            let found = self.kept.get(..inner).and_then(|kept| kept.iter().rposition(|&byte| byte == b'\n'));
            if let Some(found) = found {
                let line = self.kept.split_off(found + 1);
                return Ok(Some((self.at + u64::try_from(found + 1).unwrap_or_default(), line)));
            }
            if self.at == 0 {
                let line = std::mem::take(&mut self.kept);
                return Ok((!line.is_empty()).then_some((0, line)));
            }
            if self.kept.len() > LONGEST {
                // What is handed out in pieces is no line of a chain anyway.
                let line = std::mem::take(&mut self.kept);
                return Ok(Some((self.at, line)));
            }
            searched = self.kept.len().saturating_sub(1);
            let step = self.at.min(CHUNK as u64);
            let mut chunk = vec![0; usize::try_from(step).unwrap_or(CHUNK)];
            self.file.read_exact_at(&mut chunk, self.at - step)?;
            chunk.extend_from_slice(&self.kept);
            (self.kept, self.at) = (chunk, self.at - step);
        }
    }
}
