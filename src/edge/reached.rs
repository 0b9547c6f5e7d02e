//! LimitCounters: each time that a client ran into a limit is counted, and once a minute a limit told in the log.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::metrics::{Limit, Metrics};

/// LimitCounters: where limits are counted that cut or refuse a client.
pub struct LimitCounters {
    metrics: Arc<Metrics>,
    since: Instant,
    /// The minute after `since` in which each limit was told last, counted from 1.
    told: [AtomicU64; Limit::ALL.len()],
}

impl LimitCounters {
    /// A count into `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, since: Instant::now(), told: Default::default() }
    }

    /// Counts that a client ran into `limit`.
    pub fn count(&self, limit: Limit, address: Option<IpAddr>) {
        self.metrics.limit_reached(limit);
        if self.is_to_be_told(limit) {
            let address = address.map(|address| address.to_canonical().to_string());
            tracing::warn!(limit = limit.key(), address, "a client has reached a limit");
        }
    }

    /// A flood must not flood the log.
    fn is_to_be_told(&self, limit: Limit) -> bool {
        let minute = self.since.elapsed().as_secs() / 60 + 1;
        let told = Limit::ALL.iter().position(|known| *known == limit).and_then(|at| self.told.get(at));
        told.is_some_and(|told| told.fetch_max(minute, Ordering::Relaxed) < minute)
    }
}

impl Default for LimitCounters {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl std::fmt::Debug for LimitCounters {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reached").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
