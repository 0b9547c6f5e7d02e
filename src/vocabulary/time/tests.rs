//! Tests of parsing and printing timestamps.

use super::*;

#[test]
fn a_moment_is_read_as_it_is_printed() {
    for (input, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T23:59:59Z", 951_868_799),
        ("2027-01-01T00:00:00Z", 1_798_761_600),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] {
        assert_eq!(Timestamp::parse(input), Some(Timestamp(seconds)), "{input}");
        assert_eq!(Timestamp(seconds).to_string(), input);
    }
    assert_eq!(Timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    assert_eq!(Timestamp::parse("2027-01-01T01:00:00+01:00"), Some(Timestamp(1_798_761_600)));
}

#[test]
fn what_is_no_moment_is_none() {
    for input in ["", "2027-01-01", "2027-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "2027-01-01 00:00:00", "now"] {
        assert_eq!(Timestamp::parse(input), None, "{input}");
    }
}
