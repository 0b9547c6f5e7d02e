//! CallerSet: everybody of whom the policy speaks, and whether the judge lets them through.

use std::collections::HashMap;

use crate::policy::Snapshot;
use crate::policy::model::{ScopeBounds, ScopedRole};
use crate::policy::users::UserEntry;
use crate::policy::{RowId, ServiceApps};
use crate::vocabulary::{Access, CellId, Cells, Subject, SubjectKind, Timestamp};

use super::{ApprovalSet, EvaluationContext, Evaluator, Precheck, Reason, scope_of};

/// CallerSet: callers that the policy tells apart, by their places in it.
#[derive(Debug, Clone)]
pub enum CallerSet<'p> {
    /// Every user.
    Everyone,
    /// Every service app that `users:` does not list.
    ServiceApps,
    /// Whoever is in the group.
    Group,
    /// Whoever has the role, everywhere or where the request is.
    Role(u32),
    /// Users whose entries say the same.
    Users(Vec<UserEntry<'p>>),
}

/// EligibleCallers: callers that may do what a route needs, or could if gates were open.
#[derive(Debug, Clone)]
pub struct EligibleCallers<'p> {
    /// Who.
    pub who: CallerSet<'p>,
    /// The group that they must be in besides, or are in.
    pub group: Option<u32>,
    /// What they may: each list of needed cells that is open, by its place, with the rows that open it.
    pub passages: Vec<GrantPath>,
    /// Why not, where there is no passage.
    pub refused: Option<Reason>,
}

/// GrantPath: one list of needed cells, and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantPath {
    /// The place of the list among those of the route.
    pub need: usize,
    /// The row for each cell; `None` for service apps with full grants.
    pub rows: Vec<(CellId, Option<RowId>)>,
    /// Gates that an approval or a condition has to open first, by their places in the file.
    pub gates: u64,
    /// Whether the assignment of a role has a condition that has to hold.
    pub conditional: bool,
}

/// The lists of cells that a route needs: one, or one for each candidate.
pub fn needs(cells: &Cells) -> Vec<&[CellId]> {
    match cells {
        Cells::All(needed) => vec![needed],
        Cells::ByType(candidates) => candidates.iter().map(|candidate| &*candidate.cells).collect(),
        Cells::Public | Cells::Nobody => Vec::new(),
    }
}

/// Everybody who may, or is kept out by a closed feature or a permission that is taken away; users with equal entries
/// are one. Callers belong to the request's tenant unless `users:` says otherwise.
pub fn holders<'p>(policy: &'p Snapshot, access: &Access<'_>) -> Vec<EligibleCallers<'p>> {
    EligibilityScan { policy, access, needs: needs(access.cells) }.taken()
}

struct EligibilityScan<'p, 'a> {
    policy: &'p Snapshot,
    access: &'a Access<'a>,
    needs: Vec<&'a [CellId]>,
}

impl<'p> EligibilityScan<'p, '_> {
    fn taken(&self) -> Vec<EligibleCallers<'p>> {
        let model = &self.policy.model;
        let mut found: Vec<EligibleCallers<'p>> = Vec::new();
        if model.service_apps == Some(ServiceApps::All) || model.service_apps == Some(ServiceApps::EveryPermission) {
            found.extend(self.ask(CallerSet::ServiceApps, None, None, SubjectKind::Service));
        }
        let groups: Vec<Option<u32>> = if model.groups.is_empty() {
            vec![None]
        } else {
            (0..).zip(&model.groups).map(|(at, _)| Some(at)).collect()
        };
        for group in &groups {
            let who = if group.is_some() { CallerSet::Group } else { CallerSet::Everyone };
            found.extend(self.ask(who, *group, None, SubjectKind::User));
        }
        let bound = self.bound_roles();
        for (role, bound) in (0..).zip(&bound) {
            let entry = UserEntry { roles: Some(bound), ..UserEntry::EMPTY };
            for group in &groups {
                // What a role gives beyond its group is worth a line.
                let before = found.iter().find(|known| {
                    known.group == *group
                        && matches!(known.who, CallerSet::Everyone | CallerSet::Group)
                        && known.is_free()
                });
                if before.is_none() {
                    found.extend(self.ask(CallerSet::Role(role), *group, Some(entry), SubjectKind::User));
                }
            }
        }
        for alike in self.alike() {
            let Some(entry) = alike.first().copied() else { continue };
            let asked: &[Option<u32>] = if entry.group.is_some() { &[None] } else { &groups };
            for group in asked {
                let holder = self.ask(CallerSet::Users(alike.clone()), *group, Some(entry), SubjectKind::User);
                found.extend(holder.map(|holder| EligibleCallers { group: entry.group.or(holder.group), ..holder }));
            }
        }
        found
    }

    /// Each role as an assignment: bound to the request's scope where it must be bound.
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

    /// The entries of `users:`, those together that say the same.
    fn alike(&self) -> Vec<Vec<UserEntry<'p>>> {
        let mut places = HashMap::new();
        let mut alike: Vec<Vec<UserEntry<'p>>> = Vec::new();
        for entry in self.policy.entitlements.users().iter() {
            let said = (entry.group, entry.roles, entry.tenants, entry.permissions, entry.without);
            let at = *places.entry(said).or_insert(alike.len());
            match alike.get_mut(at) {
                Some(list) => list.push(entry),
                None => alike.push(vec![entry]),
            }
        }
        alike
    }

    /// The holder, if the judge lets it through once approvals and conditions are there, or tells why not.
    fn ask(
        &self,
        who: CallerSet<'p>,
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
        self.judged(&lenient, entry, true, |easy| {
            self.judged(&strict, entry, false, |hard| self.weigh(who, group, easy, hard)).flatten()
        })
        .flatten()
    }

    fn weigh(
        &self,
        who: CallerSet<'p>,
        group: Option<u32>,
        easy: Precheck<'_>,
        hard: Precheck<'_>,
    ) -> Option<EligibleCallers<'p>> {
        let (easy, hard) = match (easy, hard) {
            (Precheck::Rows(easy), Precheck::Rows(hard)) => (easy, Some(hard)),
            // Under `one-role` somebody may have a role only while a condition holds.
            (Precheck::Rows(easy), _) => (easy, None),
            (Precheck::Everything, _) => {
                let rows = |need: &&[CellId]| need.iter().map(|cell| (*cell, None)).collect();
                let passages = self.needs.iter().enumerate().map(|(at, need)| GrantPath {
                    need: at,
                    rows: rows(need),
                    gates: 0,
                    conditional: false,
                });
                return Some(EligibleCallers { who, group, passages: passages.collect(), refused: None });
            }
            _ => return None,
        };
        let mut refused = None;
        let mut passages = Vec::new();
        for (at, need) in self.needs.iter().enumerate() {
            let mut passage = GrantPath { need: at, rows: Vec::new(), gates: 0, conditional: false };
            let lacking = need.iter().find_map(|cell| self.pass(*cell, &easy, hard.as_ref(), &mut passage).err());
            match lacking {
                None => passages.push(passage),
                Some(reason) => refused = refused.or(Some(reason)),
            }
        }
        let told = !passages.is_empty() || matches!(refused, Some(Reason::Gate(_) | Reason::TakenAway));
        let refused = refused.filter(|_| passages.is_empty());
        told.then_some(EligibleCallers { who, group, passages, refused })
    }

    /// Adds the row that opens a cell: one that nothing keeps closed, else the first whose gates can be opened.
    fn pass(
        &self,
        cell: CellId,
        easy: &Evaluator<'_>,
        hard: Option<&Evaluator<'_>>,
        passage: &mut GrantPath,
    ) -> Result<(), Reason> {
        let row = match hard.map(|hard| hard.cell(cell)) {
            Some(Ok(row)) => row,
            _ => {
                let row = easy.cell(cell)?;
                let state = hard.map(|hard| hard.row(row)).unwrap_or_default();
                passage.gates |= state.closed;
                passage.conditional |= !state.held;
                row
            }
        };
        passage.rows.push((cell, Some(row)));
        Ok(())
    }

    fn judged<T>(
        &self,
        subject: &Subject,
        entry: Option<UserEntry<'_>>,
        holds: bool,
        then: impl FnOnce(Precheck<'_>) -> T,
    ) -> Option<T> {
        let entitlements = self.policy.entitlements.with_entry(subject, entry);
        let scope = scope_of(self.access, &entitlements, self.policy)?;
        let (approvals, now, across) = (&ApprovalSet::default(), Timestamp(0), self.access.across);
        let holds = |_| holds;
        let seat = EvaluationContext {
            policy: self.policy,
            approvals,
            now,
            subject,
            entitlements,
            scope: &scope,
            across,
            holds: &holds,
        };
        Some(then(seat.ruling()))
    }
}

impl EligibleCallers<'_> {
    /// Whether everything is open without an approval or a condition.
    pub fn is_free(&self) -> bool {
        !self.passages.is_empty() && self.passages.iter().all(|passage| passage.gates == 0 && !passage.conditional)
    }
}

#[cfg(test)]
mod tests;
