//! Caller: who the caller is to the policy, and which of its words count.

use serde::Serialize;

use crate::policy::grants::rows_of;
use crate::policy::{RowId, ServiceApps};
use crate::vocabulary::Assignment;
use crate::vocabulary::name::nearest;

use super::account::Scene;
use super::through::{id_of, is_role, roles};

/// Caller: the subject, as the policy takes it.
#[derive(Debug, Serialize)]
pub(super) struct Caller {
    pub(super) kind: &'static str,
    pub(super) id: Option<String>,
    pub(super) client: Option<String>,
    /// The policy's word, else the token's.
    pub(super) tenants: Vec<String>,
    /// The entry under `users:` that speaks of the caller.
    pub(super) listed: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) permissions: Vec<String>,
    pub(super) approved: Vec<String>,
    /// What was claimed and does not count, each with the reason.
    pub(super) ignored: Vec<Ignored>,
    /// The rows held in the request's scope, gates apart; `None` where the decision never asked.
    pub(super) holds: Option<Vec<String>>,
}

/// Ignored: a claim that does not count.
#[derive(Debug, Serialize)]
pub(super) struct Ignored {
    pub(super) claim: &'static str,
    pub(super) name: String,
    pub(super) why: String,
}

/// The caller of a scene; `judged` where the decision came as far as rows.
pub(super) fn of(scene: &Scene<'_>, judged: bool) -> Caller {
    let (subject, policy) = (scene.subject, scene.policy);
    let standing = policy.standings.of(subject);
    let entry = standing.entry();
    let replaced = entry.filter(|entry| entry.roles.is_some());
    let owned = |names: &[Box<str>]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let is_row = |name: &str| policy.model.rows.iter().any(|row| *row.name == *name);
    let permissions = if replaced.is_some() { &[][..] } else { &subject.permissions };
    Caller {
        kind: subject.kind.word(),
        id: subject.id.as_ref().map(|id| id.to_string()),
        client: subject.client.as_deref().map(str::to_owned),
        tenants: owned(standing.tenants()),
        listed: entry.map(|entry| id_of(&entry).to_string()),
        roles: roles(scene).0.iter().map(printed).collect(),
        permissions: permissions.iter().filter(|name| is_row(name)).map(|name| name.to_string()).collect(),
        approved: owned(&subject.approved),
        ignored: ignored(scene, replaced.map(|entry| id_of(&entry).to_string()).as_deref()),
        holds: judged.then(|| held(scene)),
    }
}

/// A role and what it is bound to: `Level 2 (tenant: t1, t2)`.
pub(super) fn printed(role: &Assignment) -> String {
    let bounds = role.scope.iter().map(|(name, values)| format!("{name}: {}", values.join(", ")));
    let bounds = bounds.collect::<Vec<_>>().join("; ");
    if bounds.is_empty() { role.role.to_string() } else { format!("{} ({bounds})", role.role) }
}

fn ignored(scene: &Scene<'_>, replaced_by: Option<&str>) -> Vec<Ignored> {
    let model = &scene.policy.model;
    let why = |name: &str, known: bool, sort: &str, names: &mut dyn Iterator<Item = &str>| match replaced_by {
        Some(entry) => Some(format!("the user entry `{entry}` replaces it")),
        None if known => None,
        None => Some(match nearest(name, names) {
            Some(near) => format!("the policy has no such {sort}; did you mean `{near}`?"),
            None => format!("the policy has no such {sort}"),
        }),
    };
    let roles = scene.subject.roles.iter().filter_map(|claimed| {
        let mut names = model.roles.iter().map(|role| &*role.name);
        let why = why(&claimed.role, is_role(model, &claimed.role), "role", &mut names)?;
        Some(Ignored { claim: "role", name: claimed.role.to_string(), why })
    });
    let permissions = scene.subject.permissions.iter().filter_map(|claimed| {
        let known = model.rows.iter().any(|row| row.name == *claimed);
        let mut names = model.rows.iter().map(|row| &*row.name);
        let why = why(claimed, known, "permission", &mut names)?;
        Some(Ignored { claim: "permission", name: claimed.to_string(), why })
    });
    roles.chain(permissions).collect()
}

/// The rows that the formula gives; all of them to a service app whose grants are every row.
fn held(scene: &Scene<'_>) -> Vec<String> {
    let standings = &scene.policy.standings;
    let standing = standings.of(scene.subject);
    let every = standing.is_unlisted_service() && scene.policy.model.service_apps == Some(ServiceApps::EveryPermission);
    let words: Vec<u64> = if every {
        standings.every_row().to_vec()
    } else {
        (0..standings.words()).map(|word| standing.word(word, &scene.scope, scene.across).held).collect()
    };
    rows_of(&words).map(|row: RowId| scene.row_name(row)).collect()
}
