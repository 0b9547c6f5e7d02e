//! Tests of rendered findings.

use super::{human, json, line, summary};
use crate::document::{Finding, FindingCode, Findings, Sources, Span};

fn example() -> (Findings, Sources) {
    let mut sources = Sources::default();
    let file = sources.add("p.yaml", "name: x\nrolles: {}\n");
    let mut findings = Findings::default();
    let span = Span { file, start: 8, end: 14 };
    findings.push(Finding::note(FindingCode::EmptyRow, Some(span), "later"));
    findings.push(
        Finding::error(FindingCode::UnknownKey, Some(span), "a policy has no key `rolles`")
            .help("did you mean `roles`?"),
    );
    (findings, sources)
}

#[test]
fn a_report_shows_the_line_and_underlines_the_span() {
    let (findings, sources) = example();
    let text = human(&findings, &sources);
    let expected = "error[unknown-key]: a policy has no key `rolles`\n --> p.yaml:2:1\n  |\n2 | rolles: {}\n  | ^^^^^^\n  = help: did you mean `roles`?\n";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(summary(&findings), "1 error, 1 note");
}

#[test]
fn the_line_and_the_json_agree() {
    let (findings, sources) = example();
    let first = findings.sorted()[0];
    assert_eq!(
        line(first, &sources),
        "p.yaml:2:1: error[unknown-key]: a policy has no key `rolles` (did you mean `roles`?)"
    );
    let value = json(&findings, &sources);
    assert_eq!(value[0]["line"], 2);
    assert_eq!(value[0]["code"], "unknown-key");
    assert_eq!(value[1]["severity"], "note");
}
