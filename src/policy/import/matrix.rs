//! Imports rows, columns and roles from a vendor's tables.

mod cell;
mod parts;
mod print;
mod roles;
mod rows;
mod layout;
mod sheet;

use crate::document::{Finding, FindingCode, Findings, Sources};

use super::count::count_noun;
use super::result::ImportResult;
use super::yaml;
use layout::SheetLayout;
use parts::PolicyParts;
use sheet::Sheet;

/// MatrixOptions: the options of a matrix import.
#[derive(Debug, Clone, Default)]
pub struct MatrixOptions {
    /// The policy's name, which makes the output a whole policy and not a part of one.
    pub name: Option<String>,
    /// The titles of the tables with columns, in their order.
    pub tables: Vec<String>,
}

/// Imports a part of a policy from all tables in `sources`.
pub fn import(sources: &Sources, options: &MatrixOptions) -> ImportResult {
    let mut findings = Findings::default();
    let mut understood = Vec::new();
    let mut parts = PolicyParts::default();
    let mut read = Vec::new();
    for (file, source) in sources.iter() {
        if let Some(sheet) = Sheet::read(file, &source.text, &mut findings)
            && let Some(layout) = layout::detect_layout(&sheet, &mut findings)
        {
            read.push((&source.name, sheet, layout));
        }
    }
    let tables = read
        .iter()
        .filter(|(_, _, layout)| matches!(layout, SheetLayout::Wide { .. } | SheetLayout::Cells { .. }))
        .count();
    if options.tables.len() > tables {
        let message =
            format!("{} for {}", count_noun(options.tables.len(), "name"), count_noun(tables, "table with columns"));
        findings.push(Finding::error(FindingCode::BadValue, None, message));
    }
    let mut titles = options.tables.iter();
    for (name, sheet, layout) in &read {
        let mut title = || match titles.next() {
            Some(title) => Some(title.clone()),
            // One table needs no title; several tables need titles to differ.
            None if tables > 1 => Some(stem(name)),
            None => None,
        };
        let what = match layout {
            SheetLayout::Wide { .. } => rows::read_wide(sheet, layout, title(), &mut parts, &mut findings),
            SheetLayout::Cells { .. } => rows::read_cells(sheet, layout, title(), &mut parts, &mut findings),
            SheetLayout::Roles { .. } => roles::read_roles(sheet, layout, &mut parts, &mut findings),
        };
        understood.push(format!("`{name}`, columns separated by {}: {what}", sheet.delimiter_name()));
    }
    parts.define_rows_of_roles(tables > 0, &mut findings);
    let policy = (!parts.is_empty()).then(|| {
        let names: Vec<&str> = read.iter().map(|(name, ..)| name.as_str()).collect();
        print::print_part(&names, options.name.as_deref(), &parts)
    });
    ImportResult { policy, understood, findings }
}

/// A file's name without its folder and extension.
fn stem(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    yaml::join_lines(if stem.is_empty() { name } else { stem })
}

#[cfg(test)]
mod tests;
