//! PolicyParts: the columns, rows and roles of several tables together.

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings, Span};
use crate::policy::import::yaml::MAX_NAME_LENGTH;
use crate::vocabulary::name::folded;

use super::cell::{CellContent, sort_operations};
use super::sheet::SheetField;

/// PolicyParts: tables, rows and roles, in the order of their first occurrence.
#[derive(Debug, Default)]
pub(super) struct PolicyParts {
    pub(super) tables: Vec<TableDraft>,
    pub(super) rows: Vec<RowDraft>,
    pub(super) roles: Vec<RoleDraft>,
    /// The index and span of rows, resources and roles by their names, regardless of case and white space.
    known: HashMap<(NameKind, String), (usize, Span)>,
}

/// TableDraft: the columns of a table under its title.
#[derive(Debug)]
pub(super) struct TableDraft {
    pub(super) title: Option<String>,
    pub(super) resources: Vec<String>,
}

/// RowDraft: a permission with its cells.
#[derive(Debug)]
pub(super) struct RowDraft {
    pub(super) name: String,
    pub(super) cells: Vec<(String, CellContent)>,
}

/// RoleDraft: a role with the roles that it includes and the rows that it holds.
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

    /// The span where a name of this kind first occurred.
    pub(super) fn first_span(&self, sort: NameKind, name: &str) -> Option<Span> {
        self.known.get(&(sort, folded(name))).map(|(_, span)| *span)
    }

    /// Adds a column to the table that was added last.
    pub(super) fn add_resource(&mut self, name: &str, span: Span) {
        let Some(table) = self.tables.last_mut() else { return };
        self.known.insert((NameKind::Resource, folded(name)), (table.resources.len(), span));
        table.resources.push(name.to_owned());
    }

    /// The row of that name, created where there is none; a note where the spelling differs in case or white space.
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

    /// The role of that name, created where there is none.
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

    /// Adds empty rows for names that only roles use; a note for each where tables could have defined it.
    pub(super) fn define_rows_of_roles(&mut self, tables: bool, findings: &mut Findings) {
        let mut roles = std::mem::take(&mut self.roles);
        let defined: Vec<String> = self.rows.iter().map(|row| row.name.clone()).collect();
        for (name, span) in roles.iter_mut().flat_map(|role| role.permissions.iter_mut()) {
            if tables && self.first_span(NameKind::Row, name).is_none() {
                let message = format!("no table has a row `{name}`: it is written as a row that grants nothing");
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
    /// Adds a cell's content to the row's content on that resource.
    pub(super) fn add(&mut self, resource: &str, content: CellContent) {
        match self.cells.iter_mut().find(|(known, _)| known == resource) {
            Some((_, known)) => {
                known.operations.extend(content.operations);
                known.approval |= content.approval;
                sort_operations(&mut known.operations);
            }
            None => self.cells.push((resource.to_owned(), content)),
        }
    }
}

/// Checks whether a policy can hold a name; a finding where it is too long.
pub(super) fn check_name(field: &SheetField, findings: &mut Findings) -> bool {
    let fits = field.text.len() <= MAX_NAME_LENGTH;
    if !fits {
        let finding = Finding::error(FindingCode::BadValue, Some(field.span), "this name is too long: left out");
        findings.push(finding);
    }
    fits && !field.text.is_empty()
}

fn note_other_spelling(known: &str, name: &SheetField, findings: &mut Findings) {
    if known != name.text {
        let message = format!("`{}` is read as `{known}`, from which it differs only in case", name.text);
        findings.push(Finding::note(FindingCode::DuplicateName, Some(name.span), message));
    }
}
