//! Prints test results as JUnit XML: a suite for each policy, a test for each case.

use std::fmt::Write;

use crate::decision::cases::CaseStatus;

use super::results::TestResult;

pub(super) fn results_xml(results: &[TestResult]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for result in results {
        // Writing to a `String` cannot fail.
        let _ = write_suite(&mut out, result);
    }
    out.push_str("</testsuites>\n");
    out
}

fn write_suite(out: &mut String, result: &TestResult) -> std::fmt::Result {
    let errors = result.errors();
    let untried = result.cases.len() - result.count_passed() - result.count_failed();
    writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{untried}\" time=\"{:.3}\">",
        escape(&result.path),
        result.cases.len() + errors.len(),
        result.count_failed(),
        errors.len(),
        result.duration.as_secs_f64(),
    )?;
    for case in &result.cases {
        let location = result.sources.locate(case.span);
        let (file, line) = location.map_or(("", 0), |location| (location.file, location.line));
        write!(
            out,
            "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{line}\"",
            escape(&case.title),
            escape(&result.path),
            escape(file),
        )?;
        match &case.status {
            CaseStatus::Passed => writeln!(out, "/>")?,
            CaseStatus::NotTried => writeln!(out, "><skipped/></testcase>")?,
            CaseStatus::Failed(finding) => writeln!(
                out,
                "><failure type=\"{}\" message=\"{}\">{}</failure></testcase>",
                finding.code.as_str(),
                escape(&finding.message),
                escape(finding.help.as_deref().unwrap_or_default()),
            )?,
        }
    }
    for error in errors {
        let (path, error) = (escape(&result.path), escape(&error));
        writeln!(out, "    <testcase name=\"read\" classname=\"{path}\"><error message=\"{error}\"/></testcase>")?;
    }
    writeln!(out, "  </testsuite>")
}

/// Escapes a text for XML 1.0 (section 2.2); characters that XML cannot hold become U+FFFD.
fn escape(text: &str) -> String {
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
