//! InFlight: the count of exchanges or connections, and the wait for its end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// InFlight: a count of exchanges or connections that can be awaited to become zero.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<InFlightCount>);

#[derive(Debug, Default)]
struct InFlightCount {
    now: AtomicUsize,
    zero: Notify,
}

impl InFlight {
    /// Returns a guard that counts as one until it is dropped.
    pub fn enter(&self) -> InFlightGuard {
        self.0.now.fetch_add(1, Ordering::AcqRel);
        InFlightGuard(self.0.clone())
    }

    /// Returns a guard as [`InFlight::enter`] does, or `None` where the count has reached `limit`.
    pub fn enter_below(&self, limit: usize) -> Option<InFlightGuard> {
        self.0
            .now
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < limit).then_some(now + 1))
            .ok()
            .map(|_| InFlightGuard(self.0.clone()))
    }

    /// The current count.
    pub fn count(&self) -> usize {
        self.0.now.load(Ordering::Acquire)
    }

    /// Waits until the count is zero.
    pub async fn idle(&self) {
        loop {
            let mut zero = pin!(self.0.zero.notified());
            zero.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            zero.await;
        }
    }
}

/// InFlightGuard: one exchange or connection, which ends when it is dropped.
#[derive(Debug)]
pub struct InFlightGuard(Arc<InFlightCount>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        if self.0.now.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.zero.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
