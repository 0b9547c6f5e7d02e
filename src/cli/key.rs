//! `key`: creates, revokes and lists the API keys of a file.

mod create;
mod file;
mod list;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::identity::key_file::edit;

use super::caller::now;
use super::exit::{CommandError, Exit, print};
use file::KeyFileDocument;

pub(super) const EXAMPLE: &str = "Example: portcullis key create --file keys.yaml --id lab --role Technician --tenant t1\n\n\
    The file is named in gateway.yaml under `api-keys:`. It holds digests only, so its readers cannot use the \
    keys. A running gateway applies every change by itself: from the next request on a new key works and a revoked one \
    is refused.";

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Create a key and print it once, as `id:secret`
    #[command(after_help = create::EXAMPLE)]
    Create(create::CreateArgs),
    /// Revoke a key for good; its entry stays in the file
    #[command(after_help = "Example: portcullis key revoke --file keys.yaml --id lab\n\n\
        To replace a key, create one with a new id, and revoke the old one when it is no longer used.")]
    Revoke(RevokeArgs),
    /// List the keys of a file and their state; the file contains no secrets
    #[command(after_help = "Example: portcullis key list --file keys.yaml")]
    List(list::ListArgs),
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// The file of keys
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// The key's id
    #[arg(long, value_name = "ID")]
    id: String,
}

pub(super) fn run(args: &KeyArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    match &args.command {
        KeyCommand::Create(args) => create::run(args, out, err),
        KeyCommand::Revoke(args) => revoke(args, out),
        KeyCommand::List(args) => list::run(args, out),
    }
}

fn revoke(args: &RevokeArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let file = KeyFileDocument::open_to_change(&args.file, false)?;
    let entry = file.entry(&args.id)?;
    if entry.revoked.is_some() {
        return print(out, &format!("`{}` was revoked before\n", entry.id), Exit::Done);
    }
    let edited = edit::revoke_key(&file.text, &args.id, now());
    file.replace(edited.ok_or_else(|| file::not_editable(&args.file))?)?;
    print(out, &format!("`{}` is revoked\n", args.id), Exit::Done)
}

#[cfg(test)]
mod tests;
