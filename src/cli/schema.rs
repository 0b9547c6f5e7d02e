//! `schema`: JSON Schemas of the files that people write, so that an editor completes, explains and checks them.

mod cases;
mod gateway;
mod policy;
mod shape;

use std::io::Write;

use clap::{Args, ValueEnum};

use super::exit::{CommandError, Exit, print};

/// What `schema --help` shows below the options.
pub(super) const EXAMPLE: &str = "Example: portcullis schema policy > policy.schema.json\n\n\
    An editor with yaml-language-server follows a comment above the first key:\n  \
    # yaml-language-server: $schema=policy.schema.json\n\n\
    The schema knows keys, words and spellings. Names, conflicts and files are what `portcullis check` judges.";

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// The sort of file
    #[arg(value_enum)]
    file: SchemaFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaFile {
    /// A policy, or one file of a policy's folder
    Policy,
    /// The cases that prove a policy
    Cases,
    /// The settings of a gateway
    Gateway,
}

pub(super) fn run(args: &SchemaArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    print(out, &text(args.file), Exit::Done)
}

/// The schema as it is committed: indented, with a line feed at its end.
fn text(file: SchemaFile) -> String {
    let schema = match file {
        SchemaFile::Policy => policy::schema(),
        SchemaFile::Cases => cases::schema(),
        SchemaFile::Gateway => gateway::schema(),
    };
    format!("{schema:#}\n")
}

#[cfg(test)]
mod tests;
