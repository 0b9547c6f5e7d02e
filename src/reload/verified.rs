//! VerifiedTokens: a cache of verified tokens and their callers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use quick_cache::sync::Cache;

use crate::identity::VerifiedCaller;
use crate::vocabulary::Timestamp;

/// Generation: counts the versions of keys and policies under which identities were verified.
#[derive(Debug, Default)]
pub struct Generation(AtomicU64);

impl Generation {
    /// Invalidates everything that was verified before; to be called after the new version is published.
    pub fn bump(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// VerifiedTokens: a bounded cache from tokens to callers, for one set of issuers.
///
/// It holds digests but no tokens, and identities but no verdicts or errors.
pub struct VerifiedTokens {
    tokens: Cache<CacheKey, CachedCaller>,
    generation: Arc<Generation>,
    cleared: AtomicU64,
    max_age: u64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl VerifiedTokens {
    /// An empty cache for at most `capacity` tokens, each cached for at most `max_age` seconds.
    pub fn new(capacity: usize, max_age: u64, generation: Arc<Generation>) -> Self {
        let cleared = AtomicU64::new(generation.current());
        let (hits, misses) = Default::default();
        Self { tokens: Cache::new(capacity), generation, cleared, max_age, hits, misses }
    }

    /// Looks up `token` at `now`; to be called before the keys for verifying it are loaded.
    pub fn look_up(&self, token: &str, now: Timestamp) -> Lookup {
        let generation = self.current_generation();
        let mut key = CacheKey { digest: TokenDigest::default(), generation };
        // The digest has exactly this length. With another length, the zip would leave zeros and not panic.
        let hashed = digest::digest(&digest::SHA256, token.as_bytes());
        key.digest.iter_mut().zip(hashed.as_ref()).for_each(|(to, from)| *to = *from);
        match self.tokens.get(&key) {
            Some(cached) if now < cached.until && cached.since <= now => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Lookup::Found(cached.verified)
            }
            _ => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                Lookup::Missing(CacheSlot(key))
            }
        }
    }

    /// Caches the caller that was verified at `now` for the token of `slot`.
    ///
    /// If keys or policy changed since the lookup, no lookup finds the entry: the slot belongs to the old generation.
    pub fn store(&self, slot: CacheSlot, verified: VerifiedCaller, now: Timestamp) -> Arc<VerifiedCaller> {
        self.store_for(self.max_age, slot, Arc::new(verified), now)
    }

    /// Caches a caller as [`Self::store`] does, for at most `seconds`.
    pub fn store_for(
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

    /// The number of cached tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the cache is empty.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The number of lookups that found a caller.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// The number of lookups that found none.
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// The current generation; the first lookup in a new generation frees the entries of the old one.
    fn current_generation(&self) -> u64 {
        let generation = self.generation.current();
        let cleared = self.cleared.load(Ordering::Relaxed);
        let exchange = || self.cleared.compare_exchange(cleared, generation, Ordering::Relaxed, Ordering::Relaxed);
        if cleared != generation && exchange().is_ok() {
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

/// Lookup: the result of looking a token up in the cache.
#[derive(Debug)]
pub enum Lookup {
    /// The caller of the token.
    Found(Arc<VerifiedCaller>),
    /// No caller; the verified caller is stored in this slot.
    Missing(CacheSlot),
}

/// CacheSlot: the key of one token's entry, in the generation of its lookup.
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
