//! Reports of findings: text with snippets and carets, or JSON.

use super::finding::{Finding, Findings, Severity};
use super::sources::{Sources, Span};

/// Renders all findings as text in file order, each with `file:line:column`, a snippet, carets and help.
pub fn human(findings: &Findings, sources: &Sources) -> String {
    findings.sorted().into_iter().map(|finding| format_finding(finding, sources)).collect::<Vec<_>>().join("\n")
}

/// Renders a finding on one line: `file:line:column: error[code]: message (help)`.
pub fn line(finding: &Finding, sources: &Sources) -> String {
    let at = finding.span.and_then(|span| sources.locate(span)).map(|at| format!("{at}: ")).unwrap_or_default();
    let help = finding.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{at}{}[{}]: {}{help}", finding.severity.as_str(), finding.code.as_str(), finding.message)
}

/// Renders all findings as a JSON array.
///
/// The objects have `code`, `severity`, `file`, `line`, `column`, `message`, `also` and `help`.
pub fn json(findings: &Findings, sources: &Sources) -> serde_json::Value {
    let span = |span: Option<Span>| match span.and_then(|span| sources.locate(span)) {
        Some(at) => serde_json::json!({ "file": at.file, "line": at.line, "column": at.column }),
        None => serde_json::json!({}),
    };
    let all = findings.sorted().into_iter().map(|finding| {
        let mut object = serde_json::json!({
            "code": finding.code.as_str(),
            "severity": finding.severity.as_str(),
            "message": finding.message,
            "help": finding.help,
            "also": finding.also.iter().map(|(at, role)| {
                let mut also = span(Some(*at));
                if let Some(map) = also.as_object_mut() {
                    map.insert("role".into(), role.as_str().into());
                }
                also
            }).collect::<Vec<_>>(),
        });
        if let (Some(object), Some(at)) = (object.as_object_mut(), span(finding.span).as_object()) {
            object.extend(at.clone());
        }
        object
    });
    all.collect()
}

/// The last line of a report: the numbers of errors and notes.
pub fn summary(findings: &Findings) -> String {
    let (mut errors, mut notes) = (0, 0);
    for finding in findings.sorted() {
        match finding.severity {
            Severity::Error => errors += 1,
            Severity::Note => notes += 1,
        }
    }
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", plural(errors, "error"), plural(notes, "note"))
}

fn format_finding(finding: &Finding, sources: &Sources) -> String {
    let mut out = format!("{}[{}]: {}\n", finding.severity.as_str(), finding.code.as_str(), finding.message);
    if let Some(span) = finding.span {
        write_snippet(&mut out, span, "", sources);
    }
    for (span, role) in &finding.also {
        write_snippet(&mut out, *span, role, sources);
    }
    if let Some(help) = &finding.help {
        out.push_str(&format!("  = help: {help}\n"));
    }
    out
}

fn write_snippet(out: &mut String, span: Span, role: &str, sources: &Sources) {
    let (Some(at), Some(source)) = (sources.locate(span), sources.source(span.file)) else { return };
    let text = source.text.lines().nth(at.line - 1).unwrap_or_default();
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let room = text.chars().count().saturating_sub(at.column - 1).max(1);
    let length = usize::try_from(span.end.saturating_sub(span.start)).unwrap_or(1);
    let bytes = usize::try_from(span.start).ok().and_then(|start| source.text.get(start..)).unwrap_or_default();
    let carets = bytes.char_indices().take_while(|(at, c)| *at < length && *c != '\n').count().clamp(1, room);
    let pad: String = text.chars().take(at.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    out.push_str(&format!(
        "{margin}--> {at}\n{margin} |\n{number} | {text}\n{margin} | {pad}{} {role}\n",
        "^".repeat(carets)
    ));
    while out.ends_with(" \n") {
        out.truncate(out.len() - 2);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests;
