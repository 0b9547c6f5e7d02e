//! Issuers: the issuers that one API trusts, with live keys; verifies the tokens of requests.

use std::sync::Arc;

use super::introspection::Introspector;
use super::keys::{KeyFeed, KeyStatus};
use crate::identity::introspection::should_introspect;
use crate::identity::{IdentityError, UnverifiedToken, VerifiedCaller};
use crate::vocabulary::Timestamp;

/// Issuers: the trusted issuers, those with keys and one with introspection; no two have the same `iss`.
#[derive(Debug, Clone, Default)]
pub struct Issuers {
    feeds: Vec<Arc<KeyFeed>>,
    introspector: Option<Arc<Introspector>>,
}

/// VerificationFailure: why a token cannot be verified locally.
#[derive(Debug)]
pub enum VerificationFailure<'a> {
    /// The token is invalid.
    Refused(IdentityError),
    /// The token needs introspection at its issuer.
    Introspect(&'a Arc<Introspector>),
}

impl Issuers {
    /// The issuers of these feeds; `None` if two have the same `iss`, because a token's issuer would be ambiguous.
    pub fn new(feeds: Vec<Arc<KeyFeed>>) -> Option<Self> {
        Self::with_introspector(feeds, None)
    }

    /// The issuers of these feeds and one with introspection; `None` if two have the same `iss`.
    pub fn with_introspector(feeds: Vec<Arc<KeyFeed>>, introspector: Option<Arc<Introspector>>) -> Option<Self> {
        let issuers =
            feeds.iter().map(|feed| feed.issuer()).chain(introspector.iter().map(|introspector| introspector.issuer()));
        let mut names: Vec<&str> = issuers.map(|issuer| &*issuer.iss).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() == count { Some(Self { feeds, introspector }) } else { None }
    }

    /// Whether no issuer is trusted.
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty() && self.introspector.is_none()
    }

    /// The status of each issuer's keys.
    pub fn statuses(&self) -> impl Iterator<Item = Arc<KeyStatus>> + '_ {
        self.feeds.iter().map(|feed| feed.status())
    }

    /// Verifies `token` at `now` and returns its caller, without a cache.
    ///
    /// It never blocks: a token with an unknown key is refused, and its issuer's keys are fetched in the background.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedCaller, VerificationFailure<'_>> {
        let read = UnverifiedToken::read(token);
        if let Some(introspector) =
            self.introspector.as_ref().filter(|introspector| should_introspect(introspector.issuer(), token, &read))
        {
            return Err(VerificationFailure::Introspect(introspector));
        }
        read.and_then(|unverified| self.verify_signed(unverified, now)).map_err(VerificationFailure::Refused)
    }

    fn verify_signed(&self, unverified: UnverifiedToken<'_>, now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
        let feed = self.find_feed(unverified.iss()?).ok_or(IdentityError::UnknownIssuer)?;
        let verified = unverified.verify(feed.issuer(), &feed.keys(), now);
        if verified == Err(IdentityError::UnknownKey) {
            feed.report_unknown_key();
        }
        verified
    }

    fn find_feed(&self, iss: &str) -> Option<&Arc<KeyFeed>> {
        self.feeds.iter().find(|feed| *feed.issuer().iss == *iss)
    }
}
