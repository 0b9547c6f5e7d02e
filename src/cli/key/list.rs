//! `key list`: prints one line for each key of a key file.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::caller::now;
use crate::cli::exit::{CommandError, Exit, print};
use crate::identity::key_file::KeyEntry;
use crate::vocabulary::Timestamp;

use super::file::KeyFileDocument;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The file of keys
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
}

pub(super) fn run(args: &ListArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let file = KeyFileDocument::open(&args.file)?;
    let now = now();
    let mut rows = vec![["id", "state", "kind", "expires", "tenants", "roles", "comment"].map(str::to_owned)];
    rows.extend(file.entries.iter().map(|entry| row(entry, now)));
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    print(out, &rows.iter().map(line).collect::<String>(), Exit::Done)
}

fn row(entry: &KeyEntry, now: Timestamp) -> [String; 7] {
    let state = match (entry.revoked, entry.expires) {
        (Some(_), _) => "revoked",
        (None, Some(expires)) if now >= expires => "expired",
        _ => "valid",
    };
    let subject = &entry.subject;
    let roles: Vec<&str> = subject.roles.iter().map(|claimed| &*claimed.role).collect();
    let cells = [
        entry.id.to_string(),
        state.to_owned(),
        subject.kind.as_str().to_owned(),
        entry.expires.map_or("never".to_owned(), |at| at.to_string()),
        subject.tenants.join(", "),
        roles.join(", "),
        entry.comment.as_deref().unwrap_or_default().to_owned(),
    ];
    // Control characters in the file must not reach the reader's terminal.
    cells.map(|cell| cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}
