//! Policy files: a file, or a folder in name order, as texts.

use std::path::{Path, PathBuf};

use crate::document::{Code, Finding, Sources};

/// Reads a policy: one file, or all `.yaml` and `.yml` files of a folder in name order, without `*.cases.yaml`.
///
/// # Errors
/// A finding where something cannot be read, or where there is nothing to read.
pub fn read(path: &Path) -> Result<Sources, Finding> {
    let mut sources = Sources::default();
    for file in files(path)? {
        let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))?;
        sources.add(file.display().to_string(), &text);
    }
    Ok(sources)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Finding> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| unreadable(path, &error))?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|file| is_policy(file)).collect();
    files.sort();
    if files.is_empty() {
        let message = format!("the folder `{}` holds no policy", path.display());
        return Err(Finding::error(Code::Unreadable, None, message));
    }
    Ok(files)
}

fn is_policy(file: &Path) -> bool {
    let name = file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let yaml = [".yaml", ".yml"].iter().find_map(|end| name.strip_suffix(end));
    file.is_file() && yaml.is_some_and(|stem| !stem.ends_with(".cases") && !stem.starts_with('.'))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Finding {
    Finding::error(Code::Unreadable, None, format!("`{}` cannot be read: {error}", path.display()))
}
