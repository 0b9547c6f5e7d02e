//! `schema`: prints JSON Schemas with which an editor completes, explains and checks the files that users write.

mod builder;
mod cases;
mod gateway;
mod policy;

use std::io::Write;

use clap::{Args, ValueEnum};

use super::exit::{CommandError, Exit, print};

/// The text below the options of `schema --help`.
pub(super) const EXAMPLE: &str = "Example: portcullis schema policy > policy.schema.json\n\n\
    An editor with yaml-language-server follows a comment above the first key:\n  \
    # yaml-language-server: $schema=policy.schema.json\n\n\
    The schema covers keys, words and formats. `portcullis check` also checks names, conflicts and files.";

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// The kind of file
    #[arg(value_enum)]
    file: SchemaFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SchemaFile {
    /// A policy, or one file of a policy's folder
    Policy,
    /// The cases of a policy
    Cases,
    /// The settings of a gateway
    Gateway,
}

pub(super) fn run(args: &SchemaArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    print(out, &schema_text(args.file), Exit::Done)
}

/// The schema as in `config/schema`: indented, with a line feed at its end.
fn schema_text(file: SchemaFile) -> String {
    let schema = match file {
        SchemaFile::Policy => policy::schema(),
        SchemaFile::Cases => cases::schema(),
        SchemaFile::Gateway => gateway::schema(),
    };
    format!("{schema:#}\n")
}

#[cfg(test)]
mod tests;
