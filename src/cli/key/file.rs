//! KeyFileDocument: the text of a key file, and its atomic replacement by a new text.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::cli::exit::CommandError;
use crate::document::{Findings, Sources, report};
use crate::identity::key_file::{self, KeyEntry, edit};
use crate::reload::api_keys::MAX_BYTES;
use crate::reload::file;
use crate::vocabulary::name::nearest;

/// KeyFileDocument: a key file that has been read without errors.
pub(super) struct KeyFileDocument {
    path: PathBuf,
    pub(super) text: String,
    pub(super) entries: Vec<KeyEntry>,
    replacement: Option<ReplacementFile>,
}

impl KeyFileDocument {
    /// Opens the file at `path` for reading.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let sources = file::read_one_file(path, MAX_BYTES)
            .map_err(|finding| CommandError::failure(report::line(&finding, &Sources::default())))?;
        let mut findings = Findings::default();
        let entries = key_file::read(&sources, 0, &mut findings).ok_or_else(|| {
            // The lines are not quoted, because one may contain a pasted secret.
            let lines = findings.sorted().into_iter().map(|finding| report::line(finding, &sources));
            let lines = lines.collect::<Vec<_>>().join("\n");
            CommandError::failure(format!("{lines}\n`{}` is no file of API keys", path.display()))
        })?;
        let text = sources.iter().map(|(_, source)| source.text.as_str()).collect();
        Ok(Self { path: path.to_owned(), text, entries, replacement: None })
    }

    /// Opens the file at `path` for a change and locks it; with `new`, a missing file is treated as an empty one.
    pub(super) fn open_to_change(path: &Path, new: bool) -> Result<Self, CommandError> {
        // The target of a symlink is replaced, not the symlink.
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound && new => path.to_owned(),
            Err(error) => return Err(file_error("read", path, &error)),
        };
        let replacement = ReplacementFile::create(&path)?;
        let opened = if path.exists() {
            Self::open(&path)?
        } else {
            Self { path, text: edit::EMPTY_FILE.to_owned(), entries: Vec::new(), replacement: None }
        };
        Ok(Self { replacement: Some(replacement), ..opened })
    }

    /// The key with this id.
    pub(super) fn entry(&self, id: &str) -> Result<&KeyEntry, CommandError> {
        self.entries.iter().find(|entry| *entry.id == *id).ok_or_else(|| {
            let near = nearest(id, self.entries.iter().map(|entry| &*entry.id));
            let help = near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
            CommandError::failure(format!("`{}` has no key `{id}`{help}", self.path.display()))
        })
    }

    /// Replaces the file atomically by `text`, with the same owner and mode.
    pub(super) fn replace(self, text: String) -> Result<(), CommandError> {
        let Some(mut replacement) = self.replacement else {
            return Err(CommandError::failure(format!("`{}` was opened for reading", self.path.display())));
        };
        replacement.replace_target(&self.path, &text).map_err(|error| file_error("written", &self.path, &error))
    }
}

/// The error for a file whose layout the command cannot edit.
pub(super) fn not_editable(path: &Path) -> CommandError {
    CommandError::failure(format!(
        "`{}` is laid out so that only you can edit it: write each key on lines of its own, as in\nkeys:\n  lab:\n    digest: …",
        path.display()
    ))
}

fn file_error(what: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::failure(format!("`{}` cannot be {what}: {error}", path.display()))
}

/// ReplacementFile: the file in the same folder that the new text is written to; while it exists, the keys are locked.
struct ReplacementFile {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl ReplacementFile {
    fn create(target: &Path) -> Result<Self, CommandError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.new"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => Ok(Self { path, file, renamed: false }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(CommandError::failure(format!(
                "another process is changing `{}`; if none is, delete `{}`",
                target.display(),
                path.display()
            ))),
            Err(error) => Err(file_error("written", &path, &error)),
        }
    }

    /// Writes `text` with the owner and mode of `target`, and renames the file to `target`.
    fn replace_target(&mut self, target: &Path, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        match fs::metadata(target) {
            Ok(old) => {
                let new = self.file.metadata()?;
                if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                    // Otherwise a gateway that runs as another user could not read the file any more.
                    fchown(&self.file, Some(old.uid()), Some(old.gid()))?;
                }
                self.file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.renamed = true;
        // Without this sync, a loss of power could undo a revocation.
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

impl Drop for ReplacementFile {
    fn drop(&mut self) {
        if !self.renamed {
            // If the file cannot be deleted, the next run reports it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
