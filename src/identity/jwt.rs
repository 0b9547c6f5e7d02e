//! A JSON Web Token, first read and then verified: cheap refusals first, the signature last.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::json::{self, JsonError};
use super::{Algorithm, IdentityError, Issuer, KeySet, mapping};
use crate::vocabulary::{Subject, Timestamp};

/// The longest token that any issuer may allow, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// The most seconds that clocks may differ by, whatever an issuer's settings say.
pub const MOST_LEEWAY: u64 = 30;

/// VerifiedCaller: a caller as a token or an API key proved it, and until when.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedCaller {
    /// The caller.
    pub subject: Subject,
    /// The moment from which the same credential would be refused as expired, leeway included.
    pub expires: Timestamp,
}

/// UnverifiedToken: a token that was taken apart; nothing in it is true yet.
pub struct UnverifiedToken<'t> {
    token: &'t str,
    /// Header and payload as they were signed.
    signed: &'t str,
    signature: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
}

impl<'t> UnverifiedToken<'t> {
    /// The parts of `token`, where it is a JWS in compact form whose header asks for nothing unusual.
    ///
    /// Keys in the header (`jwk`, `jku`, `x5u`, `x5c`) are not looked at: whoever forges a token brings his own.
    pub fn read(token: &'t str) -> Result<Self, IdentityError> {
        if token.len() > LONGEST {
            return Err(IdentityError::TokenTooLong);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(IdentityError::MalformedToken);
        };
        let (signed, _) = token.rsplit_once('.').ok_or(IdentityError::MalformedToken)?;
        let header = object(header)?;
        // RFC 7515, section 4.1.11, and RFC 7797: both change what a signature means.
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err(IdentityError::CriticalHeader);
        }
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let algorithm = algorithm.ok_or(IdentityError::UnknownAlgorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(IdentityError::MalformedToken),
        };
        Ok(Self { token, signed, signature, algorithm, kid, claims: object(payload)? })
    }

    /// The issuer that the token says it is from: only for choosing whose keys to try.
    pub fn iss(&self) -> Result<&str, IdentityError> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(IdentityError::UnknownIssuer)
    }

    /// The caller, where the token is `issuer`'s, meant for us, of this moment and signed with one of `keys`.
    pub fn verify(self, issuer: &Issuer, keys: &KeySet, now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
        if self.token.len() > issuer.max_length {
            return Err(IdentityError::TokenTooLong);
        }
        if self.iss()? != &*issuer.iss {
            return Err(IdentityError::UnknownIssuer);
        }
        // A forged signature costs as much as a good one: all that is cheap is asked before.
        let key = keys.choose(self.kid.as_deref(), self.algorithm)?;
        let expires = check_times(&self.claims, issuer, now)?.ok_or(IdentityError::MalformedTime)?;
        check_audience(&self.claims, issuer)?;
        check_confirmation(&self.claims)?;
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| IdentityError::MalformedToken)?;
        if !key.verifies(self.algorithm, self.signed.as_bytes(), &signature) {
            return Err(IdentityError::BadSignature);
        }
        Ok(VerifiedCaller { subject: mapping::subject(self.claims, issuer)?, expires })
    }
}

impl fmt::Debug for UnverifiedToken<'_> {
    // Not the token: whoever reads a log could use it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Unverified").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn object(part: &str) -> Result<Map<String, Value>, IdentityError> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| IdentityError::MalformedToken)?;
    json::object(&text).map_err(|error| match error {
        JsonError::Malformed => IdentityError::MalformedToken,
        JsonError::Repeated => IdentityError::RepeatedClaim,
    })
}

/// The `iss` in the payload of what may be a JSON Web Token that is not read any further.
pub fn issuer_of(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, payload) = (parts.next()?, parts.next()?);
    match object(payload).ok()?.remove("iss") {
        Some(Value::String(iss)) => Some(iss),
        _ => None,
    }
}

/// Judges `exp`, `nbf` and `iat` (RFC 7519, section 4.1), each where it is there; the moment from which the token has
/// expired.
pub(super) fn check_times(
    claims: &Map<String, Value>,
    issuer: &Issuer,
    now: Timestamp,
) -> Result<Option<Timestamp>, IdentityError> {
    let leeway = issuer.leeway.min(MOST_LEEWAY);
    let mut expires = None;
    if let Some(claim) = claims.get("exp") {
        let end = seconds(claim).ok_or(IdentityError::MalformedTime)?.floor();
        // `as` saturates: before 1970 is 1970, and what exceeds the range exceeds every lifetime.
        let moment = Timestamp(end as u64).plus(leeway);
        if now >= moment {
            return Err(IdentityError::Expired);
        }
        if end as u64 > now.plus(issuer.max_lifetime).0 {
            return Err(IdentityError::LivesTooLong);
        }
        expires = Some(moment);
    }
    for name in ["nbf", "iat"] {
        if let Some(claim) = claims.get(name) {
            let start = seconds(claim).ok_or(IdentityError::MalformedTime)?.ceil();
            if start as u64 > now.plus(leeway).0 {
                return Err(IdentityError::NotYetValid);
            }
        }
    }
    Ok(expires)
}

/// The value of a NumericDate; whole seconds are exact up to 2^53, 285 million years from now.
fn seconds(claim: &Value) -> Option<f64> {
    claim.as_f64().filter(|seconds| seconds.is_finite())
}

/// Judges `aud`: one of the issuer's audiences must be it, or be listed (RFC 7519, section 4.1.3).
pub(super) fn check_audience(claims: &Map<String, Value>, issuer: &Issuer) -> Result<(), IdentityError> {
    let ours = |name: &str| issuer.audiences.iter().any(|audience| **audience == *name);
    let meant = match claims.get("aud") {
        Some(Value::String(name)) => ours(name),
        Some(Value::Array(names)) => {
            names.iter().all(Value::is_string) && names.iter().filter_map(Value::as_str).any(ours)
        }
        _ => false,
    };
    if meant { Ok(()) } else { Err(IdentityError::WrongAudience) }
}

/// Judges `cnf` (RFC 7800): a client certificate's thumbprint is compared where the connection is known; whoever passes
/// over any other confirmation takes a bound token for a bearer token.
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
