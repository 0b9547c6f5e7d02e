//! KeySet: the keys of one issuer at one moment; each knows the algorithms that it verifies.

mod jwks;
mod key;
mod pem;

use std::fmt;

use super::{Algorithm, Algorithms, IdentityError};
pub(super) use key::VerificationKey;

/// KeySet: the keys of one issuer; it never changes.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    available: bool,
    skipped: Vec<Box<str>>,
}

impl KeySet {
    /// The set of an issuer whose keys were never fetched or are too old: every token is refused as
    /// [`IdentityError::KeysUnavailable`].
    pub fn unavailable() -> Self {
        Self { keys: Vec::new(), available: false, skipped: Vec::new() }
    }

    /// The keys in `text`: a JSON Web Key Set where it begins with a brace, PEM otherwise.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        if text.trim_start().starts_with('{') { Self::from_jwks(text) } else { Self::from_pem(text) }
    }

    /// The public keys in `text`, one PEM block each: RSA, P-256, P-384 or Ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::of(pem::keys(text)?, Vec::new())
    }

    /// The keys of a JSON Web Key Set (RFC 7517, section 5) that can verify a token; others are skipped and noted.
    pub fn from_jwks(text: &str) -> Result<Self, KeyError> {
        let (keys, skipped) = jwks::keys(text)?;
        Self::of(keys, skipped)
    }

    /// The set of one secret of at least 32 bytes (RFC 7518, section 3.2), for HS256.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        Self::of(vec![VerificationKey::secret(secret)?], Vec::new())
    }

    /// The same keys, each for no other algorithm than `allowed`.
    pub fn limited_to(mut self, allowed: Algorithms) -> Result<Self, KeyError> {
        for key in &mut self.keys {
            key.algorithms = key.algorithms.and(allowed);
        }
        let (keep, drop): (Vec<_>, Vec<_>) = self.keys.into_iter().partition(|key| !key.algorithms.is_empty());
        self.skipped.extend(drop.iter().map(|_| "a key for none of the algorithms that the settings allow".into()));
        if self.available { Self::of(keep, self.skipped) } else { Ok(Self::unavailable()) }
    }

    /// Whether its keys are known at all.
    pub fn is_available(&self) -> bool {
        self.available
    }

    /// The number of its keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has no key, as an unavailable one.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Why keys of its source were left out: a sentence for each.
    pub fn skipped(&self) -> &[Box<str>] {
        &self.skipped
    }

    /// The key for a token with this `kid` and algorithm.
    ///
    /// A `kid` is looked for exactly; keys without one (PEM files) stand for any, as for a token without one, but
    /// only when exactly one of them fits.
    pub(super) fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&VerificationKey, IdentityError> {
        if !self.available {
            return Err(IdentityError::KeysUnavailable);
        }
        if let Some(key) = self.keys.iter().find(|key| kid.is_some() && key.kid.as_deref() == kid) {
            let fits = key.algorithms.contains(algorithm);
            return if fits { Ok(key) } else { Err(IdentityError::AlgorithmNotForKey) };
        }
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithms.contains(algorithm))
            .filter(|key| kid.is_none() || key.kid.is_none());
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(IdentityError::AmbiguousKey),
            (None, _) if kid.is_some() && self.keys.iter().any(|key| key.kid.is_some()) => {
                Err(IdentityError::UnknownKey)
            }
            (None, _) => Err(IdentityError::AlgorithmNotForKey),
        }
    }

    fn of(keys: Vec<VerificationKey>, skipped: Vec<Box<str>>) -> Result<Self, KeyError> {
        let mut kids: Vec<&str> = keys.iter().filter_map(|key| key.kid.as_deref()).collect();
        kids.sort_unstable();
        if let Some(kid) = kids.windows(2).find_map(|pair| match pair {
            [left, right] if left == right => Some((*left).into()),
            _ => None,
        }) {
            return Err(KeyError::RepeatedKid(kid));
        }
        if keys.is_empty() {
            return Err(KeyError::NoUsableKey(skipped));
        }
        Ok(Self { keys, available: true, skipped })
    }
}

/// KeyError: why a text or a secret is no key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// Not a JSON object with a list `keys`, or one with a member twice.
    MalformedKeySet,
    /// No key that verifies a token; with the reasons for those that are there.
    NoUsableKey(Vec<Box<str>>),
    /// Two keys with the same `kid`.
    RepeatedKid(Box<str>),
    /// A PEM block that is cut off or not base64.
    MalformedPem,
    /// A PEM block with another label than `PUBLIC KEY` or `RSA PUBLIC KEY`.
    NotAPublicKey(Box<str>),
    /// A public key that is not a sound RSA, P-256, P-384 or Ed25519 key.
    UnknownKey,
    /// An RSA key below 2048 bits, or above the 8192 that are ever verified.
    RsaLength(usize),
    /// A secret below 32 bytes.
    ShortSecret(usize),
}

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedKeySet => out.write_str("not a JSON Web Key Set: no object with one list `keys`"),
            Self::NoUsableKey(reasons) if reasons.is_empty() => out.write_str("no key in it"),
            Self::NoUsableKey(reasons) => write!(out, "no key in it verifies tokens: {}", reasons.join("; ")),
            Self::RepeatedKid(kid) => write!(out, "two keys have the `kid` `{kid}`"),
            Self::MalformedPem => out.write_str("a PEM block is cut off or not base64"),
            Self::NotAPublicKey(label) => write!(out, "a PEM block `{label}` where a `PUBLIC KEY` belongs"),
            Self::UnknownKey => out.write_str("a public key that is not a sound RSA, P-256, P-384 or Ed25519 key"),
            Self::RsaLength(bits) => write!(out, "an RSA key of {bits} bits; 2048 to 8192 are accepted"),
            Self::ShortSecret(bytes) => write!(out, "a secret of {bytes} bytes; HS256 needs at least 32"),
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests;
