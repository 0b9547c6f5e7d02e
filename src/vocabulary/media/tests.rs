//! Tests of media ranges and media types.

use super::*;

#[test]
fn a_more_specific_range_has_the_greater_number() {
    let range = |text: &str| MediaRange::parse(text).unwrap();
    assert_eq!(range("image/png").specificity("image/png"), 3);
    assert_eq!(range("image/*").specificity("image/png"), 2);
    assert_eq!(range("otherwise").specificity("image/png"), 1);
    assert_eq!(range("IMAGE/*").specificity("image/svg+xml"), 2);
    assert_eq!(range("image/*").specificity("imagery/png"), 0);
    assert_eq!(range("image/png").specificity("image/jpeg"), 0);
}

#[test]
fn what_is_no_range_is_none() {
    for text in ["image", "*/*", "*/png", "image/", "/png", "image/png;q=1", "image/a b", "image/*/x"] {
        assert_eq!(MediaRange::parse(text), None, "{text}");
    }
}

#[test]
fn only_one_valid_media_type_has_an_essence() {
    assert_eq!(essence("Image/PNG; charset=x").as_deref(), Some("image/png"));
    assert_eq!(essence("application/pdf").as_deref(), Some("application/pdf"));
    for text in ["", "image", "image/png, text/html", "image/png;a=1,text/html", "a b/c", "image/*"] {
        assert_eq!(essence(text), None, "{text}");
    }
}
