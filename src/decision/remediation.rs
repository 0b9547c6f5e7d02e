//! Remediation: the smallest changes that would permit a refused request; each one is verified by a decision.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::policy::ConditionId;
use crate::policy::amend::PolicyEdit;
use crate::policy::entitlements::bounds_match;
use crate::policy::grants::rows_of;
use crate::policy::model::{ApprovalKey, GateOpener, Model, Role};
use crate::policy::outline::PolicyOutline;
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{CellId, Subject, Timestamp};

use super::query::{QueryTrace, RequestQuery, decide_query};
use super::{EvaluationContext, Evaluator, NoTrace, Precheck, Reason};

/// Remediation: changes that permit the request only all together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remediation {
    /// The changes, in the order of the refusals that they answer.
    pub changes: Vec<PolicyEdit>,
    /// The cost, by how much they permit: more cells, or more callers, cost more.
    pub opens: u32,
}

/// The maximum number of remediations that are returned.
const MAX_REMEDIATIONS: usize = 5;
/// The maximum number of changes in one remediation.
const MAX_CHANGES: usize = 3;
/// The maximum number of attempts; each one may compile a policy.
const MAX_ATTEMPTS: usize = 120;

/// The factor on the cost of a change that affects many callers.
const SHARED_FACTOR: u32 = 10;
/// The cost of an approval or a condition, which permits only what its holders have, for one application or at one time.
const CONDITIONAL_COST: u32 = 3;
/// The base cost of every change, so that two changes cost more than one.
const CHANGE_COST: u32 = 10;

/// Finds the remediations of a refused query, the cheapest first; none for a permit.
pub fn find_remediations(
    outline: &PolicyOutline,
    policy: &Snapshot,
    query: RequestQuery<'_>,
    now: Timestamp,
) -> Vec<Remediation> {
    let entry = policy.entitlements.for_subject(query.subject).entry();
    let user = entry.map(|entry| entry.id()).or_else(|| query.subject.id.clone()).map(|id| id.to_string());
    let mut found: Vec<Remediation> = Vec::new();
    let mut seen: BTreeSet<BTreeSet<PolicyEdit>> = BTreeSet::new();
    let mut open = BinaryHeap::from([Reverse((0_u32, Vec::<PolicyEdit>::new()))]);
    let mut attempts = 0;
    while let Some(Reverse((cost, changes))) = open.pop() {
        let has_all = |known: &Remediation| known.changes.iter().all(|change| changes.contains(change));
        if found.iter().any(has_all) {
            continue;
        }
        if found.len() == MAX_REMEDIATIONS || attempts == MAX_ATTEMPTS {
            break;
        }
        attempts += 1;
        let amended = match changes.iter().any(PolicyEdit::changes_policy) {
            true => match outline.apply_edits(&changes, user.as_deref()) {
                Some(amended) => Some(amended),
                None => continue,
            },
            false => None,
        };
        let policy = amended.as_ref().unwrap_or(policy);
        let mut subject = query.subject.clone();
        changes.iter().for_each(|change| change.apply_to(&mut subject));
        let query = RequestQuery { subject: &subject, ..query };
        let next = decide_query(policy, query, now, &mut NoTrace, |trace, _| {
            let analysis = RefusalAnalysis { policy, subject: &subject, user: user.as_deref(), trace };
            (!trace.decision.is_permit()).then(|| analysis.candidates())
        });
        match next {
            None if changes.is_empty() => return found,
            None => found.push(Remediation { changes, opens: cost }),
            Some(candidates) if changes.len() < MAX_CHANGES => {
                for (change, more) in candidates {
                    let mut longer = changes.clone();
                    longer.push(change);
                    let set: BTreeSet<PolicyEdit> = longer.iter().cloned().collect();
                    if set.len() == longer.len() && seen.insert(set) {
                        open.push(Reverse((cost + CHANGE_COST + more, longer)));
                    }
                }
            }
            Some(_) => {}
        }
    }
    found
}

/// RefusalAnalysis: one refusal, analysed for changes that could overcome it.
struct RefusalAnalysis<'a> {
    policy: &'a Snapshot,
    subject: &'a Subject,
    user: Option<&'a str>,
    trace: &'a QueryTrace<'a>,
}

/// EditCandidates: changes that may help, each with its cost.
type EditCandidates = Vec<(PolicyEdit, u32)>;

impl RefusalAnalysis<'_> {
    fn candidates(&self) -> EditCandidates {
        match self.trace.decision.reason {
            Reason::NotAMember => self.tenant_change().into_iter().collect(),
            Reason::NoGroup => self.group_changes(|_| true),
            Reason::NotOneRole => {
                self.policy.model.roles.iter().filter_map(|role| self.role_change(role, None)).collect()
            }
            Reason::Condition if self.route_condition().is_some() => self.route_condition().into_iter().collect(),
            Reason::NotGranted
            | Reason::OutOfScope
            | Reason::Condition
            | Reason::TakenAway
            | Reason::Gate(_)
            | Reason::WrongType => {
                let Some(cell) = self.trace.decision.cell else { return Vec::new() };
                let rows = self.trace.with_context(self.policy, self.subject, |context, precheck| match precheck {
                    Precheck::Rows(evaluator) => self.cell_changes(cell, context, &evaluator),
                    Precheck::Everything | Precheck::Nothing(_) => Vec::new(),
                });
                rows.unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The condition of the route, if it does not hold.
    fn route_condition(&self) -> Option<(PolicyEdit, u32)> {
        let found = self.trace.route_match.ok()?;
        let when = found.method.when?;
        let holds = self.trace.condition_holds(when, self.policy, self.subject, &found.access.scope);
        if holds { None } else { self.condition_change(when) }
    }

    /// The change that makes a condition hold.
    fn condition_change(&self, when: ConditionId) -> Option<(PolicyEdit, u32)> {
        let condition = self.policy.condition(when)?.text().into();
        Some((PolicyEdit::SatisfyCondition { condition }, CONDITIONAL_COST))
    }

    /// The change that makes the caller a member of the tenant.
    fn tenant_change(&self) -> Option<(PolicyEdit, u32)> {
        let scopes = self.policy.model.scopes.iter().zip(&self.trace.route_match.ok()?.access.scope);
        let (_, value) = scopes.into_iter().find(|(scope, value)| scope.caller && value.is_some())?;
        let tenant: Box<str> = value.as_deref()?.into();
        let entry = self.policy.entitlements.for_subject(self.subject).entry();
        Some(match (entry.and_then(|entry| entry.tenants), self.user) {
            (Some(_), Some(user)) => (PolicyEdit::AddTenant { user: user.into(), tenant }, 0),
            _ => (PolicyEdit::ClaimTenant { tenant }, 0),
        })
    }

    /// For each `wanted` group that the caller is not in, the change that puts the caller in it.
    fn group_changes(&self, wanted: impl Fn(usize) -> bool) -> EditCandidates {
        let entitlements = self.policy.entitlements.for_subject(self.subject);
        let own = entitlements.group().and_then(|group| usize::try_from(group).ok());
        let by_policy = entitlements.entry().is_some_and(|entry| entry.group.is_some());
        let model = &self.policy.model;
        let others = model.groups.iter().enumerate().filter(|(at, _)| own != Some(*at) && wanted(*at));
        let changes = others.map(|(_, group)| {
            let name = group.name.clone();
            let change = match self.user.filter(|_| by_policy) {
                Some(user) => PolicyEdit::AssignGroup { user: user.into(), group: name },
                None => PolicyEdit::ClaimGroup { group: name },
            };
            (change, count_cells(model, group.permissions.iter().copied()))
        });
        changes.collect()
    }

    /// The change that gives the caller the role in the scope of the request.
    fn role_change(&self, role: &Role, context: Option<&EvaluationContext<'_>>) -> Option<(PolicyEdit, u32)> {
        let model = &self.policy.model;
        let cost = count_cells(model, role.rows());
        let values = match context {
            Some(context) => context.scope,
            None => &self.trace.route_match.ok()?.access.scope,
        };
        let mut scope = Vec::new();
        for (at, (declared, value)) in model.scopes.iter().zip(values).enumerate() {
            let must = role.assign_within >> at & 1 == 1;
            match value {
                Some(value) if must || !declared.caller => scope.push((declared.name.clone(), (&**value).into())),
                None if must => return None,
                _ => {}
            }
        }
        let entry = self.policy.entitlements.for_subject(self.subject).entry();
        let by_policy = role.policy_only || entry.is_some_and(|entry| entry.roles.is_some());
        let name = role.name.clone();
        match (by_policy, self.user) {
            (true, Some(user)) => Some((PolicyEdit::AssignRole { user: user.into(), role: name, scope }, cost)),
            (true, None) => None,
            (false, _) => Some((PolicyEdit::ClaimRole { role: name, scope, alone: model.one_role }, cost)),
        }
    }

    /// The changes that could make some row grant the cell.
    fn cell_changes(&self, cell: CellId, context: &EvaluationContext<'_>, evaluator: &Evaluator<'_>) -> EditCandidates {
        let mut found = Vec::new();
        let rows: Vec<RowId> = rows_of(self.policy.grants.rows_with(cell)).collect();
        for row in &rows {
            let status = evaluator.row_status(*row);
            if !status.held {
                self.add_row_changes(*row, status.granted, context, &mut found);
            }
            if status.held || status.granted {
                let gates = (0..64).filter(|at| status.closed_gates >> at & 1 == 1);
                gates.for_each(|at| self.add_gate_changes(at, context, &mut found));
            }
        }
        let model = &self.policy.model;
        for role in &model.roles {
            let gives = |row: &RowId| !evaluator.row_status(*row).granted && rows.contains(row);
            let mut parts = role.parts.iter().filter(|part| bounds_match(&part.scope, context.scope, context.across));
            if parts.any(|part| part.rows.iter().any(gives)) {
                found.extend(self.role_change(role, Some(context)));
            }
        }
        for bound in context.entitlements.entry().and_then(|entry| entry.roles).unwrap_or_default() {
            let role = usize::try_from(bound.role).ok().and_then(|at| model.roles.get(at));
            let gives = role.is_some_and(|role| role.rows().any(|row| rows.contains(&row)));
            if let Some(when) = bound.when.filter(|when| gives && !(context.holds)(*when)) {
                found.extend(self.condition_change(when));
            }
        }
        found
    }

    /// Adds the changes that give the row, or keep it if it is granted and taken away.
    fn add_row_changes(&self, row: RowId, granted: bool, context: &EvaluationContext<'_>, found: &mut EditCandidates) {
        let model = &self.policy.model;
        let Some(known) = self.policy.row(row) else { return };
        let (name, cells) = (&known.name, count_cells(model, [row].into_iter()));
        let entry = context.entitlements.entry();
        let group = context.entitlements.group().and_then(|at| model.groups.get(usize::try_from(at).ok()?));
        let taken = entry.is_some_and(|entry| entry.without.contains(&row));
        if let Some(user) = self.user {
            let user: Box<str> = user.into();
            let (change, cost) = match taken {
                true => (PolicyEdit::RestoreToUser { user, row: name.clone() }, cells),
                false => (PolicyEdit::GrantToUser { user, row: name.clone() }, cells),
            };
            if granted || !taken {
                found.push((change, cost));
            }
        }
        if let Some(group) = group {
            let (group, taken) = (group.name.clone(), group.without.contains(&row));
            if granted && taken {
                found.push((PolicyEdit::RestoreToGroup { group, row: name.clone() }, SHARED_FACTOR * cells));
            } else if !granted && !taken {
                found.push((PolicyEdit::GrantToGroup { group, row: name.clone() }, SHARED_FACTOR * cells));
            }
        }
        if !granted {
            for role in context.entitlements.role_names(model) {
                let locked = model.roles.iter().any(|known| *known.name == *role && known.locked);
                if !locked {
                    found.push((
                        PolicyEdit::GrantToRole { role: role.into(), row: name.clone() },
                        SHARED_FACTOR * cells,
                    ));
                }
            }
        }
    }

    /// Adds the changes that open a gate.
    fn add_gate_changes(&self, at: usize, context: &EvaluationContext<'_>, found: &mut EditCandidates) {
        let model = &self.policy.model;
        let Some(gate) = self.policy.gate(at) else { return };
        match &gate.by {
            GateOpener::Approval(approval) => {
                let values = approval.keys.iter().map(|key| self.approval_value(*key, context));
                if let Some(values) = values.collect::<Option<Vec<_>>>() {
                    found.push((PolicyEdit::GrantApproval { gate: gate.name.clone(), values }, CONDITIONAL_COST));
                }
            }
            GateOpener::Condition(condition) => found.extend(self.condition_change(*condition)),
            GateOpener::Feature => {
                let lists = |profile: u32| {
                    let profile = usize::try_from(profile).ok().and_then(|at| model.profiles.get(at));
                    profile.is_some_and(|profile| profile.features.iter().any(|known| usize::from(*known) == at))
                };
                let profile_of = |group: usize| model.groups.get(group).and_then(|group| group.profile);
                let own = context.entitlements.group().and_then(|at| profile_of(usize::try_from(at).ok()?));
                for (number, profile) in (0_u32..).zip(&model.profiles) {
                    let here = profile.within.iter().any(|within| bounds_match(within, context.scope, context.across));
                    if !profile.locked && (own == Some(number) || here) {
                        let change =
                            PolicyEdit::ListFeature { profile: profile.name.clone(), feature: gate.name.clone() };
                        found.push((change, SHARED_FACTOR * count_cells(model, gate.closes.iter().copied())));
                    }
                }
                found.extend(self.group_changes(|group| profile_of(group).is_some_and(lists)));
            }
        }
    }

    /// The name of an approval key and its value in this request.
    fn approval_value(&self, key: ApprovalKey, context: &EvaluationContext<'_>) -> Option<(Box<str>, Box<str>)> {
        match key {
            ApprovalKey::Client => Some(("client".into(), self.subject.client.clone()?)),
            ApprovalKey::Caller => Some(("caller".into(), self.subject.id.as_ref()?.to_string().into())),
            ApprovalKey::Scope(at) => {
                let scope = self.policy.model.scopes.get(usize::from(at))?;
                Some((scope.name.clone(), context.scope.get(usize::from(at))?.as_deref()?.into()))
            }
        }
    }
}

/// The number of distinct cells that some rows have.
fn count_cells(model: &Model, rows: impl Iterator<Item = RowId>) -> u32 {
    let rows = rows.filter_map(|row| model.rows.get(usize::try_from(row.0).ok()?));
    let cells: BTreeSet<CellId> = rows.flat_map(|row| row.cells.iter().copied()).collect();
    u32::try_from(cells.len()).unwrap_or(u32::MAX / SHARED_FACTOR)
}

#[cfg(test)]
mod tests;
