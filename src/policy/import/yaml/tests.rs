//! Tests of `yaml`: texts read back unchanged, and comments remain comments.

use proptest::prelude::*;

use super::*;
use crate::document::{Findings, Sources, Value, parse, text};
use crate::property::{CASES, hold};

/// Reads `written` back from a policy, as the key of a map and as the item of a list.
fn read(written: &str) -> Vec<String> {
    let mut sources = Sources::default();
    let it = format_scalar(written);
    let file = sources.add("it.yaml", &format!("key:\n  {it}: # c\n    - {it}   # c\n"));
    let mut findings = Findings::default();
    let root = parse(&sources, file, &mut findings).unwrap_or_else(|| panic!("{written:?}: {findings:?}"));
    let Value::Map(entries) = &root.value else { panic!("{root:?}") };
    let Value::Map(inner) = &entries[0].1.value else { panic!("{root:?}") };
    let Value::List(items) = &inner[0].1.value else { panic!("{root:?}") };
    let both = [&inner[0].0, &items[0]].map(|node| text(node, "it", &mut findings).unwrap_or_default().to_owned());
    assert!(findings.is_empty(), "{written:?}: {findings:?}");
    both.to_vec()
}

#[test]
fn a_text_that_yaml_takes_for_something_else_is_quoted() {
    for plain in ["Patients", "read Patient Group (User assignments)", "/a/{b}/{*c}", "View & Manage", "é", "None"] {
        assert_eq!(format_scalar(plain), plain);
    }
    for odd in
        ["no", "~", "1e5", "2026-01-01", "a: b", "a #b", "[a]", "- a", "a, b", "*a", "!a", "a ", " a", "\"", "\\"]
    {
        assert!(format_scalar(odd).starts_with('"'), "{odd}");
        assert_eq!(read(odd), [odd, odd]);
    }
}

#[test]
fn a_comment_ends_where_its_line_ends() {
    assert_eq!(format_comment("a\nusers: {}\u{2028}b\u{85}c\u{0}d\te"), "a users: {} b c d e");
}

#[test]
fn every_text_comes_back_as_it_was() {
    hold(CASES, "\\PC*|[\\x00-\\xff]{1,8}|[-a-z0-9:#{}\\[\\]'\" ]{1,12}", |written| {
        prop_assume!(!written.trim().is_empty() && written.len() < MAX_NAME_LENGTH);
        prop_assert_eq!(read(&written), [written.clone(), written]);
        Ok(())
    });
}

#[test]
fn no_text_leaves_its_comment() {
    hold(CASES, any::<String>(), |written| {
        let mut sources = Sources::default();
        let file = sources.add("it.yaml", &format!("a: b # {}\n", format_comment(&written)));
        let mut findings = Findings::default();
        let root = parse(&sources, file, &mut findings);
        prop_assert!(findings.is_empty(), "{:?}", findings);
        prop_assert!(matches!(root.unwrap().value, Value::Map(entries) if entries.len() == 1));
        Ok(())
    });
}
