//! Holders: the cells that everyone, service apps, groups, roles and named rows gained or lost.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::policy::ServiceApps;
use crate::policy::model::ScopedRole;
use crate::vocabulary::{Cell, Subject, SubjectId};

use super::area::ScopeArea;
use super::callers::{example_service, example_user, with_groups};
use super::change::{AffectedCallers, Change, Direction};
use super::examples::ExampleFinder;
use super::indexed::{AssignedRole, HeldCell, Holder, IndexedPolicy, Precondition};

/// ChangedCells: the cells that a holder gained or lost.
pub(super) type ChangedCells<'p> = Vec<(Direction, HeldCell<'p>)>;

/// ReportedCells: the changes that were reported for larger sets of callers, so that they are not reported again.
#[derive(Default)]
pub(super) struct ReportedCells<'p> {
    pub(super) everyone: ChangedCells<'p>,
    pub(super) groups: HashMap<&'p str, ChangedCells<'p>>,
    pub(super) roles: HashMap<&'p str, ChangedCells<'p>>,
    pub(super) rows: HashMap<&'p str, ChangedCells<'p>>,
    /// The roles that give a cell through another row or with other preconditions than before.
    ///
    /// This matters for users whose entry takes one of the rows away.
    pub(super) regrouped_roles: BTreeSet<&'p str>,
    /// The groups that do so.
    pub(super) regrouped_groups: BTreeSet<&'p str>,
}

/// Compares the cells of every holder except listed users.
pub(super) fn compare_holders<'p>(finder: &ExampleFinder<'_, 'p>) -> (Vec<Change>, ReportedCells<'p>) {
    let mut all = Vec::new();
    let mut all_reported = ReportedCells::default();
    let (old, new) = (finder.old, finder.new);
    let groups: BTreeSet<&str> = old.groups.keys().chain(new.groups.keys()).copied().collect();
    all_reported.everyone = changed_cells(finder, &Holder::default(), &Holder::default(), &[]);
    let user = example_user(None, None);
    report_changes(
        finder,
        &AffectedCallers::Everyone,
        &with_groups(&user, &groups),
        &all_reported.everyone,
        "",
        &mut all,
    );
    compare_service_apps(finder, &all_reported, &mut all);
    for group in &groups {
        let holder =
            |indexed: &IndexedPolicy<'p>| Holder { group: indexed.groups.get(group).copied(), ..Holder::default() };
        let cells =
            |indexed: &IndexedPolicy<'p>| HashSet::<HeldCell<'p>>::from_iter(indexed.held_cells(&holder(indexed)));
        if cells(old) != cells(new) {
            all_reported.regrouped_groups.insert(group);
        }
        let changed = changed_cells(finder, &holder(old), &holder(new), &all_reported.everyone);
        let who = AffectedCallers::Group((*group).to_owned());
        report_changes(finder, &who, &[example_user(None, Some(group))], &changed, "", &mut all);
        all_reported.groups.insert(group, changed);
    }
    compare_rows(finder, &groups, &mut all_reported, &mut all);
    compare_roles(finder, &groups, &mut all_reported, &mut all);
    (all, all_reported)
}

/// The cells that a holder gained or lost between the policies, apart from those in `reported`.
pub(super) fn changed_cells<'p>(
    finder: &ExampleFinder<'_, 'p>,
    before: &Holder<'p>,
    after: &Holder<'p>,
    reported: &[(Direction, HeldCell<'p>)],
) -> ChangedCells<'p> {
    let (old, new) = (finder.old.held_cells(before), finder.new.held_cells(after));
    let mut found = Vec::new();
    collect_uncovered(&new, &old, finder.new, Direction::Gained, reported, &mut found);
    collect_uncovered(&old, &new, finder.old, Direction::Lost, reported, &mut found);
    found
}

/// Adds the cells and areas of `these` that neither `those` nor `reported` cover.
fn collect_uncovered<'p>(
    these: &[HeldCell<'p>],
    those: &[HeldCell<'p>],
    indexed: &IndexedPolicy<'p>,
    direction: Direction,
    reported: &[(Direction, HeldCell<'p>)],
    found: &mut ChangedCells<'p>,
) {
    let mut cover: HashMap<&Cell, Vec<HeldCell<'p>>> = HashMap::new();
    let reported = reported.iter().filter(|(known, _)| *known == direction).map(|(_, held)| held);
    for held in those.iter().chain(reported) {
        cover.entry(held.cell).or_default().push(held.clone());
    }
    let mut ordered: Vec<&HeldCell> =
        these.iter().filter(|held| indexed.methods_by_cell.contains_key(held.cell)).collect();
    ordered.sort_by_key(|held| (held.preconditions.len(), held.area.0.len()));
    for held in ordered {
        let covering = cover.entry(held.cell).or_default();
        let fitting =
            covering.iter().filter(|other| other.preconditions.is_subset(&held.preconditions)).map(|other| &other.area);
        for area in held.area.subtract_all(fitting) {
            let one = HeldCell { area, ..held.clone() };
            covering.push(one.clone());
            found.push((direction, one));
        }
    }
}

/// Adds a change for each changed cell, with an example if one is found.
pub(super) fn report_changes<'p>(
    finder: &ExampleFinder<'_, 'p>,
    who: &AffectedCallers,
    subjects: &[Subject],
    changed: &[(Direction, HeldCell<'p>)],
    behind: &str,
    all: &mut Vec<Change>,
) {
    for (direction, held) in changed {
        let preconditions = held.preconditions.iter().map(|precondition| match precondition {
            Precondition::Gate(name) => format!("gate {name}"),
            Precondition::Condition(text) => format!("the condition {text}"),
            Precondition::NamedScope(scope) => format!("a role that names its {scope}"),
        });
        all.push(Change {
            direction: *direction,
            who: who.clone(),
            what: vec![held.cell.to_string()],
            through: Some(held.row.to_owned()),
            scope: held.area.to_string(),
            behind: (!behind.is_empty()).then(|| behind.to_owned()).into_iter().chain(preconditions).collect(),
            example: finder.find_example(subjects, held, *direction),
        });
    }
}

/// Compares service apps that hold every row.
fn compare_service_apps<'p>(finder: &ExampleFinder<'_, 'p>, all_reported: &ReportedCells<'p>, all: &mut Vec<Change>) {
    let holder = |indexed: &IndexedPolicy<'p>| {
        let holds_all = indexed.policy.model.service_apps == Some(ServiceApps::EveryPermission);
        Holder { own_rows: if holds_all { indexed.every_row() } else { Vec::new() }, ..Holder::default() }
    };
    let (before, after) = (holder(finder.old), holder(finder.new));
    if before.own_rows.is_empty() || after.own_rows.is_empty() {
        // `service-apps` changed or has another value: the switches report this.
        return;
    }
    let changed = changed_cells(finder, &before, &after, &all_reported.everyone);
    report_changes(finder, &AffectedCallers::ServiceApps, &[example_service()], &changed, "", all);
}

/// Compares the callers that have a row by its name, outside and inside of groups.
fn compare_rows<'p>(
    finder: &ExampleFinder<'_, 'p>,
    groups: &BTreeSet<&'p str>,
    all_reported: &mut ReportedCells<'p>,
    all: &mut Vec<Change>,
) {
    let names: BTreeSet<&str> = finder.old.rows.keys().chain(finder.new.rows.keys()).copied().collect();
    for name in names {
        // A group cannot take away a row that `users:` gives, but it can take away a claimed one: see below.
        let holder = |indexed: &IndexedPolicy<'p>| Holder {
            own_rows: indexed.rows.get(name).copied().into_iter().collect(),
            ..Holder::default()
        };
        let changed = changed_cells(finder, &holder(finder.old), &holder(finder.new), &all_reported.everyone);
        let claiming = Subject { permissions: vec![name.into()], ..example_user(None, None) };
        report_changes(
            finder,
            &AffectedCallers::Row(name.to_owned()),
            &with_groups(&claiming, groups),
            &changed,
            "",
            all,
        );
        for group in excluding_groups(finder, groups) {
            let holder = |indexed: &IndexedPolicy<'p>| {
                let claimed_rows = indexed.rows.get(name).copied().into_iter().collect();
                Holder { group: indexed.groups.get(group).copied(), claimed_rows, ..Holder::default() }
            };
            let mut reported: ChangedCells<'p> = all_reported.everyone.iter().chain(&changed).cloned().collect();
            reported.extend(all_reported.groups.get(group).into_iter().flatten().cloned());
            let more = changed_cells(finder, &holder(finder.old), &holder(finder.new), &reported);
            let member = Subject { groups: vec![group.into()], ..claiming.clone() };
            report_changes(
                finder,
                &AffectedCallers::Row(name.to_owned()),
                &[member],
                &more,
                &format!("group {group}"),
                all,
            );
        }
        all_reported.rows.insert(name, changed);
    }
}

/// Compares the callers that have a role, by claim, by assignment and inside of groups.
fn compare_roles<'p>(
    finder: &ExampleFinder<'_, 'p>,
    groups: &BTreeSet<&'p str>,
    all_reported: &mut ReportedCells<'p>,
    all: &mut Vec<Change>,
) {
    let (old, new) = (finder.old, finder.new);
    let names: BTreeSet<&str> = old.roles.keys().chain(new.roles.keys()).copied().collect();
    let assignees = first_assignees(finder);
    for name in names {
        let who = AffectedCallers::Role(name.to_owned());
        let claims = |indexed: &IndexedPolicy<'p>| indexed.claimed_role(name).into_iter().collect::<Vec<_>>();
        let mut reported = all_reported.everyone.clone();
        let holder = |indexed: &IndexedPolicy<'p>, group: Option<&str>, roles: Vec<AssignedRole<'p>>| Holder {
            group: group.and_then(|group| indexed.groups.get(group).copied()),
            roles,
            ..Holder::default()
        };
        let cells = |indexed: &IndexedPolicy<'p>| {
            HashSet::<HeldCell<'p>>::from_iter(indexed.held_cells(&holder(indexed, None, claims(indexed))))
        };
        if cells(old) != cells(new) {
            all_reported.regrouped_roles.insert(name);
        }
        let changed =
            changed_cells(finder, &holder(old, None, claims(old)), &holder(new, None, claims(new)), &reported);
        report_changes(finder, &who, &with_groups(&example_user(Some(name), None), groups), &changed, "", all);
        reported.extend(changed.iter().cloned());
        let unbound = |indexed: &IndexedPolicy<'p>| {
            let role = indexed.roles.get(name).copied();
            role.map(|role| AssignedRole { role, area: ScopeArea::default(), preconditions: BTreeSet::new() })
                .into_iter()
                .collect::<Vec<_>>()
        };
        if let Some(id) = assignees.get(name) {
            let more =
                changed_cells(finder, &holder(old, None, unbound(old)), &holder(new, None, unbound(new)), &reported);
            let assignee = Subject { id: Some(id.clone()), ..example_user(None, None) };
            report_changes(finder, &who, &with_groups(&assignee, groups), &more, "assigned by the policy", all);
            reported.extend(more);
        }
        for group in excluding_groups(finder, groups) {
            let mut within = reported.clone();
            within.extend(all_reported.groups.get(group).into_iter().flatten().cloned());
            let more = changed_cells(
                finder,
                &holder(old, Some(group), claims(old)),
                &holder(new, Some(group), claims(new)),
                &within,
            );
            report_changes(
                finder,
                &who,
                &[example_user(Some(name), Some(group))],
                &more,
                &format!("group {group}"),
                all,
            );
            reported.extend(more);
        }
        reported.retain(|one| !all_reported.everyone.contains(one));
        all_reported.roles.insert(name, reported);
    }
}

/// The groups that take rows away, one for each set of such rows.
fn excluding_groups<'p>(finder: &ExampleFinder<'_, 'p>, groups: &BTreeSet<&'p str>) -> Vec<&'p str> {
    let mut seen = HashSet::new();
    let excluded = |indexed: &IndexedPolicy<'p>, group: &str| {
        let at = indexed.groups.get(group).and_then(|at| usize::try_from(*at).ok());
        let group = at.and_then(|at| indexed.policy.model.groups.get(at));
        group.into_iter().flat_map(|group| &group.without).map(|row| indexed.row_name(*row)).collect::<BTreeSet<_>>()
    };
    let mut found = Vec::new();
    for group in groups {
        let both = (excluded(finder.old, group), excluded(finder.new, group));
        if !(both.0.is_empty() && both.1.is_empty()) && seen.insert(both) {
            found.push(*group);
        }
    }
    found
}

/// For each role, the first user to whom one of the policies assigns it.
fn first_assignees<'p>(finder: &ExampleFinder<'_, 'p>) -> BTreeMap<&'p str, SubjectId> {
    let mut found = BTreeMap::new();
    for indexed in [finder.old, finder.new] {
        let (mut lists, model) = (HashSet::new(), &indexed.policy.model);
        for entry in indexed.policy.entitlements.users().iter() {
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
