//! Switches: what one word of a policy decides for everybody, and the settings that no decision depends on.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::model::{Gate, Model, Shadow};
use crate::policy::{ServiceApps, Snapshot};
use crate::vocabulary::{AuditMode, Cells, Subject};

use super::examples::{ExampleFinder, ProbeRequest};
use super::gates::approvers;
use super::holders::{service, subject};
use super::indexed::IndexedPolicy;
use super::{AffectedCallers, Change, Direction};

/// The most requests with which a switch is tried.
const MOST_TARGETS: usize = 60;

pub(super) fn changes(finder: &ExampleFinder<'_, '_>) -> Vec<Change> {
    let (old, new) = (&finder.old.policy.model, &finder.new.policy.model);
    let mut all = Vec::new();
    let targets = || [finder.sample(finder.old, MOST_TARGETS), finder.sample(finder.new, MOST_TARGETS)].concat();
    let callers = || finder.callers().into_iter().map(|(_, subject)| subject).collect::<Vec<_>>();
    if old.service_apps != new.service_apps {
        let word = |apps: Option<ServiceApps>| match apps {
            Some(ServiceApps::All) => "all",
            Some(ServiceApps::EveryPermission) => "every-permission",
            None => "like users",
        };
        let what = format!("service-apps: {} → {}", word(old.service_apps), word(new.service_apps));
        let mut apps = vec![service(), Subject { approved: gates(old, new), ..service() }];
        apps.extend(callers().into_iter().map(|caller| Subject { kind: service().kind, ..caller }));
        both(finder, &AffectedCallers::ServiceApps, &what, &apps, &targets(), &mut all);
    }
    if old.dialect != new.dialect {
        let what = format!("dialect: {:?} → {:?}", old.dialect, new.dialect).to_lowercase();
        let odd = targets().into_iter().flat_map(|target| {
            let (upper, slash) = (target.path.to_uppercase(), format!("{}/", target.path));
            [ProbeRequest { path: upper, ..target.clone() }, ProbeRequest { path: slash, ..target }]
        });
        both(finder, &AffectedCallers::Policy, &what, &callers(), &odd.collect::<Vec<_>>(), &mut all);
    }
    scopes(finder, &callers(), &targets(), &mut all);
    if old.one_role != new.one_role {
        let what =
            if new.one_role { "a caller must have exactly one role" } else { "a caller may have any number of roles" };
        both(finder, &AffectedCallers::Everyone, what, &callers(), &targets(), &mut all);
    } else if new.one_role {
        counted(finder, &targets(), &mut all);
    }
    if old.groups.is_empty() != new.groups.is_empty() {
        let what = if old.groups.is_empty() {
            "a caller must be in exactly one group"
        } else {
            "a caller need not be in a group"
        };
        both(finder, &AffectedCallers::Everyone, what, &callers(), &targets(), &mut all);
    } else {
        groups(finder, &callers(), &targets(), &mut all);
    }
    fields(finder, &callers(), &targets(), &mut all);
    all
}

/// A line for each direction in which a request shows the change, or one that says that none was found.
pub(super) fn both(
    finder: &ExampleFinder<'_, '_>,
    who: &AffectedCallers,
    what: &str,
    subjects: &[Subject],
    targets: &[ProbeRequest],
    all: &mut Vec<Change>,
) {
    let before = all.len();
    for direction in [Direction::Gained, Direction::Lost] {
        if let Some(example) = finder.probe(subjects, targets, direction) {
            all.push(Change::said(direction, who.clone(), what, Some(example)));
        }
    }
    if all.len() == before {
        let example = finder.probe(subjects, targets, Direction::Changed);
        all.push(Change::said(Direction::Changed, who.clone(), what, example));
    }
}

fn gates(old: &Model, new: &Model) -> Vec<Box<str>> {
    old.gates.iter().chain(&new.gates).map(|gate| gate.name.clone()).collect()
}

fn scopes(finder: &ExampleFinder<'_, '_>, callers: &[Subject], targets: &[ProbeRequest], all: &mut Vec<Change>) {
    let (old, new) = (&finder.old.policy.model, &finder.new.policy.model);
    let names: BTreeSet<&str> = old.scopes.iter().chain(&new.scopes).map(|scope| &*scope.name).collect();
    for name in names {
        let word = |model: &Model| match model.scopes.iter().find(|scope| &*scope.name == name) {
            Some(scope) if scope.caller => "caller",
            Some(_) => "grant",
            None => "not declared",
        };
        if word(old) != word(new) {
            let what = format!("scope {name}: {} → {}", word(old), word(new));
            let strangers =
                callers.iter().map(|caller| Subject { tenants: vec!["another-tenant-0".into()], ..caller.clone() });
            let subjects: Vec<Subject> = callers.iter().cloned().chain(strangers).collect();
            both(finder, &AffectedCallers::Policy, &what, &subjects, targets, all);
        }
    }
}

/// Under `one-role` a role counts because it is known, whatever it gives.
fn counted(finder: &ExampleFinder<'_, '_>, targets: &[ProbeRequest], all: &mut Vec<Change>) {
    let names: BTreeSet<&str> = finder.old.roles.keys().chain(finder.new.roles.keys()).copied().collect();
    let second = |name: &str| {
        let other =
            names.iter().find(|other| **other != name).map(|other| crate::vocabulary::Assignment::unbound(other));
        let alone = Subject {
            approved: gates(&finder.old.policy.model, &finder.new.policy.model),
            ..subject(Some(name), None)
        };
        let mut two = alone.clone();
        two.roles.extend(other);
        [alone, two]
    };
    for name in &names {
        let (then, now) = (finder.old.claimed(name), finder.new.claimed(name));
        if then.map(|given| given.lock) != now.map(|given| given.lock) {
            let subjects: Vec<Subject> =
                second(name).into_iter().flat_map(|one| in_some_groups(finder, &one)).collect();
            let mut found = Vec::new();
            both(
                finder,
                &AffectedCallers::Role((*name).to_owned()),
                "counts as a role of a token, or no longer does",
                &subjects,
                targets,
                &mut found,
            );
            all.extend(found);
        }
    }
    let rows: BTreeSet<&str> = finder.old.rows.keys().chain(finder.new.rows.keys()).copied().collect();
    for name in rows {
        if finder.old.rows.contains_key(name) != finder.new.rows.contains_key(name) {
            let claims = Subject { permissions: vec![name.into()], ..subject(None, None) };
            both(
                finder,
                &AffectedCallers::Row(name.to_owned()),
                "counts as a role of a token, or no longer does",
                &in_some_groups(finder, &claims),
                targets,
                all,
            );
        }
    }
}

fn in_some_groups(finder: &ExampleFinder<'_, '_>, one: &Subject) -> Vec<Subject> {
    let groups: BTreeSet<&str> = finder.old.groups.keys().chain(finder.new.groups.keys()).copied().collect();
    super::holders::in_groups(one, &groups)
}

/// Where a caller must be in one group, a group counts because it is known.
fn groups(finder: &ExampleFinder<'_, '_>, callers: &[Subject], targets: &[ProbeRequest], all: &mut Vec<Change>) {
    let names: BTreeSet<&str> = finder.old.groups.keys().chain(finder.new.groups.keys()).copied().collect();
    for name in names {
        let known = |side: &IndexedPolicy<'_>| side.groups.contains_key(name);
        if known(finder.old) != known(finder.new) {
            let members: Vec<Subject> =
                callers.iter().map(|caller| Subject { groups: vec![name.into()], ..caller.clone() }).collect();
            let what = if known(finder.new) { "is a group now" } else { "is no group any more" };
            both(finder, &AffectedCallers::Group(name.to_owned()), what, &members, targets, all);
        }
    }
}

/// Which fields are masked in answers about a resource; who may read them shows in what is held.
fn fields(finder: &ExampleFinder<'_, '_>, callers: &[Subject], targets: &[ProbeRequest], all: &mut Vec<Change>) {
    let masked = |side: &IndexedPolicy<'_>| {
        let sets = side.policy.model.fields.iter();
        let listed = sets.flat_map(|set| set.resources.iter().map(move |(resource, paths)| (set, resource, paths)));
        let used = listed.filter(|(_, resource, _)| is_needed(side, resource));
        let each = used.flat_map(|(set, resource, paths)| {
            paths.iter().map(move |path| (set.name.to_string(), resource.to_string(), path.to_string()))
        });
        each.collect::<BTreeSet<_>>()
    };
    let (old, new) = (masked(finder.old), masked(finder.new));
    for (direction, these, those, word) in
        [(Direction::Lost, &new, &old, "is masked"), (Direction::Gained, &old, &new, "is not masked any more")]
    {
        for (set, resource, path) in these.difference(those) {
            let other = if direction == Direction::Lost { finder.old } else { finder.new };
            if !is_needed(other, resource) {
                continue;
            }
            let what = format!("`{path}` in answers about {resource} {word} for whoever may not `read {set}`");
            all.push(Change::said(
                direction,
                AffectedCallers::Everyone,
                what,
                finder.probe(callers, targets, direction),
            ));
        }
    }
}

fn is_needed(side: &IndexedPolicy<'_>, resource: &str) -> bool {
    let mut methods = side.policy.routes.routes().iter().flat_map(|route| &route.methods);
    let about = |cells: &Cells| {
        super::indexed::needed(cells).any(|cell| side.policy.cell(cell).is_some_and(|cell| &*cell.resource == resource))
    };
    methods.any(|method| about(&method.cells))
}

/// What no decision depends on, a line for each difference.
pub(super) fn settings(old: &Snapshot, new: &Snapshot) -> Vec<String> {
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
    let who = |policy: &Snapshot| {
        let gates = policy.model.gates.iter().filter_map(|gate: &Gate| Some((gate, gate.approval()?)));
        let each = gates.map(|(gate, approval)| {
            format!("{} by {}", gate.name, approvers(policy, approval).into_iter().collect::<Vec<_>>().join(" or "))
        });
        each.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("; ")
    };
    line("approvals are granted", who(old), who(new));
    let (was, is) = (audited(old), audited(new));
    for (method, now) in &is {
        if let Some(then) = was.get(method).filter(|then| *then != now) {
            let word = |mode: &Option<AuditMode>| mode.map_or("as the API's settings say", AuditMode::as_str);
            lines.push(format!("audit of {} {}: {} → {}", method.1, method.0, word(then), word(now)));
        }
    }
    lines
}

/// How the decisions of each method are kept.
fn audited(policy: &Snapshot) -> BTreeMap<(&str, &str), Option<AuditMode>> {
    let routes = policy.routes.routes().iter();
    let each = routes
        .flat_map(|route| route.methods.iter().map(|method| ((route.template.text(), &*method.name), method.audit)));
    each.collect()
}
