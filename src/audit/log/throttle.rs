//! LogThrottle: logs a frequent event at most once a second, with the number of suppressed occurrences.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// LogThrottle: limits the log lines about one kind of event to one a second.
#[derive(Debug)]
pub struct LogThrottle {
    start: Instant,
    /// The second since the start in which the event was logged last, counted from 1.
    second: AtomicU64,
    suppressed: AtomicU64,
}

impl LogThrottle {
    /// Returns the number of suppressed occurrences if the event may be logged now; otherwise counts this occurrence.
    pub fn rate_limit_log(&self) -> Option<u64> {
        self.rate_limit_log_at(self.start.elapsed().as_secs() + 1)
    }

    fn rate_limit_log_at(&self, second: u64) -> Option<u64> {
        if self.second.fetch_max(second, Ordering::Relaxed) < second {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self { start: Instant::now(), second: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_is_admitted_with_the_number_of_suppressed_ones() {
        let throttle = LogThrottle::default();
        let lines: Vec<_> = [1, 1, 1, 2, 4, 4, 3, 5].map(|second| throttle.rate_limit_log_at(second)).into();
        assert_eq!(lines, [Some(0), None, None, Some(2), Some(0), None, None, Some(2)]);
    }
}
