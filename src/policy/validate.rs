//! Validation: resolves the names of a policy source to a model, and collects all findings.

mod cells;
mod conditions;
mod cors;
mod fields;
mod gates;
mod names;
mod notes;
mod people;
mod roles;
mod routes;
mod scopes;
mod sources;

use crate::document::{Finding, FindingCode, Findings, Severity};
use crate::vocabulary::{CellId, Operation, access::MAX_SCOPES};

use super::ids::RowId;
use super::model::{Model, Row, ScopeName, Table};
use super::source::{PolicySource, Spanned};
use cells::CellIndex;
use conditions::ConditionRegistry;
use names::DefinedNames;
use people::PeopleResolver;
use routes::RouteResolver;
use scopes::DeclaredScopes;
use sources::IdentitySources;

/// Resolves `source` to a model; `None` without a name. The model may be used only if no finding is an error.
pub(super) fn validate(source: &PolicySource, issuers: Option<&[Box<str>]>, findings: &mut Findings) -> Option<Model> {
    let name = source.name.as_ref().map(|name| name.text.clone());
    if name.is_none() && !findings.has_errors() {
        let finding = Finding::error(FindingCode::MissingKey, None, "the policy has no `name`");
        findings.push(finding.help("write `name: …` at the top; logs and metrics use it as the policy's name"));
    }
    let sources = IdentitySources(issuers);
    let scope_list = resolve_scopes(source, findings);
    let scopes = DeclaredScopes(&scope_list);
    let (tables, resources) = resolve_tables(source, findings);
    let rows = DefinedNames::define("permission", source.rows.iter().map(|row| &row.name), findings);
    let role_names = DefinedNames::define("role", source.roles.iter().map(|role| &role.name), findings);
    let profile_names = DefinedNames::define("profile", source.profiles.iter().map(|profile| &profile.name), findings);
    let group_names = DefinedNames::define("group", source.groups.iter().map(|group| &group.name), findings);
    let mut conditions = ConditionRegistry::new();
    let mut cells = CellIndex { resources: &resources, cells: Vec::new(), known: Default::default() };
    let model_routes = RouteResolver { policy: source, scopes, cells: &mut cells, conditions: &mut conditions }
        .resolve_routes(findings);
    let used = cells.cells.len();
    let model_rows = resolve_rows(source, &mut cells, used, findings);
    // After errors, missing entries may only be unreadable ones.
    if !findings.has_errors() {
        notes::note_empty_columns(source, &model_rows, &cells, findings);
        notes::note_unused_operations(source, &model_rows, &cells, findings);
    }
    let roles = roles::resolve_roles(source, &rows, &role_names, scopes, findings);
    let profiles = people::resolve_profiles(source, scopes, findings);
    let groups = people::resolve_groups(source, &rows, &profile_names, findings);
    let (role_list, groups_by_name) = (&roles, &group_names);
    let people = PeopleResolver {
        policy: source,
        rows: &rows,
        role_names: &role_names,
        roles: role_list,
        groups: groups_by_name,
        scopes,
        sources,
    };
    let users = people.resolve_users(&mut conditions, findings);
    let gates = gates::resolve_gates(source, &rows, &scope_list, sources, &mut cells, &mut conditions, findings);
    let everyone = rows.resolve_all(&source.everyone, findings).into_iter().map(RowId).collect();
    let model = Model {
        name: name?,
        dialect: source.dialect,
        tables,
        fields: fields::resolve_field_sets(source, &resources, &cells, findings),
        shadow: fields::resolve_shadow(source, &resources, findings),
        cases_must_pass: source.cases_must_pass,
        cells: cells.cells,
        rows: model_rows,
        everyone,
        one_role: source.one_role,
        groups,
        profiles,
        roles,
        users,
        gates,
        conditions: conditions.all,
        service_apps: source.service_apps,
        cors: source.cors.as_ref().map(|source| cors::resolve_cors(source, findings)),
        scopes: scope_list,
        routes: model_routes,
    };
    notes::note_ineffective_grants(source, &model, findings);
    Some(model)
}

fn resolve_scopes(source: &PolicySource, findings: &mut Findings) -> Vec<ScopeName> {
    DefinedNames::define("scope", source.scopes.iter().map(|scope| &scope.name), findings);
    if let Some(beyond) = source.scopes.get(MAX_SCOPES) {
        let message = format!("a policy has at most {MAX_SCOPES} scopes");
        findings.push(Finding::error(FindingCode::BadValue, Some(beyond.name.span), message));
    }
    let mut callers = source.scopes.iter().filter(|scope| scope.caller);
    if let (Some(first), Some(second)) = (callers.next(), callers.next()) {
        let message = "only one scope can be `caller`: a caller has one list of tenants";
        let finding = Finding::error(FindingCode::BadValue, Some(second.name.span), message);
        findings.push(finding.also(first.name.span, "the first").help("make one of them `grant`"));
    }
    let scopes = source.scopes.iter().take(MAX_SCOPES);
    scopes.map(|scope| ScopeName { name: scope.name.text.clone(), caller: scope.caller }).collect()
}

fn resolve_tables<'s>(source: &'s PolicySource, findings: &mut Findings) -> (Vec<Table>, DefinedNames<'s>) {
    let titles = source.tables.iter().filter_map(|table| table.title.as_ref());
    DefinedNames::define("table", titles, findings);
    // Field sets share the names of columns.
    let columns = source.tables.iter().flat_map(|table| &table.resources);
    let resources =
        DefinedNames::define("resource", columns.chain(source.fields.iter().map(|set| &set.name)), findings);
    let tables = source.tables.iter().map(|table| Table {
        title: table.title.as_ref().map(|title| title.text.clone()),
        resources: table.resources.iter().map(|resource| resource.text.clone()).collect(),
    });
    (tables.collect(), resources)
}

/// Resolves the rows; no route requires the cells numbered `used` and above.
fn resolve_rows(source: &PolicySource, cells: &mut CellIndex<'_>, used: usize, findings: &mut Findings) -> Vec<Row> {
    let mut rows = Vec::with_capacity(source.rows.len());
    for row in &source.rows {
        let mut found: Vec<CellId> = Vec::new();
        for (resource, operations) in &row.cells {
            for (operation, span) in operations {
                let Some(id) = cells.cell(operation, resource, findings) else { break };
                if found.contains(&id) {
                    let message = format!("`{}` occurs twice in the permission `{}`", operation, row.name.text);
                    findings.push(Finding::error(FindingCode::DuplicateName, Some(*span), message));
                    continue;
                }
                found.push(id);
                // Masking requires the `read` of a field set, not a route.
                let masked =
                    *operation == Operation::Read && source.fields.iter().any(|set| set.name.text == resource.text);
                if !masked && usize::try_from(id.0).is_ok_and(|id| id >= used) {
                    let unused = unused_cell_finding(operation, resource, *span, cells, used);
                    // A route that could not be read may require it.
                    if unused.severity == Severity::Error || !findings.has_errors() {
                        findings.push(unused);
                    }
                }
            }
        }
        if row.cells.is_empty() {
            let message = format!("the permission `{}` gives nothing", row.name.text);
            findings.push(Finding::note(FindingCode::EmptyRow, Some(row.name.span), message));
        }
        rows.push(Row { name: row.name.text.clone(), cells: found });
    }
    rows
}

/// The finding about a cell that no route requires.
///
/// A letter may be part of the vendor's table and is a note; a name is probably misspelt and is an error.
fn unused_cell_finding(
    operation: &Operation,
    resource: &Spanned,
    span: crate::document::Span,
    cells: &CellIndex<'_>,
    used: usize,
) -> Finding {
    let message = format!("no route needs `{operation} {}`", resource.text);
    if operation.letter().is_some() {
        return Finding::note(FindingCode::UnusedCell, Some(span), message);
    }
    let words = cells.cells.iter().take(used).map(|cell| cell.operation.name());
    Finding::error(FindingCode::UnknownName, Some(span), message).suggest(operation.name(), words)
}
