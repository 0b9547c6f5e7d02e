//! Eligibility: which of the callers that a policy distinguishes may do what a route needs, and through which rows.

use std::collections::HashMap;

use crate::policy::Snapshot;
use crate::policy::model::{ScopeBounds, ScopedRole};
use crate::policy::users::UserEntry;
use crate::policy::{RowId, ServiceApps};
use crate::vocabulary::{Access, CellId, Cells, Subject, SubjectKind, Timestamp};

use super::{ApprovalSet, EvaluationContext, Evaluator, Precheck, Reason, resolve_scope};

/// CallerSet: a set of callers that the policy distinguishes.
#[derive(Debug, Clone)]
pub enum CallerSet<'p> {
    /// Every user.
    Everyone,
    /// Every service app that `users:` does not list.
    ServiceApps,
    /// Every user in the group.
    Group,
    /// Every user with the role, unbound or bound to the scope of the request; its position in the policy.
    Role(u32),
    /// Users whose entries have the same terms.
    Users(Vec<UserEntry<'p>>),
}

/// EligibleCallers: callers that may do what a route needs, or could if its gates were open.
#[derive(Debug, Clone)]
pub struct EligibleCallers<'p> {
    /// The callers.
    pub callers: CallerSet<'p>,
    /// The group that they are in, or must be in as well.
    pub group: Option<u32>,
    /// The requirements that they meet, each with the rows that grant its cells.
    pub paths: Vec<GrantPath>,
    /// The reason for the refusal, if there is no path.
    pub refusal: Option<Reason>,
}

/// GrantPath: one requirement and what grants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantPath {
    /// The position of the requirement among those of the route.
    pub requirement: usize,
    /// The row for each cell; `None` for service apps with full grants.
    pub rows: Vec<(CellId, Option<RowId>)>,
    /// The gates that an approval or a condition must open first, one bit each.
    pub gates: u64,
    /// Whether the assignment of a role has a condition that must hold.
    pub conditional: bool,
}

/// The requirements of a route: one list of cells, or one for each candidate.
pub fn cell_requirements(cells: &Cells) -> Vec<&[CellId]> {
    match cells {
        Cells::All(needed) => vec![needed],
        Cells::ByType(candidates) => candidates.iter().map(|candidate| &*candidate.cells).collect(),
        Cells::Public | Cells::Nobody => Vec::new(),
    }
}

/// Lists the callers that may access a route, and those that a closed feature or a removed permission keeps out.
///
/// Users with equal entries form one set. Callers belong to the tenant of the request unless `users:` says otherwise.
pub fn eligible_callers<'p>(policy: &'p Snapshot, access: &Access<'_>) -> Vec<EligibleCallers<'p>> {
    EligibilityScan { policy, access, requirements: cell_requirements(access.cells) }.scan()
}

/// EligibilityScan: one search for eligible callers.
struct EligibilityScan<'p, 'a> {
    policy: &'p Snapshot,
    access: &'a Access<'a>,
    requirements: Vec<&'a [CellId]>,
}

impl<'p> EligibilityScan<'p, '_> {
    fn scan(&self) -> Vec<EligibleCallers<'p>> {
        let model = &self.policy.model;
        let mut found: Vec<EligibleCallers<'p>> = Vec::new();
        if model.service_apps == Some(ServiceApps::All) || model.service_apps == Some(ServiceApps::EveryPermission) {
            found.extend(self.evaluate_callers(CallerSet::ServiceApps, None, None, SubjectKind::Service));
        }
        let groups: Vec<Option<u32>> = if model.groups.is_empty() {
            vec![None]
        } else {
            (0..).zip(&model.groups).map(|(at, _)| Some(at)).collect()
        };
        for group in &groups {
            let callers = if group.is_some() { CallerSet::Group } else { CallerSet::Everyone };
            found.extend(self.evaluate_callers(callers, *group, None, SubjectKind::User));
        }
        let bound = self.bound_roles();
        for (role, bound) in (0..).zip(&bound) {
            let entry = UserEntry { roles: Some(bound), ..UserEntry::EMPTY };
            for group in &groups {
                // A role is listed only if its group alone does not meet every requirement.
                let covered = found.iter().find(|known| {
                    known.group == *group
                        && matches!(known.callers, CallerSet::Everyone | CallerSet::Group)
                        && known.is_unconditional()
                });
                if covered.is_none() {
                    found.extend(self.evaluate_callers(CallerSet::Role(role), *group, Some(entry), SubjectKind::User));
                }
            }
        }
        for entries in self.users_by_terms() {
            let Some(entry) = entries.first().copied() else { continue };
            let within: &[Option<u32>] = if entry.group.is_some() { &[None] } else { &groups };
            for group in within {
                let eligible =
                    self.evaluate_callers(CallerSet::Users(entries.clone()), *group, Some(entry), SubjectKind::User);
                found.extend(eligible.map(|one| EligibleCallers { group: entry.group.or(one.group), ..one }));
            }
        }
        found
    }

    /// Each role as an assignment; bound to the scope of the request if the role must be bound.
    fn bound_roles(&self) -> Vec<[ScopedRole; 1]> {
        let roles = (0..).zip(&self.policy.model.roles);
        let bound = roles.map(|(at, role)| {
            let must = (0_u8..).zip(&self.access.scope).filter(|(at, _)| role.assign_within >> at & 1 == 1);
            let scope: ScopeBounds =
                must.filter_map(|(at, value)| Some((at, Box::from([value.as_deref()?.into()])))).collect();
            [ScopedRole { role: at, scope, when: None }]
        });
        bound.collect()
    }

    /// The entries of `users:`, grouped by equal terms.
    fn users_by_terms(&self) -> Vec<Vec<UserEntry<'p>>> {
        let mut positions = HashMap::new();
        let mut groups: Vec<Vec<UserEntry<'p>>> = Vec::new();
        for entry in self.policy.entitlements.users().iter() {
            let terms = (entry.group, entry.roles, entry.tenants, entry.permissions, entry.without);
            let at = *positions.entry(terms).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(list) => list.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        groups
    }

    /// Evaluates callers twice: as they are, and with every gate approved and every condition true.
    ///
    /// Returns them if they may access the route, or if a closed feature or a removed permission keeps them out.
    fn evaluate_callers(
        &self,
        callers: CallerSet<'p>,
        group: Option<u32>,
        entry: Option<UserEntry<'_>>,
        kind: SubjectKind,
    ) -> Option<EligibleCallers<'p>> {
        let model = &self.policy.model;
        let name = group.and_then(|at| model.groups.get(usize::try_from(at).ok()?)).map(|group| group.name.clone());
        let tenants = model.scopes.iter().zip(&self.access.scope).filter(|(scope, _)| scope.caller);
        let strict = Subject {
            kind,
            groups: name.into_iter().collect(),
            tenants: tenants.filter_map(|(_, value)| Some(value.as_deref()?.into())).collect(),
            ..Subject::default()
        };
        let approved = model.gates.iter().map(|gate| gate.name.clone()).collect();
        let lenient = Subject { approved, ..strict.clone() };
        self.with_precheck(&lenient, entry, true, |lenient| {
            self.with_precheck(&strict, entry, false, |strict| self.grant_paths(callers, group, lenient, strict))
                .flatten()
        })
        .flatten()
    }

    fn grant_paths(
        &self,
        callers: CallerSet<'p>,
        group: Option<u32>,
        lenient: Precheck<'_>,
        strict: Precheck<'_>,
    ) -> Option<EligibleCallers<'p>> {
        let (lenient, strict) = match (lenient, strict) {
            (Precheck::Rows(lenient), Precheck::Rows(strict)) => (lenient, Some(strict)),
            // Under `one-role` a caller may have a role only while a condition holds.
            (Precheck::Rows(lenient), _) => (lenient, None),
            (Precheck::Everything, _) => {
                let rows = |cells: &&[CellId]| cells.iter().map(|cell| (*cell, None)).collect();
                let paths = self.requirements.iter().enumerate().map(|(at, cells)| GrantPath {
                    requirement: at,
                    rows: rows(cells),
                    gates: 0,
                    conditional: false,
                });
                return Some(EligibleCallers { callers, group, paths: paths.collect(), refusal: None });
            }
            _ => return None,
        };
        let mut refusal = None;
        let mut paths = Vec::new();
        for (at, cells) in self.requirements.iter().enumerate() {
            let mut path = GrantPath { requirement: at, rows: Vec::new(), gates: 0, conditional: false };
            let reason = cells.iter().find_map(|cell| path.add_cell(*cell, &lenient, strict.as_ref()).err());
            match reason {
                None => paths.push(path),
                Some(reason) => refusal = refusal.or(Some(reason)),
            }
        }
        let listed = !paths.is_empty() || matches!(refusal, Some(Reason::Gate(_) | Reason::TakenAway));
        let refusal = refusal.filter(|_| paths.is_empty());
        listed.then_some(EligibleCallers { callers, group, paths, refusal })
    }

    /// Calls `then` with the precheck of a subject; every condition evaluates to `holds`.
    fn with_precheck<T>(
        &self,
        subject: &Subject,
        entry: Option<UserEntry<'_>>,
        holds: bool,
        then: impl FnOnce(Precheck<'_>) -> T,
    ) -> Option<T> {
        let entitlements = self.policy.entitlements.with_entry(subject, entry);
        let scope = resolve_scope(self.access, &entitlements, self.policy)?;
        let (approvals, now, across) = (&ApprovalSet::default(), Timestamp(0), self.access.across);
        let holds = |_| holds;
        let context = EvaluationContext {
            policy: self.policy,
            approvals,
            now,
            subject,
            entitlements,
            scope: &scope,
            across,
            holds: &holds,
        };
        Some(then(context.precheck()))
    }
}

impl GrantPath {
    /// Adds the row that grants a cell: a usable row if there is one, else the first one that becomes usable.
    fn add_cell(
        &mut self,
        cell: CellId,
        lenient: &Evaluator<'_>,
        strict: Option<&Evaluator<'_>>,
    ) -> Result<(), Reason> {
        let row = match strict.map(|strict| strict.evaluate_cell(cell)) {
            Some(Ok(row)) => row,
            _ => {
                let row = lenient.evaluate_cell(cell)?;
                let status = strict.map(|strict| strict.row_status(row)).unwrap_or_default();
                self.gates |= status.closed_gates;
                self.conditional |= !status.held;
                row
            }
        };
        self.rows.push((cell, Some(row)));
        Ok(())
    }
}

impl EligibleCallers<'_> {
    /// Whether every path is open without an approval or a condition.
    pub fn is_unconditional(&self) -> bool {
        !self.paths.is_empty() && self.paths.iter().all(|path| path.gates == 0 && !path.conditional)
    }
}

#[cfg(test)]
mod tests;
