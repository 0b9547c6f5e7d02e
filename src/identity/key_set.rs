//! KeySet: the verification keys of one issuer, each with its algorithms.

mod error;
mod jwks;
mod key;
mod pem;

pub use error::KeyError;

use super::{Algorithm, Algorithms, IdentityError};
use key::VerificationKey;

/// KeySet: the immutable set of one issuer's keys.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    available: bool,
    skipped: Vec<Box<str>>,
}

impl KeySet {
    /// The set of an issuer whose keys were never fetched or are too old.
    ///
    /// It refuses every token as [`IdentityError::KeysUnavailable`].
    pub fn unavailable() -> Self {
        Self { keys: Vec::new(), available: false, skipped: Vec::new() }
    }

    /// Reads a JSON Web Key Set where `text` begins with a brace, and PEM otherwise.
    ///
    /// # Errors
    ///
    /// As [`KeySet::from_jwks`] and [`KeySet::from_pem`].
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        if text.trim_start().starts_with('{') { Self::from_jwks(text) } else { Self::from_pem(text) }
    }

    /// Reads RSA, P-256, P-384 and Ed25519 public keys, one per PEM block.
    ///
    /// # Errors
    ///
    /// A block is malformed or not a supported public key, or there is no block.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::new(pem::read_keys(text)?, Vec::new())
    }

    /// Reads the keys of a JSON Web Key Set (RFC 7517, section 5); keys that cannot verify a token are skipped.
    ///
    /// # Errors
    ///
    /// The set is malformed, repeats a `kid`, or has no usable key.
    pub fn from_jwks(text: &str) -> Result<Self, KeyError> {
        let (keys, skipped) = jwks::read_keys(text)?;
        Self::new(keys, skipped)
    }

    /// Makes a set of one HS256 secret of at least 32 bytes (RFC 7518, section 3.2).
    ///
    /// # Errors
    ///
    /// [`KeyError::ShortSecret`] where it is shorter.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        Self::new(vec![VerificationKey::secret(secret)?], Vec::new())
    }

    /// Limits each key to the algorithms in `allowed`, and skips keys that are left with none.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoUsableKey`] where no key is left.
    pub fn limit_to(mut self, allowed: Algorithms) -> Result<Self, KeyError> {
        for key in &mut self.keys {
            key.algorithms = key.algorithms.intersection(allowed);
        }
        let (usable, unusable): (Vec<_>, Vec<_>) = self.keys.into_iter().partition(|key| !key.algorithms.is_empty());
        self.skipped.extend(unusable.iter().map(|_| "a key for none of the algorithms that the settings allow".into()));
        if self.available { Self::new(usable, self.skipped) } else { Ok(Self::unavailable()) }
    }

    /// Whether its keys have been loaded.
    pub fn is_available(&self) -> bool {
        self.available
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has no key, as an unavailable set has.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// One reason for each key of its source that was skipped.
    pub fn skipped(&self) -> &[Box<str>] {
        &self.skipped
    }

    /// Selects the key for a token with this `kid` and algorithm.
    ///
    /// A `kid` must match exactly. A key without a `kid` (from PEM) fits every token, and a token without a `kid` fits
    /// every key, but only where exactly one key fits.
    pub(super) fn select_key(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerificationKey, IdentityError> {
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

    fn new(keys: Vec<VerificationKey>, skipped: Vec<Box<str>>) -> Result<Self, KeyError> {
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

#[cfg(test)]
mod tests;
