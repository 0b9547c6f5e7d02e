//! Remediation: the smallest changes that would permit what was refused; each is tried before it is named.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::policy::amend::PolicyEdit;
use crate::policy::entitlements::bounds_match;
use crate::policy::grants::rows_of;
use crate::policy::model::{ApprovalKey, GateOpener, Model, Role};
use crate::policy::outline::PolicyOutline;
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{CellId, Subject, Timestamp};

use super::query::{QueryTrace, RequestQuery, answer};
use super::{EvaluationContext, Evaluator, NoTrace, Precheck, Reason};

/// Remediation: changes that permit together, and none of them alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remediation {
    /// The changes, in the order in which the refusals asked for them.
    pub changes: Vec<PolicyEdit>,
    /// How much they open: more cells, or for more people, is more.
    pub opens: u32,
}

const MOST_REMEDIES: usize = 5;
const MOST_CHANGES: usize = 3;
/// Each try compiles a policy.
const MOST_TRIES: usize = 120;

/// What a change opens costs so many times as much where it opens it to many.
const TO_MANY: u32 = 10;
/// An approval or a condition opens what its holders have, for one application or at one time.
const TO_SOME: u32 = 3;
/// What every change costs: two are more than one.
const EACH: u32 = 10;

/// The remedies of a refused question, those that open least first; none for a permit.
pub fn remediations(
    outline: &PolicyOutline,
    policy: &Snapshot,
    asked: RequestQuery<'_>,
    now: Timestamp,
) -> Vec<Remediation> {
    let entry = policy.entitlements.for_subject(asked.subject).entry();
    let user = entry.map(|entry| entry.id()).or_else(|| asked.subject.id.clone()).map(|id| id.to_string());
    let mut found: Vec<Remediation> = Vec::new();
    let mut seen: BTreeSet<BTreeSet<PolicyEdit>> = BTreeSet::new();
    let mut open = BinaryHeap::from([Reverse((0_u32, Vec::<PolicyEdit>::new()))]);
    let mut tries = 0;
    while let Some(Reverse((cost, changes))) = open.pop() {
        let has_all = |remedy: &Remediation| remedy.changes.iter().all(|change| changes.contains(change));
        if found.iter().any(has_all) {
            continue;
        }
        if found.len() == MOST_REMEDIES || tries == MOST_TRIES {
            break;
        }
        tries += 1;
        let amended = match changes.iter().any(PolicyEdit::changes_policy) {
            true => match outline.apply_edits(&changes, user.as_deref()) {
                Some(amended) => Some(amended),
                None => continue,
            },
            false => None,
        };
        let policy = amended.as_ref().unwrap_or(policy);
        let mut subject = asked.subject.clone();
        changes.iter().for_each(|change| change.apply_to(&mut subject));
        let asked = RequestQuery { subject: &subject, ..asked };
        let next = answer(policy, asked, now, &mut NoTrace, |road, _| {
            let refused = RefusalAnalysis { policy, subject: &subject, user: user.as_deref(), road };
            (!road.decision.is_permit()).then(|| refused.candidates())
        });
        match next {
            None if changes.is_empty() => return found,
            None => found.push(Remediation { changes, opens: cost }),
            Some(candidates) if changes.len() < MOST_CHANGES => {
                for (change, more) in candidates {
                    let mut longer = changes.clone();
                    longer.push(change);
                    let set: BTreeSet<PolicyEdit> = longer.iter().cloned().collect();
                    if set.len() == longer.len() && seen.insert(set) {
                        open.push(Reverse((cost + EACH + more, longer)));
                    }
                }
            }
            Some(_) => {}
        }
    }
    found
}

/// RefusalAnalysis: one refusal, and what could be written otherwise about it.
struct RefusalAnalysis<'a> {
    policy: &'a Snapshot,
    subject: &'a Subject,
    user: Option<&'a str>,
    road: &'a QueryTrace<'a>,
}

type EditCandidates = Vec<(PolicyEdit, u32)>;

impl RefusalAnalysis<'_> {
    fn candidates(&self) -> EditCandidates {
        match self.road.decision.reason {
            Reason::NotAMember => self.tenant().into_iter().collect(),
            Reason::NoGroup => self.groups(|_| true),
            Reason::NotOneRole => self.policy.model.roles.iter().filter_map(|role| self.role(role, None)).collect(),
            Reason::Condition if self.route_condition().is_some() => self.route_condition().into_iter().collect(),
            Reason::NotGranted
            | Reason::OutOfScope
            | Reason::Condition
            | Reason::TakenAway
            | Reason::Gate(_)
            | Reason::WrongType => {
                let Some(cell) = self.road.decision.cell else { return Vec::new() };
                let rows = self.road.judged(self.policy, self.subject, |seat, ruling| match ruling {
                    Precheck::Rows(judge) => self.cell(cell, seat, &judge),
                    Precheck::Everything | Precheck::Nothing(_) => Vec::new(),
                });
                rows.unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The condition of the route, where it does not hold.
    fn route_condition(&self) -> Option<(PolicyEdit, u32)> {
        let placed = self.road.placed.ok()?;
        let when = placed.method.when?;
        let holds = self.road.holds(when, self.policy, self.subject, &placed.access.scope);
        if holds { None } else { self.hold(when) }
    }

    fn hold(&self, when: crate::policy::ConditionId) -> Option<(PolicyEdit, u32)> {
        let condition = self.policy.condition(when)?.text().into();
        Some((PolicyEdit::SatisfyCondition { condition }, TO_SOME))
    }

    fn tenant(&self) -> Option<(PolicyEdit, u32)> {
        let scopes = self.policy.model.scopes.iter().zip(&self.road.placed.ok()?.access.scope);
        let (_, value) = scopes.into_iter().find(|(scope, value)| scope.caller && value.is_some())?;
        let tenant: Box<str> = value.as_deref()?.into();
        let entry = self.policy.entitlements.for_subject(self.subject).entry();
        Some(match (entry.and_then(|entry| entry.tenants), self.user) {
            (Some(_), Some(user)) => (PolicyEdit::AddTenant { user: user.into(), tenant }, 0),
            _ => (PolicyEdit::ClaimTenant { tenant }, 0),
        })
    }

    /// Every group that is `wanted` and that the caller is not in.
    fn groups(&self, wanted: impl Fn(usize) -> bool) -> EditCandidates {
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
            (change, cells_of(model, group.permissions.iter().copied()))
        });
        changes.collect()
    }

    /// The role, given to the caller in the scope of the request.
    fn role(&self, role: &Role, seat: Option<&EvaluationContext<'_>>) -> Option<(PolicyEdit, u32)> {
        let model = &self.policy.model;
        let cost = cells_of(model, role.rows());
        let values = match seat {
            Some(seat) => seat.scope,
            None => &self.road.placed.ok()?.access.scope,
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

    /// What would make some row open the cell.
    fn cell(&self, cell: CellId, seat: &EvaluationContext<'_>, judge: &Evaluator<'_>) -> EditCandidates {
        let mut found = Vec::new();
        let rows: Vec<RowId> = rows_of(self.policy.grants.rows_with(cell)).collect();
        for row in &rows {
            let state = judge.row(*row);
            if !state.held {
                self.give(*row, state.given, seat, &mut found);
            }
            if state.held || state.given {
                let gates = (0..64).filter(|at| state.closed >> at & 1 == 1);
                gates.for_each(|at| self.open(at, seat, &mut found));
            }
        }
        let model = &self.policy.model;
        let across = seat.across;
        for role in &model.roles {
            let gives = |row: &RowId| !judge.row(*row).given && rows.contains(row);
            let mut parts = role.parts.iter().filter(|part| bounds_match(&part.scope, seat.scope, across));
            if parts.any(|part| part.rows.iter().any(gives)) {
                found.extend(self.role(role, Some(seat)));
            }
        }
        for bound in seat.entitlements.entry().and_then(|entry| entry.roles).unwrap_or_default() {
            let role = usize::try_from(bound.role).ok().and_then(|at| model.roles.get(at));
            let gives = role.is_some_and(|role| role.rows().any(|row| rows.contains(&row)));
            if let Some(when) = bound.when.filter(|when| gives && !(seat.holds)(*when)) {
                found.extend(self.hold(when));
            }
        }
        found
    }

    /// What would give the row, or leave it where it is given.
    fn give(&self, row: RowId, given: bool, seat: &EvaluationContext<'_>, found: &mut EditCandidates) {
        let model = &self.policy.model;
        let Some(known) = self.policy.row(row) else { return };
        let (name, cells) = (&known.name, cells_of(model, [row].into_iter()));
        let entry = seat.entitlements.entry();
        let group = seat.entitlements.group().and_then(|at| model.groups.get(usize::try_from(at).ok()?));
        let taken = entry.is_some_and(|entry| entry.without.contains(&row));
        if let Some(user) = self.user {
            let user: Box<str> = user.into();
            let (change, cost) = match taken {
                true => (PolicyEdit::RestoreToUser { user, row: name.clone() }, cells),
                false => (PolicyEdit::GrantToUser { user, row: name.clone() }, cells),
            };
            if given || !taken {
                found.push((change, cost));
            }
        }
        if let Some(group) = group {
            let (group, taken) = (group.name.clone(), group.without.contains(&row));
            if given && taken {
                found.push((PolicyEdit::RestoreToGroup { group, row: name.clone() }, TO_MANY * cells));
            } else if !given && !taken {
                found.push((PolicyEdit::GrantToGroup { group, row: name.clone() }, TO_MANY * cells));
            }
        }
        if !given {
            for role in seat.entitlements.role_names(model) {
                let locked = model.roles.iter().any(|known| *known.name == *role && known.locked);
                if !locked {
                    found.push((PolicyEdit::GrantToRole { role: role.into(), row: name.clone() }, TO_MANY * cells));
                }
            }
        }
    }

    /// What would open a gate.
    fn open(&self, at: usize, seat: &EvaluationContext<'_>, found: &mut EditCandidates) {
        let model = &self.policy.model;
        let Some(gate) = self.policy.gate(at) else { return };
        match &gate.by {
            GateOpener::Approval(approval) => {
                let values = approval.keys.iter().map(|key| self.key(*key, seat));
                if let Some(values) = values.collect::<Option<Vec<_>>>() {
                    found.push((PolicyEdit::GrantApproval { gate: gate.name.clone(), values }, TO_SOME));
                }
            }
            GateOpener::Condition(condition) => found.extend(self.hold(*condition)),
            GateOpener::Feature => {
                let lists = |profile: u32| {
                    let profile = usize::try_from(profile).ok().and_then(|at| model.profiles.get(at));
                    profile.is_some_and(|profile| profile.features.iter().any(|known| usize::from(*known) == at))
                };
                let profile_of = |group: usize| model.groups.get(group).and_then(|group| group.profile);
                let own = seat.entitlements.group().and_then(|at| profile_of(usize::try_from(at).ok()?));
                for (number, profile) in (0_u32..).zip(&model.profiles) {
                    let here = profile.within.iter().any(|within| bounds_match(within, seat.scope, seat.across));
                    if !profile.locked && (own == Some(number) || here) {
                        let change =
                            PolicyEdit::ListFeature { profile: profile.name.clone(), feature: gate.name.clone() };
                        found.push((change, TO_MANY * cells_of(model, gate.closes.iter().copied())));
                    }
                }
                found.extend(self.groups(|group| profile_of(group).is_some_and(lists)));
            }
        }
    }

    fn key(&self, key: ApprovalKey, seat: &EvaluationContext<'_>) -> Option<(Box<str>, Box<str>)> {
        match key {
            ApprovalKey::Client => Some(("client".into(), self.subject.client.clone()?)),
            ApprovalKey::Caller => Some(("caller".into(), self.subject.id.as_ref()?.to_string().into())),
            ApprovalKey::Scope(at) => {
                let scope = self.policy.model.scopes.get(usize::from(at))?;
                Some((scope.name.clone(), seat.scope.get(usize::from(at))?.as_deref()?.into()))
            }
        }
    }
}

/// How many cells some rows have together.
fn cells_of(model: &Model, rows: impl Iterator<Item = RowId>) -> u32 {
    let rows = rows.filter_map(|row| model.rows.get(usize::try_from(row.0).ok()?));
    let cells: BTreeSet<CellId> = rows.flat_map(|row| row.cells.iter().copied()).collect();
    u32::try_from(cells.len()).unwrap_or(u32::MAX / TO_MANY)
}

#[cfg(test)]
mod tests;
