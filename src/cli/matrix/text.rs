//! Prints tables for terminals: aligned columns, or a list under each permission.

use crate::policy::matrix::Matrix;

use super::sections::join_tables;

/// The tables in aligned columns, which are also Markdown tables.
pub(super) fn print_aligned(tables: &[Matrix]) -> String {
    join_tables(tables, |title| format!("## {title}\n\n"), aligned_table)
}

/// The tables as lists: each permission, and below it the cells that it grants.
pub(super) fn print_lists(tables: &[Matrix]) -> String {
    join_tables(tables, |title| format!("{title}\n\n"), table_as_lists)
}

fn aligned_table(table: &Matrix) -> String {
    let header = std::iter::once(table.heading).chain(table.resources.iter().map(String::as_str));
    let header: Vec<String> = header.map(escape_cell).collect();
    let rows = table.rows.iter().map(|(name, fields)| {
        std::iter::once(name).chain(fields).map(|text| escape_cell(text)).collect::<Vec<String>>()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let mut widths: Vec<usize> = header.iter().map(|text| width(text)).collect();
    for row in &rows {
        for (widest, text) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(text));
        }
    }
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(text, &widest)| pad(text, widest));
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|&widest| "-".repeat(widest)).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    line(&header) + &line(&rule) + &body
}

fn table_as_lists(table: &Matrix) -> String {
    let widest = table.resources.iter().map(|name| width(name)).max().unwrap_or(0);
    let mut out = String::new();
    for (name, fields) in &table.rows {
        out.push_str(&format!("{name}\n"));
        let granted: Vec<_> = table.resources.iter().zip(fields).filter(|(_, field)| !field.is_empty()).collect();
        if granted.is_empty() {
            out.push_str("  nothing here\n");
        }
        for (resource, field) in granted {
            out.push_str(&format!("  {}  {field}\n", pad(resource, widest)));
        }
    }
    out
}

/// Escapes the bar, which would end a cell of a Markdown table.
fn escape_cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn pad(text: &str, widest: usize) -> String {
    format!("{text}{}", " ".repeat(widest.saturating_sub(width(text))))
}

fn width(text: &str) -> usize {
    text.chars().count()
}
