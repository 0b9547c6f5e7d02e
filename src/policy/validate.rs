//! Source to model: every name is resolved, every finding is collected.

mod gates;
mod names;
mod people;
mod routes;

use crate::document::{Code, Finding, Findings};
use crate::vocabulary::{Cell, CellId, Operation, access::MAX_SCOPES};

use super::model::{Cors, Model, Row, ScopeName, Table};
use super::source::{CorsSource, NeedSource, Source, Written};
use super::standing::RowId;
use names::Names;

/// The model of `written`; `None` where it has no meaning at all. Findings tell whether it may be used.
pub(super) fn validate(written: &Source, lone_source: bool, findings: &mut Findings) -> Option<Model> {
    let name = written.name.as_ref().map(|name| name.text.clone());
    if name.is_none() && !findings.has_errors() {
        let finding = Finding::error(Code::MissingKey, None, "the policy has no `name`");
        findings.push(finding.help("write `name: …` at the top; logs and metrics call the policy by it"));
    }
    let scopes = scopes(written, findings);
    let (tables, resources) = tables(written, findings);
    let rows = Names::define("permission", written.rows.iter().map(|row| &row.name), findings);
    let roles = Names::define("role", written.roles.iter().map(|role| &role.name), findings);
    let mut cells = CellIndex { resources: &resources, cells: Vec::new(), known: Default::default() };
    let model_routes = routes::routes(written, &scopes, &mut cells, findings);
    let used = cells.cells.len();
    let model_rows = model_rows(written, &mut cells, used, findings);
    note_empty_columns(written, &model_rows, &cells, findings);
    note_words_that_nobody_has(written, &model_rows, &cells, findings);
    let model_roles = people::roles(written, &rows, &roles, findings);
    let users = people::users(written, &rows, &roles, &scopes, lone_source, findings);
    let gates = gates::gates(written, &rows, &scopes, lone_source, &mut cells, findings);
    let everyone = rows.resolve_all(&written.everyone, findings).into_iter().map(RowId).collect();
    let cors = written.cors.as_ref().map(|cors| model_cors(cors, findings));
    Some(Model {
        name: name?,
        dialect: written.dialect,
        scopes,
        tables,
        cells: cells.cells,
        rows: model_rows,
        everyone,
        roles: model_roles,
        users,
        gates,
        service_apps: written.service_apps,
        cors,
        routes: model_routes,
    })
}

/// Cells by their number, each number given at first use.
struct CellIndex<'n> {
    resources: &'n Names<'n>,
    cells: Vec<Cell>,
    known: std::collections::HashMap<Cell, CellId>,
}

impl CellIndex<'_> {
    fn cell(&mut self, operation: &Operation, resource: &Written, findings: &mut Findings) -> Option<CellId> {
        self.resources.resolve(resource, findings)?;
        let cell = Cell { operation: operation.clone(), resource: resource.text.clone() };
        if let Some(known) = self.known.get(&cell) {
            return Some(*known);
        }
        let id = CellId(u32::try_from(self.cells.len()).ok()?);
        self.known.insert(cell.clone(), id);
        self.cells.push(cell);
        Some(id)
    }
}

fn scopes(written: &Source, findings: &mut Findings) -> Vec<ScopeName> {
    Names::define("scope", written.scopes.iter().map(|scope| &scope.name), findings);
    if let Some(beyond) = written.scopes.get(MAX_SCOPES) {
        let message = format!("a policy has at most {MAX_SCOPES} scopes");
        findings.push(Finding::error(Code::BadValue, Some(beyond.name.place), message));
    }
    let mut callers = written.scopes.iter().filter(|scope| scope.caller);
    if let (Some(first), Some(second)) = (callers.next(), callers.next()) {
        let message = "only one scope can be `caller`: a caller has one list of tenants";
        let finding = Finding::error(Code::BadValue, Some(second.name.place), message);
        findings.push(finding.also(first.name.place, "the first").help("make one of them `grant`"));
    }
    let scopes = written.scopes.iter().take(MAX_SCOPES);
    scopes.map(|scope| ScopeName { name: scope.name.text.clone(), caller: scope.caller }).collect()
}

fn tables<'s>(written: &'s Source, findings: &mut Findings) -> (Vec<Table>, Names<'s>) {
    let titles = written.tables.iter().filter_map(|table| table.title.as_ref());
    Names::define("table", titles, findings);
    let resources = Names::define("resource", written.tables.iter().flat_map(|table| &table.resources), findings);
    let tables = written.tables.iter().map(|table| Table {
        title: table.title.as_ref().map(|title| title.text.clone()),
        resources: table.resources.iter().map(|resource| resource.text.clone()).collect(),
    });
    (tables.collect(), resources)
}

/// The rows; cells numbered `used` and above are needed by no route.
fn model_rows(written: &Source, cells: &mut CellIndex<'_>, used: usize, findings: &mut Findings) -> Vec<Row> {
    let mut rows = Vec::with_capacity(written.rows.len());
    for row in &written.rows {
        let mut found: Vec<CellId> = Vec::new();
        for (resource, operations) in &row.cells {
            for (operation, place) in operations {
                let Some(id) = cells.cell(operation, resource, findings) else { break };
                if found.contains(&id) {
                    let message = format!("`{}` stands twice in the permission `{}`", operation, row.name.text);
                    findings.push(Finding::error(Code::DuplicateName, Some(*place), message));
                    continue;
                }
                found.push(id);
                if usize::try_from(id.0).is_ok_and(|id| id >= used) {
                    findings.push(unused_cell(operation, resource, *place, cells, used));
                }
            }
        }
        if row.cells.is_empty() {
            let message = format!("the permission `{}` gives nothing", row.name.text);
            findings.push(Finding::note(Code::EmptyRow, Some(row.name.place), message));
        }
        rows.push(Row { name: row.name.text.clone(), cells: found });
    }
    rows
}

/// A letter that no route uses may be part of the vendor's table; a word is probably misspelt.
fn unused_cell(
    operation: &Operation,
    resource: &Written,
    place: crate::document::Place,
    cells: &CellIndex<'_>,
    used: usize,
) -> Finding {
    let message = format!("no route needs `{operation} {}`", resource.text);
    if operation.letter().is_some() {
        return Finding::note(Code::UnusedCell, Some(place), message);
    }
    let words = cells.cells.iter().take(used).map(|cell| cell.operation.word());
    Finding::error(Code::UnknownName, Some(place), message).suggest(operation.word(), words)
}

fn note_empty_columns(written: &Source, rows: &[Row], cells: &CellIndex<'_>, findings: &mut Findings) {
    let filled: std::collections::HashSet<&str> = rows
        .iter()
        .flat_map(|row| &row.cells)
        .filter_map(|cell| cells.cells.get(usize::try_from(cell.0).ok()?))
        .map(|cell| &*cell.resource)
        .collect();
    for resource in written.tables.iter().flat_map(|table| &table.resources) {
        if !filled.contains(&*resource.text) {
            let message = format!("no permission has anything in `{}`", resource.text);
            findings.push(Finding::note(Code::EmptyColumn, Some(resource.place), message));
        }
    }
}

/// A word of a route that no row has is open to service apps at most: it is probably misspelt.
fn note_words_that_nobody_has(written: &Source, rows: &[Row], cells: &CellIndex<'_>, findings: &mut Findings) {
    let held = |cell: &Cell| cells.known.get(cell).is_some_and(|id| rows.iter().any(|row| row.cells.contains(id)));
    for need in written.routes.iter().flat_map(|route| &route.methods).map(|method| &method.need) {
        let NeedSource::Cells(needed) = need else { continue };
        for (operation, resource) in needed.iter().filter(|(operation, _)| operation.letter().is_none()) {
            if !held(&Cell { operation: operation.clone(), resource: resource.text.clone() }) {
                let message = format!("no permission has `{operation} {}`", resource.text);
                let known = Operation::LETTERED;
                let finding = Finding::note(Code::UnusedCell, Some(resource.place), message);
                findings.push(finding.suggest(operation.word(), known.iter().map(Operation::word)));
            }
        }
    }
}

fn model_cors(written: &CorsSource, findings: &mut Findings) -> Cors {
    for origin in &written.origins {
        let authority = ["https://", "http://"].iter().find_map(|scheme| origin.text.strip_prefix(scheme));
        let fine = authority.is_some_and(|authority| {
            !authority.is_empty()
                && authority
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte))
        });
        if !fine {
            let finding =
                Finding::error(Code::BadValue, Some(origin.place), format!("`{}` is not an origin", origin.text));
            findings.push(finding.help("an origin is scheme and host in small letters, with a port if it has one, and no slash behind: `https://portal.example`"));
        }
    }
    for header in written.headers.iter().chain(&written.exposed) {
        if !header.text.bytes().all(crate::request::headers::is_token_byte) {
            findings.push(Finding::error(
                Code::BadValue,
                Some(header.place),
                format!("`{}` is not a header's name", header.text),
            ));
        }
    }
    let texts = |list: &[Written]| list.iter().map(|name| name.text.clone()).collect();
    Cors {
        origins: texts(&written.origins),
        headers: texts(&written.headers),
        exposed: texts(&written.exposed),
        credentials: written.credentials,
        max_age: written.max_age.unwrap_or(600),
    }
}
