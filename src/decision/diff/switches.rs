//! Switches: policy keys that affect every caller, and settings that affect no decision.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::model::{Gate, Model, Shadow};
use crate::policy::{ServiceApps, Snapshot};
use crate::vocabulary::{Assignment, AuditMode, Cells, Subject};

use super::callers::{example_service, example_user, with_groups};
use super::change::{AffectedCallers, Change, Direction};
use super::examples::ExampleFinder;
use super::gates::approver_rows;
use super::indexed::{IndexedPolicy, needed_cells};
use super::probe::{ProbeRequest, sample_requests};

/// The maximum number of requests that a switch is tried with, for each policy.
const MAX_REQUESTS: usize = 60;

/// Compares the keys that affect every caller.
pub(super) fn compare_switches(finder: &ExampleFinder<'_, '_>) -> Vec<Change> {
    let (old, new) = (&finder.old.policy.model, &finder.new.policy.model);
    let mut all = Vec::new();
    let requests = || [sample_requests(finder.old, MAX_REQUESTS), sample_requests(finder.new, MAX_REQUESTS)].concat();
    let callers = || finder.callers();
    if old.service_apps != new.service_apps {
        let name = |apps: Option<ServiceApps>| match apps {
            Some(ServiceApps::All) => "all",
            Some(ServiceApps::EveryPermission) => "every-permission",
            None => "like users",
        };
        let what = format!("service-apps: {} → {}", name(old.service_apps), name(new.service_apps));
        let mut apps = vec![example_service(), Subject { approved: gate_names(old, new), ..example_service() }];
        apps.extend(callers().into_iter().map(|caller| Subject { kind: example_service().kind, ..caller }));
        report_switch(finder, &AffectedCallers::ServiceApps, &what, &apps, &requests(), &mut all);
    }
    if old.dialect != new.dialect {
        let what = format!("dialect: {:?} → {:?}", old.dialect, new.dialect).to_lowercase();
        let unusual = requests().into_iter().flat_map(|request| {
            let (upper, slash) = (request.path.to_uppercase(), format!("{}/", request.path));
            [ProbeRequest { path: upper, ..request.clone() }, ProbeRequest { path: slash, ..request }]
        });
        report_switch(finder, &AffectedCallers::Policy, &what, &callers(), &unusual.collect::<Vec<_>>(), &mut all);
    }
    compare_scopes(finder, &callers(), &requests(), &mut all);
    if old.one_role != new.one_role {
        let what =
            if new.one_role { "a caller must have exactly one role" } else { "a caller may have any number of roles" };
        report_switch(finder, &AffectedCallers::Everyone, what, &callers(), &requests(), &mut all);
    } else if new.one_role {
        compare_counted_roles(finder, &requests(), &mut all);
    }
    if old.groups.is_empty() != new.groups.is_empty() {
        let what = if old.groups.is_empty() {
            "a caller must be in exactly one group"
        } else {
            "a caller need not be in a group"
        };
        report_switch(finder, &AffectedCallers::Everyone, what, &callers(), &requests(), &mut all);
    } else {
        compare_groups(finder, &callers(), &requests(), &mut all);
    }
    compare_fields(finder, &callers(), &requests(), &mut all);
    all
}

/// Adds a change for each direction that an example request shows; one without a direction if there is none.
pub(super) fn report_switch(
    finder: &ExampleFinder<'_, '_>,
    who: &AffectedCallers,
    what: &str,
    subjects: &[Subject],
    requests: &[ProbeRequest],
    all: &mut Vec<Change>,
) {
    let before = all.len();
    for direction in [Direction::Gained, Direction::Lost] {
        if let Some(example) = finder.find_difference(subjects, requests, direction) {
            all.push(Change::sentence(direction, who.clone(), what, Some(example)));
        }
    }
    if all.len() == before {
        let example = finder.find_difference(subjects, requests, Direction::Changed);
        all.push(Change::sentence(Direction::Changed, who.clone(), what, example));
    }
}

fn gate_names(old: &Model, new: &Model) -> Vec<Box<str>> {
    old.gates.iter().chain(&new.gates).map(|gate| gate.name.clone()).collect()
}

/// Compares the declarations of scopes.
fn compare_scopes(
    finder: &ExampleFinder<'_, '_>,
    callers: &[Subject],
    requests: &[ProbeRequest],
    all: &mut Vec<Change>,
) {
    let (old, new) = (&finder.old.policy.model, &finder.new.policy.model);
    let names: BTreeSet<&str> = old.scopes.iter().chain(&new.scopes).map(|scope| &*scope.name).collect();
    for name in names {
        let kind = |model: &Model| match model.scopes.iter().find(|scope| &*scope.name == name) {
            Some(scope) if scope.caller => "caller",
            Some(_) => "grant",
            None => "not declared",
        };
        if kind(old) != kind(new) {
            let what = format!("scope {name}: {} → {}", kind(old), kind(new));
            let outsiders =
                callers.iter().map(|caller| Subject { tenants: vec!["another-tenant-0".into()], ..caller.clone() });
            let subjects: Vec<Subject> = callers.iter().cloned().chain(outsiders).collect();
            report_switch(finder, &AffectedCallers::Policy, &what, &subjects, requests, all);
        }
    }
}

/// Compares which roles count under `one-role`: every role that the policy defines counts, whatever it gives.
fn compare_counted_roles(finder: &ExampleFinder<'_, '_>, requests: &[ProbeRequest], all: &mut Vec<Change>) {
    let names: BTreeSet<&str> = finder.old.roles.keys().chain(finder.new.roles.keys()).copied().collect();
    let alone_and_with_second = |name: &str| {
        let other = names.iter().find(|other| **other != name).map(|other| Assignment::unbound(other));
        let alone = Subject {
            approved: gate_names(&finder.old.policy.model, &finder.new.policy.model),
            ..example_user(Some(name), None)
        };
        let mut two = alone.clone();
        two.roles.extend(other);
        [alone, two]
    };
    for name in &names {
        let (before, after) = (finder.old.claimed_role(name), finder.new.claimed_role(name));
        if before.map(|role| role.preconditions) != after.map(|role| role.preconditions) {
            let subjects: Vec<Subject> =
                alone_and_with_second(name).into_iter().flat_map(|one| with_known_groups(finder, &one)).collect();
            let mut found = Vec::new();
            report_switch(
                finder,
                &AffectedCallers::Role((*name).to_owned()),
                "counts as a role of a token, or no longer does",
                &subjects,
                requests,
                &mut found,
            );
            all.extend(found);
        }
    }
    let rows: BTreeSet<&str> = finder.old.rows.keys().chain(finder.new.rows.keys()).copied().collect();
    for name in rows {
        if finder.old.rows.contains_key(name) != finder.new.rows.contains_key(name) {
            let claiming = Subject { permissions: vec![name.into()], ..example_user(None, None) };
            report_switch(
                finder,
                &AffectedCallers::Row(name.to_owned()),
                "counts as a role of a token, or no longer does",
                &with_known_groups(finder, &claiming),
                requests,
                all,
            );
        }
    }
}

/// The subject as it is, and in each of the first groups of the policies.
fn with_known_groups(finder: &ExampleFinder<'_, '_>, one: &Subject) -> Vec<Subject> {
    let groups: BTreeSet<&str> = finder.old.groups.keys().chain(finder.new.groups.keys()).copied().collect();
    with_groups(one, &groups)
}

/// Compares which groups count: a caller must be in exactly one group that the policy defines.
fn compare_groups(
    finder: &ExampleFinder<'_, '_>,
    callers: &[Subject],
    requests: &[ProbeRequest],
    all: &mut Vec<Change>,
) {
    let names: BTreeSet<&str> = finder.old.groups.keys().chain(finder.new.groups.keys()).copied().collect();
    for name in names {
        let known = |indexed: &IndexedPolicy<'_>| indexed.groups.contains_key(name);
        if known(finder.old) != known(finder.new) {
            let members: Vec<Subject> =
                callers.iter().map(|caller| Subject { groups: vec![name.into()], ..caller.clone() }).collect();
            let what = if known(finder.new) { "is a group now" } else { "is no longer a group" };
            report_switch(finder, &AffectedCallers::Group(name.to_owned()), what, &members, requests, all);
        }
    }
}

/// Compares the fields that are masked in responses; the comparison of held cells covers the callers that may read them.
fn compare_fields(
    finder: &ExampleFinder<'_, '_>,
    callers: &[Subject],
    requests: &[ProbeRequest],
    all: &mut Vec<Change>,
) {
    let masked = |indexed: &IndexedPolicy<'_>| {
        let sets = indexed.policy.model.fields.iter();
        let listed = sets.flat_map(|set| set.resources.iter().map(move |(resource, paths)| (set, resource, paths)));
        let used = listed.filter(|(_, resource, _)| is_resource_needed(indexed, resource));
        let each = used.flat_map(|(set, resource, paths)| {
            paths.iter().map(move |path| (set.name.to_string(), resource.to_string(), path.to_string()))
        });
        each.collect::<BTreeSet<_>>()
    };
    let (old, new) = (masked(finder.old), masked(finder.new));
    for (direction, these, those, verb) in
        [(Direction::Lost, &new, &old, "is masked"), (Direction::Gained, &old, &new, "is no longer masked")]
    {
        for (set, resource, path) in these.difference(those) {
            let other = if direction == Direction::Lost { finder.old } else { finder.new };
            if !is_resource_needed(other, resource) {
                continue;
            }
            let what = format!("`{path}` in responses about {resource} {verb} for callers that may not `read {set}`");
            all.push(Change::sentence(
                direction,
                AffectedCallers::Everyone,
                what,
                finder.find_difference(callers, requests, direction),
            ));
        }
    }
}

/// Whether a method of the policy needs a cell of the resource.
fn is_resource_needed(indexed: &IndexedPolicy<'_>, resource: &str) -> bool {
    let mut methods = indexed.policy.routes.routes().iter().flat_map(|route| &route.methods);
    let needs = |cells: &Cells| {
        needed_cells(cells).any(|cell| indexed.policy.cell(cell).is_some_and(|cell| &*cell.resource == resource))
    };
    methods.any(|method| needs(&method.cells))
}

/// Compares the settings that affect no decision; one line for each difference.
pub(super) fn compare_settings(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    let (one, other) = (&old.model, &new.model);
    let mut lines = Vec::new();
    let mut line = |what: &str, old: String, new: String| {
        if old != new {
            lines.push(format!("{what}: {old} → {new}"));
        }
    };
    line("name", one.name.to_string(), other.name.to_string());
    let shadow = |shadow: &Shadow| match shadow {
        Shadow::Off => "off, refusals are enforced".to_owned(),
        Shadow::Resources(names) => format!("refusals about {} forward", names.join(", ")),
        Shadow::All => "all refusals forward".to_owned(),
    };
    line("shadow", shadow(&one.shadow), shadow(&other.shadow));
    let cors = |model: &Model| {
        model.cors.as_ref().map_or("none".to_owned(), |cors| {
            let list = |names: &[Box<str>]| names.join(" ");
            let credentials = if cors.credentials { ", credentials" } else { "" };
            format!(
                "[{}] headers [{}] exposed [{}] for {} s{credentials}",
                list(&cors.origins),
                list(&cors.headers),
                list(&cors.exposed),
                cors.max_age
            )
        })
    };
    line("cors", cors(one), cors(other));
    let cases = |model: &Model| if model.cases_must_pass { "must pass" } else { "need not pass" }.to_owned();
    line("cases", cases(one), cases(other));
    let locked = |model: &Model| {
        let roles = model.roles.iter().filter(|role| role.locked).map(|role| &*role.name);
        let profiles = model.profiles.iter().filter(|profile| profile.locked).map(|profile| &*profile.name);
        roles.chain(profiles).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
    };
    line("locked", locked(one), locked(other));
    let approvers = |policy: &Snapshot| {
        let gates = policy.model.gates.iter().filter_map(|gate: &Gate| Some((gate, gate.approval()?)));
        let each = gates.map(|(gate, approval)| {
            format!("{} by {}", gate.name, approver_rows(policy, approval).into_iter().collect::<Vec<_>>().join(" or "))
        });
        each.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
    };
    line("approvals are granted", approvers(old), approvers(new));
    let (earlier, later) = (audit_modes(old), audit_modes(new));
    for (method, after) in &later {
        if let Some(before) = earlier.get(method).filter(|before| *before != after) {
            let name = |mode: &Option<AuditMode>| mode.map_or("the API's default", AuditMode::as_str);
            lines.push(format!("audit of {} {}: {} → {}", method.1, method.0, name(before), name(after)));
        }
    }
    lines
}

/// The audit mode of each method.
fn audit_modes(policy: &Snapshot) -> BTreeMap<(&str, &str), Option<AuditMode>> {
    let routes = policy.routes.routes().iter();
    let each = routes
        .flat_map(|route| route.methods.iter().map(|method| ((route.template.text(), &*method.name), method.audit)));
    each.collect()
}
