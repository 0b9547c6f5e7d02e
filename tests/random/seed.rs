//! The seeds of random tests: a fixed one, which all runs share, and a fresh one.

use std::hash::BuildHasher;
use std::sync::LazyLock;

/// The seed that all runs share.
const FIXED: u64 = 20_240_607;

/// The seed of this run: the value of `PORTCULLIS_SEED`, or a new one.
static FRESH: LazyLock<u64> = LazyLock::new(|| match std::env::var("PORTCULLIS_SEED") {
    Ok(text) => text.parse::<u32>().expect("PORTCULLIS_SEED is a number below 2^32").into(),
    Err(_) => std::hash::RandomState::new().hash_one(FIXED) >> 32,
});

/// The fixed seed and the fresh one. A random test takes half of its cases from each; its output names the fresh one.
pub(crate) fn seeds() -> [u64; 2] {
    println!("run again with PORTCULLIS_SEED={}", *FRESH);
    [FIXED, *FRESH]
}
