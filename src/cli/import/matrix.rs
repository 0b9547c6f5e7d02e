//! `import matrix`: creates columns, rows and roles from a vendor's tables.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::{CommandError, Exit};
use crate::document::Sources;
use crate::policy::import::matrix::{MatrixOptions, import};

use super::files::{ImportDestination, parse_name, read_source, write_policy};

pub(super) const EXAMPLE: &str = "Example: portcullis import matrix table.csv roles.csv > table.yaml\n\n\
    Three shapes are recognized by their header, with any column separator (`,` `;` tab `|`):\n  \
    permission,Patients,Stock            a row per permission, a column per resource, letters in the cells\n  \
    category,permission,resource,ops     a line per permission and resource\n  \
    role,permission                      a line per permission of a role\n\n\
    Several tables make up one part of a policy: rows of the same name are one row. A cell that is not recognized\n\
    grants nothing and is reported. Ends with 1 where a part could not be imported; the other parts are still\n\
    written. Notes never fail.";

/// The most bytes of one table.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    /// The tables, each a CSV file in UTF-8
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// The names of the tables with columns, in their order; by default several tables are named after their files
    #[arg(long = "table", value_name = "NAME", value_parser = parse_name)]
    tables: Vec<String>,
    /// Write a whole policy of this name, which lacks only routes
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    #[command(flatten)]
    to: ImportDestination,
}

pub(super) fn run(args: &MatrixArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let mut sources = Sources::default();
    for path in &args.files {
        read_source(path, MAX_BYTES, &mut sources)?;
    }
    let options = MatrixOptions { name: args.name.clone(), tables: args.tables.clone() };
    write_policy(&import(&sources, &options), &sources, &args.to, out, err)
}
