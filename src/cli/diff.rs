//! `diff`: prints the differences between the decisions of two policy versions.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::decision::diff::{Change, Diff, Direction, diff};
use crate::policy::Snapshot;

use super::caller;
use super::exit::{CommandError, Exit, print};
use super::policy_file;

pub(super) const EXAMPLE: &str = "\
Example: portcullis diff policies/noah-es.yaml candidate.yaml

Ends with 0 without differences, with 1 with differences, and with 2 where a policy cannot be read, as diff(1) does. \
It compares permissions and masks by cell and scope, but not reasons and the order of lines. A permission may be renamed \
or split: its name counts only where tokens claim it. A line without an example is a difference for which no request was \
found.";

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The older policy: a file, or a folder of files
    #[arg(value_name = "OLD", value_hint = clap::ValueHint::AnyPath)]
    old: PathBuf,
    /// The newer policy: a file, or a folder of files
    #[arg(value_name = "NEW", value_hint = clap::ValueHint::AnyPath)]
    new: PathBuf,
    /// How the differences are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print nothing; only the exit code reports the result
    #[arg(long)]
    quiet: bool,
    /// Show only gained or only lost access; changes in either direction and settings are always shown
    #[arg(long, value_enum, value_name = "DIRECTION")]
    only: Option<DiffFilter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Gained, lost and changed, the most dangerous first, each with an example request
    Text,
    /// One object
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFilter {
    Gained,
    Lost,
}

pub(super) fn run(args: &DiffArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let (old, new) = (load_policy(&args.old)?, load_policy(&args.new)?);
    let mut found = diff(&old, &new, caller::now());
    if let Some(only) = args.only {
        let wanted = if only == DiffFilter::Gained { Direction::Gained } else { Direction::Lost };
        // Changes in either direction are always shown: without them the output would suggest that there are none.
        found.changes.retain(|change| change.direction == wanted || change.direction == Direction::Changed);
    }
    let exit = if found.is_empty() { Exit::Done } else { Exit::Findings };
    if args.quiet {
        return Ok(exit);
    }
    let printed = match args.format {
        Format::Text => diff_text(&found),
        Format::Json => serde_json::to_string_pretty(&found).unwrap_or_default() + "\n",
    };
    print(out, &printed, exit)
}

/// Loads a policy; an unreadable one is wrong usage here, because the exit code of findings means a difference.
fn load_policy(path: &Path) -> Result<Snapshot, CommandError> {
    let loaded = policy_file::load_policy(path).map_err(|error| CommandError::usage(error.message))?;
    Ok(loaded.0)
}

fn diff_text(found: &Diff) -> String {
    let mut out =
        format!("{} {} → {} {}: {}\n", found.old[0], found.old[1], found.new[0], found.new[1], found.summary());
    for (direction, title) in
        [(Direction::Gained, "GAINED"), (Direction::Lost, "LOST"), (Direction::Changed, "CHANGED")]
    {
        let changes: Vec<&Change> = found.changes.iter().filter(|change| change.direction == direction).collect();
        if changes.is_empty() {
            continue;
        }
        out.push_str(&format!("\n{title} ({})\n", changes.len()));
        for change in changes {
            out.push_str(&format!("  {change}\n"));
            match &change.example {
                Some(example) => out.push_str(&format!("      {example}\n")),
                None => out.push_str("      no request was found that shows it\n"),
            }
        }
    }
    if !found.settings.is_empty() {
        out.push_str(&format!("\nSETTINGS ({})\n", found.settings.len()));
        found.settings.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    out
}

#[cfg(test)]
mod tests;
