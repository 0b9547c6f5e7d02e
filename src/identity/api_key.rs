//! API keys: verifies an id and a secret against stored digests, and returns a caller or a named error.
//!
//! A secret is 256 random bits, not a password, so it cannot be found by search. One round of SHA-256 therefore
//! protects it as well as a slow password hash would, at almost no cost per request.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::jwt::VerifiedCaller;
use super::{IdentityError, PresentedCredential};
use crate::vocabulary::Timestamp;

/// The longest id of a key, in bytes.
pub const MAX_ID_LENGTH: usize = 64;

/// The longest secret, in bytes; the secrets that this program generates have 43.
pub const MAX_SECRET_LENGTH: usize = 256;

/// The longest Base64 text of an id, a colon and a secret.
const MAX_BASIC_LENGTH: usize = (MAX_ID_LENGTH + 1 + MAX_SECRET_LENGTH).div_ceil(3) * 4;

/// Whether `id` may name a key: it holds letters, digits and `.`, `_`, `@`, `+`, `-` only.
///
/// Such an id has the same spelling in a header, in HTTP Basic, in a policy and in a log.
pub fn is_key_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
    (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(allowed)
}

/// SecretDigest: the SHA-256 digest of a secret; the secret itself is not stored.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; SHA256_OUTPUT_LEN]);

impl SecretDigest {
    /// The prefix of every digest as text.
    pub const PREFIX: &'static str = "sha256:";

    /// Stands in for the digest of an unknown key; no secret is known to have it.
    const PLACEHOLDER: Self = Self([0; SHA256_OUTPUT_LEN]);

    /// The digest of `secret`.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        // Both have this length; with another length the zip would leave zeros and not panic.
        bytes.iter_mut().zip(digest(&SHA256, secret).as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    /// Parses `sha256:` and 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?.as_bytes();
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for SecretDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(Self::PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretDigest")
    }
}

/// Compares in constant time.
impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for SecretDigest {}

/// PresentedKey: the id and the secret digest of a request, not yet verified.
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedKey {
    id: Box<str>,
    secret: SecretDigest,
}

impl PresentedKey {
    /// Reads the key of a credential.
    ///
    /// # Errors
    ///
    /// [`IdentityError::MalformedApiKey`] where the credential is not `id:secret`, or is a token.
    pub fn read(presented: PresentedCredential<'_>) -> Result<Self, IdentityError> {
        match presented {
            PresentedCredential::Key { value, .. } => Self::parse_pair(value),
            PresentedCredential::Basic(encoded) if encoded.len() <= MAX_BASIC_LENGTH => {
                Self::parse_pair(&STANDARD.decode(encoded).map_err(|_| IdentityError::MalformedApiKey)?)
            }
            PresentedCredential::Basic(_) | PresentedCredential::Token(_) | PresentedCredential::Anonymous => {
                Err(IdentityError::MalformedApiKey)
            }
        }
    }

    /// Parses `id:secret`; colons after the first belong to the secret (RFC 7617, section 2).
    fn parse_pair(text: &[u8]) -> Result<Self, IdentityError> {
        let mut parts = text.splitn(2, |&byte| byte == b':');
        let (Some(id), Some(secret)) = (parts.next(), parts.next()) else {
            return Err(IdentityError::MalformedApiKey);
        };
        let id = std::str::from_utf8(id).ok().filter(|id| is_key_id(id)).ok_or(IdentityError::MalformedApiKey)?;
        if secret.is_empty() || secret.len() > MAX_SECRET_LENGTH {
            return Err(IdentityError::MalformedApiKey);
        }
        Ok(Self { id: id.into(), secret: SecretDigest::of(secret) })
    }
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PresentedKey").finish_non_exhaustive()
    }
}

/// ApiKey: one key of a key file, ready for verification.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// The digest of its secret.
    pub digest: SecretDigest,
    /// The caller that the key authenticates, and when the key expires.
    pub caller: Arc<VerifiedCaller>,
    /// Why a known key is refused even with the right secret.
    pub refusal: Option<IdentityError>,
}

/// KeyRing: the keys of one file, by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyRing(HashMap<Box<str>, ApiKey>);

impl KeyRing {
    /// A ring of these keys, each with its id.
    pub fn new(keys: impl IntoIterator<Item = (Box<str>, ApiKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Reuses the caller of `previous` for every key that has not changed since.
    pub fn reuse_callers(mut self, previous: &Self) -> Self {
        for (id, key) in &mut self.0 {
            if let Some(old) = previous.0.get(id).filter(|old| *old == key) {
                key.caller = Arc::clone(&old.caller);
            }
        }
        self
    }

    /// The number of keys, revoked and expired keys included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the ring has no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Verifies `presented` at `now` and returns the caller.
    ///
    /// # Errors
    ///
    /// An unknown id, a wrong secret, or a revoked, refused or expired key. Revocation, refusal and expiry are reported
    /// only where the secret is right.
    pub fn verify(&self, presented: &PresentedKey, now: Timestamp) -> Result<Arc<VerifiedCaller>, IdentityError> {
        self.verify_with(presented, now, SecretDigest::eq)
    }

    /// Verifies with `compare` as the comparison of digests.
    ///
    /// It is called exactly once, whether or not the id is known: an unknown id costs the same as a wrong secret.
    fn verify_with(
        &self,
        presented: &PresentedKey,
        now: Timestamp,
        compare: impl FnOnce(&SecretDigest, &SecretDigest) -> bool,
    ) -> Result<Arc<VerifiedCaller>, IdentityError> {
        let known = self.0.get(&presented.id);
        let fits = compare(&presented.secret, &known.map_or(SecretDigest::PLACEHOLDER, |key| key.digest));
        let key = known.ok_or(IdentityError::UnknownApiKey)?;
        if !fits {
            return Err(IdentityError::WrongSecret);
        }
        match key.refusal {
            Some(error) => Err(error),
            None if now >= key.caller.expires => Err(IdentityError::ApiKeyExpired),
            None => Ok(Arc::clone(&key.caller)),
        }
    }

    /// Whether the key of `caller` is unchanged since this ring or an earlier one verified it.
    pub fn is_current(&self, caller: &Arc<VerifiedCaller>) -> bool {
        let id = caller.subject.id.as_ref();
        let key = id.and_then(|id| self.0.get(&id.name));
        key.is_some_and(|key| key.refusal.is_none() && Arc::ptr_eq(&key.caller, caller))
    }
}

#[cfg(test)]
mod tests;
