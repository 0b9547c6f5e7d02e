//! JSON Web Tokens: reads a token, then verifies it; the cheap checks run first and the signature last.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json::{self, JsonError};
use super::{Algorithm, IdentityError, Issuer, KeySet, mapping};
use crate::vocabulary::{Subject, Timestamp};

/// The longest token that any issuer may allow, in bytes.
pub const MAX_TOKEN_LENGTH: usize = 8 * 1024;

/// The largest leeway, in seconds, that any issuer's settings may allow.
pub const MAX_LEEWAY: u64 = 30;

/// VerifiedCaller: a caller that a credential has proved, and when that proof expires.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedCaller {
    /// The caller.
    pub subject: Subject,
    /// The time from which the same credential is refused as expired, leeway included.
    pub expires: Timestamp,
}

/// UnverifiedToken: the parts of a token, none of them verified.
pub struct UnverifiedToken<'t> {
    token: &'t str,
    /// Header and payload, as the signature covers them.
    signed: &'t str,
    signature: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
}

impl<'t> UnverifiedToken<'t> {
    /// Reads `token` as a JWS in compact form without critical extensions.
    ///
    /// Keys in the header (`jwk`, `jku`, `x5u`, `x5c`) are ignored: a forged token would bring its own.
    ///
    /// # Errors
    ///
    /// The token is too long or malformed, repeats a member, has an extension, or has an unsupported algorithm.
    pub fn read(token: &'t str) -> Result<Self, IdentityError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(IdentityError::TokenTooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(IdentityError::MalformedToken);
        };
        let (signed, _) = token.rsplit_once('.').ok_or(IdentityError::MalformedToken)?;
        let header = decode_object(header)?;
        // RFC 7515, section 4.1.11, and RFC 7797: both change what a signature means.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(IdentityError::CriticalHeader);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        let algorithm = algorithm.ok_or(IdentityError::UnknownAlgorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(IdentityError::MalformedToken),
        };
        Ok(Self { token, signed, signature, algorithm, kid, claims: decode_object(payload)? })
    }

    /// The unverified `iss`, which only selects the issuer to verify with.
    ///
    /// # Errors
    ///
    /// [`IdentityError::UnknownIssuer`] where `iss` is missing or not a string.
    pub fn iss(&self) -> Result<&str, IdentityError> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(IdentityError::UnknownIssuer)
    }

    /// Verifies that the token is from `issuer`, for our audience, currently valid and signed with one of `keys`.
    ///
    /// # Errors
    ///
    /// Names the first check that the token fails.
    pub fn verify(self, issuer: &Issuer, keys: &KeySet, now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
        if self.token.len() > issuer.max_length {
            return Err(IdentityError::TokenTooLong);
        }
        if self.iss()? != &*issuer.iss {
            return Err(IdentityError::UnknownIssuer);
        }
        // A forged signature costs as much as a valid one, so every cheap check runs before it.
        let key = keys.select_key(self.kid.as_deref(), self.algorithm)?;
        let expires = check_times(&self.claims, issuer, now)?.ok_or(IdentityError::MalformedTime)?;
        check_audience(&self.claims, issuer)?;
        check_confirmation(&self.claims)?;
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| IdentityError::MalformedToken)?;
        if !key.verifies(self.algorithm, self.signed.as_bytes(), &signature) {
            return Err(IdentityError::BadSignature);
        }
        Ok(VerifiedCaller { subject: mapping::map_subject(self.claims, issuer)?, expires })
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    // The token stays out of the output: a reader of the log could use it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("UnverifiedToken").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn decode_object(part: &str) -> Result<Map<String, Value>, IdentityError> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| IdentityError::MalformedToken)?;
    json::parse_object(&text).map_err(|error| match error {
        JsonError::Malformed => IdentityError::MalformedToken,
        JsonError::RepeatedMember => IdentityError::RepeatedClaim,
    })
}

/// Reads only the `iss` from the payload of a possible JSON Web Token.
pub fn read_issuer(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, payload) = (parts.next()?, parts.next()?);
    match decode_object(payload).ok()?.remove("iss") {
        Some(Value::String(iss)) => Some(iss),
        _ => None,
    }
}

/// Checks `exp`, `nbf` and `iat` (RFC 7519, section 4.1) where present, and returns the time of expiry.
pub(super) fn check_times(
    claims: &Map<String, Value>,
    issuer: &Issuer,
    now: Timestamp,
) -> Result<Option<Timestamp>, IdentityError> {
    let leeway = issuer.leeway.min(MAX_LEEWAY);
    let mut expires = None;
    if let Some(claim) = claims.get("exp") {
        let end = read_numeric_date(claim).ok_or(IdentityError::MalformedTime)?.floor();
        // `as` saturates: a time before 1970 becomes 1970, and a time beyond the range exceeds every lifetime.
        let expiry = Timestamp(end as u64).plus(leeway);
        if now >= expiry {
            return Err(IdentityError::Expired);
        }
        if end as u64 > now.plus(issuer.max_lifetime).0 {
            return Err(IdentityError::LivesTooLong);
        }
        expires = Some(expiry);
    }
    for name in ["nbf", "iat"] {
        if let Some(claim) = claims.get(name) {
            let start = read_numeric_date(claim).ok_or(IdentityError::MalformedTime)?.ceil();
            if start as u64 > now.plus(leeway).0 {
                return Err(IdentityError::NotYetValid);
            }
        }
    }
    Ok(expires)
}

/// Reads a NumericDate; whole seconds are exact up to 2^53, 285 million years from now.
fn read_numeric_date(claim: &Value) -> Option<f64> {
    claim.as_f64().filter(|seconds| seconds.is_finite())
}

/// Checks that `aud` is or lists one of the issuer's audiences (RFC 7519, section 4.1.3).
pub(super) fn check_audience(claims: &Map<String, Value>, issuer: &Issuer) -> Result<(), IdentityError> {
    let ours = |name: &str| issuer.audiences.iter().any(|audience| **audience == *name);
    let accepted = match claims.get("aud") {
        Some(Value::String(name)) => ours(name),
        Some(Value::Array(names)) => {
            names.iter().all(Value::is_string) && names.iter().filter_map(Value::as_str).any(ours)
        }
        _ => false,
    };
    if accepted { Ok(()) } else { Err(IdentityError::WrongAudience) }
}

/// Checks that `cnf` (RFC 7800) is missing or holds a client certificate's thumbprint only.
///
/// The thumbprint is compared where the connection is known. Any other confirmation is refused: ignoring it would
/// turn a bound token into a bearer token.
pub(super) fn check_confirmation(claims: &Map<String, Value>) -> Result<(), IdentityError> {
    let by_certificate = |cnf: &Map<String, Value>| cnf.len() == 1 && cnf.get("x5t#S256").is_some_and(Value::is_string);
    match claims.get("cnf") {
        None => Ok(()),
        Some(Value::Object(cnf)) if by_certificate(cnf) => Ok(()),
        Some(_) => Err(IdentityError::UnknownConfirmation),
    }
}

#[cfg(test)]
mod tests;
