//! Reads roles from a table with one line per role and permission.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Finding, FindingCode, Findings, Span};
use crate::policy::import::count::count_noun;
use crate::vocabulary::name::folded;

use super::layout::SheetLayout;
use super::parts::{PolicyParts, check_name};
use super::rows::note_unread_columns;
use super::sheet::{Sheet, SheetField};

/// RoleRows: the rows of a role in the table, by their folded names.
#[derive(Default)]
struct RoleRows {
    all: BTreeSet<String>,
    /// The inherited rows, by the role that they come from.
    inherited: BTreeMap<String, Vec<(String, Span)>>,
}

/// Reads a table of roles and their permissions, and returns a summary.
pub(super) fn read_roles(
    sheet: &Sheet,
    layout: &SheetLayout,
    parts: &mut PolicyParts,
    findings: &mut Findings,
) -> String {
    let SheetLayout::Roles { role, permission, source, .. } = *layout else { return String::new() };
    note_unread_columns(sheet, layout, &[Some(role), Some(permission), source], findings);
    let mut role_rows: Vec<(SheetField, RoleRows)> = Vec::new();
    for line in sheet.lines.iter().skip(layout.header() + 1) {
        let blank = |field: Option<&SheetField>| field.is_none_or(|field| field.text.is_empty());
        let (Some(name), Some(row), false) =
            (line.get(role), line.get(permission), blank(line.get(role)) || blank(line.get(permission)))
        else {
            let span = line.iter().find(|field| !field.text.is_empty()).map(|field| field.span);
            findings.push(Finding::error(
                FindingCode::MissingKey,
                span,
                "this line lacks a role or a permission: left out",
            ));
            continue;
        };
        if !check_name(name, findings) || !check_name(row, findings) {
            continue;
        }
        let at = role_rows.iter().position(|(known, _)| folded(&known.text) == folded(&name.text));
        if at.is_none() {
            role_rows.push((name.clone(), RoleRows::default()));
        }
        let last = role_rows.len().saturating_sub(1);
        let (Some(role), Some((_, role_rows))) = (parts.role(name, findings), role_rows.get_mut(at.unwrap_or(last)))
        else {
            continue;
        };
        if !role_rows.all.insert(folded(&row.text)) {
            let message = format!("`{}` has `{}` already", role.name, row.text);
            findings.push(Finding::note(FindingCode::DuplicateName, Some(row.span), message));
            continue;
        }
        let from = source.and_then(|at| line.get(at)).and_then(|field| field.text.strip_prefix("inherited:"));
        match from {
            Some(from) => {
                role_rows.inherited.entry(from.trim().to_owned()).or_default().push((row.text.clone(), row.span))
            }
            None => role.permissions.push((row.text.clone(), row.span)),
        }
    }
    let included = include_roles(&role_rows, parts, findings);
    let (roles, all) = (role_rows.len(), role_rows.iter().map(|(_, role_rows)| role_rows.all.len()).sum());
    let rows: BTreeSet<&String> = role_rows.iter().flat_map(|(_, role_rows)| &role_rows.all).collect();
    let inclusions = if included == 0 { String::new() } else { format!(", {}", count_noun(included, "inclusion")) };
    format!(
        "{} × {}, {}{inclusions}",
        count_noun(roles, "role"),
        count_noun(rows.len(), "permission"),
        count_noun(all, "assignment")
    )
}

/// Includes another role where a role inherits exactly its rows; otherwise the rows are written one by one.
fn include_roles(role_rows: &[(SheetField, RoleRows)], parts: &mut PolicyParts, findings: &mut Findings) -> usize {
    let mut included: Vec<(String, String)> = Vec::new();
    for (name, own) in role_rows {
        for (from, rows) in &own.inherited {
            let other = role_rows.iter().find(|(other, _)| folded(&other.text) == folded(from));
            let same = other.is_some_and(|(_, other)| {
                other.all == rows.iter().map(|(row, _)| folded(row)).collect::<BTreeSet<_>>()
            });
            let (lower, upper) = (folded(from), folded(&name.text));
            let Some(role) = parts.role(name, findings) else { continue };
            match other {
                Some((other, _)) if same && !includes_indirectly(&included, &lower, &upper) => {
                    role.includes.push(other.text.clone());
                    included.push((upper, lower));
                }
                _ => {
                    let span = rows.first().map(|(_, span)| *span);
                    let message = format!(
                        "the rows that `{}` inherits differ from the rows of `{from}`: written row by row",
                        name.text
                    );
                    findings.push(Finding::note(FindingCode::UnknownName, span, message));
                    role.permissions.extend(rows.iter().cloned());
                }
            }
        }
    }
    included.len()
}

/// Whether the role `from` includes `to`, directly or through other roles.
fn includes_indirectly(included: &[(String, String)], from: &str, to: &str) -> bool {
    let mut visited = BTreeSet::from([from]);
    let mut pending = vec![from];
    while let Some(role) = pending.pop() {
        for (_, below) in included.iter().filter(|(upper, _)| upper == role) {
            if visited.insert(below) {
                pending.push(below);
            }
        }
    }
    visited.contains(to)
}
