//! VerifiedTokens: who a token was proven to be, kept for as long as that can be known without asking again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use quick_cache::sync::Cache;

use crate::identity::VerifiedCaller;
use crate::vocabulary::Timestamp;

/// Generation: which keys and policies identities were verified under; whoever publishes new ones bumps it.
#[derive(Debug, Default)]
pub struct Generation(AtomicU64);

impl Generation {
    /// Ends the life of everything that was verified before: call it after the new version is published.
    pub fn bump(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// VerifiedTokens: a bounded cache from tokens to callers, for one set of issuers.
///
/// It holds digests, never tokens; identities, never verdicts or errors.
pub struct VerifiedTokens {
    tokens: Cache<CacheKey, CachedCaller>,
    generation: Arc<Generation>,
    emptied: AtomicU64,
    max_age: u64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl VerifiedTokens {
    /// An empty cache for at most `capacity` tokens, none of which is believed for more than `max_age` seconds.
    pub fn new(capacity: usize, max_age: u64, generation: Arc<Generation>) -> Self {
        let emptied = AtomicU64::new(generation.current());
        let (hits, misses) = Default::default();
        Self { tokens: Cache::new(capacity), generation, emptied, max_age, hits, misses }
    }

    /// What is known of `token` at `now`; to be asked before the keys for verifying it are loaded.
    pub fn look_up(&self, token: &str, now: Timestamp) -> Lookup {
        let generation = self.current();
        let mut key = CacheKey { digest: TokenDigest::default(), generation };
        // The digest has exactly this length; were it otherwise, the zip would leave zeros, not panic.
        let hashed = digest::digest(&digest::SHA256, token.as_bytes());
        key.digest.iter_mut().zip(hashed.as_ref()).for_each(|(to, from)| *to = *from);
        match self.tokens.get(&key) {
            Some(kept) if now < kept.until && kept.since <= now => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Lookup::Found(kept.verified)
            }
            _ => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                Lookup::Missing(CacheSlot(key))
            }
        }
    }

    /// Keeps what verifying the token of `slot` proved at `now`.
    ///
    /// When keys or policy changed since the lookup, nobody will find it: the slot is of the old generation.
    pub fn keep(&self, slot: CacheSlot, verified: VerifiedCaller, now: Timestamp) -> Arc<VerifiedCaller> {
        self.keep_for(self.max_age, slot, Arc::new(verified), now)
    }

    /// Keeps what was proved at `now` as [`Self::keep`] does, for at most so many seconds.
    pub fn keep_for(
        &self,
        seconds: u64,
        slot: CacheSlot,
        verified: Arc<VerifiedCaller>,
        now: Timestamp,
    ) -> Arc<VerifiedCaller> {
        let until = verified.expires.min(now.plus(self.max_age.min(seconds)));
        if until > now {
            self.tokens.insert(slot.0, CachedCaller { verified: Arc::clone(&verified), since: now, until });
        }
        verified
    }

    /// The number of tokens in it.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// How many lookups found a caller.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// How many did not.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// The current generation; the first to see a new one gives the old one's memory back.
    fn current(&self) -> u64 {
        let generation = self.generation.current();
        let emptied = self.emptied.load(Ordering::Relaxed);
        let exchange = || self.emptied.compare_exchange(emptied, generation, Ordering::Relaxed, Ordering::Relaxed);
        if emptied != generation && exchange().is_ok() {
            self.tokens.clear();
        }
        generation
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("VerifiedTokens").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Lookup: what a cache knows of a token.
#[derive(Debug)]
pub enum Lookup {
    /// The caller that it proves.
    Found(Arc<VerifiedCaller>),
    /// Nothing; the slot is where the answer belongs.
    Missing(CacheSlot),
}

/// CacheSlot: the place for one token's answer, as of the generation in which it was looked up.
#[derive(Debug)]
pub struct CacheSlot(CacheKey);

impl CacheSlot {
    /// The digest of the token that was looked up.
    pub fn digest(&self) -> TokenDigest {
        self.0.digest
    }
}

/// TokenDigest: the SHA-256 of a whole token.
pub type TokenDigest = [u8; digest::SHA256_OUTPUT_LEN];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct CacheKey {
    digest: TokenDigest,
    generation: u64,
}

#[derive(Clone)]
struct CachedCaller {
    verified: Arc<VerifiedCaller>,
    since: Timestamp,
    until: Timestamp,
}

#[cfg(test)]
mod tests;
