//! Tests of which plain scalars are unambiguous texts.

use super::is_ambiguous_scalar;

#[test]
fn a_scalar_that_some_yaml_parser_reads_as_another_type_is_ambiguous() {
    let table = [
        "no",
        "No",
        "ON",
        "y",
        "~",
        "null",
        "true",
        "0123",
        "42",
        "-1",
        "+7",
        "1.10",
        "12345e67",
        "1e-5",
        "0x1F",
        "0o17",
        "0b101",
        "1_000",
        "12:30",
        "12:30:45",
        ".5",
        "5.",
        ".inf",
        "-.INF",
        ".nan",
        "2026-01-01",
        "2026-1-1",
        "2026-01-01T00:00:00Z",
        "2026-01-01 10:00",
    ];
    for input in table {
        assert!(is_ambiguous_scalar(input), "{input}");
    }
    let table = [
        "None",
        "t1",
        "app-1",
        "Level 1",
        "1st",
        "12ab",
        "1.2.3",
        "2026-01-ab",
        "e5",
        "-",
        "10.0.0.1:80",
        "0xZZ",
        "nope",
        "5c463a6c",
        "1e",
        "a:b",
        "/path",
        "...",
    ];
    for input in table {
        assert!(!is_ambiguous_scalar(input), "{input}");
    }
}
