//! KeyFileDocument: a file of keys as a text, and the way in which a new text takes its place whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::cli::exit::CommandError;
use crate::document::{Findings, Sources, report};
use crate::identity::key_file::{self, KeyEntry, edit};
use crate::reload::api_keys::MOST_BYTES;
use crate::reload::file;
use crate::vocabulary::name::nearest;

/// KeyFileDocument: a file of keys that was read and is sound.
pub(super) struct KeyFileDocument {
    path: PathBuf,
    pub(super) text: String,
    pub(super) entries: Vec<KeyEntry>,
    beside: Option<ReplacementFile>,
}

impl KeyFileDocument {
    /// The file at `path`, for reading.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let sources = file::read_one_file(path, MOST_BYTES)
            .map_err(|finding| CommandError::failure(report::line(&finding, &Sources::default())))?;
        let mut findings = Findings::default();
        let entries = key_file::read(&sources, 0, &mut findings).ok_or_else(|| {
            // Without the lines themselves: somebody may have pasted a secret into one.
            let lines = findings.sorted().into_iter().map(|finding| report::line(finding, &sources));
            let lines = lines.collect::<Vec<_>>().join("\n");
            CommandError::failure(format!("{lines}\n`{}` is no file of API keys", path.display()))
        })?;
        let text = sources.iter().map(|(_, source)| source.text.as_str()).collect();
        Ok(Self { path: path.to_owned(), text, entries, beside: None })
    }

    /// The file at `path`, for a change that nobody else makes meanwhile; where there is none yet, an empty one if a
    /// new one is wanted.
    pub(super) fn open_to_change(path: &Path, new: bool) -> Result<Self, CommandError> {
        // What a symlink leads to is replaced, not the symlink.
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound && new => path.to_owned(),
            Err(error) => return Err(failed("read", path, &error)),
        };
        let beside = ReplacementFile::create(&path)?;
        let opened = if path.exists() {
            Self::open(&path)?
        } else {
            Self { path, text: edit::EMPTY_FILE.to_owned(), entries: Vec::new(), beside: None }
        };
        Ok(Self { beside: Some(beside), ..opened })
    }

    /// The key with this id.
    pub(super) fn entry(&self, id: &str) -> Result<&KeyEntry, CommandError> {
        self.entries.iter().find(|entry| *entry.id == *id).ok_or_else(|| {
            let near = nearest(id, self.entries.iter().map(|entry| &*entry.id));
            let help = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
            CommandError::failure(format!("`{}` has no key `{id}`{help}", self.path.display()))
        })
    }

    /// Puts `text` in the file's place, with its owner and mode; who reads meanwhile sees the old one or the new one.
    pub(super) fn replace(self, text: String) -> Result<(), CommandError> {
        let Some(mut beside) = self.beside else {
            return Err(CommandError::failure(format!("`{}` was opened for reading", self.path.display())));
        };
        beside.take_place_of(&self.path, &text).map_err(|error| failed("written", &self.path, &error))
    }
}

/// The trouble of a file that only a person can edit.
pub(super) fn not_editable(path: &Path) -> CommandError {
    CommandError::failure(format!(
        "`{}` is laid out so that only you can edit it: write each key on lines of its own, as in\nkeys:\n  lab:\n    digest: …",
        path.display()
    ))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::failure(format!("`{}` cannot be {what}: {error}", path.display()))
}

/// ReplacementFile: the file that the new text is written to, in the same folder; while it is there nobody else changes the keys.
struct ReplacementFile {
    path: PathBuf,
    file: File,
    placed: bool,
}

impl ReplacementFile {
    fn create(target: &Path) -> Result<Self, CommandError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.new"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => Ok(Self { path, file, placed: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(CommandError::failure(format!(
                "somebody else is changing `{}`; where nobody is, delete `{}`",
                target.display(),
                path.display()
            ))),
            Err(error) => Err(failed("written", &path, &error)),
        }
    }

    fn take_place_of(&mut self, target: &Path, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        match fs::metadata(target) {
            Ok(old) => {
                let new = self.file.metadata()?;
                if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                    // Or the gateway, which may run as somebody else, could not read it any more.
                    fchown(&self.file, Some(old.uid()), Some(old.gid()))?;
                }
                self.file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.placed = true;
        // Without this a revocation could be undone by a loss of power.
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for ReplacementFile {
    fn drop(&mut self) {
        if !self.placed {
            // It stays where it cannot be deleted, and the next run says so.
            let _ = fs::remove_file(&self.path);
        }
    }
}
