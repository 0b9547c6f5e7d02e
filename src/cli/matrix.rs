//! `matrix`: a policy's permissions × resources, in the formats that people and programs read.

mod csv;
mod html;
mod text;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::policy::matrix::{self, Matrix};

use super::exit::{Exit, Trouble, print};
use super::policy_file;

#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    /// The policy: a file, or a folder of files
    #[arg(value_name = "POLICY", value_hint = clap::ValueHint::AnyPath)]
    policy: PathBuf,
    /// How the tables are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Only the table with this name
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A list under each permission, for narrow screens
    Text,
    /// One table behind the other, with an empty line between
    Csv,
    /// Aligned columns, as Markdown reads them
    Table,
    /// One page that needs nothing else, to read and to print
    Html,
}

pub(super) fn run(args: &MatrixArgs, out: &mut dyn Write) -> Result<Exit, Trouble> {
    let (policy, _) = policy_file::load(&args.policy)?;
    let mut tables = matrix::tables(&policy);
    if let Some(name) = &args.table {
        let known: Vec<String> = tables.iter().filter_map(|table| table.title.clone()).collect();
        tables.retain(|table| table.title.as_ref() == Some(name));
        if tables.is_empty() {
            return Err(Trouble::usage(unknown_table(name, &known)));
        }
    }
    let printed = match args.format {
        Format::Text => text::listed(&tables),
        Format::Csv => csv::tables(&tables),
        Format::Table => text::aligned(&tables),
        Format::Html => html::page(&policy.version, &tables),
    };
    print(out, &printed, Exit::Done)
}

fn unknown_table(name: &str, known: &[String]) -> String {
    let help = match known {
        [] => "its only table has no name".to_owned(),
        known => format!("its tables are `{}`", known.join("`, `")),
    };
    format!("the policy has no table `{name}`; {help}")
}

/// The tables, each printed by `one`, with its title where it has one, and an empty line between two.
fn titled(tables: &[Matrix], title: impl Fn(&str) -> String, one: impl Fn(&Matrix) -> String) -> String {
    let printed = tables.iter().map(|table| {
        let title = table.title.as_deref().map(&title).unwrap_or_default();
        format!("{title}{}", one(table))
    });
    printed.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
