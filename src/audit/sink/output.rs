//! Output: the file or pipe behind a sink, unbuffered.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Target;

/// Output: an open file, and the path that it is opened anew by.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    path: Option<PathBuf>,
    /// The last byte that was written is in the middle of a line.
    torn: bool,
}

/// Failure: lines that could not be written, and why.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) lost: u64,
    pub(super) error: io::Error,
}

impl Output {
    /// The output for `target`; `None` where nothing is to be written.
    pub(super) fn open(target: &Target) -> io::Result<Option<Self>> {
        let (file, path) = match target {
            Target::File(path) => (append_to(path)?, Some(path.clone())),
            // A copy of the descriptor: `std::io::Stdout` would keep lines back in a buffer of its own.
            Target::Stdout => (File::from(io::stdout().as_fd().try_clone_to_owned()?), None),
            Target::Nowhere => return Ok(None),
        };
        Ok(Some(Self { file, path, torn: false }))
    }

    /// Opens the path anew; where that fails the old file stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.file = append_to(path)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Writes whole lines; where it fails, what could not be written is lost and the next call begins a new line.
    pub(super) fn write(&mut self, mut lines: &[u8]) -> Result<(), Failure> {
        let failed =
            |lines: &[u8], error| Failure { lost: lines.iter().filter(|&&byte| byte == b'\n').count() as u64, error };
        while self.torn && !lines.is_empty() {
            match self.file.write(b"\n") {
                Ok(1..) => self.torn = false,
                Ok(0) => return Err(failed(lines, io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(lines, error)),
            }
        }
        while !lines.is_empty() {
            match self.file.write(lines) {
                Ok(0) => return Err(failed(lines, io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    let (written, rest) = lines.split_at(count.min(lines.len()));
                    self.torn = written.last() != Some(&b'\n');
                    lines = rest;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(lines, error)),
            }
        }
        Ok(())
    }
}

/// The file at `path`, for appending; its owner's alone, because paths name patients.
fn append_to(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(OWNER_ONLY).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the audit file was readable by others: now it is its owner's alone");
        if let Err(error) = file.set_permissions(Permissions::from_mode(OWNER_ONLY)) {
            tracing::error!(path = %path.display(), %error, "the audit file stays readable by others");
        }
    }
    Ok(file)
}

const OWNER_ONLY: u32 = 0o600;
