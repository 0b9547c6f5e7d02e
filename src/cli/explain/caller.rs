//! ExplainedCaller: the caller as the policy identifies it, and the claims that it ignores.

use serde::Serialize;

use crate::policy::entitlements::IgnoredRole;
use crate::policy::grants::rows_of;
use crate::policy::model::ScopedRole;
use crate::policy::{RowId, ServiceApps};
use crate::vocabulary::name::nearest;

use super::bounds::{print_assignment, print_bounds};
use super::context::ExplanationContext;

/// ExplainedCaller: the subject with its entitlements under the policy.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedCaller {
    pub(super) kind: &'static str,
    pub(super) id: Option<String>,
    pub(super) client: Option<String>,
    /// The tenants from the policy, or else from the token.
    pub(super) tenants: Vec<String>,
    /// The caller's entry under `users:`, and its position.
    pub(super) listed: Option<String>,
    pub(super) listed_at: Option<String>,
    /// The group, its origin and its profile; `None` unless there is exactly one.
    pub(super) group: Option<ExplainedGroup>,
    pub(super) roles: Vec<String>,
    pub(super) permissions: Vec<String>,
    pub(super) approved: Vec<String>,
    /// The claims that the policy ignores, each with the reason.
    pub(super) ignored: Vec<IgnoredClaim>,
    /// The permissions held in the request's scope, regardless of gates; `None` where the decision did not need them.
    pub(super) holds: Option<Vec<String>>,
}

/// ExplainedGroup: the group that a caller is in.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedGroup {
    pub(super) name: String,
    pub(super) from: &'static str,
    pub(super) profile: Option<String>,
    /// The position of the assignment in the policy, or else of the group.
    pub(super) place: Option<String>,
}

/// IgnoredClaim: a claim that the policy ignores, and the reason.
#[derive(Debug, Serialize)]
pub(super) struct IgnoredClaim {
    pub(super) claim: &'static str,
    pub(super) name: String,
    pub(super) why: String,
}

/// Explains the caller; `evaluated` tells whether the decision evaluated permissions.
pub(super) fn explain_caller(context: &ExplanationContext<'_>, evaluated: bool) -> ExplainedCaller {
    let (subject, policy) = (context.subject, context.policy);
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
        listed_at: listed.as_ref().and_then(|id| context.locate(context.outline.user(id))),
        listed,
        group: explain_group(context),
        roles: print_roles(context),
        permissions: permissions.iter().filter(|name| context.has_row(name)).map(|name| name.to_string()).collect(),
        approved: owned(&subject.approved),
        ignored: ignored_claims(context),
        holds: evaluated.then(|| held_permissions(context)),
    }
}

fn explain_group(context: &ExplanationContext<'_>) -> Option<ExplainedGroup> {
    let model = &context.policy.model;
    let entitlements = context.policy.entitlements.for_subject(context.subject);
    let group = model.groups.get(usize::try_from(entitlements.group()?).ok()?)?;
    let assigned_by = entitlements.entry().filter(|entry| entry.group.is_some()).map(|entry| entry.id().to_string());
    let profile = group.profile.and_then(|index| model.profiles.get(usize::try_from(index).ok()?));
    Some(ExplainedGroup {
        name: group.name.to_string(),
        from: if assigned_by.is_some() { "the user entry" } else { "the caller's claim" },
        profile: profile.map(|profile| profile.name.to_string()),
        place: context.locate(match assigned_by {
            Some(id) => context.outline.user_group(&id),
            None => context.outline.group(&group.name),
        }),
    })
}

/// The roles that count, each with its scope; roles that the policy assigns have their position.
fn print_roles(context: &ExplanationContext<'_>) -> Vec<String> {
    let entitlements = context.policy.entitlements.for_subject(context.subject);
    let Some((entry, bound)) = entitlements.entry().and_then(|entry| Some((entry, entry.roles?))) else {
        let counted =
            context.subject.roles.iter().filter(|role| context.policy.entitlements.resolve_role(role).is_ok());
        return counted.map(print_assignment).collect();
    };
    let id = entry.id().to_string();
    let lines = bound.iter().enumerate().map(|(index, bound)| {
        let place = context
            .locate(context.outline.user_role(&id, index))
            .map(|place| format!("  ({place})"))
            .unwrap_or_default();
        format!("{}{place}", print_role(context, bound))
    });
    lines.collect()
}

fn print_role(context: &ExplanationContext<'_>, bound: &ScopedRole) -> String {
    let role = usize::try_from(bound.role).ok().and_then(|index| context.policy.model.roles.get(index));
    let name = role.map_or("", |role| &role.name);
    let scope = print_bounds(context.policy, &bound.scope);
    let when = bound.when.and_then(|when| context.policy.condition(when));
    let when = when.map(|when| format!(", when {}", when.text())).unwrap_or_default();
    if scope.is_empty() { format!("{name}{when}") } else { format!("{name} {scope}{when}") }
}

fn ignored_claims(context: &ExplanationContext<'_>) -> Vec<IgnoredClaim> {
    let (policy, subject) = (context.policy, context.subject);
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
            Err(IgnoredRole::MissingScope(index)) => {
                let scope = model.scopes.get(index).map_or("", |scope| &scope.name);
                format!("it is assigned within a `{scope}`, and the claim names none")
            }
            Ok(_) => continue,
        };
        found.push(IgnoredClaim { claim: "role", name: print_assignment(claimed), why });
    }
    for claimed in &subject.permissions {
        let why = match (entitlements.effective_claims().is_none(), context.has_row(claimed)) {
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

/// The permissions that the caller holds; a service app with `every-permission` holds all of them.
fn held_permissions(context: &ExplanationContext<'_>) -> Vec<String> {
    let table = &context.policy.entitlements;
    let entitlements = table.for_subject(context.subject).apply_conditions(|condition| context.holds(condition));
    let every =
        entitlements.is_unlisted_service() && context.policy.model.service_apps == Some(ServiceApps::EveryPermission);
    let words: Vec<u64> = if every {
        table.all_rows().to_vec()
    } else {
        (0..table.word_count()).map(|word| entitlements.row_bits(word, &context.scope, context.across).held).collect()
    };
    rows_of(&words).map(|row: RowId| context.row_name(row)).collect()
}
