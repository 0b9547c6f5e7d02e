//! Sampler: admits a few log lines per second, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Sampler: the number of lines admitted in the current second.
#[derive(Debug, Default)]
pub(super) struct Sampler(AtomicU64);

impl Sampler {
    /// Whether one more line is admitted in this second, of at most `most`; counts the line if so.
    pub(super) fn try_admit(&self, second: u64, most: u64) -> bool {
        // The upper bits hold the second, the lowest byte the count.
        let passed = |word: u64| if word >> 8 == second { word & 0xff } else { 0 };
        let next = |word: u64| (passed(word) < most.min(0xff)).then(|| second << 8 | (passed(word) + 1));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_are_admitted_in_each_second() {
        let sampler = Sampler::default();
        let passed = |second| (0..1000).filter(|_| sampler.try_admit(second, 3)).count();
        assert_eq!([passed(1), passed(1), passed(2), passed(9)], [3, 0, 3, 3]);
    }
}
