//! Introspection: what an issuer answers when it is asked about a token (RFC 7662), judged as strictly as a token.

use serde_json::Value;

use super::jwt::{LONGEST, check_audience, check_confirmation, check_times, issuer_of};
use super::{IdentityError, Issuer, UnverifiedToken, VerifiedCaller, json, mapping};
use crate::vocabulary::Timestamp;

/// IntrospectionResponse: one answer of an introspection endpoint, and how long its word counts.
#[derive(Debug, Clone, Copy)]
pub struct IntrospectionResponse<'a> {
    /// Its `Content-Type`.
    pub content_type: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
    /// Seconds for which a token without `exp` is believed.
    pub without_end: u64,
    /// Whether a token without `aud` is believed to be meant for us.
    pub without_audience: bool,
}

impl IntrospectionResponse<'_> {
    /// The caller that the answer names, where the token is active, `issuer`'s, meant for us and of this moment.
    ///
    /// What is no answer at all (not JSON, a member twice, `active` no boolean) says nothing about the token:
    /// [`IdentityError::KeysUnavailable`].
    pub fn verify(self, issuer: &Issuer, now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
        if !self.content_type.is_some_and(is_json) {
            return Err(IdentityError::KeysUnavailable);
        }
        let claims = json::object(self.body).map_err(|_| IdentityError::KeysUnavailable)?;
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(IdentityError::Inactive),
            _ => return Err(IdentityError::KeysUnavailable),
        }
        let bearer = |kind: &Value| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
        if !claims.get("token_type").is_none_or(bearer) {
            return Err(IdentityError::WrongTokenType);
        }
        if claims.get("iss").is_some_and(|iss| iss.as_str() != Some(&*issuer.iss)) {
            return Err(IdentityError::UnknownIssuer);
        }
        let expires = check_times(&claims, issuer, now)?.unwrap_or(now.plus(self.without_end));
        if !self.without_audience || claims.contains_key("aud") {
            check_audience(&claims, issuer)?;
        }
        check_confirmation(&claims)?;
        Ok(VerifiedCaller { subject: mapping::subject(claims, issuer)?, expires })
    }
}

/// Whether `issuer` is the one to ask about a token: it is no JSON Web Token, or one that names this issuer.
///
/// `read` is the token as it was taken apart. A token of another issuer is never shown to this one, nor one that no
/// issuer's may be.
pub fn is_asked(issuer: &Issuer, token: &str, read: &Result<UnverifiedToken<'_>, IdentityError>) -> bool {
    match read {
        _ if token.len() > issuer.max_length.min(LONGEST) => false,
        Ok(unverified) => unverified.iss() == Ok(&issuer.iss),
        Err(IdentityError::MalformedToken) => true,
        Err(_) => issuer_of(token).is_some_and(|iss| *iss == *issuer.iss),
    }
}

/// Whether a media type is `application/json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests;
