//! Opening an audit file: readable by its owner only, with one writer, and without blocking on a pipe.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use super::rotate;

/// How long a start waits for the lock, which a process that has just ended, or one that checks it, may hold briefly.
pub(super) const AT_START: Duration = Duration::from_millis(500);

/// Opens the file at `path` for appending, readable by its owner only, because recorded paths can identify patients.
pub(super) fn open_for_append(path: &Path, wait: Duration) -> io::Result<File> {
    // A file is read again to find a torn end. A pipe is not opened for reading: with a reader of its own it would
    // never report that its other reader is gone.
    let readable = std::fs::metadata(path).is_ok_and(|of| of.is_file()) || !path.exists();
    if !readable {
        check_writable(path)?;
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

/// Makes this process the only writer, because two writers would tear the chain.
///
/// A file system without locks is assumed to have one writer.
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

/// Checks that the file at `path` could be appended to or created; it does not check the lock.
pub(super) fn check_writable(path: &Path) -> io::Result<()> {
    // Opening a pipe without a reader would block.
    match OpenOptions::new().append(true).custom_flags(O_NONBLOCK).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => rotate::sync_directory(path),
        Err(error) if std::fs::metadata(path).is_ok_and(|of| of.file_type().is_fifo()) => {
            Err(io::Error::new(error.kind(), format!("this pipe has no reader: {error}")))
        }
        opened => opened.map(drop),
    }
}

/// The flag's value on Linux.
const O_NONBLOCK: i32 = 0o4000;

const OWNER_ONLY: u32 = 0o600;
