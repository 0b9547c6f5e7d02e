//! Issuers: all that one API believes, with live keys; the request path's way from a token to a caller.

use std::sync::Arc;

use super::super::introspection::Introspector;
use super::{KeyFeed, KeyStatus};
use crate::identity::introspection::should_introspect;
use crate::identity::{IdentityError, UnverifiedToken, VerifiedCaller};
use crate::vocabulary::Timestamp;

/// Issuers: the issuers that are believed, those with keys and the one that is asked; two never have the same `iss`.
#[derive(Debug, Clone, Default)]
pub struct Issuers {
    feeds: Vec<Arc<KeyFeed>>,
    asked: Option<Arc<Introspector>>,
}

/// VerificationFailure: why a token proves nobody by itself.
#[derive(Debug)]
pub enum VerificationFailure<'a> {
    /// It is not good.
    Refused(IdentityError),
    /// Its issuer has to be asked.
    Ask(&'a Arc<Introspector>),
}

impl Issuers {
    /// The issuers of these feeds; `None` where two have the same `iss`: which one is meant would be chance.
    pub fn new(feeds: Vec<Arc<KeyFeed>>) -> Option<Self> {
        Self::asking(feeds, None)
    }

    /// The issuers of these feeds, and the one that is asked; `None` where two have the same `iss`.
    pub fn asking(feeds: Vec<Arc<KeyFeed>>, asked: Option<Arc<Introspector>>) -> Option<Self> {
        let issuers = feeds.iter().map(|feed| feed.issuer()).chain(asked.iter().map(|asked| asked.issuer()));
        let mut names: Vec<&str> = issuers.map(|issuer| &*issuer.iss).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        if names.len() == count { Some(Self { feeds, asked }) } else { None }
    }

    /// Whether no issuer is believed at all.
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty() && self.asked.is_none()
    }

    /// How each issuer's keys stand.
    pub fn statuses(&self) -> impl Iterator<Item = Arc<KeyStatus>> + '_ {
        self.feeds.iter().map(|feed| feed.status())
    }

    /// The caller that `token` proves at `now`, without a cache.
    ///
    /// It never waits: a token with an unknown key is refused, and its issuer's keys are fetched in the background.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedCaller, VerificationFailure<'_>> {
        let read = UnverifiedToken::read(token);
        if let Some(asked) = self.asked.as_ref().filter(|asked| should_introspect(asked.issuer(), token, &read)) {
            return Err(VerificationFailure::Ask(asked));
        }
        read.and_then(|unverified| self.verify_signed(unverified, now)).map_err(VerificationFailure::Refused)
    }

    fn verify_signed(&self, unverified: UnverifiedToken<'_>, now: Timestamp) -> Result<VerifiedCaller, IdentityError> {
        let feed = self.feed(unverified.iss()?).ok_or(IdentityError::UnknownIssuer)?;
        let verified = unverified.verify(feed.issuer(), &feed.keys(), now);
        if verified == Err(IdentityError::UnknownKey) {
            feed.key_is_unknown();
        }
        verified
    }

    fn feed(&self, iss: &str) -> Option<&Arc<KeyFeed>> {
        self.feeds.iter().find(|feed| *feed.issuer().iss == *iss)
    }
}
