//! Identity: turns credentials, keys and the current time into a subject or a named error.

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

/// Identifies the caller of `credentials` at `now`; a request without a credential is anonymous.
///
/// Code that caches verified tokens takes the steps itself: [`Credentials::select`], its cache, then [`verify`].
///
/// # Errors
///
/// Names the first check that the credentials fail.
pub fn identify(
    credentials: &Credentials<'_>,
    issuers: &[(Issuer, KeySet)],
    now: Timestamp,
) -> Result<Subject, IdentityError> {
    match credentials.select()? {
        PresentedCredential::Anonymous => Ok(Subject::anonymous()),
        PresentedCredential::Token(token) => verify(token, issuers, now).map(|verified| verified.subject),
        // Issuers sign tokens only; API keys have their own verifier.
        PresentedCredential::Basic(_) | PresentedCredential::Key { .. } => Err(IdentityError::UnknownScheme),
    }
}

/// Verifies `token` at `now` with the keys of the issuer that it names, and returns the caller and its expiry.
///
/// # Errors
///
/// Names the first check that the token fails.
pub fn verify(token: &str, issuers: &[(Issuer, KeySet)], now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
    let unverified = UnverifiedToken::read(token)?;
    let iss = unverified.iss()?;
    let trusted = issuers.iter().find(|(issuer, _)| *issuer.iss == *iss);
    let (issuer, keys) = trusted.ok_or(IdentityError::UnknownIssuer)?;
    unverified.verify(issuer, keys, now)
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
