//! API keys: an id and a secret that only its holder knows; digests and a moment in, a caller or a named error out.
//!
//! A secret is 256 random bits, not a password: nobody can go through them all, so one round of SHA-256 keeps it as
//! well as any slow function for passwords would, and a request costs next to nothing.

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
pub const LONGEST_ID: usize = 64;

/// The longest secret, in bytes; those that this program makes have 43.
pub const LONGEST_SECRET: usize = 256;

/// What is longer in Base64 is no key.
const LONGEST_BASIC: usize = (LONGEST_ID + 1 + LONGEST_SECRET).div_ceil(3) * 4;

/// Whether `id` may name a key: letters, digits and `.`, `_`, `@`, `+`, `-`, so that it has one spelling in a header,
/// in HTTP Basic, in a policy and in a log.
pub fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(allowed)
}

/// SecretDigest: the SHA-256 of a secret, all that is kept of it.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; SHA256_OUTPUT_LEN]);

impl SecretDigest {
    /// What every written digest begins with.
    pub const PREFIX: &'static str = "sha256:";

    /// What stands in for the digest of a key that is not there; no secret is known to have it.
    const NOBODYS: Self = Self([0; SHA256_OUTPUT_LEN]);

    /// The digest of `secret`.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        // Both have this length; were it otherwise, the zip would leave zeros, not panic.
        bytes.iter_mut().zip(digest(&SHA256, secret).as_ref()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    /// The digest that `written` spells: `sha256:` and 64 digits in small letters.
    pub fn parse(written: &str) -> Option<Self> {
        let digits = written.strip_prefix(Self::PREFIX)?.as_bytes();
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

/// Equal in a time that tells nothing.
impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for SecretDigest {}

/// PresentedKey: the id and the secret of a request, not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedKey {
    id: Box<str>,
    secret: SecretDigest,
}

impl PresentedKey {
    /// The key that a request presents; a token is none.
    pub fn read(presented: PresentedCredential<'_>) -> Result<Self, IdentityError> {
        match presented {
            PresentedCredential::Key { value, .. } => Self::pair(value),
            PresentedCredential::Basic(encoded) if encoded.len() <= LONGEST_BASIC => {
                Self::pair(&STANDARD.decode(encoded).map_err(|_| IdentityError::MalformedApiKey)?)
            }
            PresentedCredential::Basic(_) | PresentedCredential::Token(_) | PresentedCredential::Anonymous => {
                Err(IdentityError::MalformedApiKey)
            }
        }
    }

    /// `id:secret`; colons behind the first one are the secret's (RFC 7617, section 2).
    fn pair(text: &[u8]) -> Result<Self, IdentityError> {
        let mut parts = text.splitn(2, |&byte| byte == b':');
        let (Some(id), Some(secret)) = (parts.next(), parts.next()) else {
            return Err(IdentityError::MalformedApiKey);
        };
        let id = std::str::from_utf8(id).ok().filter(|id| is_id(id)).ok_or(IdentityError::MalformedApiKey)?;
        if secret.is_empty() || secret.len() > LONGEST_SECRET {
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

/// ApiKey: one key as its file means it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// The digest of its secret.
    pub digest: SecretDigest,
    /// Whose key it is, and until when.
    pub verified: Arc<VerifiedCaller>,
    /// Why it proves nobody, although it is known.
    pub refused: Option<IdentityError>,
}

/// KeyRing: the keys of one file, by their ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyRing(HashMap<Box<str>, ApiKey>);

impl KeyRing {
    /// The ring of these keys, each behind its id.
    pub fn new(keys: impl IntoIterator<Item = (Box<str>, ApiKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The same ring, in which every key that is as it was in `before` names the very caller that it named there.
    pub fn after(mut self, before: &Self) -> Self {
        for (id, key) in &mut self.0 {
            if let Some(old) = before.0.get(id).filter(|old| *old == key) {
                key.verified = Arc::clone(&old.verified);
            }
        }
        self
    }

    /// How many keys there are, revoked and expired ones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The caller that `presented` proves at `now`.
    ///
    /// What is wrong with a key beside its secret is told only to those who know the secret.
    pub fn verify(&self, presented: &PresentedKey, now: Timestamp) -> Result<Arc<VerifiedCaller>, IdentityError> {
        self.judge(presented, now, SecretDigest::eq)
    }

    /// The same with `same` to compare: it is called once, and before anything is known of the id, so that an unknown
    /// one takes the same work as a wrong secret.
    fn judge(
        &self,
        presented: &PresentedKey,
        now: Timestamp,
        same: impl FnOnce(&SecretDigest, &SecretDigest) -> bool,
    ) -> Result<Arc<VerifiedCaller>, IdentityError> {
        let known = self.0.get(&presented.id);
        let fits = same(&presented.secret, &known.map_or(SecretDigest::NOBODYS, |key| key.digest));
        let key = known.ok_or(IdentityError::UnknownApiKey)?;
        if !fits {
            return Err(IdentityError::WrongSecret);
        }
        match key.refused {
            Some(error) => Err(error),
            None if now >= key.verified.expires => Err(IdentityError::ApiKeyExpired),
            None => Ok(Arc::clone(&key.verified)),
        }
    }

    /// Whether the key of `caller`, which was verified under this ring or an earlier one, is still as it was.
    pub fn stands_by(&self, caller: &Arc<VerifiedCaller>) -> bool {
        let id = caller.subject.id.as_ref();
        let key = id.and_then(|id| self.0.get(&id.name));
        key.is_some_and(|key| key.refused.is_none() && Arc::ptr_eq(&key.verified, caller))
    }
}

#[cfg(test)]
mod tests;
