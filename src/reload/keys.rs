//! KeyFeed: the keys of one issuer, refreshed in the background and read without blocking.

mod fetch;
mod source;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::Live;
use super::issuer_error::IssuerError;
use super::verified::Generation;
use crate::identity::{Issuer, KeySet};
use crate::vocabulary::Timestamp;
use fetch::Fetcher;
pub use source::{KeyPlan, KeySource};

/// KeyStatus: the status of one issuer's keys, for `/ready` and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// The issuer's name in the settings.
    pub issuer: Box<str>,
    /// Whether tokens can be verified.
    pub available: bool,
    /// Whether the keys were requested at least once, with any result; readiness waits for that.
    pub attempted: bool,
    /// The number of keys.
    pub keys: usize,
    /// The time of the last successful read or fetch, even if the keys had not changed.
    pub fetched_at: Option<Timestamp>,
    /// The last error since then.
    pub last_error: Option<Box<str>>,
    /// The number of successful fetches from a URL since the start.
    pub fetched: u64,
    /// The number of failed fetches since the start.
    pub failed: u64,
}

/// KeyFeed: one issuer, its current keys, and the source of the next ones.
#[derive(Debug)]
pub struct KeyFeed {
    issuer: Issuer,
    plan: KeyPlan,
    fetcher: Option<Fetcher>,
    keys: Live<KeySet>,
    status: Live<KeyStatus>,
    generation: Arc<Generation>,
    unknown_kid: Notify,
    refresh_requested: Notify,
}

impl KeyFeed {
    /// Opens the feed that `plan` describes.
    ///
    /// A file or secret is read immediately and must be valid. A URL is only checked: its keys are unavailable until
    /// [`KeyFeed::keep_fresh`] has fetched them, so that an unreachable issuer does not prevent the start.
    pub fn open(issuer: Issuer, plan: KeyPlan, generation: Arc<Generation>) -> Result<Arc<Self>, IssuerError> {
        let (first, fetcher) = match &plan.source {
            KeySource::Secret(secret) => (Some(KeySet::from_secret(secret)?.limit_to(plan.algorithms)?), None),
            KeySource::File(path) => (Some(KeySet::from_text(&source::read(path)?)?.limit_to(plan.algorithms)?), None),
            KeySource::Jwks(url) => (None, Some(Fetcher::new(&plan, url, false)?)),
            KeySource::Discovery(url) => (None, Some(Fetcher::new(&plan, url, true)?)),
        };
        let status = KeyStatus {
            issuer: issuer.name.clone(),
            available: first.is_some(),
            attempted: first.is_some(),
            keys: first.as_ref().map_or(0, KeySet::len),
            fetched_at: first.as_ref().map(|_| now()),
            last_error: None,
            fetched: 0,
            failed: 0,
        };
        let keys = Live::new(first.unwrap_or_else(KeySet::unavailable));
        let (unknown_kid, refresh_requested) = Default::default();
        let status = Live::new(status);
        Ok(Arc::new(Self { issuer, plan, fetcher, keys, status, generation, unknown_kid, refresh_requested }))
    }

    /// The issuer of the keys.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The current keys.
    pub fn keys(&self) -> Arc<KeySet> {
        self.keys.load()
    }

    /// The status of the keys.
    pub fn status(&self) -> Arc<KeyStatus> {
        self.status.load()
    }

    /// Reports that a token named an unknown key: fetches once, and not again before the cool-down ends.
    ///
    /// Returns immediately.
    pub fn report_unknown_key(&self) {
        self.unknown_kid.notify_one();
    }

    /// Requests that the keys are read again now (SIGHUP, admin). Returns immediately.
    pub fn refresh(&self) {
        self.refresh_requested.notify_one();
    }

    /// Refreshes the keys until the future is dropped; to be run once per feed, as a background task.
    pub async fn keep_fresh(&self) {
        match (&self.plan.source, &self.fetcher) {
            (KeySource::File(path), _) => self.keep_reading(path).await,
            (_, Some(fetcher)) => self.keep_fetching(fetcher).await,
            (_, None) => std::future::pending().await,
        }
    }

    async fn keep_reading(&self, path: &std::path::Path) {
        let mut last = None;
        loop {
            let path = path.to_owned();
            let read = tokio::task::spawn_blocking(move || source::read(&path)).await;
            let read = read.unwrap_or_else(|error| Err(IssuerError::Transport(error.to_string())));
            // A missing or broken file changes nothing: the last good keys stay live, however old.
            self.apply(read, &mut last);
            tokio::select! {
                () = sleep(self.plan.poll) => {}
                () = self.refresh_requested.notified() => {}
            }
        }
    }

    async fn keep_fetching(&self, fetcher: &Fetcher) {
        let mut last = None;
        let mut failures = 0;
        let mut stale_at = None;
        let mut forced_at: Option<Instant> = None;
        loop {
            let fetched = fetcher.key_set(&self.issuer.iss).await;
            let next = if self.apply(fetched, &mut last) {
                failures = 0;
                stale_at = Some(Instant::now() + self.plan.max_stale.max(self.plan.ttl));
                self.plan.ttl
            } else {
                failures += 1;
                self.plan.retry_after(failures)
            };
            let next = Instant::now() + next;
            loop {
                let cooled = forced_at.map_or_else(Instant::now, |at| at + self.plan.cool_down);
                tokio::select! {
                    () = sleep_until(next) => break,
                    () = self.refresh_requested.notified() => break,
                    () = async { self.unknown_kid.notified().await; sleep_until(cooled).await } => {
                        forced_at = Some(Instant::now());
                        break;
                    }
                    () = sleep_until(stale_at.unwrap_or(next)), if stale_at.is_some() => {
                        stale_at = None;
                        last = None;
                        self.expire_keys();
                    }
                }
            }
        }
    }

    /// Publishes the keys that were read if they are valid and differ from `last`; returns whether they are valid.
    fn apply(&self, read: Result<String, IssuerError>, last: &mut Option<String>) -> bool {
        let unchanged = |text: &String| last.as_ref() == Some(text);
        let error = match read {
            Ok(text) if unchanged(&text) => None,
            Ok(text) => {
                let parsed = KeySet::from_text(&text).and_then(|keys| keys.limit_to(self.plan.algorithms));
                match parsed {
                    Ok(keys) => {
                        let (count, skipped) = (keys.len(), keys.skipped().join("; "));
                        tracing::info!(issuer = &*self.issuer.name, keys = count, skipped, "keys loaded");
                        self.publish(keys);
                        *last = Some(text);
                        None
                    }
                    Err(error) => Some(IssuerError::Keys(error)),
                }
            }
            Err(error) => Some(error),
        };
        let before = self.status();
        let keys = self.keys();
        let last_error: Option<Box<str>> = error.map(|error| error.to_string().into());
        if let Some(error) = last_error.as_deref().filter(|_| last_error != before.last_error) {
            tracing::warn!(issuer = &*self.issuer.name, available = keys.is_available(), error, "keys not loaded");
        }
        let good = last_error.is_none();
        self.status.publish(KeyStatus {
            issuer: self.issuer.name.clone(),
            available: keys.is_available(),
            attempted: true,
            keys: keys.len(),
            fetched_at: if good { Some(now()) } else { before.fetched_at },
            last_error,
            fetched: before.fetched + u64::from(good && self.fetcher.is_some()),
            failed: before.failed + u64::from(!good && self.fetcher.is_some()),
        });
        good
    }

    /// Removes keys that could not be refreshed for too long.
    fn expire_keys(&self) {
        tracing::error!(issuer = &*self.issuer.name, "keys too old: tokens of this issuer cannot be verified");
        self.publish(KeySet::unavailable());
        let status = KeyStatus { available: false, keys: 0, ..KeyStatus::clone(&self.status()) };
        self.status.publish(status);
    }

    fn publish(&self, keys: KeySet) {
        self.keys.publish(keys);
        // After the keys: a request that still verifies with the old keys caches its result in the old generation.
        self.generation.bump();
    }
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests;
