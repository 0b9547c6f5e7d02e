//! Who asks: credentials, keys and a moment in; a subject or a named error out.

pub mod algorithm;
pub mod api_key;
pub mod client_cert;
pub mod credentials;
pub mod error;
pub mod introspection;
pub mod issuer;
mod json;
pub mod jwt;
pub mod key_file;
pub mod key_set;
mod mapping;
pub mod self_test;

use std::ops::Deref;

pub use algorithm::{Algorithm, Algorithms};
pub use api_key::{KeyRing, PresentedKey, SecretDigest};
pub use client_cert::{CertificateRules, IdFrom};
pub use credentials::{Credentials, Presented};
pub use error::IdentityError;
pub use introspection::Introspected;
pub use issuer::Issuer;
pub use jwt::{Unverified, Verified};
pub use key_set::{KeyError, KeySet};
pub use self_test::self_test;

use crate::vocabulary::{Subject, Timestamp};

/// Authority: the issuers that are believed, each with the keys it has at this moment.
pub trait Authority {
    /// A hold on one issuer's keys: a plain reference, or an `Arc` that was loaded from a live value.
    type Keys<'a>: Deref<Target = KeySet>
    where
        Self: 'a;

    /// The issuer whose `iss` is exactly this one, and its keys.
    fn trusted(&self, iss: &str) -> Option<(&Issuer, Self::Keys<'_>)>;
}

impl Authority for [(Issuer, KeySet)] {
    type Keys<'a> = &'a KeySet;

    fn trusted(&self, iss: &str) -> Option<(&Issuer, &KeySet)> {
        self.iter().find(|(issuer, _)| *issuer.iss == *iss).map(|(issuer, keys)| (issuer, keys))
    }
}

/// The caller that `credentials` prove at `now`; anonymous where there is no credential at all.
///
/// A caller that keeps verified tokens takes the three steps by itself: [`Credentials::presented`], its cache,
/// [`verify`].
pub fn identify<A: Authority + ?Sized>(
    credentials: &Credentials<'_>,
    authority: &A,
    now: Timestamp,
) -> Result<Subject, IdentityError> {
    match credentials.presented()? {
        Presented::Anonymous => Ok(Subject::anonymous()),
        Presented::Token(token) => verify(token, authority, now).map(|verified| verified.subject),
        // Issuers vouch for tokens only.
        Presented::Basic(_) | Presented::Key { .. } => Err(IdentityError::UnknownScheme),
    }
}

/// The caller that `token` proves at `now`, and until when.
pub fn verify<A: Authority + ?Sized>(token: &str, authority: &A, now: Timestamp) -> Result<Verified, IdentityError> {
    let unverified = Unverified::read(token)?;
    let (issuer, keys) = authority.trusted(unverified.iss()?).ok_or(IdentityError::UnknownIssuer)?;
    unverified.verify(issuer, &keys, now)
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
