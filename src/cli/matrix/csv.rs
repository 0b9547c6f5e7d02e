//! Prints tables as CSV (RFC 4180, with line feeds).

use crate::policy::matrix::Matrix;

use super::sections::join_tables;

/// The tables, with an empty line between.
pub(super) fn print_tables(tables: &[Matrix]) -> String {
    join_tables(tables, |_| String::new(), print_table)
}

fn print_table(table: &Matrix) -> String {
    let header = record(std::iter::once(table.heading).chain(table.resources.iter().map(String::as_str)));
    let rows = table
        .rows
        .iter()
        .map(|(name, fields)| record(std::iter::once(name.as_str()).chain(fields.iter().map(String::as_str))));
    header + &rows.collect::<String>()
}

fn record<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let mut line = fields.map(field).collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

/// Quotes a field where CSV requires it (RFC 4180, section 2, rules 6 and 7), and prevents spreadsheet formulas.
fn field(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t']) {
        return field(&format!("'{text}"));
    }
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
