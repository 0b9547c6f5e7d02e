//! Rotation: the finished files that an audit file becomes when it is full or old.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::audit::control_line::segment_number;

/// Rotation: when a file is finished and the next one started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// The size in bytes at which a file is finished; `None` sets no limit.
    pub size: Option<u64>,
    /// The age at which a file is finished; `None` sets no limit.
    pub age: Option<Duration>,
    /// How many finished files are kept; `None` keeps all of them.
    pub keep: Option<u64>,
}

/// Gives the file at `path` the name of a finished file whose last segment is `number`; it never overwrites a file.
pub(super) fn rename_finished(path: &Path, number: u64) -> io::Result<PathBuf> {
    for attempt in 0..100 {
        let more = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let name = path.with_file_name(finished_name(path, &format!("{number:06}{more}")));
        match fs::hard_link(path, &name) {
            Ok(()) => return fs::remove_file(path).map(|()| name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without hard links. No other process writes here, and the name is checked first.
            Err(_) if !name.try_exists()? => return fs::rename(path, &name).map(|()| name),
            Err(_) => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Deletes the oldest finished files of `path` beyond `keep`.
pub(super) fn delete_oldest(path: &Path, keep: u64) {
    let Some(folder) = path.parent() else { return };
    let Ok(entries) = fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) else { return };
    let mut finished: Vec<((u64, u64), PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((parse_finished_name(path, entry.file_name().to_str()?)?, entry.path())))
        .filter(|(_, found)| open_segment_file(found).is_some())
        .collect();
    finished.sort();
    let beyond = finished.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
    for (_, old) in
        finished.into_iter().take(beyond).filter(|(_, old)| !File::open(old).is_ok_and(|old| has_writer(&old)))
    {
        match fs::remove_file(&old) {
            Ok(()) => tracing::info!(path = %old.display(), "an old audit file was deleted, as `keep` says"),
            Err(error) => tracing::error!(path = %old.display(), %error, "an old audit file cannot be deleted"),
        }
    }
}

/// The segment number and the attempt in the name of a finished file of `path`; `None` for other names.
///
/// These two numbers order the finished files.
pub(super) fn parse_finished_name(path: &Path, found: &str) -> Option<(u64, u64)> {
    let whole = finished_name(path, "/");
    let (begin, end) = whole.split_once('/')?;
    let middle = found.strip_prefix(begin)?.strip_suffix(end)?;
    let (digits, attempt) = middle.split_once('-').unwrap_or((middle, "0"));
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    (digits.len() >= 6).then_some((number(digits)?, number(attempt)?))
}

/// Opens the file at `path` and reads the number of its first segment; `None` if it is not an audit file.
pub(super) fn open_segment_file(path: &Path) -> Option<(u64, File)> {
    // Only a file on a disk is opened: opening anything else could block.
    fs::metadata(path).ok().filter(|of| of.is_file())?;
    let file = File::open(path).ok()?;
    let mut first = [0; 512];
    let read = file.read_at(&mut first, 0).ok()?;
    let first = first.get(..read)?.split(|&byte| byte == b'\n').next()?;
    Some((segment_number(first)?, file))
}

/// Whether a process writes to the file: a process with another chain, or one that has handed over.
pub(super) fn has_writer(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Makes the names in the folder of `path` durable, so that they survive a power failure.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Inserts a number into a file's name: `audit.jsonl` with `7` becomes `audit-7.jsonl`.
fn finished_name(path: &Path, number: &str) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let end = path.extension().map(|end| format!(".{}", text(Some(end)))).unwrap_or_default();
    format!("{}-{number}{end}", text(path.file_stem()))
}
