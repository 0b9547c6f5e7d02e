//! ExplainedCaller: who the caller is to the policy, and which of its words count.

use serde::Serialize;

use crate::policy::entitlements::IgnoredRole;
use crate::policy::grants::rows_of;
use crate::policy::model::ScopedRole;
use crate::policy::{RowId, ServiceApps};
use crate::vocabulary::Assignment;
use crate::vocabulary::name::nearest;

use super::explanation::ExplanationContext;
use super::levels::bounds;

/// ExplainedCaller: the subject, as the policy takes it.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedCaller {
    pub(super) kind: &'static str,
    pub(super) id: Option<String>,
    pub(super) client: Option<String>,
    /// The policy's word, else the token's.
    pub(super) tenants: Vec<String>,
    /// The entry under `users:` that speaks of the caller, and where it stands.
    pub(super) listed: Option<String>,
    pub(super) listed_at: Option<String>,
    /// The group, where it comes from and its profile; `None` where there is not exactly one.
    pub(super) group: Option<ExplainedGroup>,
    pub(super) roles: Vec<String>,
    pub(super) permissions: Vec<String>,
    pub(super) approved: Vec<String>,
    /// What was claimed and does not count, each with the reason.
    pub(super) ignored: Vec<IgnoredClaim>,
    /// The rows held in the request's scope, gates apart; `None` where the decision never asked.
    pub(super) holds: Option<Vec<String>>,
}

/// ExplainedGroup: the group that a caller is in.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedGroup {
    pub(super) name: String,
    pub(super) from: &'static str,
    pub(super) profile: Option<String>,
    /// Where the policy says so, else where the group stands.
    pub(super) place: Option<String>,
}

/// IgnoredClaim: a claim that does not count.
#[derive(Debug, Serialize)]
pub(super) struct IgnoredClaim {
    pub(super) claim: &'static str,
    pub(super) name: String,
    pub(super) why: String,
}

/// The caller of a scene; `judged` where the decision came as far as rows.
pub(super) fn of(scene: &ExplanationContext<'_>, judged: bool) -> ExplainedCaller {
    let (subject, policy) = (scene.subject, scene.policy);
    let entitlements = policy.entitlements.for_subject(subject);
    let entry = entitlements.entry();
    let owned = |names: &[Box<str>]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let listed = entry.map(|entry| entry.id().to_string());
    let permissions = entitlements.effective_claims().map(|subject| subject.permissions.as_slice()).unwrap_or_default();
    ExplainedCaller {
        kind: subject.kind.as_str(),
        id: subject.id.as_ref().map(|id| id.to_string()),
        client: subject.client.as_deref().map(str::to_owned),
        tenants: owned(entitlements.tenants()),
        listed_at: listed.as_ref().and_then(|id| scene.at(scene.outline.user(id))),
        listed,
        group: group(scene),
        roles: roles(scene),
        permissions: permissions.iter().filter(|name| scene.has_row(name)).map(|name| name.to_string()).collect(),
        approved: owned(&subject.approved),
        ignored: ignored(scene),
        holds: judged.then(|| held(scene)),
    }
}

/// A role and what it is bound to: `Level 2 (tenant: t1, t2)`.
pub(super) fn printed(role: &Assignment) -> String {
    let bounds = role.scope.iter().map(|(name, values)| format!("{name}: {}", values.join(", ")));
    let bounds = bounds.collect::<Vec<_>>().join("; ");
    if bounds.is_empty() { role.role.to_string() } else { format!("{} ({bounds})", role.role) }
}

fn group(scene: &ExplanationContext<'_>) -> Option<ExplainedGroup> {
    let model = &scene.policy.model;
    let entitlements = scene.policy.entitlements.for_subject(scene.subject);
    let group = model.groups.get(usize::try_from(entitlements.group()?).ok()?)?;
    let named = entitlements.entry().filter(|entry| entry.group.is_some()).map(|entry| entry.id().to_string());
    let profile = group.profile.and_then(|at| model.profiles.get(usize::try_from(at).ok()?));
    Some(ExplainedGroup {
        name: group.name.to_string(),
        from: if named.is_some() { "the user entry" } else { "the caller's claim" },
        profile: profile.map(|profile| profile.name.to_string()),
        place: scene.at(match named {
            Some(id) => scene.outline.user_group(&id),
            None => scene.outline.group(&group.name),
        }),
    })
}

/// The roles that count, each with its scope; those of the policy with their line.
fn roles(scene: &ExplanationContext<'_>) -> Vec<String> {
    let entitlements = scene.policy.entitlements.for_subject(scene.subject);
    let Some((entry, bound)) = entitlements.entry().and_then(|entry| Some((entry, entry.roles?))) else {
        let counted = scene.subject.roles.iter().filter(|role| scene.policy.entitlements.resolve_role(role).is_ok());
        return counted.map(printed).collect();
    };
    let id = entry.id().to_string();
    let told = bound.iter().enumerate().map(|(at, bound)| {
        let place = scene.at(scene.outline.user_role(&id, at)).map(|at| format!("  ({at})")).unwrap_or_default();
        format!("{}{place}", assigned(scene, bound))
    });
    told.collect()
}

fn assigned(scene: &ExplanationContext<'_>, bound: &ScopedRole) -> String {
    let role = usize::try_from(bound.role).ok().and_then(|at| scene.policy.model.roles.get(at));
    let name = role.map_or("", |role| &role.name);
    let scope = bounds(scene.policy, &bound.scope);
    let when = bound.when.and_then(|when| scene.policy.condition(when));
    let when = when.map(|when| format!(", when {}", when.text())).unwrap_or_default();
    if scope.is_empty() { format!("{name}{when}") } else { format!("{name} {scope}{when}") }
}

fn ignored(scene: &ExplanationContext<'_>) -> Vec<IgnoredClaim> {
    let (policy, subject) = (scene.policy, scene.subject);
    let model = &policy.model;
    let entitlements = policy.entitlements.for_subject(subject);
    let entry = entitlements.entry().map(|entry| entry.id().to_string()).unwrap_or_default();
    let replaced = || format!("the user entry `{entry}` replaces it");
    let mut found = Vec::new();
    for claimed in &subject.roles {
        let why = match policy.entitlements.resolve_role(claimed) {
            _ if entitlements.effective_claims().is_none() => replaced(),
            Err(IgnoredRole::Unknown) => unknown("role", &claimed.role, model.roles.iter().map(|role| &*role.name)),
            Err(IgnoredRole::PolicyOnly) => "only the policy assigns it: list the user under `users:`".to_owned(),
            Err(IgnoredRole::MissingScope(at)) => {
                let scope = model.scopes.get(at).map_or("", |scope| &scope.name);
                format!("it is assigned within a `{scope}`, and the claim names none")
            }
            Ok(_) => continue,
        };
        found.push(IgnoredClaim { claim: "role", name: printed(claimed), why });
    }
    for claimed in &subject.permissions {
        let why = match (entitlements.effective_claims().is_none(), scene.has_row(claimed)) {
            (true, _) => replaced(),
            (false, false) => unknown("permission", claimed, model.rows.iter().map(|row| &*row.name)),
            (false, true) => continue,
        };
        found.push(IgnoredClaim { claim: "permission", name: claimed.to_string(), why });
    }
    for claimed in &subject.groups {
        let known = model.groups.iter().any(|group| group.name == *claimed);
        let why = match (entitlements.entry().is_some_and(|entry| entry.group.is_some()), known) {
            (true, _) => replaced(),
            (false, false) => unknown("group", claimed, model.groups.iter().map(|group| &*group.name)),
            (false, true) if entitlements.group().is_none() => "the caller claims more than one group".to_owned(),
            (false, true) => continue,
        };
        found.push(IgnoredClaim { claim: "group", name: claimed.to_string(), why });
    }
    if entitlements.entry().is_some_and(|entry| entry.tenants.is_some()) {
        let other = subject.tenants.iter().filter(|tenant| !entitlements.tenants().contains(tenant));
        found.extend(other.map(|name| IgnoredClaim { claim: "tenant", name: name.to_string(), why: replaced() }));
    }
    found
}

fn unknown<'n>(sort: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("the policy has no such {sort}; did you mean `{near}`?"),
        None => format!("the policy has no such {sort}"),
    }
}

/// The rows that the formula gives; all of them to a service app whose grants are every row.
fn held(scene: &ExplanationContext<'_>) -> Vec<String> {
    let table = &scene.policy.entitlements;
    let entitlements = table.for_subject(scene.subject).apply_conditions(|condition| scene.holds(condition));
    let every =
        entitlements.is_unlisted_service() && scene.policy.model.service_apps == Some(ServiceApps::EveryPermission);
    let words: Vec<u64> = if every {
        table.all_rows().to_vec()
    } else {
        (0..table.word_count()).map(|word| entitlements.row_bits(word, &scene.scope, scene.across).held).collect()
    };
    rows_of(&words).map(|row: RowId| scene.row_name(row)).collect()
}
