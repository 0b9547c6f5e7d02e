//! LogThrottle: what can happen with every request is told in the log once a second, with how often it was not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// LogThrottle: limits the log lines about one kind of event to one a second.
#[derive(Debug)]
pub struct LogThrottle {
    since: Instant,
    /// The second since the start in which the event was logged last, counted from 1.
    second: AtomicU64,
    suppressed: AtomicU64,
}

impl LogThrottle {
    /// Returns the number of suppressed occurrences where the event may be logged now, and counts it otherwise.
    pub fn admit(&self) -> Option<u64> {
        self.admit_in(self.since.elapsed().as_secs() + 1)
    }

    fn admit_in(&self, second: u64) -> Option<u64> {
        if self.second.fetch_max(second, Ordering::Relaxed) < second {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self { since: Instant::now(), second: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_is_admitted_with_the_number_of_suppressed_ones() {
        let throttle = LogThrottle::default();
        let lines: Vec<_> = [1, 1, 1, 2, 4, 4, 3, 5].map(|second| throttle.admit_in(second)).into();
        assert_eq!(lines, [Some(0), None, None, Some(2), Some(0), None, None, Some(2)]);
    }
}
