//! ConnectionCounters: the counters of one listener.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::guard::in_flight::InFlight;

/// ConnectionCounters: the connections of a listener, for the metrics.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    pub(super) open: InFlight,
    pub(super) accepted: AtomicU64,
    pub(super) handshakes_failed: AtomicU64,
    pub(super) accepts_failed: AtomicU64,
}

impl ConnectionCounters {
    /// Open connections.
    pub fn open(&self) -> &InFlight {
        &self.open
    }

    /// Accepted connections.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that ended before a first request: TLS failed, or was too slow.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// Failed accepts.
    pub fn accepts_failed(&self) -> u64 {
        self.accepts_failed.load(Ordering::Relaxed)
    }
}
