//! Reads the documents of an import, and writes the imported policy.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::exit::{CommandError, Exit, print};
use crate::document::{Sources, report};
use crate::policy::import::ImportResult;

/// ImportDestination: the file that the policy is written to, or the standard output.
#[derive(Debug, Args)]
pub(super) struct ImportDestination {
    /// Write to this file instead of the output
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
}

/// Adds the text of the file at `path` to `sources`; an error where it has more than `max_bytes`.
pub(super) fn read_source(path: &Path, max_bytes: u64, sources: &mut Sources) -> Result<u32, CommandError> {
    let shown = path.display();
    let failed = |error: std::io::Error| CommandError::failure(format!("`{shown}` cannot be read: {error}"));
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(CommandError::failure(format!("`{shown}` is no file")));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max_bytes) {
        return Err(CommandError::failure(format!("`{shown}` is larger than {} MiB", max_bytes / (1024 * 1024))));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        CommandError::failure(format!("`{shown}` is not UTF-8 at byte offset {offset}; save it as UTF-8"))
    })?;
    Ok(sources.add(shown.to_string(), &text))
}

/// Writes the imported policy, and reports on `err` the recognized parts and the findings.
pub(super) fn write_policy(
    imported: &ImportResult,
    sources: &Sources,
    to: &ImportDestination,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, CommandError> {
    // A failure of the error stream is ignored: the exit code reports the result.
    for line in &imported.understood {
        let _ = writeln!(err, "{line}");
    }
    if !imported.findings.is_empty() {
        let _ = writeln!(err, "\n{}", report::human(&imported.findings, sources));
    }
    let _ = writeln!(err, "{}", report::summary(&imported.findings));
    let exit = if imported.findings.has_errors() { Exit::Findings } else { Exit::Done };
    let Some(policy) = &imported.policy else { return Ok(Exit::Findings) };
    match &to.out {
        None => print(out, policy, exit),
        Some(path) => save(path, to.force, policy).map(|()| exit),
    }
}

/// Parses a name given as an option, which must not be empty.
pub(super) fn parse_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("a name is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn save(path: &Path, force: bool, text: &str) -> Result<(), CommandError> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let path = path.display();
        CommandError::failure(match error.kind() {
            ErrorKind::AlreadyExists => format!("`{path}` is there already; --force replaces it"),
            kind => format!("`{path}` cannot be written: {kind}"),
        })
    })
}
