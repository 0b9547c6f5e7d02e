//! Finished: the files that an audit file becomes when it is full or old.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::recover;

/// Rotation: when a file is finished and the next one begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// At so many bytes; `None` is at no size.
    pub size: Option<u64>,
    /// At this age; `None` is at no age.
    pub age: Option<Duration>,
    /// How many finished files are kept; `None` is all of them.
    pub keep: Option<u64>,
}

/// Gives the file at `path` the name of a finished one whose last segment is `number`; nothing is ever overwritten.
pub(super) fn finish(path: &Path, number: u64) -> io::Result<PathBuf> {
    for again in 0..100 {
        let more = if again == 0 { String::new() } else { format!("-{again}") };
        let name = path.with_file_name(name(path, &format!("{number:06}{more}")));
        match fs::hard_link(path, &name) {
            Ok(()) => return fs::remove_file(path).map(|()| name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // File systems without links: nobody else writes here, and the name is looked at first.
            Err(_) if !name.try_exists()? => return fs::rename(path, &name).map(|()| name),
            Err(_) => {}
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Deletes the oldest finished files of `path` beyond `keep`.
pub(super) fn prune(path: &Path, keep: u64) {
    let Some(folder) = path.parent() else { return };
    let Ok(entries) = fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) else { return };
    let mut finished: Vec<((u64, u64), PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((place(path, entry.file_name().to_str()?)?, entry.path())))
        .filter(|(_, found)| recover::begun(found).is_some())
        .collect();
    finished.sort();
    let beyond = finished.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
    for (_, old) in
        finished.into_iter().take(beyond).filter(|(_, old)| !File::open(old).is_ok_and(|old| is_written(&old)))
    {
        match fs::remove_file(&old) {
            Ok(()) => tracing::info!(path = %old.display(), "an old audit file was deleted, as `keep` says"),
            Err(error) => tracing::error!(path = %old.display(), %error, "an old audit file cannot be deleted"),
        }
    }
}

/// Where a file of this name stands among the finished ones of `path`; `None` where its name is not one of theirs.
pub(super) fn place(path: &Path, found: &str) -> Option<(u64, u64)> {
    let whole = name(path, "/");
    let (begin, end) = whole.split_once('/')?;
    let middle = found.strip_prefix(begin)?.strip_suffix(end)?;
    let (digits, again) = middle.split_once('-').unwrap_or((middle, "0"));
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    (digits.len() >= 6).then_some((number(digits)?, number(again)?))
}

/// Whether a process writes to it: one of another audit, or one that has handed over.
pub(super) fn is_written(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Makes the names in the folder of `path` outlive a loss of power.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// `audit.jsonl` with `7` is `audit-7.jsonl`.
fn name(path: &Path, number: &str) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let end = path.extension().map(|end| format!(".{}", text(Some(end)))).unwrap_or_default();
    format!("{}-{number}{end}", text(path.file_stem()))
}
