//! Issuers: all that one API believes, with live keys; the request path's way from credentials to a caller.

use std::sync::Arc;

use super::super::verified::{Lookup, VerifiedTokens};
use super::{KeyFeed, KeyStatus};
use crate::identity::{Authority, Credentials, IdentityError, Issuer, KeySet, Presented, Unverified, Verified};
use crate::vocabulary::Timestamp;

/// Issuers: the issuers that are believed, each with its feed; two never have the same `iss`.
#[derive(Debug, Clone, Default)]
pub struct Issuers(Vec<Arc<KeyFeed>>);

impl Issuers {
    /// The issuers of these feeds; `None` where two have the same `iss`: which one is meant would be chance.
    pub fn new(feeds: Vec<Arc<KeyFeed>>) -> Option<Self> {
        let mut names: Vec<&str> = feeds.iter().map(|feed| &*feed.issuer().iss).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() == feeds.len() { Some(Self(feeds)) } else { None }
    }

    /// The feeds, for running [`KeyFeed::keep_fresh`] and [`KeyFeed::refresh`] on each.
    pub fn feeds(&self) -> &[Arc<KeyFeed>] {
        &self.0
    }

    /// How each issuer's keys stand.
    pub fn statuses(&self) -> impl Iterator<Item = Arc<KeyStatus>> + '_ {
        self.0.iter().map(|feed| feed.status())
    }

    /// The caller that `credentials` prove at `now`, from `cache` where it is known there; `None` is anonymous.
    ///
    /// It never waits: a token with an unknown key is refused, and its issuer's keys are fetched in the background.
    pub fn identify(
        &self,
        credentials: &Credentials<'_>,
        cache: &VerifiedTokens,
        now: Timestamp,
    ) -> Result<Option<Arc<Verified>>, IdentityError> {
        let token = match credentials.presented()? {
            Presented::Anonymous => return Ok(None),
            Presented::Token(token) => token,
            // Issuers vouch for tokens only.
            Presented::Basic(_) | Presented::Key { .. } => return Err(IdentityError::UnknownScheme),
        };
        match cache.look_up(token, now) {
            Lookup::Found(verified) => Ok(Some(verified)),
            Lookup::Missing(slot) => Ok(Some(cache.keep(slot, self.verify(token, now)?, now))),
        }
    }

    /// The caller that `token` proves at `now`, without a cache.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, IdentityError> {
        let unverified = Unverified::read(token)?;
        let feed = self.feed(unverified.iss()?).ok_or(IdentityError::UnknownIssuer)?;
        let verified = unverified.verify(feed.issuer(), &feed.keys(), now);
        if verified == Err(IdentityError::UnknownKey) {
            feed.key_is_unknown();
        }
        verified
    }

    fn feed(&self, iss: &str) -> Option<&Arc<KeyFeed>> {
        self.0.iter().find(|feed| *feed.issuer().iss == *iss)
    }
}

impl Authority for Issuers {
    type Keys<'a> = Arc<KeySet>;

    fn trusted(&self, iss: &str) -> Option<(&Issuer, Arc<KeySet>)> {
        self.feed(iss).map(|feed| (feed.issuer(), feed.keys()))
    }
}
