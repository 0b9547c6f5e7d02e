//! Tests of `units`: parsing and formatting durations and sizes.

use std::time::Duration;

use super::{format_duration, format_size, parse_duration, parse_size, suggest_size};

#[test]
fn a_duration_has_a_number_and_a_unit() {
    let table = [
        ("0s", Some(0)),
        ("500ms", Some(500)),
        ("10s", Some(10_000)),
        ("5m", Some(300_000)),
        ("12h", Some(43_200_000)),
        ("7d", Some(604_800_000)),
        ("10", None),
        ("s", None),
        ("", None),
        ("1.5s", None),
        ("-1s", None),
        ("+1s", None),
        ("01s", None),
        ("10 s", None),
        ("10S", None),
        ("10sec", None),
        ("1h30m", None),
        ("٣s", None),
        ("18446744073709551615d", None),
        ("18446744073709551616s", None),
    ];
    for (written, expected) in table {
        assert_eq!(parse_duration(written), expected.map(Duration::from_millis), "{written}");
    }
}

#[test]
fn a_size_has_a_number_and_a_binary_unit() {
    let table = [
        ("0B", Some(0)),
        ("512B", Some(512)),
        ("64KiB", Some(65_536)),
        ("1MiB", Some(1_048_576)),
        ("4GiB", Some(4_294_967_296)),
        ("64", None),
        ("64KB", None),
        ("64kib", None),
        ("64 KiB", None),
        ("1.5MiB", None),
        ("18446744073709551615KiB", None),
    ];
    for (written, expected) in table {
        assert_eq!(parse_size(written), expected, "{written}");
    }
}

#[test]
fn what_is_shown_reads_as_what_it_was() {
    for written in ["0s", "500ms", "10s", "61s", "5m", "12h", "7d"] {
        assert_eq!(parse_duration(written).map(format_duration).as_deref(), Some(written));
    }
    for written in ["0B", "1025B", "64KiB", "3MiB", "4GiB"] {
        assert_eq!(parse_size(written).map(format_size).as_deref(), Some(written));
    }
}

#[test]
fn a_misspelt_unit_is_recognised() {
    let table = [("64kb", Some("64KiB")), ("1M", Some("1MiB")), ("10", Some("10B")), ("x", None), ("7 parsecs", None)];
    for (written, near) in table {
        assert_eq!(suggest_size(written).as_deref(), near, "{written}");
    }
}
