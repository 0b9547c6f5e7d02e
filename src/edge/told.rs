//! LogThrottle: what can happen with every request is told in the log once a second, with how often it was not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// LogThrottle: when something was told last, and how often it has happened since.
#[derive(Debug)]
pub struct LogThrottle {
    since: Instant,
    /// The second after `since` in which it was told last, counted from 1.
    second: AtomicU64,
    left_out: AtomicU64,
}

impl LogThrottle {
    /// How often it was left out before, where it may be told now.
    pub(super) fn admit(&self) -> Option<u64> {
        self.admit_in(self.since.elapsed().as_secs() + 1)
    }

    fn admit_in(&self, second: u64) -> Option<u64> {
        if self.second.fetch_max(second, Ordering::Relaxed) < second {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self { since: Instant::now(), second: AtomicU64::new(0), left_out: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_each_second_with_the_number_of_those_that_were_not() {
        let told = LogThrottle::default();
        let lines: Vec<_> = [1, 1, 1, 2, 4, 4, 3, 5].map(|second| told.admit_in(second)).into();
        assert_eq!(lines, [Some(0), None, None, Some(2), Some(0), None, None, Some(2)]);
    }
}
