//! `matrix`: a policy's permissions × resources, or what one caller may, in formats that people and programs read.

mod csv;
mod html;
mod json;
mod text;
mod view;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::policy::matrix::{self, Matrix};

use super::exit::{CommandError, Exit, print};
use super::policy_file;
use view::Selection;

pub(super) const EXAMPLE: &str = "\
Example: portcullis matrix policies/noah-es.yaml --format csv --table Management

What one caller may, in a scope:
  portcullis matrix policies/noah-es.yaml --role 'Level 2'
  portcullis matrix policies/proknow.yaml --role Physicist --scope workspace=w1
  portcullis matrix policies/carestream.yaml --user smith --format html
With --role, --group, --user and --permission approvals count as granted; conditions do not hold. With --as all is \
judged as stated.";

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
    #[command(flatten)]
    selection: Selection,
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
    /// One object
    Json,
}

pub(super) fn run(args: &MatrixArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let (policy, _) = policy_file::load(&args.policy)?;
    let (mut tables, notes) = match args.selection.is_empty() {
        true => (matrix::tables(&policy), Vec::new()),
        false => view::tables(&policy, &args.selection)?,
    };
    if let Some(name) = &args.table {
        let known: Vec<String> = tables.iter().filter_map(|table| table.title.clone()).collect();
        tables.retain(|table| table.title.as_ref() == Some(name));
        if tables.is_empty() {
            return Err(CommandError::usage(unknown_table(name, &known)));
        }
    }
    let above = notes.iter().map(|note| format!("{note}\n")).collect::<String>();
    let above = if above.is_empty() { above } else { above + "\n" };
    let printed = match args.format {
        Format::Text => above + &text::listed(&tables),
        Format::Table => above + &text::aligned(&tables),
        Format::Html => html::page(&policy.version, &tables, &notes),
        Format::Json => json::object(&policy.version, &tables, &notes),
        Format::Csv => {
            // They are no part of a table; where nobody reads the error stream, nobody misses them.
            let _ = err.write_all(above.as_bytes());
            csv::tables(&tables)
        }
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
