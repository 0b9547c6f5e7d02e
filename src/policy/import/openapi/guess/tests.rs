//! Tests of `guess`: operations and resources from methods and paths.

use super::*;

#[test]
fn the_method_tells_unless_the_last_word_of_a_post_does() {
    for (method, path, operation_, word) in [
        ("GET", "/a/search", Operation::Read, None),
        ("POST", "/a", Operation::Create, None),
        ("PUT", "/a/{b}", Operation::Update, None),
        ("PATCH", "/a/{b}", Operation::Update, None),
        ("DELETE", "/a/{b}", Operation::Delete, None),
        ("POST", "/a/search", Operation::Read, Some("search")),
        ("POST", "/a/_search", Operation::Read, Some("_search")),
        ("POST", "/a/Merge", Operation::Merge, Some("Merge")),
        ("POST", "/a/items/delete", Operation::Delete, Some("delete")),
        ("POST", "/search/{id}", Operation::Create, None),
    ] {
        assert_eq!(guess_operation(method, path), OperationGuess { operation: operation_, word }, "{method} {path}");
    }
}

#[test]
fn a_path_is_about_its_last_word_that_is_no_verb() {
    assert_eq!(guess_from_path("/patients/{id}/notes/{note}"), "notes");
    assert_eq!(guess_from_path("/patients/search"), "patients");
    assert_eq!(guess_from_path("/search"), "search");
    assert_eq!(guess_from_path("/{tenant}"), "Root");
    assert_eq!(guess_from_path("/"), "Root");
}
