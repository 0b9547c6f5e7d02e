//! Tests of the YAML that strict parsing refuses, and of the reported spans.

use super::parse;
use crate::document::{Findings, Sources, Value, report};

fn refused(text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("p.yaml", text);
    let mut findings = Findings::default();
    let tree = parse(&sources, file, &mut findings);
    assert!(tree.is_none(), "{text:?} was read");
    findings.sorted().into_iter().map(|finding| report::line(finding, &sources)).collect::<Vec<_>>().join("\n")
}

#[test]
fn ambiguous_yaml_is_refused_with_its_span() {
    let table = [
        ("a: 1\nb: 2\na: 3\n", "p.yaml:3:1: error[duplicate-key]"),
        ("a: &x 1\nb: *x\n", "p.yaml:1:7: error[yaml-anchor]"),
        ("a: *x\n", "p.yaml:1:4: error[yaml-anchor]"),
        ("a: !caller.vip\n", "p.yaml:1:4: error[yaml-tag]"),
        ("a: !!str 1\n", "p.yaml:1:4: error[yaml-tag]"),
        ("a: {b: 1}\nc:\n  <<: {d: 1}\n", "p.yaml:3:3: error[yaml-anchor]"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2:1: error[yaml-syntax]: a second document"),
        ("%YAML 1.2\n---\na: 1\n", "error[yaml-syntax]"),
        ("a:\n\tb: 1\n", "error[yaml-syntax]"),
        ("", "error[yaml-syntax]: the file is empty"),
        ("{ /{tenant}/api: x }\n", "error[yaml-syntax]"),
    ];
    for (text, expected) in table {
        let found = refused(text);
        assert!(found.contains(expected), "{text:?}: {found}");
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_pass() {
    let mut sources = Sources::default();
    let file = sources.add("p.yaml", "\u{feff}a: one\r\nb: [x, y]\r\n");
    let mut findings = Findings::default();
    let tree = parse(&sources, file, &mut findings).unwrap();
    assert!(findings.is_empty());
    let Value::Map(entries) = tree.value else { panic!("no map") };
    assert_eq!(entries.len(), 2);
    assert_eq!(sources.locate(entries[1].0.span).unwrap().to_string(), "p.yaml:2:1");
}

#[test]
fn deep_nesting_is_refused_and_does_not_end_the_program() {
    refused(&format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000)));
}
