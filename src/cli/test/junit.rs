//! Results as JUnit's XML: a suite for each policy, a test for each case.

use std::fmt::Write;

use crate::decision::cases::CaseStatus;

use super::TestResult;

pub(super) fn xml(tested: &[TestResult]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for tested in tested {
        // A text takes what is written to it.
        let _ = suite(&mut out, tested);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(out: &mut String, tested: &TestResult) -> std::fmt::Result {
    let errors = tested.errors();
    let untried = tested.results.len() - tested.passed() - tested.failed();
    writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{untried}\" time=\"{:.3}\">",
        escaped(&tested.path),
        tested.results.len() + errors.len(),
        tested.failed(),
        errors.len(),
        tested.took.as_secs_f64(),
    )?;
    for outcome in &tested.results {
        let at = tested.sources.locate(outcome.place);
        let (file, line) = at.map_or(("", 0), |at| (at.file, at.line));
        write!(
            out,
            "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{line}\"",
            escaped(&outcome.title),
            escaped(&tested.path),
            escaped(file),
        )?;
        match &outcome.ended {
            CaseStatus::Passed => writeln!(out, "/>")?,
            CaseStatus::NotTried => writeln!(out, "><skipped/></testcase>")?,
            CaseStatus::Failed(finding) => writeln!(
                out,
                "><failure type=\"{}\" message=\"{}\">{}</failure></testcase>",
                finding.code.as_str(),
                escaped(&finding.message),
                escaped(finding.help.as_deref().unwrap_or_default()),
            )?,
        }
    }
    for error in errors {
        let (path, error) = (escaped(&tested.path), escaped(&error));
        writeln!(out, "    <testcase name=\"read\" classname=\"{path}\"><error message=\"{error}\"/></testcase>")?;
    }
    writeln!(out, "  </testsuite>")
}

/// A text as XML 1.0 may hold it (section 2.2); characters that it may not hold become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
