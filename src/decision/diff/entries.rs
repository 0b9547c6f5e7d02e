//! ChangedEntries: the entries of listed users with their old and new terms, grouped by equal changes.

use std::collections::{BTreeSet, HashMap};

use crate::policy::users::{UserEntry, UserTerms};
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{Subject, SubjectId};

use super::area::ScopeArea;
use super::callers::example_user;
use super::change::AffectedCallers;
use super::examples::ExampleFinder;
use super::indexed::{AssignedRole, Holder, IndexedPolicy, Precondition};

/// The maximum number of ids that a change names.
const MAX_IDS: usize = 10;

/// ChangedEntries: the changes of entries, by the positions of their terms and by their tenants.
pub(super) struct ChangedEntries<'p> {
    index: UserIndex<'p>,
    unlisted: usize,
    terms: HashMap<(usize, usize), ChangeGroup>,
    tenants: HashMap<(TenantSet<'p>, TenantSet<'p>), ChangeGroup>,
}

/// NamedUserTerms: the terms of an entry apart from its tenants, by names; empty for an id that is not listed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct NamedUserTerms<'p> {
    pub(super) listed: bool,
    pub(super) group: Option<&'p str>,
    pub(super) roles: Option<Vec<(&'p str, ScopeArea<'p>, Option<&'p str>)>>,
    pub(super) own_rows: BTreeSet<&'p str>,
    pub(super) excluded_rows: BTreeSet<&'p str>,
}

/// ChangeGroup: the users whose entries changed in the same way.
#[derive(Default)]
pub(super) struct ChangeGroup {
    count: usize,
    pub(super) first: Vec<SubjectId>,
}

/// UserIndex: the distinct terms of the entries of both policies.
#[derive(Default)]
struct UserIndex<'p> {
    all: Vec<NamedUserTerms<'p>>,
    positions: HashMap<NamedUserTerms<'p>, usize>,
}

/// TenantSet: the tenants of an entry; `None` if the token names them.
pub(super) type TenantSet<'p> = Option<BTreeSet<&'p str>>;

impl<'p> ChangedEntries<'p> {
    /// Collects the entries of both policies.
    pub(super) fn collect(finder: &ExampleFinder<'_, 'p>) -> Self {
        let mut index = UserIndex::default();
        let unlisted = index.intern(NamedUserTerms::default());
        let mut found = Self { index, unlisted, terms: HashMap::new(), tenants: HashMap::new() };
        let (mut old_terms, mut new_terms) = (HashMap::new(), HashMap::new());
        let (old, new) = (finder.old.policy, finder.new.policy);
        let mut add = |id: SubjectId, before: Option<UserEntry<'p>>, after: Option<UserEntry<'p>>| {
            let before_terms = found.intern_entry(finder.old, before, &mut old_terms);
            let after_terms = found.intern_entry(finder.new, after, &mut new_terms);
            let (before, after) = (before.and_then(|entry| entry.tenants), after.and_then(|entry| entry.tenants));
            if before != after {
                let (before, after) = (before.map(tenant_set), after.map(tenant_set));
                if before != after {
                    found.tenants.entry((before, after)).or_default().add(id.clone());
                }
            }
            found.terms.entry((before_terms, after_terms)).or_default().add(id);
        };
        for entry in new.entitlements.users().iter() {
            let id = entry_id(&entry);
            let before = find_exact_entry(old, &id);
            add(id, before, Some(entry));
        }
        for entry in old.entitlements.users().iter() {
            let id = entry_id(&entry);
            if find_exact_entry(new, &id).is_none() {
                add(id, Some(entry), None);
            }
        }
        found
    }

    /// Each distinct change of terms with its users, the largest group first.
    pub(super) fn by_terms(&self) -> Vec<(&NamedUserTerms<'p>, &NamedUserTerms<'p>, &ChangeGroup)> {
        let pairs = in_order(&self.terms).into_iter();
        let terms = |position: usize| self.index.all.get(position);
        pairs.filter_map(|((before, after), group)| Some((terms(*before)?, terms(*after)?, group))).collect()
    }

    /// Each distinct change of tenants with its users, the largest group first.
    pub(super) fn by_tenants(&self) -> Vec<(&TenantSet<'p>, &TenantSet<'p>, &ChangeGroup)> {
        let pairs = in_order(&self.tenants).into_iter();
        pairs.map(|((before, after), group)| (before, after, group)).collect()
    }

    /// The position of an entry's terms; `known` holds the positions of the terms that were interned already.
    fn intern_entry(
        &mut self,
        indexed: &IndexedPolicy<'p>,
        entry: Option<UserEntry<'p>>,
        known: &mut HashMap<UserTerms, usize>,
    ) -> usize {
        let Some(entry) = entry else { return self.unlisted };
        *known.entry(entry.terms).or_insert_with(|| self.index.intern(named_terms(indexed, &entry)))
    }
}

fn tenant_set(tenants: &[Box<str>]) -> BTreeSet<&str> {
    tenants.iter().map(|name| &**name).collect()
}

fn entry_id(entry: &UserEntry<'_>) -> SubjectId {
    SubjectId { source: entry.source.into(), name: entry.name.into() }
}

/// The entry of an id with the same source.
fn find_exact_entry<'p>(policy: &'p Snapshot, id: &SubjectId) -> Option<UserEntry<'p>> {
    policy.entitlements.users().find(id).filter(|entry| entry.source == &*id.source)
}

impl ChangeGroup {
    fn add(&mut self, id: SubjectId) {
        self.count += 1;
        if self.first.len() < MAX_IDS {
            self.first.push(id);
        }
    }

    pub(super) fn affected(&self) -> AffectedCallers {
        AffectedCallers::Users(self.count, self.first.iter().map(ToString::to_string).collect())
    }

    /// The first of the users as a caller whose token has no other claims.
    pub(super) fn caller(&self) -> Subject {
        Subject { id: self.first.first().cloned(), ..example_user(None, None) }
    }
}

impl<'p> UserIndex<'p> {
    /// The position of the terms, which are added if they are new.
    fn intern(&mut self, terms: NamedUserTerms<'p>) -> usize {
        let next = self.all.len();
        let position = *self.positions.entry(terms.clone()).or_insert(next);
        if position == next {
            self.all.push(terms);
        }
        position
    }
}

fn named_terms<'p>(indexed: &IndexedPolicy<'p>, entry: &UserEntry<'p>) -> NamedUserTerms<'p> {
    let model = &indexed.policy.model;
    let names = |rows: &[RowId]| rows.iter().map(|row| indexed.row_name(*row)).collect();
    let group = entry.group.and_then(|group| model.groups.get(usize::try_from(group).ok()?));
    let roles = entry.roles.map(|roles| {
        let each = roles.iter().filter_map(|bound| {
            let role = model.roles.get(usize::try_from(bound.role).ok()?)?;
            let when = bound.when.and_then(|when| indexed.policy.condition(when)).map(|when| when.text());
            Some((&*role.name, indexed.scope_area(&bound.scope), when))
        });
        let mut each: Vec<_> = each.collect();
        each.sort();
        each
    });
    NamedUserTerms {
        listed: true,
        group: group.map(|group| &*group.name),
        roles,
        own_rows: names(entry.permissions),
        excluded_rows: names(entry.without),
    }
}

impl<'p> NamedUserTerms<'p> {
    /// The holder that these terms describe in a policy.
    pub(super) fn holder(&self, indexed: &IndexedPolicy<'p>) -> Holder<'p> {
        let rows = |names: &BTreeSet<&str>| names.iter().filter_map(|name| indexed.rows.get(name).copied()).collect();
        let roles = self.roles.iter().flatten().filter_map(|(role, area, when)| {
            let preconditions = when.map(Precondition::Condition).into_iter().collect();
            Some(AssignedRole { role: *indexed.roles.get(role)?, area: area.clone(), preconditions })
        });
        Holder {
            group: self.group.and_then(|group| indexed.groups.get(group).copied()),
            roles: roles.collect(),
            claimed_rows: Vec::new(),
            own_rows: rows(&self.own_rows),
            excluded_rows: rows(&self.excluded_rows),
        }
    }

    pub(super) fn has_role(&self, role: &str) -> bool {
        self.roles.iter().flatten().any(|(known, ..)| *known == role)
    }
}

/// The groups in the order of their size, the largest first.
fn in_order<K>(groups: &HashMap<K, ChangeGroup>) -> Vec<(&K, &ChangeGroup)> {
    let mut ordered: Vec<_> = groups.iter().collect();
    ordered.sort_by(|(_, one), (_, other)| (other.count, &one.first).cmp(&(one.count, &other.first)));
    ordered
}
