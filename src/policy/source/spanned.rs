//! Spanned: a text with its span, and how names, scopes and conditions are read.

use crate::document::reader;
use crate::document::{Finding, FindingCode, Findings, Node, Span, Value, text};

/// Spanned: a name or a text, and its span.
#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) text: Box<str>,
    pub(crate) span: Span,
}

pub(super) fn read_text(node: &Node, what: &str, findings: &mut Findings) -> Option<Spanned> {
    let text = text(node, what, findings)?;
    if text.chars().any(is_invisible) {
        let message = format!("{what} contains an invisible character, or one that changes the direction of text");
        findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
        return None;
    }
    Some(Spanned { text: text.into(), span: node.span })
}

pub(super) fn read_names(node: &Node, what: &str, findings: &mut Findings) -> Vec<Spanned> {
    let items = reader::list(node, what, findings).unwrap_or_default();
    items.iter().filter_map(|item| read_text(item, what, findings)).collect()
}

/// Whether a character is invisible, or changes how terminals and tables show the text around it.
fn is_invisible(c: char) -> bool {
    let is_directional = matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    is_directional || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Reads `{ tenant: t1, pacs: [p7, p8] }`: the accepted values of each bound scope, without `ignored_keys`.
pub(super) fn read_bounds(
    node: &Node,
    what: &str,
    ignored_keys: &[&str],
    findings: &mut Findings,
) -> Vec<(Spanned, Vec<Spanned>)> {
    let mut found = Vec::new();
    for (name, values) in reader::entries(node, what, findings).unwrap_or_default() {
        if matches!(&name.value, Value::Scalar { text, .. } if ignored_keys.contains(&&**text)) {
            continue;
        }
        let fitting = match &values.value {
            Value::List(items) if items.is_empty() => {
                let finding = Finding::error(
                    FindingCode::EmptyValue,
                    Some(values.span),
                    "a scope without a value matches nothing",
                );
                findings.push(finding.help("leave the scope out if every value matches"));
                Vec::new()
            }
            Value::List(_) => read_names(values, "a scope's value", findings),
            _ => read_text(values, "a scope's value", findings).into_iter().collect(),
        };
        if let Some(name) = read_text(name, "a scope's name", findings) {
            found.push((name, fitting));
        }
    }
    found
}

/// Reads a condition, which must be quoted because `#`, `:` and `!` have a meaning in YAML.
pub(super) fn read_condition(node: &Node, findings: &mut Findings) -> Option<Spanned> {
    if let Value::Scalar { text, plain: true } = &node.value
        && !text.is_empty()
    {
        let finding = Finding::error(FindingCode::NeedsQuotes, Some(node.span), "a condition needs quotes");
        findings.push(finding.help(format!("write \"{text}\"")));
        return None;
    }
    read_text(node, "a condition", findings)
}
