//! PolicyParts: what several tables say together about columns, rows and roles.

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings, Span};
use crate::policy::import::yaml::LONGEST_NAME;
use crate::vocabulary::name::folded;

use super::cell::{CellContent, sort};
use super::sheet::SheetField;

/// PolicyParts: tables, rows and roles, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct PolicyParts {
    pub(super) tables: Vec<TableDraft>,
    pub(super) rows: Vec<RowDraft>,
    pub(super) roles: Vec<RoleDraft>,
    /// Rows, resources and roles by their names, case and white space apart.
    known: HashMap<(NameKind, String), (usize, Span)>,
}

/// TableDraft: columns under a title.
#[derive(Debug)]
pub(super) struct TableDraft {
    pub(super) title: Option<String>,
    pub(super) resources: Vec<String>,
}

/// RowDraft: a permission and its cells.
#[derive(Debug)]
pub(super) struct RowDraft {
    pub(super) name: String,
    pub(super) cells: Vec<(String, CellContent)>,
}

/// RoleDraft: what it includes and which rows it holds.
#[derive(Debug)]
pub(super) struct RoleDraft {
    pub(super) name: String,
    pub(super) includes: Vec<String>,
    pub(super) permissions: Vec<(String, Span)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NameKind {
    Row,
    Resource,
    Role,
}

impl PolicyParts {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.roles.is_empty() && self.tables.iter().all(|table| table.resources.is_empty())
    }

    /// The place where a name of this sort was met before.
    pub(super) fn met(&self, sort: NameKind, name: &str) -> Option<Span> {
        self.known.get(&(sort, folded(name))).map(|(_, span)| *span)
    }

    /// Adds a column to the table that was added last.
    pub(super) fn add_resource(&mut self, name: &str, span: Span) {
        let Some(table) = self.tables.last_mut() else { return };
        self.known.insert((NameKind::Resource, folded(name)), (table.resources.len(), span));
        table.resources.push(name.to_owned());
    }

    /// The row of that name, new where there is none; a note where it is the same but for case or white space.
    pub(super) fn row(&mut self, name: &SheetField, findings: &mut Findings) -> Option<&mut RowDraft> {
        let next = self.rows.len();
        let at = self.known.entry((NameKind::Row, folded(&name.text))).or_insert((next, name.span)).0;
        if at == next {
            self.rows.push(RowDraft { name: name.text.clone(), cells: Vec::new() });
        }
        let row = self.rows.get_mut(at)?;
        note_other_spelling(&row.name, name, findings);
        Some(row)
    }

    /// The role of that name, new where there is none.
    pub(super) fn role(&mut self, name: &SheetField, findings: &mut Findings) -> Option<&mut RoleDraft> {
        let next = self.roles.len();
        let at = self.known.entry((NameKind::Role, folded(&name.text))).or_insert((next, name.span)).0;
        if at == next {
            self.roles.push(RoleDraft { name: name.text.clone(), includes: Vec::new(), permissions: Vec::new() });
        }
        let role = self.roles.get_mut(at)?;
        note_other_spelling(&role.name, name, findings);
        Some(role)
    }

    /// Adds empty rows for what only roles name; notes where tables were there to define them.
    pub(super) fn define_rows_of_roles(&mut self, tables: bool, findings: &mut Findings) {
        let mut roles = std::mem::take(&mut self.roles);
        let defined: Vec<String> = self.rows.iter().map(|row| row.name.clone()).collect();
        for (name, span) in roles.iter_mut().flat_map(|role| role.permissions.iter_mut()) {
            if tables && self.met(NameKind::Row, name).is_none() {
                let message = format!("no table has a row `{name}`: it is written as one that gives nothing");
                let finding = Finding::note(FindingCode::UnknownName, Some(*span), message);
                findings.push(finding.suggest(name, defined.iter().map(String::as_str)));
            }
            let field = SheetField { text: name.clone(), span: *span };
            if let Some(row) = self.row(&field, findings) {
                name.clone_from(&row.name);
            }
        }
        self.roles = roles;
    }
}

impl RowDraft {
    /// Adds what a cell gives to what the row gives on that resource.
    pub(super) fn add(&mut self, resource: &str, given: CellContent) {
        match self.cells.iter_mut().find(|(known, _)| known == resource) {
            Some((_, known)) => {
                known.operations.extend(given.operations);
                known.approval |= given.approval;
                sort(&mut known.operations);
            }
            None => self.cells.push((resource.to_owned(), given)),
        }
    }
}

/// Whether a name can stand in a policy; a finding where it cannot.
pub(super) fn is_name(field: &SheetField, findings: &mut Findings) -> bool {
    let fits = field.text.len() <= LONGEST_NAME;
    if !fits {
        let finding = Finding::error(FindingCode::BadValue, Some(field.span), "this name is too long: left out");
        findings.push(finding);
    }
    fits && !field.text.is_empty()
}

fn note_other_spelling(known: &str, name: &SheetField, findings: &mut Findings) {
    if known != name.text {
        let message = format!("`{}` is taken for `{known}`, from which it differs only in case", name.text);
        findings.push(Finding::note(FindingCode::DuplicateName, Some(name.span), message));
    }
}
