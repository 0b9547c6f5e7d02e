//! Standing: which rows a subject holds in a scope, by the formula of the policy language.

use std::collections::HashMap;

use crate::vocabulary::{Id, Kind, Scope, Subject};

use super::grants::{insert, words_for};
use super::model::{Bound, Model};

/// RowId: a permission by its place in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub u32);

/// Standings: what the policy says of everyone, of roles and of users, as bitsets over rows.
#[derive(Debug, Clone)]
pub struct Standings {
    words: usize,
    everyone: Box<[u64]>,
    all: Box<[u64]>,
    role_names: HashMap<Box<str>, u32>,
    role_rows: Box<[u64]>,
    row_names: HashMap<Box<str>, RowId>,
    scope_names: Box<[Box<str>]>,
    users: HashMap<Box<str>, Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    source: Box<str>,
    roles: Option<Box<[Bound]>>,
    tenants: Option<Box<[Box<str>]>>,
    permissions: Box<[u64]>,
    without: Box<[u64]>,
}

/// Standing: one subject's words about rows, ready to be asked.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'p> {
    all: &'p Standings,
    subject: &'p Subject,
    entry: Option<&'p Entry>,
}

/// Held: one 64-bit word of every set that the formula joins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// What the formula gives: these rows are held.
    pub held: u64,
    /// Rows that some role or claim of the subject gives, in this scope or another.
    pub anywhere: u64,
    /// Rows that are given in this scope before anything is taken away.
    pub given: u64,
}

impl Standings {
    pub(super) fn build(model: &Model) -> Self {
        let words = words_for(model.rows.len());
        let set = |rows: &[RowId]| {
            let mut bits = vec![0; words].into_boxed_slice();
            rows.iter().for_each(|row| insert(&mut bits, *row));
            bits
        };
        let every: Vec<RowId> = (0..).zip(&model.rows).map(|(at, _)| RowId(at)).collect();
        let mut users: HashMap<Box<str>, Vec<Entry>> = HashMap::new();
        for user in &model.users {
            let id = Id::parse(&user.id);
            users.entry(id.name).or_default().push(Entry {
                source: id.source,
                roles: user.roles.as_ref().map(|roles| roles.clone().into()),
                tenants: user.tenants.as_ref().map(|tenants| tenants.clone().into()),
                permissions: set(&user.permissions),
                without: set(&user.without),
            });
        }
        Self {
            words,
            everyone: set(&model.everyone),
            all: set(&every),
            role_names: (0..).zip(&model.roles).map(|(at, role)| (role.name.clone(), at)).collect(),
            role_rows: model.roles.iter().flat_map(|role| set(&role.rows).into_vec()).collect(),
            row_names: (0..).zip(&model.rows).map(|(at, row)| (row.name.clone(), RowId(at))).collect(),
            scope_names: model.scopes.iter().map(|scope| scope.name.clone()).collect(),
            users,
        }
    }

    /// The standing of `subject`.
    pub fn of<'p>(&'p self, subject: &'p Subject) -> Standing<'p> {
        Standing { all: self, subject, entry: subject.id.as_ref().and_then(|id| self.entry(id)) }
    }

    /// All rows, as a bitset.
    pub fn every_row(&self) -> &[u64] {
        &self.all
    }

    /// How many words a bitset over rows has.
    pub fn words(&self) -> usize {
        self.words
    }

    /// The entry of an id: the one that names its source, else the bare one. A stated id without a source means
    /// the entry of that name if there is one only.
    fn entry(&self, id: &Id) -> Option<&Entry> {
        let entries = self.users.get(&id.name)?;
        let exact = entries.iter().find(|entry| entry.source == id.source);
        match (exact, entries.as_slice()) {
            (Some(entry), _) => Some(entry),
            (None, [only]) if id.source.is_empty() => Some(only),
            (None, _) => entries.iter().find(|entry| entry.source.is_empty()),
        }
    }

    fn role_word(&self, role: u32, word: usize) -> u64 {
        let at = usize::try_from(role).unwrap_or(usize::MAX).saturating_mul(self.words).saturating_add(word);
        self.role_rows.get(at).copied().unwrap_or(0)
    }
}

impl<'p> Standing<'p> {
    /// Whether `users:` has an entry for the subject.
    pub fn is_listed(&self) -> bool {
        self.entry.is_some()
    }

    /// Whether the subject is a service app that `users:` does not list.
    pub fn is_unlisted_service(&self) -> bool {
        self.subject.kind == Kind::Service && self.entry.is_none()
    }

    /// The subject's tenants: the policy's word, else the token's.
    pub fn tenants(&self) -> &'p [Box<str>] {
        match self.entry.and_then(|entry| entry.tenants.as_ref()) {
            Some(tenants) => tenants,
            None => &self.subject.tenants,
        }
    }

    /// The names of the roles that count, for identity headers and explanations.
    pub fn role_names<'m>(&self, model: &'m Model) -> Vec<&'m str> {
        let name = |role: u32| usize::try_from(role).ok().and_then(|at| model.roles.get(at)).map(|role| &*role.name);
        match self.entry.and_then(|entry| entry.roles.as_ref()) {
            Some(roles) => roles.iter().filter_map(|bound| name(bound.role)).collect(),
            None => {
                let known = self.subject.roles.iter().filter_map(|claimed| self.all.role_names.get(&claimed.role));
                known.filter_map(|role| name(*role)).collect()
            }
        }
    }

    /// Word number `word` of the rows held in `scope`; scopes in `across` need not be named by a grant's values.
    ///
    /// `held = (everyone ∪ rows of roles that fit the scope) ∖ user.without ∪ user.permissions`
    pub fn word(&self, word: usize, scope: &Scope<'_>, across: u8) -> Held {
        let at = |set: &[u64]| set.get(word).copied().unwrap_or(0);
        let everyone = at(&self.all.everyone);
        let (fits, anywhere) = self.roles_word(word, scope, across);
        let (without, own) = self.entry.map_or((0, 0), |entry| (at(&entry.without), at(&entry.permissions)));
        let given = everyone | fits | own;
        Held { held: ((everyone | fits) & !without) | own, anywhere: given | anywhere, given }
    }

    /// The rows of roles that fit the scope, and of all roles.
    fn roles_word(&self, word: usize, scope: &Scope<'_>, across: u8) -> (u64, u64) {
        let (mut fits, mut anywhere) = (0, 0);
        if let Some(roles) = self.entry.and_then(|entry| entry.roles.as_ref()) {
            for bound in roles {
                let rows = self.all.role_word(bound.role, word);
                anywhere |= rows;
                if bound.scope.iter().all(|(name, values)| fits_one(scope, across, usize::from(*name), values)) {
                    fits |= rows;
                }
            }
            return (fits, anywhere);
        }
        for claimed in &self.subject.roles {
            let Some(role) = self.all.role_names.get(&claimed.role) else { continue };
            let rows = self.all.role_word(*role, word);
            anywhere |= rows;
            let fit = claimed.scope.iter().all(|(name, values)| {
                let declared = self.all.scope_names.iter().position(|known| known == name);
                // A bound that the policy does not know cannot be checked, so it does not fit.
                declared.is_some_and(|at| fits_one(scope, across, at, values))
            });
            if fit {
                fits |= rows;
            }
        }
        for claimed in &self.subject.permissions {
            if let Some(row) = self.all.row_names.get(claimed)
                && usize::try_from(row.0 / 64) == Ok(word)
            {
                fits |= 1 << (row.0 % 64);
            }
        }
        (fits, anywhere | fits)
    }
}

/// Whether the request's value of one scope is among `values`, or need not be.
fn fits_one(scope: &Scope<'_>, across: u8, name: usize, values: &[Box<str>]) -> bool {
    match scope.get(name) {
        Some(Some(value)) => values.iter().any(|fitting| **fitting == **value),
        Some(None) => u32::try_from(name).is_ok_and(|name| across.checked_shr(name).unwrap_or(0) & 1 == 1),
        None => false,
    }
}
