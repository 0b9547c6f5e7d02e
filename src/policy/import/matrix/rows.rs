//! Reads rows and columns from the two layouts that hold operations.

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::import::count::count_noun;
use crate::vocabulary::name::folded;

use super::cell::{self, CellContent};
use super::layout::SheetLayout;
use super::parts::{NameKind, PolicyParts, TableDraft, check_name};
use super::sheet::{Sheet, SheetField};

/// Reads a table whose rows are permissions and whose columns are resources, and returns a summary.
pub(super) fn read_wide(
    sheet: &Sheet,
    layout: &SheetLayout,
    title: Option<String>,
    parts: &mut PolicyParts,
    findings: &mut Findings,
) -> String {
    parts.tables.push(TableDraft { title, resources: Vec::new() });
    let heads = sheet.lines.get(layout.header()).map(Vec::as_slice).unwrap_or_default();
    let columns: Vec<Option<&str>> = heads.iter().skip(1).map(|head| read_column(head, parts, findings)).collect();
    let (mut rows, mut filled) = (Vec::new(), 0);
    for line in sheet.lines.iter().skip(layout.header() + 1) {
        let Some((name, cells)) = line.split_first() else { continue };
        if name.text.is_empty() {
            let span = cells.iter().find(|cell| !cell.text.is_empty()).map(|cell| cell.span);
            findings.push(Finding::error(FindingCode::MissingKey, span, "this row has no name: left out"));
            continue;
        }
        if !check_name(name, findings) {
            continue;
        }
        if rows.contains(&folded(&name.text)) {
            let message = format!("a row `{}` exists in this table already: left out", name.text);
            findings.push(Finding::error(FindingCode::DuplicateName, Some(name.span), message));
            continue;
        }
        rows.push(folded(&name.text));
        let Some(row) = parts.row(name, findings) else { continue };
        for (at, cell) in cells.iter().enumerate() {
            let Some(content) = read_content(cell, findings) else { continue };
            match columns.get(at).copied().flatten() {
                Some(resource) => {
                    filled += 1;
                    row.add(resource, content);
                }
                None => {
                    let message = format!("`{}` is in a column without a resource: left out", cell.text);
                    findings.push(Finding::error(FindingCode::UnknownName, Some(cell.span), message));
                }
            }
        }
    }
    let columns = columns.iter().flatten().count();
    format!(
        "{} × {}, {}",
        count_noun(rows.len(), "permission"),
        count_noun(columns, "resource"),
        count_noun(filled, "filled cell")
    )
}

/// Reads a table with one line per permission and resource, and returns a summary.
pub(super) fn read_cells(
    sheet: &Sheet,
    layout: &SheetLayout,
    title: Option<String>,
    parts: &mut PolicyParts,
    findings: &mut Findings,
) -> String {
    let SheetLayout::Cells { category, permission, resource, operations, .. } = *layout else { return String::new() };
    parts.tables.push(TableDraft { title, resources: Vec::new() });
    let used = [Some(permission), Some(resource), Some(operations), category];
    note_unread_columns(sheet, layout, &used, findings);
    let lines = || sheet.lines.iter().skip(layout.header() + 1);
    let mut categories: HashMap<String, Vec<String>> = HashMap::new();
    let of = |line: &[SheetField], at: Option<usize>| at.and_then(|at| line.get(at)).map(|field| field.text.clone());
    for line in lines() {
        let known = categories.entry(folded(&of(line, Some(permission)).unwrap_or_default())).or_default();
        let found = folded(&of(line, category).unwrap_or_default());
        if !known.contains(&found) {
            known.push(found);
        }
    }
    let mut identities: HashMap<String, (String, String)> = HashMap::new();
    let mut filled = 0;
    for line in lines() {
        let (Some(name), Some(resources)) = (line.get(permission), line.get(resource)) else {
            let span = line.first().map(|field| field.span);
            findings.push(Finding::error(FindingCode::MissingKey, span, "this line is too short: left out"));
            continue;
        };
        if name.text.is_empty() || !check_name(name, findings) || !check_name(resources, findings) {
            let finding = Finding::error(FindingCode::MissingKey, Some(name.span), "this line lacks a name: left out");
            findings.push(finding);
            continue;
        }
        // A name in several categories stands for several permissions: `Image View` and `Folder View`.
        let own = of(line, category).unwrap_or_default();
        let several = categories.get(&folded(&name.text)).is_some_and(|found| found.len() > 1);
        let text =
            if several { format!("{} {}", capitalize(&own), name.text).trim().to_owned() } else { name.text.clone() };
        let identity = (folded(&own), folded(&name.text));
        if *identities.entry(folded(&text)).or_insert_with(|| identity.clone()) != identity {
            let message = format!("another permission would also be named `{text}`: left out");
            findings.push(Finding::error(FindingCode::DuplicateName, Some(name.span), message));
            continue;
        }
        let letters = line.get(operations).and_then(|cell| read_content(cell, findings));
        for resource in resources.text.split('+').map(str::trim).filter(|resource| !resource.is_empty()) {
            if parts.first_span(NameKind::Resource, resource).is_none() {
                parts.add_resource(resource, resources.span);
            }
            let resource =
                parts.tables.iter().flat_map(|table| &table.resources).find(|known| folded(known) == folded(resource));
            let resource = resource.cloned().unwrap_or_default();
            let Some(row) = parts.row(&SheetField { text: text.clone(), span: name.span }, findings) else {
                continue;
            };
            if let Some(content) = letters.clone() {
                filled += 1;
                row.add(&resource, content);
            }
        }
    }
    let columns = parts.tables.last().map_or(0, |table| table.resources.len());
    format!(
        "{} on {}, {}",
        count_noun(identities.len(), "permission"),
        count_noun(columns, "resource"),
        count_noun(filled, "cell")
    )
}

/// Adds a note for each unread column: a vendor's text there may narrow what a row grants.
pub(super) fn note_unread_columns(
    sheet: &Sheet,
    layout: &SheetLayout,
    used: &[Option<usize>],
    findings: &mut Findings,
) {
    let heads = sheet.lines.get(layout.header()).map(Vec::as_slice).unwrap_or_default();
    for (at, head) in heads.iter().enumerate().filter(|(at, head)| !used.contains(&Some(*at)) && !head.text.is_empty())
    {
        let lines = sheet.lines.iter().skip(layout.header() + 1).filter_map(|line| line.get(at));
        let filled = lines.filter(|field| !field.text.is_empty()).count();
        let message = format!("the column `{}` is not read; it has {}", head.text, count_noun(filled, "filled cell"));
        findings.push(Finding::note(FindingCode::UnknownKey, Some(head.span), message));
    }
}

/// Reads the resource of a column; `None` where it names no resource, or one of another column.
fn read_column<'s>(head: &'s SheetField, parts: &mut PolicyParts, findings: &mut Findings) -> Option<&'s str> {
    if !check_name(head, findings) {
        return None;
    }
    if let Some(first) = parts.first_span(NameKind::Resource, &head.text) {
        let message = format!("a column `{}` exists already: left out", head.text);
        findings.push(Finding::error(FindingCode::DuplicateName, Some(head.span), message).also(first, "the first"));
        return None;
    }
    parts.add_resource(&head.text, head.span);
    Some(&head.text)
}

/// Reads a cell; `None` where it grants nothing, and with a finding where it is not understood.
fn read_content(cell: &SheetField, findings: &mut Findings) -> Option<CellContent> {
    match cell::read(&cell.text) {
        Ok(content) if content.operations.is_empty() => None,
        Ok(content) => {
            if content.approval {
                let finding =
                    Finding::note(FindingCode::UnknownKey, Some(cell.span), "a gate must require the approval");
                findings.push(finding.help("the end of the written policy shows an example"));
            }
            Some(content)
        }
        Err(why) => {
            let finding = Finding::error(FindingCode::BadValue, Some(cell.span), format!("{why}: left out"));
            findings.push(finding.help("write letters such as R or CRUD, or words such as `check-in`"));
            None
        }
    }
}

fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
