//! KeyFeed: the keys of one issuer, kept fresh in the background and read without waiting.

mod fetch;
mod issuers;
mod source;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::Live;
use super::verified::Generation;
use crate::identity::{Issuer, KeySet};
use crate::vocabulary::Timestamp;
use fetch::Fetcher;
pub use issuers::{Issuers, VerificationFailure};
pub use source::{KeyFeedError, KeyPlan, KeySource};

/// KeyStatus: how one issuer's keys stand, for `/ready` and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// The issuer's name in the settings.
    pub issuer: Box<str>,
    /// Whether tokens can be verified.
    pub available: bool,
    /// Whether the keys were asked for at least once, with whatever result: readiness waits for that.
    pub attempted: bool,
    /// How many keys there are.
    pub keys: usize,
    /// When they were last read or fetched, changed or not.
    pub fetched_at: Option<Timestamp>,
    /// What went wrong since then.
    pub last_error: Option<Box<str>>,
    /// How often they were fetched from a URL since the start.
    pub fetched: u64,
    /// How often that failed.
    pub failed: u64,
}

/// KeyFeed: one issuer, its keys as they are now, and where the next ones come from.
#[derive(Debug)]
pub struct KeyFeed {
    issuer: Issuer,
    plan: KeyPlan,
    fetcher: Option<Fetcher>,
    keys: Live<KeySet>,
    status: Live<KeyStatus>,
    generation: Arc<Generation>,
    unknown_kid: Notify,
    asked: Notify,
}

impl KeyFeed {
    /// The feed that `plan` describes.
    ///
    /// A file or secret is read at once and must be good; a URL is only checked: its keys are unavailable until
    /// [`KeyFeed::keep_fresh`] has fetched them, and an issuer that is down keeps nobody from starting.
    pub fn open(issuer: Issuer, plan: KeyPlan, generation: Arc<Generation>) -> Result<Arc<Self>, KeyFeedError> {
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
            fetched_at: first.as_ref().map(|_| clock()),
            last_error: None,
            fetched: 0,
            failed: 0,
        };
        let keys = Live::new(first.unwrap_or_else(KeySet::unavailable));
        let (unknown_kid, asked) = Default::default();
        let status = Live::new(status);
        Ok(Arc::new(Self { issuer, plan, fetcher, keys, status, generation, unknown_kid, asked }))
    }

    /// The issuer whose keys these are.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The keys as they are now.
    pub fn keys(&self) -> Arc<KeySet> {
        self.keys.load()
    }

    /// How they stand.
    pub fn status(&self) -> Arc<KeyStatus> {
        self.status.load()
    }

    /// Says that a token named a key that is not there: fetches once, and not again before the cool-down ends.
    /// Returns at once.
    pub fn key_is_unknown(&self) {
        self.unknown_kid.notify_one();
    }

    /// Asks for the keys to be read again now (SIGHUP, admin). Returns at once.
    pub fn refresh(&self) {
        self.asked.notify_one();
    }

    /// Keeps the keys fresh until it is dropped; to be run once for each feed, as a background task.
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
            let read = read.unwrap_or_else(|error| Err(KeyFeedError::Transport(error.to_string())));
            // A file that is gone or broken changes nothing: the last good keys stay, however old.
            self.take(read, &mut last);
            tokio::select! {
                () = sleep(self.plan.poll) => {}
                () = self.asked.notified() => {}
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
            let next = if self.take(fetched, &mut last) {
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
                    () = self.asked.notified() => break,
                    () = async { self.unknown_kid.notified().await; sleep_until(cooled).await } => {
                        forced_at = Some(Instant::now());
                        break;
                    }
                    () = sleep_until(stale_at.unwrap_or(next)), if stale_at.is_some() => {
                        stale_at = None;
                        last = None;
                        self.give_up();
                    }
                }
            }
        }
    }

    /// Publishes what was read, when it is good and differs from `last`; whether it is good.
    fn take(&self, read: Result<String, KeyFeedError>, last: &mut Option<String>) -> bool {
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
                    Err(error) => Some(KeyFeedError::Keys(error)),
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
            fetched_at: if good { Some(clock()) } else { before.fetched_at },
            last_error,
            fetched: before.fetched + u64::from(good && self.fetcher.is_some()),
            failed: before.failed + u64::from(!good && self.fetcher.is_some()),
        });
        good
    }

    /// Stops believing keys that could not be confirmed for too long.
    fn give_up(&self) {
        tracing::error!(issuer = &*self.issuer.name, "keys too old: tokens of this issuer cannot be verified");
        self.publish(KeySet::unavailable());
        let status = KeyStatus { available: false, keys: 0, ..KeyStatus::clone(&self.status()) };
        self.status.publish(status);
    }

    fn publish(&self, keys: KeySet) {
        self.keys.publish(keys);
        // After the keys: who still verifies with the old ones keeps the answer under the old generation.
        self.generation.bump();
    }
}

/// Default periods of [`KeyPlan`].
const MINUTE: Duration = Duration::from_secs(60);

fn clock() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests;
