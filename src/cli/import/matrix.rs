//! `import matrix`: columns, rows and roles from a vendor's tables.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::{CommandError, Exit};
use crate::document::Sources;
use crate::policy::import::matrix::{MatrixOptions, import};

use super::{ImportDestination, finish, read};

pub(super) const EXAMPLE: &str = "Example: portcullis import matrix table.csv roles.csv > table.yaml\n\n\
    Three shapes are told apart by their header, whatever parts the columns (`,` `;` tab `|`):\n  \
    permission,Patients,Stock            a row a permission, a column a resource, letters in the cells\n  \
    category,permission,resource,ops     a line for what a permission gives on a resource\n  \
    role,permission                      a line for each permission of a role\n\n\
    Several tables make up one part of a policy: rows of the same name are one row. A cell that is not understood\n\
    gives nothing and is found. Ends with 1 where something could not be taken over; what could is written all the\n\
    same. Notes never fail.";

/// The most bytes of a table.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    /// The tables, each a CSV file in UTF-8
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// The name of a table with columns, once for each in their order; else several are named after their files
    #[arg(long = "table", value_name = "NAME", value_parser = super::name)]
    tables: Vec<String>,
    /// Write a whole policy of this name, to which only routes are missing
    #[arg(long, value_name = "NAME", value_parser = super::name)]
    name: Option<String>,
    #[command(flatten)]
    to: ImportDestination,
}

pub(super) fn run(args: &MatrixArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let mut sources = Sources::default();
    for path in &args.files {
        read(path, MOST_BYTES, &mut sources)?;
    }
    let wanted = MatrixOptions { name: args.name.clone(), tables: args.tables.clone() };
    finish(&import(&sources, &wanted), &sources, &args.to, out, err)
}
