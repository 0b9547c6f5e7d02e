//! A policy on the disk: one file, or a folder whose YAML files make it up together.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::document::{Finding, FindingCode, Sources};

/// The most bytes that the files of one policy may hold together.
pub const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// Reads a policy: the file at `path`, or all `*.yaml` and `*.yml` of the folder there in the order of their names.
///
/// `*.cases.yaml` and hidden files are left out, editors' backup and swap files with them. Symlinks are followed.
///
/// # Errors
/// Nothing there, a folder without a policy file, more than [`MOST_BYTES`], or a text that is not UTF-8.
pub fn read(path: &Path) -> Result<Sources, Finding> {
    read_at_most(path, MOST_BYTES).map_err(ReadFailure::finding)
}

/// Hash of the names and contents of all sources (SHA-256), by which a change is told.
pub fn hash(sources: &Sources) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for (_, source) in sources.iter() {
        // Lengths stand before the texts, so that no two lists of files run together into the same bytes.
        for text in [&source.name, &source.text] {
            context.update(&text.len().to_be_bytes());
            context.update(text.as_bytes());
        }
    }
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// ReadFailure: why there are no sources; what has gone is told apart from what cannot be read.
#[derive(Debug)]
pub(super) enum ReadFailure {
    /// Nothing stands at the path.
    Gone(Finding),
    /// Something stands there that is no policy.
    Unreadable(Finding),
}

impl ReadFailure {
    pub(super) fn finding(self) -> Finding {
        match self {
            Self::Gone(finding) | Self::Unreadable(finding) => finding,
        }
    }
}

/// Reads the one file at `path`, which holds `most` bytes at most.
///
/// # Errors
/// Nothing there, something else than a file, more bytes, or a text that is not UTF-8.
pub fn read_one_file(path: &Path, most: u64) -> Result<Sources, Finding> {
    read_file(path, most).map_err(ReadFailure::finding)
}

pub(super) fn read_file(path: &Path, most: u64) -> Result<Sources, ReadFailure> {
    let mut sources = Sources::default();
    read_one(path, path, &mut { most }, &mut sources)?;
    Ok(sources)
}

pub(super) fn read_at_most(path: &Path, most: u64) -> Result<Sources, ReadFailure> {
    let what = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadFailure::Gone(unreadable(path, "is gone")),
        _ => failed(path, &error),
    })?;
    let mut sources = Sources::default();
    let mut room = most;
    if !what.is_dir() {
        read_one(path, path, &mut room, &mut sources)?;
        return Ok(sources);
    }
    // The folder's own place is looked up once: a symlink that is swapped meanwhile cannot mix two versions.
    let folder = fs::canonicalize(path).map_err(|error| failed(path, &error))?;
    let names = names(&folder, is_policy_file).map_err(|error| failed(path, &error))?;
    if names.is_empty() {
        let finding = unreadable(path, "holds no policy file");
        return Err(ReadFailure::Unreadable(finding.help("a policy file ends in `.yaml` or `.yml`")));
    }
    for name in names {
        read_one(&folder.join(&name), &path.join(&name), &mut room, &mut sources)?;
    }
    Ok(sources)
}

/// The cases files of a policy's folder, in the order of their names.
pub(super) fn cases_in(folder: &Path) -> Result<Vec<PathBuf>, Finding> {
    let wanted = |name: &OsStr| super::cases::is_cases_file(name.as_encoded_bytes());
    let names = names(folder, wanted).map_err(|error| failed(folder, &error).finding())?;
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Reads one file that is no policy, as strictly as those that are.
pub(super) fn read_into(path: &Path, sources: &mut Sources) -> Result<(), Finding> {
    let mut room = MOST_BYTES;
    read_one(path, path, &mut room, sources).map_err(ReadFailure::finding)
}

fn names(folder: &Path, wanted: impl Fn(&OsStr) -> bool) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if wanted(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a folder's entry is part of the policy. Vim's `.x.yaml.swp` and `x.yaml~`, Emacs's `#x.yaml#` and
/// `.#x.yaml`, and the `..data` of Kubernetes all fall out by their first or last letters.
fn is_policy_file(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end.as_bytes()));
    !name.starts_with(b".") && ends(&[".yaml", ".yml"]) && !ends(&[".cases.yaml", ".cases.yml"])
}

fn read_one(at: &Path, shown: &Path, room: &mut u64, sources: &mut Sources) -> Result<(), ReadFailure> {
    // Opening a pipe would wait for its writer.
    if !fs::metadata(at).map_err(|error| failed(shown, &error))?.is_file() {
        return Err(ReadFailure::Unreadable(unreadable(shown, "is no file")));
    }
    let mut bytes = Vec::new();
    let file = File::open(at).map_err(|error| failed(shown, &error))?;
    file.take(room.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(shown, &error))?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    *room = room
        .checked_sub(length)
        .ok_or_else(|| ReadFailure::Unreadable(unreadable(shown, "is more than may be read")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let message = format!("is not UTF-8 at byte offset {}", error.utf8_error().valid_up_to());
        ReadFailure::Unreadable(unreadable(shown, &message).help("save it as UTF-8"))
    })?;
    sources.add(shown.display().to_string(), &text);
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> ReadFailure {
    ReadFailure::Unreadable(unreadable(path, &format!("cannot be read: {}", error.kind())))
}

fn unreadable(path: &Path, what: &str) -> Finding {
    Finding::error(FindingCode::Unreadable, None, format!("`{}` {what}", path.display()))
}

#[cfg(test)]
mod tests;
