//! Users: the policy's entries of single ids, in compact form because there may be a million of them.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::vocabulary::SubjectId;

use super::ids::RowId;
use super::model::{ScopedRole, User};

/// Users: the entries by id; equal lists of several entries are stored once.
#[derive(Debug, Clone, Default)]
pub struct Users {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    names: Box<str>,
    entries: Box<[PackedUser]>,
    sources: Box<[Box<str>]>,
    roles: Box<[Box<[ScopedRole]>]>,
    tenants: Box<[Box<[Box<str>]>]>,
    rows: Box<[Box<[RowId]>]>,
}

/// PackedUser: one entry; each number except those of the name is the index of a list, or [`NONE`].
#[derive(Debug, Clone, Copy)]
struct PackedUser {
    start: u32,
    length: u32,
    source: u32,
    group: u32,
    roles: u32,
    tenants: u32,
    permissions: u32,
    without: u32,
}

const NONE: u32 = u32::MAX;

/// UserTerms: the content of an entry without its tenants, as indices of one snapshot; equal contents compare equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserTerms([u32; 4]);

/// UserEntry: the policy's entry of one id.
#[derive(Debug, Clone, Copy)]
pub struct UserEntry<'p> {
    /// The source of the id; empty if the id is bare.
    pub source: &'p str,
    /// The name within that source.
    pub name: &'p str,
    /// The group that replaces the token's, by index.
    pub group: Option<u32>,
    /// The roles that replace the token's roles and permissions.
    pub roles: Option<&'p [ScopedRole]>,
    /// The tenants that replace the token's.
    pub tenants: Option<&'p [Box<str>]>,
    /// The rows that the user holds regardless of other entries.
    pub permissions: &'p [RowId],
    /// The rows withdrawn from the user.
    pub without: &'p [RowId],
    /// The content of the entry, for comparing entries of one snapshot.
    pub terms: UserTerms,
}

impl UserEntry<'static> {
    /// An entry without an id and without content.
    pub const EMPTY: Self = Self {
        source: "",
        name: "",
        group: None,
        roles: None,
        tenants: None,
        permissions: &[],
        without: &[],
        terms: UserTerms([NONE; 4]),
    };
}

impl UserEntry<'_> {
    /// The id, as the policy spells it.
    pub fn id(&self) -> SubjectId {
        SubjectId { source: self.source.into(), name: self.name.into() }
    }
}

impl Users {
    pub(super) fn build(users: Vec<User>) -> Self {
        let mut names = String::new();
        let (mut sources, mut roles) = (Interner::default(), Interner::default());
        let (mut tenants, mut rows) = (Interner::default(), Interner::default());
        let mut entries = Vec::with_capacity(users.len());
        for user in users {
            let id = SubjectId::parse(&user.id);
            let start = u32::try_from(names.len()).unwrap_or(NONE);
            names.push_str(&id.name);
            entries.push(PackedUser {
                start,
                length: u32::try_from(id.name.len()).unwrap_or(0),
                source: sources.intern(id.source),
                group: user.group.unwrap_or(NONE),
                roles: user.roles.map_or(NONE, |list| roles.intern(list)),
                tenants: user.tenants.map_or(NONE, |list| tenants.intern(list)),
                permissions: rows.intern(sorted(user.permissions)),
                without: rows.intern(sorted(user.without)),
            });
        }
        let mut built = Self {
            table: HashTable::with_capacity(entries.len()),
            hasher: DefaultHashBuilder::default(),
            names: names.into(),
            entries: entries.into(),
            sources: sources.into_list(),
            roles: roles.into_list(),
            tenants: tenants.into_list(),
            rows: rows.into_list(),
        };
        let mut table = std::mem::take(&mut built.table);
        for (at, packed) in (0..).zip(&built.entries) {
            let hash = |at: &u32| built.hasher.hash_one(built.name_at(*at));
            table.insert_unique(built.hasher.hash_one(built.name(packed)), at, hash);
        }
        built.table = table;
        built
    }

    /// The number of entries.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// All entries in policy order.
    pub fn iter(&self) -> impl Iterator<Item = UserEntry<'_>> {
        self.entries.iter().map(|packed| self.entry(packed))
    }

    /// The entry of an id: the one with its source, else the bare one.
    ///
    /// An id without a source also finds the only entry of that name.
    pub fn find(&self, id: &SubjectId) -> Option<UserEntry<'_>> {
        if self.entries.is_empty() {
            return None;
        }
        let (mut exact, mut bare, mut first, mut named) = (None, None, None, 0);
        for packed in self.table.iter_hash(self.hasher.hash_one(&*id.name)).filter_map(|at| self.packed(*at)) {
            if self.name(packed) != &*id.name {
                continue;
            }
            let source = self.source(packed);
            exact = exact.or((source == &*id.source).then_some(packed));
            bare = bare.or(source.is_empty().then_some(packed));
            (first, named) = (first.or(Some(packed)), named + 1);
        }
        let only = first.filter(|_| named == 1 && id.source.is_empty());
        exact.or(bare).or(only).map(|packed| self.entry(packed))
    }

    fn packed(&self, at: u32) -> Option<&PackedUser> {
        self.entries.get(usize::try_from(at).ok()?)
    }

    fn name_at(&self, at: u32) -> &str {
        self.packed(at).map_or("", |packed| self.name(packed))
    }

    fn name(&self, packed: &PackedUser) -> &str {
        let start = usize::try_from(packed.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(packed.length).unwrap_or(usize::MAX));
        self.names.get(start..end).unwrap_or_default()
    }

    fn source(&self, packed: &PackedUser) -> &str {
        get(&self.sources, packed.source).map_or("", |source| source)
    }

    fn entry(&self, packed: &PackedUser) -> UserEntry<'_> {
        UserEntry {
            source: self.source(packed),
            name: self.name(packed),
            group: (packed.group != NONE).then_some(packed.group),
            roles: get(&self.roles, packed.roles).map(|list| &**list),
            tenants: get(&self.tenants, packed.tenants).map(|list| &**list),
            permissions: get(&self.rows, packed.permissions).map_or(&[], |list| list),
            without: get(&self.rows, packed.without).map_or(&[], |list| list),
            terms: UserTerms([packed.group, packed.roles, packed.permissions, packed.without]),
        }
    }
}

fn sorted(mut rows: Box<[RowId]>) -> Box<[RowId]> {
    rows.sort_unstable();
    rows
}

fn get<T>(list: &[T], index: u32) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}

/// Interner: distinct values with their indices.
struct Interner<T>(HashMap<T, u32>);

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Interner<T> {
    fn intern(&mut self, value: T) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(NONE);
        *self.0.entry(value).or_insert(next)
    }

    fn into_list(self) -> Box<[T]> {
        let mut all: Vec<(T, u32)> = self.0.into_iter().collect();
        all.sort_unstable_by_key(|(_, index)| *index);
        all.into_iter().map(|(value, _)| value).collect()
    }
}

#[cfg(test)]
mod tests;
