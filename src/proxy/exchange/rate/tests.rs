//! Tests of `rate`: windows in which enough, or too little, has come.

use super::*;

const LEAST: MinimumRate = MinimumRate { bytes: 100, window: Duration::from_secs(10) };

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn nothing_is_said_before_a_window_is_over() {
    let mut rate = TransferRate::default();
    assert!(!rate.is_too_low(LEAST, at(9), 1));
    assert!(rate.is_too_low(LEAST, at(10), 1));
}

#[test]
fn each_window_counts_for_itself() {
    let mut rate = TransferRate::default();
    assert!(!rate.is_too_low(LEAST, at(10), 1_000_000), "a good beginning");
    assert!(!rate.is_too_low(LEAST, at(15), 1_000_001));
    assert!(rate.is_too_low(LEAST, at(21), 1_000_999), "does not pay for the rest");
}

#[test]
fn exactly_enough_is_enough_and_zero_asks_for_nothing() {
    assert!(!TransferRate::default().is_too_low(LEAST, at(10), 1000));
    assert!(TransferRate::default().is_too_low(LEAST, at(10), 999));
    assert!(!TransferRate::default().is_too_low(MinimumRate { bytes: 0, ..LEAST }, at(10_000), 0));
}
