//! Resolution of roles: flattens inclusion into parts and refuses cycles.

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::ids::RowId;
use crate::policy::model::{Role, ScopeBounds, ScopedRows};
use crate::policy::source::{PolicySource, RoleSource};

use super::names::DefinedNames;
use super::scopes::DeclaredScopes;

pub(super) fn resolve_roles(
    source: &PolicySource,
    rows: &DefinedNames<'_>,
    names: &DefinedNames<'_>,
    scopes: DeclaredScopes<'_>,
    findings: &mut Findings,
) -> Vec<Role> {
    let own: Vec<Vec<ScopedRows>> = source.roles.iter().map(|role| own_rows(role, rows, scopes, findings)).collect();
    let included = source.roles.iter().map(|role| names.resolve_all(&role.includes, findings)).collect();
    let mut flattening = Flattening { source, own, included, flat: vec![None; source.roles.len()], path: Vec::new() };
    for at in 0..source.roles.len() {
        flattening.flatten(at, findings);
    }
    flattening.check_policy_only(findings);
    let roles = source.roles.iter().zip(flattening.flat).map(|(role, parts)| Role {
        name: role.name.text.clone(),
        parts: parts.unwrap_or_default(),
        includes: role.includes.iter().map(|name| name.text.clone()).collect(),
        policy_only: role.policy_only,
        assign_within: scopes.resolve_bits(&role.assign_within, findings),
        locked: role.locked,
        span: role.name.span,
    });
    roles.collect()
}

/// The rows that a role itself grants: its `permissions`, and those `within` scopes.
fn own_rows(
    role: &RoleSource,
    rows: &DefinedNames<'_>,
    scopes: DeclaredScopes<'_>,
    findings: &mut Findings,
) -> Vec<ScopedRows> {
    let mut parts = Vec::new();
    let everywhere = rows.resolve_all(&role.permissions, findings);
    add_rows(&mut parts, &ScopeBounds::default(), &everywhere.into_iter().map(RowId).collect::<Vec<_>>());
    for within in &role.within {
        let bounds = scopes.resolve_bounds(&within.scope, findings);
        let granted = rows.resolve_all(&within.permissions, findings);
        add_rows(&mut parts, &bounds, &granted.into_iter().map(RowId).collect::<Vec<_>>());
    }
    parts
}

/// Adds rows to the part of the same scope.
fn add_rows(parts: &mut Vec<ScopedRows>, scope: &ScopeBounds, rows: &[RowId]) {
    if rows.is_empty() {
        return;
    }
    match parts.iter_mut().find(|part| part.scope == *scope) {
        Some(part) => {
            part.rows.extend(rows);
            part.rows.sort_unstable();
            part.rows.dedup();
        }
        None => {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            parts.push(ScopedRows { scope: scope.clone(), rows });
        }
    }
}

struct Flattening<'s> {
    source: &'s PolicySource,
    own: Vec<Vec<ScopedRows>>,
    included: Vec<Vec<u32>>,
    flat: Vec<Option<Vec<ScopedRows>>>,
    path: Vec<usize>,
}

impl Flattening<'_> {
    fn flatten(&mut self, at: usize, findings: &mut Findings) {
        if let Some(start) = self.path.iter().position(|known| *known == at) {
            self.report_circle(start, at, findings);
            return;
        }
        if !matches!(self.flat.get(at), Some(None)) {
            return;
        }
        self.path.push(at);
        let mut parts = self.own.get(at).cloned().unwrap_or_default();
        for other in self.included.get(at).cloned().unwrap_or_default() {
            let Ok(other) = usize::try_from(other) else { continue };
            self.flatten(other, findings);
            for part in self.flat.get(other).iter().copied().flatten().flatten() {
                add_rows(&mut parts, &part.scope, &part.rows);
            }
        }
        self.path.pop();
        if let Some(slot) = self.flat.get_mut(at) {
            *slot = Some(parts);
        }
    }

    fn report_circle(&self, start: usize, at: usize, findings: &mut Findings) {
        let circle = self.path.iter().skip(start).chain([&at]).filter_map(|at| self.source.roles.get(*at));
        let names: Vec<&str> = circle.map(|role| &*role.name.text).collect();
        let span = self.source.roles.get(at).map(|role| role.name.span);
        let message = format!("roles include each other in a circle: {}", names.join(" → "));
        findings.push(Finding::error(FindingCode::Cycle, span, message));
    }

    /// Refuses a claimable role that includes a `policy-only` role, which a token could obtain through it.
    fn check_policy_only(&self, findings: &mut Findings) {
        for (role, included) in self.source.roles.iter().zip(&self.included) {
            let mut inner = included.iter().filter_map(|at| self.source.roles.get(usize::try_from(*at).ok()?));
            if let Some(inner) = inner.find(|inner| inner.policy_only && !role.policy_only) {
                let message = format!(
                    "the role `{}` includes `{}`, which is `assign: policy-only`, but is not itself `policy-only`",
                    role.name.text, inner.name.text
                );
                let finding = Finding::error(FindingCode::Contradiction, Some(role.name.span), message);
                findings.push(
                    finding.also(inner.name.span, "the included role").help("write `assign: policy-only` here too"),
                );
            }
        }
    }
}
