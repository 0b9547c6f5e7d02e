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

pub use algorithm::{Algorithm, Algorithms};
pub use api_key::{KeyRing, PresentedKey, SecretDigest};
pub use client_cert::{CertificateRules, IdFrom};
pub use credentials::{Credentials, PresentedCredential};
pub use error::IdentityError;
pub use introspection::IntrospectionResponse;
pub use issuer::Issuer;
pub use jwt::{UnverifiedToken, VerifiedCaller};
pub use key_set::{KeyError, KeySet};
pub use self_test::self_test;

use crate::vocabulary::{Subject, Timestamp};

/// The caller that `credentials` prove at `now`; anonymous where there is no credential at all.
///
/// A caller that keeps verified tokens takes the three steps by itself: [`Credentials::presented`], its cache,
/// [`verify`].
pub fn identify(
    credentials: &Credentials<'_>,
    issuers: &[(Issuer, KeySet)],
    now: Timestamp,
) -> Result<Subject, IdentityError> {
    match credentials.presented()? {
        PresentedCredential::Anonymous => Ok(Subject::anonymous()),
        PresentedCredential::Token(token) => verify(token, issuers, now).map(|verified| verified.subject),
        // Issuers vouch for tokens only.
        PresentedCredential::Basic(_) | PresentedCredential::Key { .. } => Err(IdentityError::UnknownScheme),
    }
}

/// The caller that `token` proves at `now` to somebody who believes these issuers with these keys, and until when.
pub fn verify(token: &str, issuers: &[(Issuer, KeySet)], now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
    let unverified = UnverifiedToken::read(token)?;
    let iss = unverified.iss()?;
    let named = issuers.iter().find(|(issuer, _)| *issuer.iss == *iss);
    let (issuer, keys) = named.ok_or(IdentityError::UnknownIssuer)?;
    unverified.verify(issuer, keys, now)
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
