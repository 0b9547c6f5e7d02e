//! Entitlements: which rows a subject holds in a scope, by the formula of the policy language.

use std::collections::HashMap;

use crate::vocabulary::{Assignment, Scope, Subject, SubjectKind};

use super::grants::{insert, words_for};
use super::ids::{ConditionId, RowId};
use super::model::{Model, ScopeBounds, ScopedRole, User};
use super::users::{UserEntry, Users};

/// EntitlementTable: the rows that the policy grants to everyone, groups, roles and users.
#[derive(Debug, Clone)]
pub struct EntitlementTable {
    words: usize,
    everyone: Box<[u64]>,
    all_rows: Box<[u64]>,
    groups: Box<[GroupRows]>,
    group_names: HashMap<Box<str>, u32>,
    /// The rows that roles grant in every scope: one bitset after the other.
    role_rows: Box<[u64]>,
    roles: Box<[RoleRules]>,
    role_names: HashMap<Box<str>, u32>,
    row_names: HashMap<Box<str>, RowId>,
    scope_names: Box<[Box<str>]>,
    users: Users,
}

#[derive(Debug, Clone)]
struct GroupRows {
    permissions: Box<[u64]>,
    without: Box<[u64]>,
}

/// RoleRules: the scoped rows of a role, and the rules for its assignment.
#[derive(Debug, Clone)]
struct RoleRules {
    scoped_rows: Box<[(ScopeBounds, Box<[u64]>)]>,
    policy_only: bool,
    assign_within: u8,
}

/// Entitlements: the rows that one subject holds, computed per scope.
#[derive(Debug, Clone, Copy)]
pub struct Entitlements<'p> {
    table: &'p EntitlementTable,
    subject: &'p Subject,
    entry: Option<UserEntry<'p>>,
    group: Option<u32>,
    /// The assignments of the entry whose condition does not hold, one bit each.
    inactive: u64,
}

/// ScopedGrant: the rows that one assignment of a role grants in one scope.
#[derive(Debug, Clone, Copy)]
pub struct ScopedGrant<'p> {
    /// The index of the assignment in the entry, or among the claimed roles.
    pub at: usize,
    /// The role, by its index.
    pub role: u32,
    /// Whether the assignment matches the request's scope.
    pub in_scope: bool,
    /// Whether the assignment has no condition, or its condition holds.
    pub active: bool,
    /// The scope in which the role grants the rows; empty: every scope.
    pub bounds: &'p [(u8, Box<[Box<str>]>)],
    /// The rows, as a bitset.
    pub rows: &'p [u64],
}

/// IgnoredRole: why the policy ignores a claimed role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredRole {
    /// The policy has no such role.
    Unknown,
    /// Only the policy may assign it.
    PolicyOnly,
    /// The claim does not name this scope, which an assignment of the role requires.
    MissingScope(usize),
}

/// RowBits: one 64-bit word of each set in the formula.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowBits {
    /// The held rows: the result of the formula.
    pub held: u64,
    /// The rows granted in this scope, before `without` is applied.
    pub granted: u64,
    /// The rows granted in this scope, including assignments whose condition does not hold.
    pub granted_conditionally: u64,
    /// The rows that a role or claim of the subject grants in any scope.
    pub granted_anywhere: u64,
}

impl EntitlementTable {
    pub(super) fn build(model: &Model, users: Vec<User>) -> Self {
        let words = words_for(model.rows.len());
        let set = |rows: &[RowId]| {
            let mut bits = vec![0; words].into_boxed_slice();
            rows.iter().for_each(|row| insert(&mut bits, *row));
            bits
        };
        let row_ids: Vec<RowId> = (0..).zip(&model.rows).map(|(at, _)| RowId(at)).collect();
        let groups = model.groups.iter();
        let roles = model.roles.iter();
        Self {
            words,
            everyone: set(&model.everyone),
            all_rows: set(&row_ids),
            group_names: index_by_name(groups.clone().map(|group| &group.name)),
            groups: groups
                .map(|group| GroupRows { permissions: set(&group.permissions), without: set(&group.without) })
                .collect(),
            role_names: index_by_name(roles.clone().map(|role| &role.name)),
            role_rows: roles
                .clone()
                .flat_map(|role| {
                    let everywhere = role.parts.iter().find(|part| part.scope.is_empty());
                    set(everywhere.map(|part| part.rows.as_slice()).unwrap_or_default()).into_vec()
                })
                .collect(),
            roles: roles
                .map(|role| RoleRules {
                    scoped_rows: role
                        .parts
                        .iter()
                        .filter(|part| !part.scope.is_empty())
                        .map(|part| (part.scope.clone(), set(&part.rows)))
                        .collect(),
                    policy_only: role.policy_only,
                    assign_within: role.assign_within,
                })
                .collect(),
            row_names: (0..).zip(&model.rows).map(|(at, row)| (row.name.clone(), RowId(at))).collect(),
            scope_names: model.scopes.iter().map(|scope| scope.name.clone()).collect(),
            users: Users::build(users),
        }
    }

    /// The entitlements of `subject` with all conditional assignments active.
    pub fn for_subject<'p>(&'p self, subject: &'p Subject) -> Entitlements<'p> {
        self.with_entry(subject, subject.id.as_ref().and_then(|id| self.users.find(id)))
    }

    /// The entitlements of `subject` if `entry` were its entry under `users:`.
    pub fn with_entry<'p>(&'p self, subject: &'p Subject, entry: Option<UserEntry<'p>>) -> Entitlements<'p> {
        let group = match entry.and_then(|entry| entry.group) {
            Some(group) => Some(group),
            None => self.claimed_group(subject),
        };
        Entitlements { table: self, subject, entry, group, inactive: 0 }
    }

    /// All rows, as a bitset.
    pub fn all_rows(&self) -> &[u64] {
        &self.all_rows
    }

    /// The number of words of a bitset over rows.
    pub fn word_count(&self) -> usize {
        self.words
    }

    /// The entries of single ids.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// The names of the declared scopes, in their order.
    pub fn scope_names(&self) -> &[Box<str>] {
        &self.scope_names
    }

    /// The claimed group; unknown groups are ignored, and several known ones count as none.
    fn claimed_group(&self, subject: &Subject) -> Option<u32> {
        let mut known = subject.groups.iter().filter_map(|name| self.group_names.get(name).copied());
        let first = known.next()?;
        known.all(|other| other == first).then_some(first)
    }

    /// The role of a claim that the policy accepts.
    ///
    /// The policy defines the role and allows tokens to assign it, and the claim names every scope that an assignment
    /// requires.
    ///
    /// # Errors
    /// The policy ignores the role for that reason.
    pub fn resolve_role(&self, claimed: &Assignment) -> Result<u32, IgnoredRole> {
        let role = *self.role_names.get(&claimed.role).ok_or(IgnoredRole::Unknown)?;
        let rows = usize::try_from(role).ok().and_then(|at| self.roles.get(at)).ok_or(IgnoredRole::Unknown)?;
        if rows.policy_only {
            return Err(IgnoredRole::PolicyOnly);
        }
        let named = |name: &str| claimed.scope.iter().any(|(known, values)| **known == *name && !values.is_empty());
        let mut required = self.scope_names.iter().enumerate().filter(|(at, _)| rows.assign_within >> at & 1 == 1);
        required.find(|(_, name)| !named(name)).map_or(Ok(role), |(at, _)| Err(IgnoredRole::MissingScope(at)))
    }

    /// The rows that a role grants in every scope.
    fn unscoped_rows(&self, role: u32) -> &[u64] {
        let start = usize::try_from(role).unwrap_or(usize::MAX).saturating_mul(self.words);
        self.role_rows.get(start..start.saturating_add(self.words)).unwrap_or_default()
    }

    /// The rows that a role grants within scopes.
    fn scoped_rows(&self, role: u32) -> &[(ScopeBounds, Box<[u64]>)] {
        let role = usize::try_from(role).ok().and_then(|at| self.roles.get(at));
        role.map(|role| &*role.scoped_rows).unwrap_or_default()
    }
}

impl<'p> Entitlements<'p> {
    /// The same without the assignments whose condition does not hold.
    pub fn apply_conditions(mut self, mut holds: impl FnMut(ConditionId) -> bool) -> Self {
        let roles = self.entry.and_then(|entry| entry.roles).unwrap_or_default();
        for (at, bound) in roles.iter().enumerate() {
            // Validation refuses conditions beyond the last bit.
            if bound.when.is_some_and(|when| !holds(when)) {
                self.inactive |= u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(u64::MAX);
            }
        }
        self
    }

    /// The subject's entry under `users:`.
    pub fn entry(&self) -> Option<UserEntry<'p>> {
        self.entry
    }

    /// Whether the subject is a service app that `users:` does not list.
    pub fn is_unlisted_service(&self) -> bool {
        self.subject.kind == SubjectKind::Service && self.entry.is_none()
    }

    /// The subject's group: from the policy's entry, else from the token.
    pub fn group(&self) -> Option<u32> {
        self.group
    }

    /// The subject's tenants: from the policy's entry, else from the token.
    pub fn tenants(&self) -> &'p [Box<str>] {
        self.entry.and_then(|entry| entry.tenants).unwrap_or(&self.subject.tenants)
    }

    /// Whether the subject has exactly one accepted role, in any scopes; claimed permissions count as one role.
    pub fn has_one_role(&self) -> bool {
        let mut roles = self.roles();
        let claimed = self
            .effective_claims()
            .is_some_and(|subject| subject.permissions.iter().any(|name| self.table.row_names.contains_key(name)));
        match roles.next() {
            Some(first) => !claimed && roles.all(|other| other == first),
            None => claimed,
        }
    }

    /// The names of the accepted roles, in any scope.
    pub fn role_names<'m>(&self, model: &'m Model) -> Vec<&'m str> {
        self.roles().filter_map(|role| role_name(role, model)).collect()
    }

    /// The names of the accepted roles that match a scope and whose condition holds.
    pub fn role_names_in_scope<'m>(&self, scope: &Scope<'_>, across: u8, model: &'m Model) -> Vec<&'m str> {
        let mut names = Vec::new();
        self.for_each_grant(scope, across, |grant| {
            let holds = grant.in_scope && grant.active;
            let name = role_name(grant.role, model).filter(|name| holds && !names.contains(name));
            names.extend(name);
        });
        names
    }

    /// Word number `word` of the rows held in `scope`; `across` marks the scopes that a grant may omit.
    ///
    /// `held = (everyone ∪ group.permissions ∪ rows of roles that match the scope) ∖ group.without ∖ user.without
    /// ∪ user.permissions`
    pub fn row_bits(&self, word: usize, scope: &Scope<'_>, across: u8) -> RowBits {
        let at = |set: &[u64]| set.get(word).copied().unwrap_or(0);
        let group = self.group.and_then(|group| self.table.groups.get(usize::try_from(group).ok()?));
        let (group_granted, group_withdrawn) =
            group.map_or((0, 0), |group| (at(&group.permissions), at(&group.without)));
        let (user_withdrawn, own) =
            self.entry.map_or((0, 0), |entry| (row_word(entry.without, word), row_word(entry.permissions, word)));
        let mut found = self.role_row_bits(word, scope, across);
        let below = at(&self.table.everyone) | group_granted | found.granted;
        found.granted = below | own;
        found.held = (below & !group_withdrawn & !user_withdrawn) | own;
        found.granted_conditionally |= found.granted;
        found.granted_anywhere |= found.granted_conditionally;
        found
    }

    /// Calls `visit` with the rows of each accepted role, in scope or not; the formula uses no other rows of roles.
    pub fn for_each_grant(&self, scope: &Scope<'_>, across: u8, mut visit: impl FnMut(ScopedGrant<'p>)) {
        let mut add = |at: usize, role: u32, in_scope: bool, active: bool| {
            visit(ScopedGrant { at, role, in_scope, active, bounds: &[], rows: self.table.unscoped_rows(role) });
            for (bounds, rows) in self.table.scoped_rows(role) {
                visit(ScopedGrant { at, role, in_scope, active, bounds, rows });
            }
        };
        if let Some(roles) = self.entry.and_then(|entry| entry.roles) {
            for (at, bound) in roles.iter().enumerate() {
                add(at, bound.role, bounds_match(&bound.scope, scope, across), self.is_active(at, bound));
            }
            return;
        }
        for (at, claimed) in self.subject.roles.iter().enumerate() {
            let Ok(role) = self.table.resolve_role(claimed) else { continue };
            let fits = claimed.scope.iter().all(|(name, values)| {
                let declared = self.table.scope_names.iter().position(|known| known == name);
                // A scope that the policy does not declare cannot be checked, so it does not match.
                declared.is_some_and(|at| values_match(scope, across, at, values))
            });
            add(at, role, fits, true);
        }
    }

    /// The rows of roles and claims; those that match the scope are `granted`.
    fn role_row_bits(&self, word: usize, scope: &Scope<'_>, across: u8) -> RowBits {
        let mut found = RowBits::default();
        self.for_each_grant(scope, across, |grant| {
            let rows = grant.rows.get(word).copied().unwrap_or(0);
            found.granted_anywhere |= rows;
            if rows != 0 && grant.in_scope && bounds_match(grant.bounds, scope, across) {
                found.granted_conditionally |= rows;
                found.granted |= if grant.active { rows } else { 0 };
            }
        });
        for claimed in self.effective_claims().map(|subject| subject.permissions.as_slice()).unwrap_or_default() {
            if let Some(row) = self.table.row_names.get(claimed)
                && usize::try_from(row.0 / 64) == Ok(word)
            {
                found.granted |= 1 << (row.0 % 64);
            }
        }
        found
    }

    /// Whether the assignment with that index has no condition, or its condition holds.
    fn is_active(&self, at: usize, bound: &ScopedRole) -> bool {
        let bits = u32::try_from(at).ok().and_then(|at| self.inactive.checked_shr(at));
        bound.when.is_none() || bits.is_some_and(|bits| bits & 1 == 0)
    }

    /// The accepted roles, one for each assignment.
    fn roles(&self) -> impl Iterator<Item = u32> {
        let bound = self.entry.and_then(|entry| entry.roles).unwrap_or_default();
        let bound = bound.iter().enumerate().filter(|(at, bound)| self.is_active(*at, bound)).map(|(_, bound)| bound);
        let claimed = self.effective_claims().map(|subject| subject.roles.as_slice()).unwrap_or_default();
        bound.map(|bound| bound.role).chain(claimed.iter().filter_map(|claimed| self.table.resolve_role(claimed).ok()))
    }

    /// The subject, if its claims about roles and permissions apply; `None` if its entry replaces them.
    pub fn effective_claims(&self) -> Option<&'p Subject> {
        self.entry.and_then(|entry| entry.roles).is_none().then_some(self.subject)
    }
}

fn role_name(role: u32, model: &Model) -> Option<&str> {
    model.roles.get(usize::try_from(role).ok()?).map(|role| &*role.name)
}

/// Whether every bound of a grant matches the request's scope.
pub fn bounds_match(bounds: &[(u8, Box<[Box<str>]>)], scope: &Scope<'_>, across: u8) -> bool {
    bounds.iter().all(|(name, values)| values_match(scope, across, usize::from(*name), values))
}

/// Whether the request's value of one scope is among `values`, or the request has none and `across` permits that.
fn values_match(scope: &Scope<'_>, across: u8, name: usize, values: &[Box<str>]) -> bool {
    match scope.get(name) {
        Some(Some(value)) => values.iter().any(|fitting| **fitting == **value),
        Some(None) => u32::try_from(name).is_ok_and(|name| across.checked_shr(name).unwrap_or(0) & 1 == 1),
        None => false,
    }
}

/// Word number `word` of the set of `rows`, which are sorted.
fn row_word(rows: &[RowId], word: usize) -> u64 {
    let Some(first) = u32::try_from(word).ok().and_then(|word| word.checked_mul(64)) else { return 0 };
    let start = rows.partition_point(|row| row.0 < first);
    let inside = rows.iter().skip(start).map_while(|row| row.0.checked_sub(first).filter(|bit| *bit < 64));
    inside.fold(0, |set, bit| set | 1 << bit)
}

fn index_by_name<'m>(names: impl Iterator<Item = &'m Box<str>>) -> HashMap<Box<str>, u32> {
    (0..).zip(names).map(|(at, name)| (name.clone(), at)).collect()
}

#[cfg(test)]
mod tests;
