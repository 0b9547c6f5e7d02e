//! Introspection: verifies an introspection response (RFC 7662) as strictly as a token.

use serde_json::Value;

use super::jwt::{MAX_TOKEN_LENGTH, check_audience, check_confirmation, check_times, read_issuer};
use super::{IdentityError, Issuer, UnverifiedToken, VerifiedCaller, json, mapping};
use crate::vocabulary::Timestamp;

/// IntrospectionResponse: one response of an introspection endpoint, and the settings that apply to it.
#[derive(Debug, Clone, Copy)]
pub struct IntrospectionResponse<'a> {
    /// Its `Content-Type`.
    pub content_type: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
    /// The lifetime, in seconds, of a token without `exp`.
    pub default_lifetime: u64,
    /// Whether a token without `aud` is accepted.
    pub accept_missing_audience: bool,
}

impl IntrospectionResponse<'_> {
    /// Verifies that the token is active, from `issuer`, for our audience and currently valid, and returns its caller.
    ///
    /// # Errors
    ///
    /// [`IdentityError::KeysUnavailable`] where the response is invalid (not JSON, a repeated member, a non-boolean
    /// `active`); otherwise the first check that the token fails.
    pub fn verify(self, issuer: &Issuer, now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
        if !self.content_type.is_some_and(is_json) {
            return Err(IdentityError::KeysUnavailable);
        }
        let claims = json::parse_object(self.body).map_err(|_| IdentityError::KeysUnavailable)?;
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
        let expires = check_times(&claims, issuer, now)?.unwrap_or(now.plus(self.default_lifetime));
        if !self.accept_missing_audience || claims.contains_key("aud") {
            check_audience(&claims, issuer)?;
        }
        check_confirmation(&claims)?;
        Ok(VerifiedCaller { subject: mapping::map_subject(claims, issuer)?, expires })
    }
}

/// Whether `issuer` should introspect `token`: it is not a JSON Web Token, or it names this issuer.
///
/// `read` is the parsed token. A token that names another issuer, or is too long, is never sent to this one.
pub fn should_introspect(issuer: &Issuer, token: &str, read: &Result<UnverifiedToken<'_>, IdentityError>) -> bool {
    match read {
        _ if token.len() > issuer.max_length.min(MAX_TOKEN_LENGTH) => false,
        Ok(unverified) => unverified.iss() == Ok(&issuer.iss),
        Err(IdentityError::MalformedToken) => true,
        Err(_) => read_issuer(token).is_some_and(|iss| *iss == *issuer.iss),
    }
}

/// Whether a media type is `application/json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests;
