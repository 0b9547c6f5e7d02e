//! Tests of `fit`: paths that fit a template, and paths that do not.

use super::*;

const PLACE: Span = Span { file: 0, start: 0, end: 0 };

#[test]
fn parameters_get_names_that_a_route_may_have() {
    for (written, expected) in [
        ("/a/{b}", "/a/{b}"),
        ("/a/{patient.id}", "/a/{patient-id}"),
        ("/a/{_id}", "/a/{id}"),
        ("/a/{id:int}/{name:.+}", "/a/{id}/{name}"),
        ("/a/{id}/b/{id}", "/a/{id}/b/{id-2}"),
        ("/a/{$x}/{患者}/{1}", "/a/{x}/{p}/{p-2}"),
        ("/a/{proxy+}", "/a/{*proxy}"),
        ("/a/{**path}", "/a/{*path}"),
        ("/a/{id*}", "/a/{id}"),
        ("/a/{}", "/a/{p}"),
    ] {
        assert_eq!(fit_path(written, PLACE).unwrap().template, expected);
    }
}

#[test]
fn what_no_route_can_say_is_an_error_that_names_it() {
    for (written, why) in [
        ("/reports/{id}.pdf", "`{id}.pdf` mixes"),
        ("/a/{a}-{b}", "`{a}-{b}` mixes parameters"),
        ("/v1/{name=shelves/*}:merge", "mixes"),
        ("/a/{rest+}/b", "not at the end"),
        ("/a//b", "empty segment"),
        ("/a?b=c", "holds a query"),
        ("/a b", "space"),
        ("/a%20b", "percent-encoded"),
        ("/a/:id", "would match the text"),
        ("a", "does not begin with `/`"),
        ("/a/../b", "no request reaches"),
    ] {
        let found = fit_path(written, PLACE).unwrap_err().message;
        assert!(found.contains(why), "{written}: {found}");
    }
    assert!(fit_path(&format!("/{}", "a".repeat(2000)), PLACE).is_err());
}
