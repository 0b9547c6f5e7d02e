//! Tests of the patterns of templates; the tests of loading cover refused templates.

use super::{Template, TemplateSegment};
use crate::document::Span;
use crate::policy::source::Spanned;
use crate::request::Dialect;

fn read(text: &str) -> Template {
    let input = Spanned { text: text.into(), span: Span { file: 0, start: 0, end: 0 } };
    Template::read(&input, Dialect::Strict).unwrap()
}

#[test]
fn parameters_lose_their_names_and_literals_their_case() {
    let template = read("/{tenant}/Api/{*rest}");
    assert_eq!(template.pattern(false), "/{p0}/Api/{*p2}");
    assert_eq!(template.pattern(true), "/{p0}/api/{*p2}");
    assert_eq!(template.parameter("tenant"), Some(0));
    assert_eq!(template.parameter("rest"), None);
    assert_eq!(template.segments().len(), 3);
}

#[test]
fn a_literal_is_stored_in_canonical_spelling() {
    assert_eq!(read("/a|b").segments(), [TemplateSegment::Literal("a%7Cb".into())]);
    assert_eq!(read("/").segments(), [TemplateSegment::Literal("".into())]);
    assert_eq!(read("/a/").segments(), [TemplateSegment::Literal("a".into()), TemplateSegment::Literal("".into())]);
}
