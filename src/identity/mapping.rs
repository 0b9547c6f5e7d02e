//! The claims of a verified token read as a subject, by the paths and within the limits of its issuer.

use serde_json::{Map, Value};

use super::issuer::ClaimPath;
use super::{IdentityError, Issuer};
use crate::vocabulary::{Assignment, Proof, Subject, SubjectId, SubjectKind};

/// The subject that `claims` describe.
///
/// What has another shape than names (a number among roles, say) gives nothing, as what exceeds
/// [`super::issuer::MayClaim`] does.
pub(super) fn subject(claims: Map<String, Value>, issuer: &Issuer) -> Result<Subject, IdentityError> {
    let paths = &issuer.claims;
    let client = paths.client.iter().find_map(|path| find(&claims, path)?.as_str().filter(|name| !name.is_empty()));
    let name = id(&claims, issuer)?;
    let kind = if is_service(&claims, client, issuer) { SubjectKind::Service } else { SubjectKind::User };
    let refused = match kind {
        SubjectKind::Service => issuer.may_claim.services_refused,
        SubjectKind::User | SubjectKind::Anonymous => issuer.may_claim.users_refused,
    };
    if refused {
        return Err(IdentityError::KindRefused);
    }
    let listed = |path: &Option<ClaimPath>| path.as_ref().map(|path| names(&claims, path, paths.split));
    let tenants = within(listed(&paths.tenants), issuer.may_claim.tenants.as_deref());
    let roles = within(listed(&paths.roles), issuer.may_claim.roles.as_deref());
    let groups = within(listed(&paths.groups), None);
    // An issuer that is held to some roles must not hand out the rows of others one by one.
    let rows = if issuer.may_claim.roles.is_some() { None } else { listed(&paths.permissions) };
    let permissions = within(rows, None);
    Ok(Subject {
        kind,
        id: Some(SubjectId { source: issuer.name.clone(), name }),
        client: client.map(Into::into),
        tenants,
        roles: roles.iter().map(|role| Assignment::unbound(role)).collect(),
        groups,
        permissions,
        approved: Vec::new(),
        proof: Proof::Token,
        claims,
    })
}

/// The id's name: the user's, or for a token without a user the client's in its own name space.
fn id(claims: &Map<String, Value>, issuer: &Issuer) -> Result<Box<str>, IdentityError> {
    if let Some(user) = find(claims, &issuer.claims.id) {
        let user = plain(user)?;
        // The client of a token without a user must not be speakable by a user's token.
        let reserved = user.starts_with(SubjectId::CLIENT_PREFIX);
        return if reserved { Err(IdentityError::ReservedId) } else { Ok(user.into()) };
    }
    let client = plain(find(claims, &issuer.claims.client_only).ok_or(IdentityError::NoId)?)?;
    Ok(format!("{}{client}", SubjectId::CLIENT_PREFIX).into())
}

/// A text that is not empty and that a header can carry.
fn plain(value: &Value) -> Result<&str, IdentityError> {
    // Whoever trims blanks would see nobody in a name of blanks.
    let name = value.as_str().filter(|name| !name.trim().is_empty() && !name.chars().any(char::is_control));
    name.ok_or(IdentityError::NoId)
}

fn is_service(claims: &Map<String, Value>, client: Option<&str>, issuer: &Issuer) -> bool {
    let rule = &issuer.service;
    let by_claim = rule.claim.as_ref().is_some_and(|(path, texts)| {
        names(claims, path, issuer.claims.split).iter().any(|name| texts.iter().any(|text| **text == **name))
    });
    by_claim || client.is_some_and(|client| rule.clients.iter().any(|one| **one == *client))
}

/// The claim that `path` leads to.
fn find<'a>(claims: &'a Map<String, Value>, path: &ClaimPath) -> Option<&'a Value> {
    let (first, rest) = path.0.split_first()?;
    rest.iter().try_fold(claims.get(&**first)?, |claim, name| claim.as_object()?.get(&**name))
}

/// The names in the claim that `path` leads to.
fn names<'a>(claims: &'a Map<String, Value>, path: &ClaimPath, split: bool) -> Vec<&'a str> {
    let mut names = match find(claims, path) {
        Some(Value::String(text)) if split => text.split_ascii_whitespace().collect(),
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.retain(|name| !name.is_empty());
    names
}

fn within(claimed: Option<Vec<&str>>, limit: Option<&[Box<str>]>) -> Vec<Box<str>> {
    let allowed = |name: &&str| limit.is_none_or(|limit| limit.iter().any(|one| **one == **name));
    claimed.unwrap_or_default().into_iter().filter(allowed).map(Into::into).collect()
}

#[cfg(test)]
mod tests;
