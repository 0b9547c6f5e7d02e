//! Tests of times against dates that `date -u` printed.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn printed(seconds: u64, millis: u64) -> String {
    Rfc3339Time(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis)).to_string()
}

#[test]
fn known_seconds_print_as_their_dates() {
    for (seconds, expected) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (951_868_799, "2000-02-29T23:59:59.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"),
        (1_767_225_599, "2025-12-31T23:59:59.000Z"),
        (1_767_225_600, "2026-01-01T00:00:00.000Z"),
        (1_830_297_599, "2027-12-31T23:59:59.000Z"),
        (1_861_833_600, "2028-12-31T00:00:00.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        (4_107_456_000, "2100-02-28T00:00:00.000Z"),
        (253_402_300_799, "9999-12-31T23:59:59.000Z"),
    ] {
        assert_eq!(printed(seconds, 0), expected);
    }
    assert_eq!(printed(1_767_225_600, 7), "2026-01-01T00:00:00.007Z");
}

#[test]
fn every_day_of_eight_centuries_follows_the_day_before() {
    let mut last = date(0);
    for day in 1..293_000 {
        let next = date(day);
        let first_of_month = next.2 == 1 && (last.2 >= 28) && (next.1 == last.1 % 12 + 1);
        let rolls_over = next.0 == last.0 + u64::from(last.1 == 12);
        assert!(if first_of_month { rolls_over } else { next == (last.0, last.1, last.2 + 1) }, "{last:?} {next:?}");
        last = next;
    }
}

#[test]
fn times_before_1970_and_after_9999_do_not_fail() {
    assert_eq!(Rfc3339Time(UNIX_EPOCH - Duration::from_secs(5)).to_string(), "1970-01-01T00:00:00.000Z");
    assert!(printed(u64::MAX / 4, 0).starts_with("9999-12-31T"));
}
