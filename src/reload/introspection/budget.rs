//! CallBudget: limits the calls per second without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// CallBudget: a virtual clock that each call advances by its share of a second, and that may be one second ahead.
#[derive(Debug)]
pub(super) struct CallBudget {
    start: Instant,
    /// The nanoseconds that one call uses.
    share: u64,
    /// The virtual clock, in nanoseconds since the start.
    spent: AtomicU64,
}

const SECOND: u64 = Duration::from_secs(1).as_nanos() as u64;

impl CallBudget {
    pub(super) fn new(per_second: u32) -> Self {
        Self { start: Instant::now(), share: SECOND / u64::from(per_second.max(1)), spent: AtomicU64::new(0) }
    }

    /// Takes one call from the budget; returns `false` if none is left.
    pub(super) fn try_take(&self) -> bool {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let spend = |spent: u64| {
            let next = spent.max(now).saturating_add(self.share);
            (next <= now.saturating_add(SECOND)).then_some(next)
        };
        self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_holds_so_many_calls_and_gives_them_back_as_it_passes() {
        let budget = CallBudget::new(4);
        let taken = || std::iter::repeat_with(|| budget.try_take()).take(10).filter(|taken| *taken).count();
        assert_eq!(taken(), 4);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(taken(), 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(taken(), 4, "a pause saves up one second at most");
    }
}
