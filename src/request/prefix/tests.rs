//! Tests of prefixes under lenient interpretation.

use super::may_start_with;

#[test]
fn a_prefix_is_recognised_in_every_spelling_that_some_server_ignores() {
    for path in [
        "/inner",
        "/inner/a",
        "/INNER/a",
        "/inner;x/a",
        "/inner%3Bx/a",
        "/inner./a",
        "/inner%20/a",
        "/inner%2Fa",
        "/%2Finner/a",
        "/(S(1))/inner/a",
        "/index.php/inner/a",
        "/inner.json",
        "/inner:x/a",
    ] {
        assert!(may_start_with(path, "/inner"), "{path}");
    }
    for path in ["/", "/inne", "/inners/a", "/other/inner", "/in/ner", "/inner.json/a"] {
        assert!(!may_start_with(path, "/inner"), "{path}");
    }
    assert!(may_start_with("/anything", ""));
}
