//! Opening an audit file: its owner's alone, with one writer, and without waiting for who reads a pipe.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::audit::sink::rotate;

/// How long a start waits for the lock: a process that has just ended, or one that only looks, may hold it for a moment.
pub(super) const AT_START: Duration = Duration::from_millis(500);

/// The file at `path`, for appending; its owner's alone, because paths name patients.
pub(super) fn append_to(path: &Path, wait: Duration) -> io::Result<File> {
    // A file is read again where it ends torn; a pipe that its reader also reads never breaks.
    let readable = std::fs::metadata(path).is_ok_and(|of| of.is_file()) || !path.exists();
    if !readable {
        check(path)?;
    }
    let file = OpenOptions::new().read(readable).append(true).create(true).mode(OWNER_ONLY).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the audit file was readable by others: now it is its owner's alone");
        if let Err(error) = file.set_permissions(Permissions::from_mode(OWNER_ONLY)) {
            tracing::error!(path = %path.display(), %error, "the audit file stays readable by others");
        }
    }
    if metadata.is_file() {
        lock(&file, wait)?;
    }
    Ok(file)
}

/// Makes this process the only writer: two would tear the chain. File systems without locks are believed to have one.
fn lock(file: &File, wait: Duration) -> io::Result<()> {
    let end = Instant::now() + wait;
    while matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        if Instant::now() >= end {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process writes to it"));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

const PAUSE: Duration = Duration::from_millis(20);

/// Whether the file at `path` could be appended to, or made; its lock apart.
pub(in crate::audit::sink) fn check(path: &Path) -> io::Result<()> {
    // A pipe that nobody reads would keep who opens it waiting.
    match OpenOptions::new().append(true).custom_flags(O_NONBLOCK).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => rotate::sync_folder(path),
        Err(error) if std::fs::metadata(path).is_ok_and(|of| of.file_type().is_fifo()) => {
            Err(io::Error::new(error.kind(), format!("nobody reads this pipe: {error}")))
        }
        opened => opened.map(drop),
    }
}

/// As Linux counts.
const O_NONBLOCK: i32 = 0o4000;

const OWNER_ONLY: u32 = 0o600;
