//! FindingSummary: the findings of one load, in the form in which they are logged and shown.

use crate::document::{Findings, Severity, Sources, report};

/// The most findings of one refused reload that are kept and logged.
pub(super) const MAX_FINDINGS: usize = 100;

/// FindingSummary: the findings of one load as log lines and as JSON.
pub(super) struct FindingSummary {
    pub(super) lines: Vec<String>,
    pub(super) json: serde_json::Value,
}

pub(super) fn summarize_findings(findings: &Findings, sources: &Sources) -> FindingSummary {
    let mut all = findings.sorted();
    if findings.has_errors() {
        // Notes must not displace the errors that stop the load.
        all.retain(|finding| finding.severity == Severity::Error);
    }
    let more = all.len().saturating_sub(MAX_FINDINGS);
    all.truncate(MAX_FINDINGS);
    let mut lines: Vec<String> = all.iter().map(|finding| escape_controls(&report::line(finding, sources))).collect();
    let mut first = Findings::default();
    all.into_iter().for_each(|finding| first.push(finding.clone()));
    if more > 0 {
        lines.push(format!("{more} more findings are left out"));
    }
    FindingSummary { lines, json: report::json(&first, sources) }
}

/// Escapes control characters in a finding, which quotes user input, so that it cannot forge a log line.
pub(super) fn escape_controls(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}
