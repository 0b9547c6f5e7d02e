//! `matrix`: prints a policy's permissions × resources, or one caller's permissions, in several formats.

mod csv;
mod html;
mod json;
mod sections;
mod text;
mod view;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::policy::matrix;

use super::exit::{CommandError, Exit, print};
use super::policy_file;
use view::Selection;

pub(super) const EXAMPLE: &str = "\
Example: portcullis matrix policies/noah-es.yaml --format csv --table Management

One caller's permissions, in a scope:
  portcullis matrix policies/noah-es.yaml --role 'Level 2'
  portcullis matrix policies/proknow.yaml --role Physicist --scope workspace=w1
  portcullis matrix policies/carestream.yaml --user smith --format html
With --role, --group, --user and --permission approvals count as granted; conditions do not hold. With --as the caller \
is evaluated as given.";

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
    /// All tables, with an empty line between
    Csv,
    /// Aligned columns, as in Markdown
    Table,
    /// One self-contained page, to read and to print
    Html,
    /// One object
    Json,
}

pub(super) fn run(args: &MatrixArgs, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CommandError> {
    let (policy, _) = policy_file::load_policy(&args.policy)?;
    let (mut tables, notes) = match args.selection.is_empty() {
        true => (matrix::tables(&policy), Vec::new()),
        false => view::view_tables(&policy, &args.selection)?,
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
        Format::Text => above + &text::print_lists(&tables),
        Format::Table => above + &text::print_aligned(&tables),
        Format::Html => html::print_page(&policy.version, &tables, &notes),
        Format::Json => json::tables_json(&policy.version, &tables, &notes),
        Format::Csv => {
            // The notes are not part of a table. A failure of the error stream only loses them.
            let _ = err.write_all(above.as_bytes());
            csv::print_tables(&tables)
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

#[cfg(test)]
mod tests;
