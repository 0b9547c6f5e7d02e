//! Sampler: lets a few lines of the log pass each second, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Sampler: how many have passed in the current second.
#[derive(Debug, Default)]
pub(super) struct Sampler(AtomicU64);

impl Sampler {
    /// Whether one more may pass in this second, of which at most `most` may.
    pub(super) fn admits(&self, second: u64, most: u64) -> bool {
        // The second above, the count in the lowest byte.
        let passed = |word: u64| if word >> 8 == second { word & 0xff } else { 0 };
        let next = |word: u64| (passed(word) < most.min(0xff)).then(|| second << 8 | (passed(word) + 1));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_pass_in_each_second() {
        let sampler = Sampler::default();
        let passed = |second| (0..1000).filter(|_| sampler.admits(second, 3)).count();
        assert_eq!([passed(1), passed(1), passed(2), passed(9)], [3, 0, 3, 3]);
    }
}
