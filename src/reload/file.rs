//! Policy files on the disk: one file, or a folder whose YAML files form one policy.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::document::{Finding, FindingCode, Sources};

/// The most bytes of all files of one policy together.
pub const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// The suffixes of cases files.
pub(super) const CASES_SUFFIXES: [&str; 2] = [".cases.yaml", ".cases.yml"];

/// Reads a policy: the file at `path`, or all `*.yaml` and `*.yml` files of that folder in the order of their names.
///
/// It ignores `*.cases.yaml`, hidden files, and editors' backup and swap files. It follows symlinks.
///
/// # Errors
/// Fails if the path does not exist, a folder has no policy file, there are more than [`MAX_BYTES`], or a text is not
/// UTF-8.
pub fn read(path: &Path) -> Result<Sources, Finding> {
    read_at_most(path, MAX_BYTES).map_err(ReadFailure::into_finding)
}

/// Hashes the names and contents of all sources (SHA-256) to detect changes.
pub fn hash_sources(sources: &Sources) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for (_, source) in sources.iter() {
        // Each text is preceded by its length, so that two lists of files cannot produce the same bytes.
        for text in [&source.name, &source.text] {
            context.update(&text.len().to_be_bytes());
            context.update(text.as_bytes());
        }
    }
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// ReadFailure: why sources could not be read.
#[derive(Debug)]
pub(super) enum ReadFailure {
    /// The path does not exist.
    Gone(Finding),
    /// The path exists but cannot be read as a policy.
    Unreadable(Finding),
}

impl ReadFailure {
    pub(super) fn into_finding(self) -> Finding {
        match self {
            Self::Gone(finding) | Self::Unreadable(finding) => finding,
        }
    }
}

/// Reads the one file at `path`, of at most `most` bytes.
///
/// # Errors
/// Fails if the path does not exist or is not a file, the file is larger, or its text is not UTF-8.
pub fn read_one_file(path: &Path, most: u64) -> Result<Sources, Finding> {
    read_file(path, most).map_err(ReadFailure::into_finding)
}

pub(super) fn read_file(path: &Path, most: u64) -> Result<Sources, ReadFailure> {
    let mut sources = Sources::default();
    read_source(path, path, &mut { most }, &mut sources)?;
    Ok(sources)
}

pub(super) fn read_at_most(path: &Path, most: u64) -> Result<Sources, ReadFailure> {
    let what = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadFailure::Gone(unreadable_finding(path, "is gone")),
        _ => read_failure(path, &error),
    })?;
    let mut sources = Sources::default();
    let mut room = most;
    if !what.is_dir() {
        read_source(path, path, &mut room, &mut sources)?;
        return Ok(sources);
    }
    // The folder's path is resolved once, so that a symlink that is swapped meanwhile cannot mix two versions.
    let folder = fs::canonicalize(path).map_err(|error| read_failure(path, &error))?;
    let names = list_files(&folder, is_policy_file).map_err(|error| read_failure(path, &error))?;
    if names.is_empty() {
        let finding = unreadable_finding(path, "holds no policy file");
        return Err(ReadFailure::Unreadable(finding.help("a policy file ends in `.yaml` or `.yml`")));
    }
    for name in names {
        read_source(&folder.join(&name), &path.join(&name), &mut room, &mut sources)?;
    }
    Ok(sources)
}

/// Lists the cases files of a policy's folder in the order of their names.
pub(super) fn list_cases_files(folder: &Path) -> Result<Vec<PathBuf>, Finding> {
    let wanted = |name: &OsStr| is_cases_file(name);
    let names = list_files(folder, wanted).map_err(|error| read_failure(folder, &error).into_finding())?;
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Reads one file that is not part of a policy, as strictly as a policy file.
pub(super) fn read_into(path: &Path, sources: &mut Sources) -> Result<(), Finding> {
    let mut room = MAX_BYTES;
    read_source(path, path, &mut room, sources).map_err(ReadFailure::into_finding)
}

fn list_files(folder: &Path, wanted: impl Fn(&OsStr) -> bool) -> io::Result<Vec<OsString>> {
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

/// Whether a folder's entry is part of the policy.
///
/// The first or last letters exclude temporary files: Vim's `.x.yaml.swp` and `x.yaml~`, Emacs's `#x.yaml#` and
/// `.#x.yaml`, and the `..data` of Kubernetes.
fn is_policy_file(name: &OsStr) -> bool {
    has_suffix(name, &[".yaml", ".yml"]) && !has_suffix(name, &CASES_SUFFIXES)
}

fn is_cases_file(name: &OsStr) -> bool {
    has_suffix(name, &CASES_SUFFIXES)
}

fn has_suffix(name: &OsStr, suffixes: &[&str]) -> bool {
    let name = name.as_encoded_bytes();
    !name.starts_with(b".") && suffixes.iter().any(|suffix| name.ends_with(suffix.as_bytes()))
}

fn read_source(real_path: &Path, shown_path: &Path, room: &mut u64, sources: &mut Sources) -> Result<(), ReadFailure> {
    // Opening a pipe would block until it has a writer.
    if !fs::metadata(real_path).map_err(|error| read_failure(shown_path, &error))?.is_file() {
        return Err(ReadFailure::Unreadable(unreadable_finding(shown_path, "is no file")));
    }
    let mut bytes = Vec::new();
    let file = File::open(real_path).map_err(|error| read_failure(shown_path, &error))?;
    file.take(room.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| read_failure(shown_path, &error))?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    *room = room
        .checked_sub(length)
        .ok_or_else(|| ReadFailure::Unreadable(unreadable_finding(shown_path, "is more than may be read")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let message = format!("is not UTF-8 at byte offset {}", error.utf8_error().valid_up_to());
        ReadFailure::Unreadable(unreadable_finding(shown_path, &message).help("save it as UTF-8"))
    })?;
    sources.add(shown_path.display().to_string(), &text);
    Ok(())
}

fn read_failure(path: &Path, error: &io::Error) -> ReadFailure {
    ReadFailure::Unreadable(unreadable_finding(path, &format!("cannot be read: {}", error.kind())))
}

fn unreadable_finding(path: &Path, what: &str) -> Finding {
    Finding::error(FindingCode::Unreadable, None, format!("`{}` {what}", path.display()))
}

#[cfg(test)]
mod tests;
