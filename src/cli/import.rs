//! `import`: policies, or parts of them, from what vendors publish.

mod matrix;
mod openapi;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::document::{Sources, report};
use crate::policy::import::ImportResult;

use super::exit::{CommandError, Exit, print};

pub(super) const EXAMPLE: &str = "Example: portcullis import openapi api.yaml > policy.yaml\n\n\
    A folder of both is one policy:\n  \
    portcullis import openapi api.yaml --out clinic/routes.yaml --resources-elsewhere\n  \
    portcullis import matrix table.csv --out clinic/table.yaml\n  \
    portcullis check clinic";

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    from: ImportFormat,
}

#[derive(Debug, Subcommand)]
enum ImportFormat {
    /// Write the routes of an OpenAPI 3 or Swagger 2.0 document, with a guess of what each request does
    #[command(after_help = openapi::EXAMPLE)]
    Openapi(openapi::OpenapiArgs),
    /// Write the columns, rows and roles of a vendor's tables, saved as CSV
    #[command(after_help = matrix::EXAMPLE)]
    Matrix(matrix::MatrixArgs),
}

/// ImportDestination: where the policy goes.
#[derive(Debug, Args)]
struct ImportDestination {
    /// Write to this file instead of the output
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
}

pub(super) fn run(args: &ImportArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    match &args.from {
        ImportFormat::Openapi(args) => openapi::run(args, out, err),
        ImportFormat::Matrix(args) => matrix::run(args, out, err),
    }
}

/// Writes what was imported, and says on `err` what was understood and what was not.
fn finish(
    imported: &ImportResult,
    sources: &Sources,
    to: &ImportDestination,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, CommandError> {
    // Where nobody reads the error stream the code still tells.
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

/// Adds the text at `path`, which holds at most `most` bytes.
fn read(path: &Path, most: u64, sources: &mut Sources) -> Result<u32, CommandError> {
    let shown = path.display();
    let failed = |error: std::io::Error| CommandError::failure(format!("`{shown}` cannot be read: {error}"));
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(CommandError::failure(format!("`{shown}` is no file")));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes)).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        return Err(CommandError::failure(format!("`{shown}` is larger than {} MiB", most / (1024 * 1024))));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CommandError::failure(format!("`{shown}` is not UTF-8 at byte offset {at}; save it as UTF-8"))
    })?;
    Ok(sources.add(shown.to_string(), &text))
}

/// A name as an option takes it.
fn name(written: &str) -> Result<String, String> {
    if written.trim().is_empty() { Err("a name is not empty".to_owned()) } else { Ok(written.to_owned()) }
}

#[cfg(test)]
mod tests;
