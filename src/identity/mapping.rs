//! Mapping: turns the claims of a verified token into a subject, by the paths and limits of its issuer.

use serde_json::{Map, Value};

use super::issuer::ClaimPath;
use super::{IdentityError, Issuer};
use crate::vocabulary::{Assignment, Proof, Subject, SubjectId, SubjectKind};

/// Maps `claims` to a subject.
///
/// A value that is not a name (such as a number among roles) is ignored, as is a value beyond
/// [`super::issuer::ClaimLimits`].
pub(super) fn map_subject(claims: Map<String, Value>, issuer: &Issuer) -> Result<Subject, IdentityError> {
    let paths = &issuer.claims;
    let client =
        paths.client.iter().find_map(|path| find_claim(&claims, path)?.as_str().filter(|name| !name.is_empty()));
    let name = map_id(&claims, issuer)?;
    let kind = if is_service(&claims, client, issuer) { SubjectKind::Service } else { SubjectKind::User };
    let kind_refused = match kind {
        SubjectKind::Service => issuer.claim_limits.services_refused,
        SubjectKind::User | SubjectKind::Anonymous => issuer.claim_limits.users_refused,
    };
    if kind_refused {
        return Err(IdentityError::KindRefused);
    }
    let list = |path: &Option<ClaimPath>| path.as_ref().map(|path| list_names(&claims, path, paths.split));
    let tenants = limit_names(list(&paths.tenants), issuer.claim_limits.tenants.as_deref());
    let roles = limit_names(list(&paths.roles), issuer.claim_limits.roles.as_deref());
    let groups = limit_names(list(&paths.groups), None);
    // An issuer with limited roles must not grant the rows of other roles directly.
    let rows = if issuer.claim_limits.roles.is_some() { None } else { list(&paths.permissions) };
    let permissions = limit_names(rows, None);
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

/// Maps the name of the id: the user's, or the client's in its own namespace where the token has no user.
fn map_id(claims: &Map<String, Value>, issuer: &Issuer) -> Result<Box<str>, IdentityError> {
    if let Some(user) = find_claim(claims, &issuer.claims.id) {
        let user = read_name(user)?;
        // A user's token must not be able to name the client of a token without a user.
        let reserved = user.starts_with(SubjectId::CLIENT_PREFIX);
        return if reserved { Err(IdentityError::ReservedId) } else { Ok(user.into()) };
    }
    let client = read_name(find_claim(claims, &issuer.claims.client_only).ok_or(IdentityError::NoId)?)?;
    Ok(format!("{}{client}", SubjectId::CLIENT_PREFIX).into())
}

/// Reads a name: a string that is not blank and holds no control character, so that a header can carry it.
fn read_name(value: &Value) -> Result<&str, IdentityError> {
    // A program that trims names would see an empty name here.
    let name = value.as_str().filter(|name| !name.trim().is_empty() && !name.chars().any(char::is_control));
    name.ok_or(IdentityError::NoId)
}

fn is_service(claims: &Map<String, Value>, client: Option<&str>, issuer: &Issuer) -> bool {
    let rule = &issuer.service;
    let by_claim = rule.claim.as_ref().is_some_and(|(path, texts)| {
        list_names(claims, path, issuer.claims.split).iter().any(|name| texts.iter().any(|text| **text == **name))
    });
    by_claim || client.is_some_and(|client| rule.clients.iter().any(|one| **one == *client))
}

/// Finds the claim at `path`.
fn find_claim<'a>(claims: &'a Map<String, Value>, path: &ClaimPath) -> Option<&'a Value> {
    let (first, rest) = path.0.split_first()?;
    rest.iter().try_fold(claims.get(&**first)?, |claim, name| claim.as_object()?.get(&**name))
}

/// Lists the names in the claim at `path`.
fn list_names<'a>(claims: &'a Map<String, Value>, path: &ClaimPath, split: bool) -> Vec<&'a str> {
    let mut names = match find_claim(claims, path) {
        Some(Value::String(text)) if split => text.split_ascii_whitespace().collect(),
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.retain(|name| !name.is_empty());
    names
}

fn limit_names(claimed: Option<Vec<&str>>, limit: Option<&[Box<str>]>) -> Vec<Box<str>> {
    let allowed = |name: &&str| limit.is_none_or(|limit| limit.iter().any(|one| **one == **name));
    claimed.unwrap_or_default().into_iter().filter(allowed).map(Into::into).collect()
}

#[cfg(test)]
mod tests;
