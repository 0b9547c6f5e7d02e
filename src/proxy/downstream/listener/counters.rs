//! ConnectionCounters: the counters of one listener.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::guard::in_flight::InFlight;

/// ConnectionCounters: what a listener has seen, for the metrics.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    pub(super) open: InFlight,
    pub(super) accepted: AtomicU64,
    pub(super) handshakes_failed: AtomicU64,
    pub(super) accepts_failed: AtomicU64,
}

impl ConnectionCounters {
    /// Connections that are open now.
    pub fn open(&self) -> &InFlight {
        &self.open
    }

    /// Connections taken in.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections closed because they did not get as far as a first request: TLS failed, or time ran out.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// Times that the system could not hand over a connection.
    pub fn accepts_failed(&self) -> u64 {
        self.accepts_failed.load(Ordering::Relaxed)
    }
}
