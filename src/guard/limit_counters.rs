//! LimitCounters: counts the clients that hit a limit, and logs each limit at most once a minute.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::metrics::{Limit, Metrics};

/// LimitCounters: counts the clients that a limit cut off or refused.
pub struct LimitCounters {
    metrics: Arc<Metrics>,
    since: Instant,
    /// The minute since the start in which each limit was logged last, counted from 1.
    logged: [AtomicU64; Limit::ALL.len()],
}

impl LimitCounters {
    /// Counts into `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, since: Instant::now(), logged: Default::default() }
    }

    /// Counts that a client hit `limit`.
    pub fn count(&self, limit: Limit, address: Option<IpAddr>) {
        self.metrics.count_limit(limit);
        if self.admits_log_line(limit) {
            let address = address.map(|address| address.to_canonical().to_string());
            tracing::warn!(limit = limit.key(), address, "a client has reached a limit");
        }
    }

    /// Whether the log may have a line about this limit now: a flood of clients must not flood the log.
    fn admits_log_line(&self, limit: Limit) -> bool {
        let minute = self.since.elapsed().as_secs() / 60 + 1;
        let logged = Limit::ALL.iter().position(|known| *known == limit).and_then(|at| self.logged.get(at));
        logged.is_some_and(|logged| logged.fetch_max(minute, Ordering::Relaxed) < minute)
    }
}

impl Default for LimitCounters {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl std::fmt::Debug for LimitCounters {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("LimitCounters").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
