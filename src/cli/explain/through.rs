//! Through what a caller holds a row: asked of the policy's own formula, one source at a time.

use crate::policy::model::{Bound, Model};
use crate::policy::users::Entry;
use crate::policy::{RowId, ServiceApps};
use crate::vocabulary::{Assignment, Id, Subject};

use super::account::Scene;

/// Everything that gives the caller `row` in this scope.
pub(super) fn of(scene: &Scene<'_>, row: RowId) -> Vec<String> {
    let (policy, model) = (scene.policy, &scene.policy.model);
    let standing = policy.standings.of(scene.subject);
    if standing.is_unlisted_service() && model.service_apps == Some(ServiceApps::EveryPermission) {
        return vec!["`service-apps: every-permission`".to_owned()];
    }
    let mut found = Vec::new();
    if holds(scene, row, &Subject::anonymous()) {
        found.push("everyone".to_owned());
    }
    let entry = standing.entry();
    if let Some(entry) = entry.filter(|entry| entry.permissions.contains(&row)) {
        found.push(format!("the permissions of the user entry `{}`", id_of(&entry)));
    }
    let (roles, from) = roles(scene);
    for role in roles {
        let name = role.role.clone();
        if !scene.policy.model.everyone.contains(&row) && holds(scene, row, &with_role(role)) {
            found.push(format!("role `{name}`{from}"));
        }
    }
    let claims = entry.is_none_or(|entry| entry.roles.is_none());
    let name = scene.row_name(row);
    if claims && scene.subject.permissions.iter().any(|claimed| **claimed == *name) {
        found.push("a claimed permission".to_owned());
    }
    found
}

/// The roles that count, each with its scope, and where they come from.
pub(super) fn roles(scene: &Scene<'_>) -> (Vec<Assignment>, String) {
    let model = &scene.policy.model;
    let entry = scene.policy.standings.of(scene.subject).entry();
    match entry.and_then(|entry| entry.roles.map(|roles| (entry, roles))) {
        Some((entry, roles)) => {
            let roles = roles.iter().filter_map(|bound| assignment(model, bound)).collect();
            (roles, format!(" of the user entry `{}`", id_of(&entry)))
        }
        None => {
            let known = scene.subject.roles.iter().filter(|claimed| is_role(model, &claimed.role));
            (known.cloned().collect(), String::new())
        }
    }
}

/// Whether the policy has a role of that name.
pub(super) fn is_role(model: &Model, name: &str) -> bool {
    model.roles.iter().any(|role| *role.name == *name)
}

/// The id of an entry, as the policy spells it.
pub(super) fn id_of(entry: &Entry<'_>) -> Id {
    Id { source: entry.source.into(), name: entry.name.into() }
}

/// Whether the formula gives `row` to `probe` in the request's scope.
fn holds(scene: &Scene<'_>, row: RowId, probe: &Subject) -> bool {
    let (word, bit) = (usize::try_from(row.0 / 64).unwrap_or(usize::MAX), row.0 % 64);
    let standing = scene.policy.standings.of(probe);
    standing.word(word, &scene.scope, scene.across).held >> bit & 1 == 1
}

fn with_role(role: Assignment) -> Subject {
    Subject { roles: vec![role], ..Subject::anonymous() }
}

fn assignment(model: &Model, bound: &Bound) -> Option<Assignment> {
    let role = model.roles.get(usize::try_from(bound.role).ok()?)?;
    let scope = bound.scope.iter().filter_map(|(name, values)| {
        model.scopes.get(usize::from(*name)).map(|scope| (scope.name.clone(), values.to_vec()))
    });
    Some(Assignment { role: role.name.clone(), scope: scope.collect() })
}
