//! Listed users: the changes of their entries. Equal changes are grouped, because a policy may list a million users.

use std::collections::BTreeSet;

use crate::vocabulary::{Assignment, Subject, SubjectKind};

use super::area::{ScopeArea, ScopeValues};
use super::callers::with_groups;
use super::change::{Change, Direction};
use super::entries::{ChangeGroup, ChangedEntries, NamedUserTerms};
use super::examples::ExampleFinder;
use super::holders::{ChangedCells, ReportedCells, changed_cells, report_changes};
use super::indexed::{Holder, IndexedPolicy};
use super::probe::{FRESH_VALUE, probe_requests, sample_requests};
use super::switches::report_switch;

/// The maximum number of requests that an entry is tried with, for each policy.
const MAX_REQUESTS: usize = 40;

/// The maximum number of roles that a token is tried with, where its claims start or stop to count.
const MAX_CLAIMED_ROLES: usize = 20;

/// The maximum number of roles that a token is tried with, where an entry takes a row away.
const MAX_EXCLUDED_ROLES: usize = 50;

/// The maximum number of tenants that a change of tenants is tried with.
const MAX_TENANTS: usize = 12;

/// Compares the entries of listed users.
pub(super) fn compare_users<'p>(finder: &ExampleFinder<'_, 'p>, reported: &ReportedCells<'p>) -> Vec<Change> {
    let changed = ChangedEntries::collect(finder);
    let mut all = Vec::new();
    for (before, after, group) in changed.by_terms() {
        compare_terms(finder, reported, before, after, group, &mut all);
    }
    for (before, after, group) in changed.by_tenants() {
        compare_tenants(finder, before.as_ref(), after.as_ref(), group, &mut all);
    }
    all
}

/// Adds all changes of users whose entries had the terms `before` and have the terms `after`.
fn compare_terms<'p>(
    finder: &ExampleFinder<'_, 'p>,
    all_reported: &ReportedCells<'p>,
    before: &NamedUserTerms<'p>,
    after: &NamedUserTerms<'p>,
    group: &ChangeGroup,
    all: &mut Vec<Change>,
) {
    let who = group.affected();
    let groups: BTreeSet<&str> = finder.old.groups.keys().chain(finder.new.groups.keys()).copied().collect();
    let mut reported: ChangedCells<'p> = all_reported.everyone.clone();
    if before.group == after.group {
        reported.extend(after.group.and_then(|name| all_reported.groups.get(name)).into_iter().flatten().cloned());
    }
    for (role, ..) in before.roles.iter().chain(&after.roles).flatten() {
        if before.has_role(role) && after.has_role(role) {
            reported.extend(all_reported.roles.get(role).into_iter().flatten().cloned());
        }
    }
    for row in before.own_rows.intersection(&after.own_rows) {
        reported.extend(all_reported.rows.get(row).into_iter().flatten().cloned());
    }
    let (old_holder, new_holder) = (before.holder(finder.old), after.holder(finder.new));
    let changed = changed_cells(finder, &old_holder, &new_holder, &reported);
    report_changes(finder, &who, &with_groups(&group.caller(), &groups), &changed, "", all);
    reported.extend(changed);
    let excludes = !(before.excluded_rows.is_empty() && after.excluded_rows.is_empty());
    if before.roles.is_none() && after.roles.is_none() && excludes {
        let holders = (&old_holder, &new_holder);
        compare_claims(finder, all_reported, (before, after), holders, group, &reported, all);
    }
    if before.group.is_none() && after.group.is_none() && excludes {
        for name in groups.iter().filter(|name| before != after || all_reported.regrouped_groups.contains(*name)) {
            let member = |indexed: &IndexedPolicy<'p>, holder: &Holder<'p>| Holder {
                group: indexed.groups.get(name).copied(),
                ..holder.clone()
            };
            let mut known = reported.clone();
            known.extend(all_reported.groups.get(name).into_iter().flatten().cloned());
            let (old_member, new_member) = (member(finder.old, &old_holder), member(finder.new, &new_holder));
            let changed = changed_cells(finder, &old_member, &new_member, &known);
            let claiming = Subject { groups: vec![(*name).into()], ..group.caller() };
            report_changes(finder, &who, &[claiming], &changed, &format!("group {name} of the token"), all);
            reported.extend(changed);
        }
    }
    compare_claim_rules(finder, before, after, group, &groups, all);
}

/// Compares whether the roles, the group and the kind of a token count for users with these terms.
fn compare_claim_rules<'p>(
    finder: &ExampleFinder<'_, 'p>,
    before: &NamedUserTerms<'p>,
    after: &NamedUserTerms<'p>,
    group: &ChangeGroup,
    groups: &BTreeSet<&'p str>,
    all: &mut Vec<Change>,
) {
    let report = |what: &str, callers: Vec<Subject>, all: &mut Vec<Change>| {
        let callers: Vec<Subject> = callers.iter().flat_map(|one| with_groups(one, groups)).collect();
        let requests = [sample_requests(finder.old, MAX_REQUESTS), sample_requests(finder.new, MAX_REQUESTS)].concat();
        report_switch(finder, &group.affected(), what, &callers, &requests, all);
    };
    let approved = || -> Vec<Box<str>> {
        let gates = finder.old.policy.model.gates.iter().chain(&finder.new.policy.model.gates);
        gates.map(|gate| gate.name.clone()).collect()
    };
    let caller = group.caller();
    if before.roles.is_some() != after.roles.is_some() {
        let permissions: Vec<Box<str>> =
            finder.old.rows.keys().chain(finder.new.rows.keys()).map(|row| (*row).into()).collect();
        let roles: Vec<Assignment> =
            finder.new.roles.keys().chain(finder.old.roles.keys()).map(|role| Assignment::unbound(role)).collect();
        let what = if after.roles.is_some() {
            "roles and permissions of the token no longer count"
        } else {
            "roles and permissions of the token count"
        };
        let claiming = Subject { permissions, approved: approved(), ..caller.clone() };
        let with_one_role = roles.iter().take(MAX_CLAIMED_ROLES).map(|role| Subject {
            roles: vec![role.clone()],
            approved: approved(),
            ..caller.clone()
        });
        report(what, std::iter::once(claiming).chain(with_one_role).collect(), all);
    }
    if before.group != after.group && !groups.is_empty() {
        let name = |group: Option<&str>| group.map_or("as in the token".to_owned(), str::to_owned);
        let what = format!("group: {} → {}", name(before.group), name(after.group));
        report(&what, vec![caller.clone(), Subject { approved: approved(), ..caller.clone() }], all);
    }
    let has_service_apps =
        finder.old.policy.model.service_apps.is_some() || finder.new.policy.model.service_apps.is_some();
    if before.listed != after.listed && has_service_apps {
        let what = if after.listed {
            "listed: a service app of this id is decided like a user"
        } else {
            "not listed: a service app of this id is decided by `service-apps`"
        };
        report(what, vec![Subject { kind: SubjectKind::Service, ..caller }], all);
    }
}

/// Compares the cells that the entries take away from the claims of tokens.
fn compare_claims<'p>(
    finder: &ExampleFinder<'_, 'p>,
    all_reported: &ReportedCells<'p>,
    (before, after): (&NamedUserTerms<'p>, &NamedUserTerms<'p>),
    (old_holder, new_holder): (&Holder<'p>, &Holder<'p>),
    group: &ChangeGroup,
    reported: &ChangedCells<'p>,
    all: &mut Vec<Change>,
) {
    let rows_differ = finder.old.rows.iter().any(|(name, row)| {
        finder.new.rows.get(name).is_none_or(|other| finder.old.row_terms(*row) != finder.new.row_terms(*other))
    }) || finder.old.rows.len() != finder.new.rows.len();
    let mut reported = reported.clone();
    let excluded = before.excluded_rows.union(&after.excluded_rows).filter(|_| before != after || rows_differ);
    for row in excluded {
        let claiming = |indexed: &IndexedPolicy<'p>, holder: &Holder<'p>| Holder {
            claimed_rows: indexed.rows.get(row).copied().into_iter().collect(),
            ..holder.clone()
        };
        let mut known = reported.clone();
        known.extend(all_reported.rows.get(row).into_iter().flatten().cloned());
        let (old_holder, new_holder) = (claiming(finder.old, old_holder), claiming(finder.new, new_holder));
        let changed = changed_cells(finder, &old_holder, &new_holder, &known);
        let with_row = Subject { permissions: vec![(*row).into()], ..group.caller() };
        let roles = finder.new.roles.keys().chain(finder.old.roles.keys()).take(MAX_EXCLUDED_ROLES);
        let callers: Vec<Subject> = std::iter::once(with_row)
            .chain(roles.map(|role| Subject { roles: vec![Assignment::unbound(role)], ..group.caller() }))
            .collect();
        report_changes(finder, &group.affected(), &callers, &changed, "", all);
        reported.extend(changed);
    }
    let regrouped = |role: &&str| rows_differ || all_reported.regrouped_roles.contains(role);
    let roles = finder.old.roles.keys().chain(finder.new.roles.keys()).copied().filter(regrouped);
    for role in roles.collect::<BTreeSet<_>>() {
        let claiming = |indexed: &IndexedPolicy<'p>, holder: &Holder<'p>| Holder {
            roles: indexed.claimed_role(role).into_iter().collect(),
            ..holder.clone()
        };
        let mut known = reported.clone();
        known.extend(all_reported.roles.get(role).into_iter().flatten().cloned());
        let (old_holder, new_holder) = (claiming(finder.old, old_holder), claiming(finder.new, new_holder));
        let changed = changed_cells(finder, &old_holder, &new_holder, &known);
        let with_role = Subject { roles: vec![Assignment::unbound(role)], ..group.caller() };
        report_changes(finder, &group.affected(), &[with_role], &changed, &format!("role {role} of the token"), all);
        reported.extend(changed);
    }
}

/// Compares the tenants of users.
fn compare_tenants<'p>(
    finder: &ExampleFinder<'_, 'p>,
    before: Option<&BTreeSet<&'p str>>,
    after: Option<&BTreeSet<&'p str>>,
    group: &ChangeGroup,
    all: &mut Vec<Change>,
) {
    let Some(scope) = finder.new.caller_scope().or(finder.old.caller_scope()) else { return };
    let list = |tenants: Option<&BTreeSet<&str>>| {
        tenants.map_or("as in the token".to_owned(), |set| set.iter().copied().collect::<Vec<_>>().join(", "))
    };
    let what = format!("{scope}: {} → {}", list(before), list(after));
    let values: BTreeSet<&str> = before.into_iter().chain(after).flatten().copied().chain([FRESH_VALUE]).collect();
    let policies = [finder.old, finder.new];
    let pairs =
        policies.into_iter().flat_map(|indexed| values.iter().take(MAX_TENANTS).map(move |value| (indexed, value)));
    let mut requests = Vec::new();
    for (indexed, value) in pairs {
        let area = ScopeArea([(scope, ScopeValues::bound_to([*value].into_iter()))].into());
        let routes = indexed.policy.routes.routes().iter();
        let methods = routes.flat_map(|route| route.methods.iter().map(move |method| (route, method)));
        let found =
            methods.flat_map(|(route, method)| probe_requests(indexed, route, method, &area, &Default::default()));
        requests.extend(found.take(MAX_REQUESTS));
    }
    let id = group.first.first();
    let callers = finder.callers().into_iter();
    let callers = callers.map(|caller| Subject { id: id.cloned(), tenants: Vec::new(), ..caller });
    let callers: Vec<Subject> = callers.collect();
    let mut found = Vec::new();
    report_switch(finder, &group.affected(), &what, &callers, &requests, &mut found);
    found.retain(|change| change.example.is_some() || change.direction == Direction::Changed);
    all.extend(found);
}
