//! Listed users: entries that say something else, equal changes together, because there may be a million of them.

use std::collections::{BTreeSet, HashMap};

use crate::policy::users::{UserEntry, UserTerms};
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{Assignment, Subject, SubjectId, SubjectKind};

use super::area::{ScopeArea, ScopeValues};
use super::examples::{ExampleFinder, FRESH};
use super::holders::{ChangedCells, ReportedCells, in_groups, moved, subject, tell};
use super::indexed::{AssignedRole, Holder, IndexedPolicy, Precondition};
use super::switches::both;
use super::{AffectedCallers, Change, Direction};

/// How many ids a line names.
const FIRST: usize = 10;

/// The most requests with which an entry is tried.
const MOST_TARGETS: usize = 40;

/// NamedUserTerms: what an entry says beside its tenants, by names; that of an id that is not listed says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct NamedUserTerms<'p> {
    listed: bool,
    group: Option<&'p str>,
    roles: Option<Vec<(&'p str, ScopeArea<'p>, Option<&'p str>)>>,
    own: BTreeSet<&'p str>,
    without: BTreeSet<&'p str>,
}

/// ChangeGroup: users whose entries changed in the same way.
#[derive(Default)]
struct ChangeGroup {
    count: usize,
    first: Vec<SubjectId>,
}

/// UserIndex: what entries say, each text once for both policies.
#[derive(Default)]
struct UserIndex<'p> {
    all: Vec<NamedUserTerms<'p>>,
    known: HashMap<NamedUserTerms<'p>, usize>,
}

type TenantChange<'p> = Option<BTreeSet<&'p str>>;

pub(super) fn changes<'p>(finder: &ExampleFinder<'_, 'p>, explained: &ReportedCells<'p>) -> Vec<Change> {
    let mut book = UserIndex::default();
    let nobody = book.place(NamedUserTerms::default());
    let (mut then, mut now) = (HashMap::new(), HashMap::new());
    let mut pairs: HashMap<(usize, usize), ChangeGroup> = HashMap::new();
    let mut tenants: HashMap<(TenantChange<'p>, TenantChange<'p>), ChangeGroup> = HashMap::new();
    let (old, new) = (finder.old.policy, finder.new.policy);
    let mut note = |id: SubjectId, before: Option<UserEntry<'p>>, after: Option<UserEntry<'p>>| {
        let said =
            |side, entry: Option<UserEntry<'p>>, seen: &mut HashMap<UserTerms, usize>, book: &mut UserIndex<'p>| {
                entry.map_or(nobody, |entry| *seen.entry(entry.terms).or_insert_with(|| book.place(said(side, &entry))))
            };
        let pair = (said(finder.old, before, &mut then, &mut book), said(finder.new, after, &mut now, &mut book));
        let (was, is) = (before.and_then(|entry| entry.tenants), after.and_then(|entry| entry.tenants));
        if was != is {
            let set = |list: Option<&'p [Box<str>]>| {
                list.map(|list| list.iter().map(|name| &**name).collect::<BTreeSet<_>>())
            };
            let (was, is) = (set(was), set(is));
            if was != is {
                tenants.entry((was, is)).or_default().add(id.clone());
            }
        }
        pairs.entry(pair).or_default().add(id);
    };
    for entry in new.entitlements.users().iter() {
        let id = id(&entry);
        let before = find_exact(old, &id);
        note(id, before, Some(entry));
    }
    for entry in old.entitlements.users().iter() {
        let id = id(&entry);
        if find_exact(new, &id).is_none() {
            note(id, Some(entry), None);
        }
    }
    let mut all = Vec::new();
    let mut ordered: Vec<_> = pairs.into_iter().collect();
    ordered.sort_by(|(_, one), (_, other)| (other.count, &one.first).cmp(&(one.count, &other.first)));
    for ((was, is), same) in ordered {
        let (Some(before), Some(after)) = (book.all.get(was), book.all.get(is)) else { continue };
        pair(finder, explained, before, after, &same, &mut all);
    }
    let mut ordered: Vec<_> = tenants.into_iter().collect();
    ordered.sort_by(|(_, one), (_, other)| (other.count, &one.first).cmp(&(one.count, &other.first)));
    for ((was, is), same) in ordered {
        members(finder, was.as_ref(), is.as_ref(), &same, &mut all);
    }
    all
}

fn id(entry: &UserEntry<'_>) -> SubjectId {
    SubjectId { source: entry.source.into(), name: entry.name.into() }
}

fn find_exact<'p>(policy: &'p Snapshot, id: &SubjectId) -> Option<UserEntry<'p>> {
    policy.entitlements.users().find(id).filter(|entry| entry.source == &*id.source)
}

impl ChangeGroup {
    fn add(&mut self, id: SubjectId) {
        self.count += 1;
        if self.first.len() < FIRST {
            self.first.push(id);
        }
    }

    fn who(&self) -> AffectedCallers {
        AffectedCallers::Users(self.count, self.first.iter().map(ToString::to_string).collect())
    }

    /// The first of them as callers whose tokens say nothing.
    fn caller(&self) -> Subject {
        Subject { id: self.first.first().cloned(), ..subject(None, None) }
    }
}

impl<'p> UserIndex<'p> {
    fn place(&mut self, said: NamedUserTerms<'p>) -> usize {
        let next = self.all.len();
        let place = *self.known.entry(said.clone()).or_insert(next);
        if place == next {
            self.all.push(said);
        }
        place
    }
}

fn said<'p>(side: &IndexedPolicy<'p>, entry: &UserEntry<'p>) -> NamedUserTerms<'p> {
    let model = &side.policy.model;
    let names = |rows: &[RowId]| rows.iter().map(|row| side.row_name(*row)).collect();
    let group = entry.group.and_then(|group| model.groups.get(usize::try_from(group).ok()?));
    let roles = entry.roles.map(|roles| {
        let each = roles.iter().filter_map(|bound| {
            let role = model.roles.get(usize::try_from(bound.role).ok()?)?;
            let when = bound.when.and_then(|when| side.policy.condition(when)).map(|when| when.text());
            Some((&*role.name, side.area(&bound.scope), when))
        });
        let mut each: Vec<_> = each.collect();
        each.sort();
        each
    });
    NamedUserTerms {
        listed: true,
        group: group.map(|group| &*group.name),
        roles,
        own: names(entry.permissions),
        without: names(entry.without),
    }
}

fn person<'p>(side: &IndexedPolicy<'p>, said: &NamedUserTerms<'p>) -> Holder<'p> {
    let rows = |names: &BTreeSet<&str>| names.iter().filter_map(|name| side.rows.get(name).copied()).collect();
    let roles = said.roles.iter().flatten().filter_map(|(role, area, when)| {
        let lock = when.map(Precondition::When).into_iter().collect();
        Some(AssignedRole { role: *side.roles.get(role)?, area: area.clone(), lock })
    });
    Holder {
        group: said.group.and_then(|group| side.groups.get(group).copied()),
        roles: roles.collect(),
        claimed: Vec::new(),
        own: rows(&said.own),
        without: rows(&said.without),
    }
}

/// All lines about users whose entries said `before` and say `after`.
fn pair<'p>(
    finder: &ExampleFinder<'_, 'p>,
    explained: &ReportedCells<'p>,
    before: &NamedUserTerms<'p>,
    after: &NamedUserTerms<'p>,
    same: &ChangeGroup,
    all: &mut Vec<Change>,
) {
    let who = same.who();
    let groups: BTreeSet<&str> = finder.old.groups.keys().chain(finder.new.groups.keys()).copied().collect();
    let mut told: ChangedCells<'p> = explained.everyone.clone();
    if before.group == after.group {
        told.extend(after.group.and_then(|group| explained.groups.get(group)).into_iter().flatten().cloned());
    }
    for (role, ..) in before.roles.iter().chain(&after.roles).flatten() {
        let has = |said: &NamedUserTerms<'_>| said.roles.iter().flatten().any(|(known, ..)| known == role);
        if has(before) && has(after) {
            told.extend(explained.roles.get(role).into_iter().flatten().cloned());
        }
    }
    for row in before.own.intersection(&after.own) {
        told.extend(explained.rows.get(row).into_iter().flatten().cloned());
    }
    let (was, is) = (person(finder.old, before), person(finder.new, after));
    let found = moved(finder, &was, &is, &told);
    tell(finder, &who, &in_groups(&same.caller(), &groups), &found, "", all);
    told.extend(found);
    if before.roles.is_none() && after.roles.is_none() && !(before.without.is_empty() && after.without.is_empty()) {
        claims(finder, explained, (before, after), (&was, &is), same, &told, all);
    }
    if before.group.is_none() && after.group.is_none() && !(before.without.is_empty() && after.without.is_empty()) {
        for group in groups.iter().filter(|group| before != after || explained.regrouped_groups.contains(*group)) {
            let with = |side: &IndexedPolicy<'p>, person: &Holder<'p>| Holder {
                group: side.groups.get(group).copied(),
                ..person.clone()
            };
            let mut known = told.clone();
            known.extend(explained.groups.get(group).into_iter().flatten().cloned());
            let found = moved(finder, &with(finder.old, &was), &with(finder.new, &is), &known);
            let claiming = Subject { groups: vec![(*group).into()], ..same.caller() };
            tell(finder, &who, &[claiming], &found, &format!("group {group} of the token"), all);
            told.extend(found);
        }
    }
    let switched = |what: &str, token: &dyn Fn(Subject) -> Vec<Subject>, all: &mut Vec<Change>| {
        let callers = token(same.caller());
        let callers: Vec<Subject> = callers.iter().flat_map(|one| in_groups(one, &groups)).collect();
        let targets = [finder.sample(finder.old, MOST_TARGETS), finder.sample(finder.new, MOST_TARGETS)].concat();
        both(finder, &who, what, &callers, &targets, all);
    };
    let approved = || -> Vec<Box<str>> {
        let gates = finder.old.policy.model.gates.iter().chain(&finder.new.policy.model.gates);
        gates.map(|gate| gate.name.clone()).collect()
    };
    if before.roles.is_some() != after.roles.is_some() {
        let rows: Vec<Box<str>> =
            finder.old.rows.keys().chain(finder.new.rows.keys()).map(|row| (*row).into()).collect();
        let roles: Vec<Assignment> =
            finder.new.roles.keys().chain(finder.old.roles.keys()).map(|role| Assignment::unbound(role)).collect();
        let what = if after.roles.is_some() {
            "roles and permissions of the token no longer count"
        } else {
            "roles and permissions of the token count"
        };
        let token = |caller: Subject| {
            let claiming = Subject { permissions: rows.clone(), approved: approved(), ..caller.clone() };
            let one = roles.iter().take(20).map(|role| Subject {
                roles: vec![role.clone()],
                approved: approved(),
                ..caller.clone()
            });
            std::iter::once(claiming).chain(one).collect()
        };
        switched(what, &token, all);
    }
    if before.group != after.group && !groups.is_empty() {
        let word = |group: Option<&str>| group.map_or("as the token says".to_owned(), str::to_owned);
        let what = format!("group: {} → {}", word(before.group), word(after.group));
        switched(&what, &|caller| vec![caller.clone(), Subject { approved: approved(), ..caller }], all);
    }
    let apps = finder.old.policy.model.service_apps.is_some() || finder.new.policy.model.service_apps.is_some();
    if before.listed != after.listed && apps {
        let what = if after.listed {
            "listed: a service app of this id is decided like a user"
        } else {
            "not listed: a service app of this id is decided by `service-apps`"
        };
        switched(what, &|caller| vec![Subject { kind: SubjectKind::Service, ..caller }], all);
    }
}

/// What the entries take away from what tokens claim.
fn claims<'p>(
    finder: &ExampleFinder<'_, 'p>,
    explained: &ReportedCells<'p>,
    (before, after): (&NamedUserTerms<'p>, &NamedUserTerms<'p>),
    (was, is): (&Holder<'p>, &Holder<'p>),
    same: &ChangeGroup,
    told: &ChangedCells<'p>,
    all: &mut Vec<Change>,
) {
    let rows_differ = finder.old.rows.iter().any(|(name, row)| {
        finder.new.rows.get(name).is_none_or(|other| finder.old.row_says(*row) != finder.new.row_says(*other))
    }) || finder.old.rows.len() != finder.new.rows.len();
    let mut told = told.clone();
    let taken = before.without.union(&after.without).filter(|_| before != after || rows_differ);
    for row in taken {
        let with = |side: &IndexedPolicy<'p>, person: &Holder<'p>| Holder {
            claimed: side.rows.get(row).copied().into_iter().collect(),
            ..person.clone()
        };
        let mut known = told.clone();
        known.extend(explained.rows.get(row).into_iter().flatten().cloned());
        let found = moved(finder, &with(finder.old, was), &with(finder.new, is), &known);
        let claiming = Subject { permissions: vec![(*row).into()], ..same.caller() };
        let roles = finder.new.roles.keys().chain(finder.old.roles.keys()).take(50);
        let callers: Vec<Subject> = std::iter::once(claiming)
            .chain(roles.map(|role| Subject { roles: vec![Assignment::unbound(role)], ..same.caller() }))
            .collect();
        tell(finder, &same.who(), &callers, &found, "", all);
        told.extend(found);
    }
    let regrouped = |role: &&str| rows_differ || explained.regrouped_roles.contains(role);
    let roles = finder.old.roles.keys().chain(finder.new.roles.keys()).copied().filter(regrouped);
    for role in roles.collect::<BTreeSet<_>>() {
        let with = |side: &IndexedPolicy<'p>, person: &Holder<'p>| Holder {
            roles: side.claimed(role).into_iter().collect(),
            ..person.clone()
        };
        let mut known = told.clone();
        known.extend(explained.roles.get(role).into_iter().flatten().cloned());
        let found = moved(finder, &with(finder.old, was), &with(finder.new, is), &known);
        let claiming = Subject { roles: vec![Assignment::unbound(role)], ..same.caller() };
        tell(finder, &same.who(), &[claiming], &found, &format!("role {role} of the token"), all);
        told.extend(found);
    }
}

/// Tenants that users came to or left.
fn members<'p>(
    finder: &ExampleFinder<'_, 'p>,
    was: Option<&BTreeSet<&'p str>>,
    is: Option<&BTreeSet<&'p str>>,
    same: &ChangeGroup,
    all: &mut Vec<Change>,
) {
    let Some(scope) = finder.new.caller_scope().or(finder.old.caller_scope()) else { return };
    let word = |set: Option<&BTreeSet<&str>>| {
        set.map_or("as the token says".to_owned(), |set| set.iter().copied().collect::<Vec<_>>().join(", "))
    };
    let what = format!("{scope}: {} → {}", word(was), word(is));
    let values: BTreeSet<&str> = was.into_iter().chain(is).flatten().copied().chain([FRESH]).collect();
    let sides = [finder.old, finder.new];
    let mut targets = Vec::new();
    for (side, value) in sides.into_iter().flat_map(|side| values.iter().take(12).map(move |value| (side, value))) {
        let area = ScopeArea([(scope, ScopeValues::bound([*value].into_iter()))].into());
        let routes = side.policy.routes.routes().iter();
        let methods = routes.flat_map(|route| route.methods.iter().map(move |method| (route, method)));
        let found = methods.flat_map(|(route, method)| finder.targets(side, route, method, &area, &Default::default()));
        targets.extend(found.take(MOST_TARGETS));
    }
    let id = same.first.first();
    let callers: Vec<Subject> = finder
        .callers()
        .into_iter()
        .map(|(_, caller)| Subject { id: id.cloned(), tenants: Vec::new(), ..caller })
        .collect();
    let mut found = Vec::new();
    both(finder, &same.who(), &what, &callers, &targets, &mut found);
    found.retain(|change| change.example.is_some() || change.direction == Direction::Changed);
    all.extend(found);
}
