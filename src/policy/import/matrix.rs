//! Rows, columns and roles from a vendor's tables, as spreadsheets and exports spell them.

mod cell;
mod parts;
mod print;
mod roles;
mod rows;
mod layout;
mod sheet;

use crate::document::{Finding, FindingCode, Findings, Sources};

use super::{ImportResult, plural, yaml};
use layout::SheetLayout;
use parts::PolicyParts;
use sheet::Sheet;

/// MatrixOptions: how the tables are to be written.
#[derive(Debug, Clone, Default)]
pub struct MatrixOptions {
    /// The policy's name, where a whole policy is wanted and not a part of one.
    pub name: Option<String>,
    /// The names of the tables with columns, in their order.
    pub tables: Vec<String>,
}

/// The part of a policy that the tables in `sources` make up together.
pub fn import(sources: &Sources, wanted: &MatrixOptions) -> ImportResult {
    let mut findings = Findings::default();
    let mut understood = Vec::new();
    let mut parts = PolicyParts::default();
    let mut read = Vec::new();
    for (file, source) in sources.iter() {
        if let Some(sheet) = Sheet::read(file, &source.text, &mut findings)
            && let Some(shape) = layout::of(&sheet, &mut findings)
        {
            read.push((&source.name, sheet, shape));
        }
    }
    let tables = read
        .iter()
        .filter(|(_, _, shape)| matches!(shape, SheetLayout::Wide { .. } | SheetLayout::Cells { .. }))
        .count();
    if wanted.tables.len() > tables {
        let message = format!("{} for {}", plural(wanted.tables.len(), "name"), plural(tables, "table with columns"));
        findings.push(Finding::error(FindingCode::BadValue, None, message));
    }
    let mut titles = wanted.tables.iter();
    for (name, sheet, shape) in &read {
        let mut title = || match titles.next() {
            Some(title) => Some(title.clone()),
            // One table needs no name; several are told apart by them.
            None if tables > 1 => Some(stem(name)),
            None => None,
        };
        let what = match shape {
            SheetLayout::Wide { .. } => rows::wide(sheet, shape, title(), &mut parts, &mut findings),
            SheetLayout::Cells { .. } => rows::cells(sheet, shape, title(), &mut parts, &mut findings),
            SheetLayout::Roles { .. } => roles::roles(sheet, shape, &mut parts, &mut findings),
        };
        understood.push(format!("`{name}`, columns parted by {}: {what}", sheet.delimiter_word()));
    }
    parts.define_rows_of_roles(tables > 0, &mut findings);
    let policy = (!parts.is_empty()).then(|| {
        let names: Vec<&str> = read.iter().map(|(name, ..)| name.as_str()).collect();
        print::part(&names, wanted.name.as_deref(), &parts)
    });
    ImportResult { policy, understood, findings }
}

/// A file's name without its folder and its end.
fn stem(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    yaml::one_line(if stem.is_empty() { name } else { stem })
}

#[cfg(test)]
mod tests;
