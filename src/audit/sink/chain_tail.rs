//! ChainTail: where the chain of a file ends, and the bytes after it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::rotate;
use crate::audit::chain::{ChainPosition, Hash, IncrementalHash, SealedLine};
use crate::audit::control_line::{END, HANDOVER, is_resumed, segment_number};

/// ChainTail: where the chain of a file ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ChainTail {
    /// The position of the last whole line; `None` if there is none.
    pub(super) position: Option<ChainPosition>,
    /// The line from which another process may continue, if no end line follows it.
    pub(super) handover: Option<ChainPosition>,
    /// The number of the last segment that begins in the file.
    pub(super) segment: Option<u64>,
    /// The number of bytes after the last whole line, and their hash.
    pub(super) torn: Option<(u64, Hash)>,
    /// Whether the next line needs a line feed before it.
    pub(super) needs_line_feed: bool,
}

impl ChainTail {
    /// Reads the tail of a file; the bytes that a crash left after the last whole line are torn.
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut tail = Self::default();
        let (mut whole, mut ended) = (0, false);
        let mut lines = ReverseLines { file, offset: length, buffered: Vec::new() };
        while let Some((start, line)) = lines.next_line()? {
            let terminated = line.ends_with(b"\n");
            let Some(sealed) = SealedLine::read(line.strip_suffix(b"\n").unwrap_or(&line)) else { continue };
            if tail.position.is_none() {
                tail.position = Some(sealed.position);
                whole = start + u64::try_from(line.len()).unwrap_or(u64::MAX);
                tail.needs_line_feed = !terminated;
                ended = sealed.record_kind() == END.as_bytes();
            }
            if sealed.record_kind() == HANDOVER.as_bytes() && !ended && tail.handover.is_none() {
                tail.handover = Some(sealed.position);
            }
            if sealed.record_kind() == b"segment" {
                tail.segment = segment_number(&line);
                if !is_resumed(&line) {
                    break;
                }
            }
        }
        if whole < length {
            let mut last = [0];
            file.read_exact_at(&mut last, length - 1)?;
            tail.needs_line_feed = last != [b'\n'];
            tail.torn = Some((length - whole, hash_range(file, whole, length)?));
        }
        Ok(tail)
    }

    /// Reads the tail of the newest finished file beside `path`.
    ///
    /// Such a file is called `audit-000007.jsonl`, or `audit.jsonl.1` by logrotate.
    pub(super) fn read_newest_finished(path: &Path) -> Option<Self> {
        let own = path.file_name()?.to_str()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).filter(|entry| {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { return false };
            let renamed = name.strip_prefix(own).is_some_and(|rest| rest.starts_with(['.', '-']));
            renamed || rotate::parse_finished_name(path, name).is_some()
        });
        let mut found: Vec<(u64, File)> = beside.filter_map(|entry| rotate::open_segment_file(&entry.path())).collect();
        found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let read_own = |file: File| {
            let tail = Self::read(&file).ok()?;
            // A file that another process writes belongs to another chain, unless that process has handed over.
            (tail.handover.is_some() || !rotate::has_writer(&file)).then_some(tail)
        };
        found.into_iter().find_map(|(_, file)| read_own(file))
    }
}

fn hash_range(file: &File, mut offset: u64, end: u64) -> io::Result<Hash> {
    let (mut hashing, mut chunk) = (IncrementalHash::default(), vec![0; CHUNK_SIZE]);
    while offset < end {
        let read = file.read_at(&mut chunk, offset)?;
        let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
        let read = chunk.get(..read.min(left)).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        hashing.update(read);
        offset += u64::try_from(read.len()).unwrap_or_default();
    }
    Ok(hashing.finish())
}

const CHUNK_SIZE: usize = 64 << 10;

/// The length of the longest line that can belong to a chain.
const MAX_LINE: usize = 1 << 20;

/// ReverseLines: the lines of a file from its end, each with the offset of its first byte.
struct ReverseLines<'f> {
    file: &'f File,
    /// The offset of the first buffered byte.
    offset: u64,
    buffered: Vec<u8>,
}

impl ReverseLines<'_> {
    fn next_line(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut searched = 0;
        loop {
            // The last byte may be the line feed of the line itself.
            let inner = self.buffered.len().saturating_sub(1 + searched);
            let found =
                self.buffered.get(..inner).and_then(|buffered| buffered.iter().rposition(|&byte| byte == b'\n'));
            if let Some(found) = found {
                let line = self.buffered.split_off(found + 1);
                return Ok(Some((self.offset + u64::try_from(found + 1).unwrap_or_default(), line)));
            }
            if self.offset == 0 {
                let line = std::mem::take(&mut self.buffered);
                return Ok((!line.is_empty()).then_some((0, line)));
            }
            if self.buffered.len() > MAX_LINE {
                // A line that is returned in pieces is too long to belong to a chain.
                let line = std::mem::take(&mut self.buffered);
                return Ok(Some((self.offset, line)));
            }
            searched = self.buffered.len().saturating_sub(1);
            let step = self.offset.min(CHUNK_SIZE as u64);
            let mut chunk = vec![0; usize::try_from(step).unwrap_or(CHUNK_SIZE)];
            self.file.read_exact_at(&mut chunk, self.offset - step)?;
            chunk.extend_from_slice(&self.buffered);
            (self.buffered, self.offset) = (chunk, self.offset - step);
        }
    }
}
