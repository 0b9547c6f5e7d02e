//! FailedCredentials: invalid credentials by client address, so that no client can make the gateway verify without end.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use super::network::client_network;
use crate::vocabulary::Timestamp;

/// The most addresses that are kept; the least used are evicted.
const ADDRESSES: usize = 65_536;

/// FailedCredentials: a bounded cache of addresses and their invalid credentials in the current minute.
pub struct FailedCredentials {
    limit: u32,
    /// Minute in the upper half, count in the lower.
    counts: Cache<IpAddr, Arc<AtomicU64>>,
}

impl FailedCredentials {
    /// Allows `limit` failures in a minute; 0 allows any number.
    pub fn new(limit: u32) -> Self {
        Self { limit, counts: Cache::new(ADDRESSES) }
    }

    /// Whether the address has reached the limit in this minute.
    pub fn is_over(&self, address: IpAddr, now: Timestamp) -> bool {
        self.limit != 0
            && self.counts.get(&client_network(address)).is_some_and(|count| {
                let (minute, count) = split(count.load(Ordering::Relaxed));
                minute == now.0 / 60 && count >= u64::from(self.limit)
            })
    }

    /// Counts a failure.
    pub fn count(&self, address: IpAddr, now: Timestamp) {
        if self.limit == 0 {
            return;
        }
        let address = client_network(address);
        let counter = self.counts.get(&address).unwrap_or_else(|| {
            let fresh = Arc::new(AtomicU64::new(0));
            self.counts.insert(address, Arc::clone(&fresh));
            fresh
        });
        let this_minute = now.0 / 60;
        // At the turn of a minute two simultaneous failures may count as one, which is harmless.
        let (minute, count) = split(counter.load(Ordering::Relaxed));
        let next = if minute == this_minute { count.saturating_add(1).min(u64::from(u32::MAX)) } else { 1 };
        counter.store(this_minute << 32 | next, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for FailedCredentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Failures").field("limit", &self.limit).field("addresses", &self.counts.len()).finish()
    }
}

fn split(packed: u64) -> (u64, u64) {
    (packed >> 32, packed & u64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
