//! Holders: everyone, service apps, groups, roles and rows by their names: which cells each gained or lost.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::policy::ServiceApps;
use crate::policy::model::ScopedRole;
use crate::vocabulary::{Assignment, Cell, Subject, SubjectId, SubjectKind};

use super::examples::ExampleFinder;
use super::indexed::{AssignedRole, HeldCell, Holder, IndexedPolicy, Precondition};
use super::{AffectedCallers, Change, Direction};

/// ChangedCells: atoms that somebody gained or lost.
pub(super) type ChangedCells<'p> = Vec<(Direction, HeldCell<'p>)>;

/// ReportedCells: what was told of those whom others include, so that it is not told again.
#[derive(Default)]
pub(super) struct ReportedCells<'p> {
    pub(super) everyone: ChangedCells<'p>,
    pub(super) groups: HashMap<&'p str, ChangedCells<'p>>,
    pub(super) roles: HashMap<&'p str, ChangedCells<'p>>,
    pub(super) rows: HashMap<&'p str, ChangedCells<'p>>,
    /// Roles and groups that give something through another row, or behind other locks, than before. That counts for
    /// users from whom one of the rows is taken.
    pub(super) regrouped_roles: BTreeSet<&'p str>,
    pub(super) regrouped_groups: BTreeSet<&'p str>,
}

pub(super) fn changes<'p>(finder: &ExampleFinder<'_, 'p>) -> (Vec<Change>, ReportedCells<'p>) {
    let mut all = Vec::new();
    let mut known = ReportedCells::default();
    let (old, new) = (finder.old, finder.new);
    let groups: BTreeSet<&str> = old.groups.keys().chain(new.groups.keys()).copied().collect();
    known.everyone = moved(finder, &Holder::default(), &Holder::default(), &[]);
    let nobody = subject(None, None);
    tell(finder, &AffectedCallers::Everyone, &in_groups(&nobody, &groups), &known.everyone, "", &mut all);
    service_apps(finder, &known, &mut all);
    for group in &groups {
        let person = |side: &IndexedPolicy<'p>| Holder { group: side.groups.get(group).copied(), ..Holder::default() };
        let atoms = |side: &IndexedPolicy<'p>| HashSet::<HeldCell<'p>>::from_iter(side.atoms(&person(side)));
        if atoms(old) != atoms(new) {
            known.regrouped_groups.insert(group);
        }
        let found = moved(finder, &person(old), &person(new), &known.everyone);
        let who = AffectedCallers::Group((*group).to_owned());
        tell(finder, &who, &[subject(None, Some(group))], &found, "", &mut all);
        known.groups.insert(group, found);
    }
    rows(finder, &groups, &mut known, &mut all);
    roles(finder, &groups, &mut known, &mut all);
    (all, known)
}

/// What one person holds in the new policy and not in the old, and the other way, beyond what `explained` told.
pub(super) fn moved<'p>(
    finder: &ExampleFinder<'_, 'p>,
    before: &Holder<'p>,
    after: &Holder<'p>,
    explained: &[(Direction, HeldCell<'p>)],
) -> ChangedCells<'p> {
    let (old, new) = (finder.old.atoms(before), finder.new.atoms(after));
    let mut found = Vec::new();
    beyond(&new, &old, finder.new, Direction::Gained, explained, &mut found);
    beyond(&old, &new, finder.old, Direction::Lost, explained, &mut found);
    found
}

fn beyond<'p>(
    these: &[HeldCell<'p>],
    those: &[HeldCell<'p>],
    side: &IndexedPolicy<'p>,
    direction: Direction,
    explained: &[(Direction, HeldCell<'p>)],
    found: &mut ChangedCells<'p>,
) {
    let mut cover: HashMap<&Cell, Vec<HeldCell<'p>>> = HashMap::new();
    let told = explained.iter().filter(|(told, _)| *told == direction).map(|(_, atom)| atom);
    for atom in those.iter().chain(told) {
        cover.entry(atom.cell).or_default().push(atom.clone());
    }
    let mut ordered: Vec<&HeldCell> = these.iter().filter(|atom| side.uses.contains_key(atom.cell)).collect();
    ordered.sort_by_key(|atom| (atom.locks.len(), atom.area.0.len()));
    for atom in ordered {
        let covering = cover.entry(atom.cell).or_default();
        let fitting = covering.iter().filter(|other| other.locks.is_subset(&atom.locks)).map(|other| &other.area);
        for area in atom.area.outside(fitting) {
            let one = HeldCell { area, ..atom.clone() };
            covering.push(one.clone());
            found.push((direction, one));
        }
    }
}

/// Adds a line for each that moved, with an example where there is one.
pub(super) fn tell<'p>(
    finder: &ExampleFinder<'_, 'p>,
    who: &AffectedCallers,
    subjects: &[Subject],
    moved: &[(Direction, HeldCell<'p>)],
    behind: &str,
    all: &mut Vec<Change>,
) {
    for (direction, atom) in moved {
        let locks = atom.locks.iter().map(|lock| match lock {
            Precondition::Gate(name) => format!("gate {name}"),
            Precondition::When(text) => format!("the condition {text}"),
            Precondition::Named(scope) => format!("a role that names its {scope}"),
        });
        all.push(Change {
            direction: *direction,
            who: who.clone(),
            what: vec![atom.cell.to_string()],
            through: Some(atom.row.to_owned()),
            place: atom.area.to_string(),
            behind: (!behind.is_empty()).then(|| behind.to_owned()).into_iter().chain(locks).collect(),
            example: finder.show(subjects, atom, *direction),
        });
    }
}

/// A user with a role or not, in a group or not.
pub(super) fn subject(role: Option<&str>, group: Option<&str>) -> Subject {
    Subject {
        kind: SubjectKind::User,
        id: Some(SubjectId { source: "".into(), name: "somebody-0".into() }),
        roles: role.into_iter().map(Assignment::unbound).collect(),
        groups: group.into_iter().map(Into::into).collect(),
        ..Subject::default()
    }
}

/// The subject in no group, and in each of the first ones.
pub(super) fn in_groups(subject: &Subject, groups: &BTreeSet<&str>) -> Vec<Subject> {
    let within = groups.iter().take(6).map(|group| Subject { groups: vec![(*group).into()], ..subject.clone() });
    std::iter::once(subject.clone()).chain(within).collect()
}

fn service_apps<'p>(finder: &ExampleFinder<'_, 'p>, known: &ReportedCells<'p>, all: &mut Vec<Change>) {
    let every = |side: &IndexedPolicy<'p>| {
        let holds = side.policy.model.service_apps == Some(ServiceApps::EveryPermission);
        Holder { own: if holds { side.every_row() } else { Vec::new() }, ..Holder::default() }
    };
    let (before, after) = (every(finder.old), every(finder.new));
    if before.own.is_empty() || after.own.is_empty() {
        // The word itself changed, or is another: the switches tell.
        return;
    }
    let found = moved(finder, &before, &after, &known.everyone);
    tell(finder, &AffectedCallers::ServiceApps, &[service()], &found, "", all);
}

/// A service app that no policy lists.
pub(super) fn service() -> Subject {
    Subject { kind: SubjectKind::Service, id: None, client: Some("unlisted-app-0".into()), ..subject(None, None) }
}

fn rows<'p>(
    finder: &ExampleFinder<'_, 'p>,
    groups: &BTreeSet<&'p str>,
    known: &mut ReportedCells<'p>,
    all: &mut Vec<Change>,
) {
    let names: BTreeSet<&str> = finder.old.rows.keys().chain(finder.new.rows.keys()).copied().collect();
    for name in names {
        // A row given by `users:` is beyond any group, a claimed one is not: where they differ the groups tell.
        let person = |side: &IndexedPolicy<'p>| Holder {
            own: side.rows.get(name).copied().into_iter().collect(),
            ..Holder::default()
        };
        let found = moved(finder, &person(finder.old), &person(finder.new), &known.everyone);
        let claims = Subject { permissions: vec![name.into()], ..subject(None, None) };
        tell(finder, &AffectedCallers::Row(name.to_owned()), &in_groups(&claims, groups), &found, "", all);
        for group in contexts(finder, groups) {
            let person = |side: &IndexedPolicy<'p>| {
                let claimed = side.rows.get(name).copied().into_iter().collect();
                Holder { group: side.groups.get(group).copied(), claimed, ..Holder::default() }
            };
            let mut told: ChangedCells<'p> = known.everyone.iter().chain(&found).cloned().collect();
            told.extend(known.groups.get(group).into_iter().flatten().cloned());
            let more = moved(finder, &person(finder.old), &person(finder.new), &told);
            let claims = Subject { groups: vec![group.into()], ..claims.clone() };
            tell(finder, &AffectedCallers::Row(name.to_owned()), &[claims], &more, &format!("group {group}"), all);
        }
        known.rows.insert(name, found);
    }
}

fn roles<'p>(
    finder: &ExampleFinder<'_, 'p>,
    groups: &BTreeSet<&'p str>,
    known: &mut ReportedCells<'p>,
    all: &mut Vec<Change>,
) {
    let (old, new) = (finder.old, finder.new);
    let names: BTreeSet<&str> = old.roles.keys().chain(new.roles.keys()).copied().collect();
    let assigned = assigned(finder);
    for name in names {
        let who = AffectedCallers::Role(name.to_owned());
        let claims = |side: &IndexedPolicy<'p>| side.claimed(name).into_iter().collect::<Vec<_>>();
        let mut told = known.everyone.clone();
        let person = |side: &IndexedPolicy<'p>, group: Option<&str>, roles: Vec<AssignedRole<'p>>| Holder {
            group: group.and_then(|group| side.groups.get(group).copied()),
            roles,
            ..Holder::default()
        };
        let atoms = |side: &IndexedPolicy<'p>| {
            HashSet::<HeldCell<'p>>::from_iter(side.atoms(&person(side, None, claims(side))))
        };
        if atoms(old) != atoms(new) {
            known.regrouped_roles.insert(name);
        }
        let claimed = moved(finder, &person(old, None, claims(old)), &person(new, None, claims(new)), &told);
        tell(finder, &who, &in_groups(&subject(Some(name), None), groups), &claimed, "", all);
        told.extend(claimed.iter().cloned());
        let plain = |side: &IndexedPolicy<'p>| {
            let role = side.roles.get(name).copied();
            role.map(|role| AssignedRole { role, area: Default::default(), lock: BTreeSet::new() })
                .into_iter()
                .collect::<Vec<_>>()
        };
        if let Some(id) = assigned.get(name) {
            let more = moved(finder, &person(old, None, plain(old)), &person(new, None, plain(new)), &told);
            let holder = Subject { id: Some(id.clone()), ..subject(None, None) };
            tell(finder, &who, &in_groups(&holder, groups), &more, "assigned by the policy", all);
            told.extend(more);
        }
        for group in contexts(finder, groups) {
            let mut within = told.clone();
            within.extend(known.groups.get(group).into_iter().flatten().cloned());
            let more =
                moved(finder, &person(old, Some(group), claims(old)), &person(new, Some(group), claims(new)), &within);
            tell(finder, &who, &[subject(Some(name), Some(group))], &more, &format!("group {group}"), all);
            told.extend(more);
        }
        told.retain(|one| !known.everyone.contains(one));
        known.roles.insert(name, told);
    }
}

/// The groups that take something away, one for each set of rows that is taken.
fn contexts<'p>(finder: &ExampleFinder<'_, 'p>, groups: &BTreeSet<&'p str>) -> Vec<&'p str> {
    let mut seen = HashSet::new();
    let taken = |side: &IndexedPolicy<'p>, group: &str| {
        let at = side.groups.get(group).and_then(|at| usize::try_from(*at).ok());
        let group = at.and_then(|at| side.policy.model.groups.get(at));
        group.into_iter().flat_map(|group| &group.without).map(|row| side.row_name(*row)).collect::<BTreeSet<_>>()
    };
    let mut found = Vec::new();
    for group in groups {
        let both = (taken(finder.old, group), taken(finder.new, group));
        if !(both.0.is_empty() && both.1.is_empty()) && seen.insert(both) {
            found.push(*group);
        }
    }
    found
}

/// For each role the first user whom both policies, or one of them, assign it.
fn assigned<'p>(finder: &ExampleFinder<'_, 'p>) -> BTreeMap<&'p str, SubjectId> {
    let mut found = BTreeMap::new();
    for side in [finder.old, finder.new] {
        let (mut lists, model) = (HashSet::new(), &side.policy.model);
        for entry in side.policy.entitlements.users().iter() {
            let bounds: &[ScopedRole] = entry.roles.unwrap_or_default();
            if bounds.is_empty() || !lists.insert(bounds.as_ptr()) {
                continue;
            }
            for role in bounds.iter().filter_map(|bound| model.roles.get(usize::try_from(bound.role).ok()?)) {
                found
                    .entry(&*role.name)
                    .or_insert_with(|| SubjectId { source: entry.source.into(), name: entry.name.into() });
            }
        }
    }
    found
}
