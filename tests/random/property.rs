//! Property tests of generated values, each with a fixed seed and with a fresh one.

#[path = "seed.rs"]
mod seed;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// The default number of values per property.
pub(crate) const CASES: u32 = 256;

/// Runs `test` with this number of values of `strategy`, half of them from each seed.
pub(crate) fn hold<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> TestCaseResult) {
    for seed in seed::seeds() {
        let config = Config { cases: cases.div_ceil(2), failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
        let mut runner = TestRunner::new_with_rng(config, rng);
        if let Err(failure) = runner.run(&strategy, &test) {
            panic!("PORTCULLIS_SEED={seed}: {failure}\n{runner}");
        }
    }
}
