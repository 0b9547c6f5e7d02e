//! Strict reading of a tree: maps with known keys, texts that are texts, numbers in their bounds.

use super::finding::{Finding, FindingCode, Findings};
use super::node::{Node, Value};
use super::sources::Span;

/// MapReader: reads a map by its known keys; every other key is an error.
pub struct MapReader<'n> {
    what: &'static str,
    span: Span,
    entries: &'n [(Node, Node)],
    known: Vec<&'static str>,
}

impl<'n> MapReader<'n> {
    /// Opens the map `node`, which messages call `what`; a finding if it is not a map.
    pub fn open(node: &'n Node, what: &'static str, findings: &mut Findings) -> Option<Self> {
        entries(node, what, findings).map(|entries| Self { what, span: node.span, entries, known: Vec::new() })
    }

    /// The value of `key`, if the map has it.
    pub fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        self.entries.iter().find(|(name, _)| scalar_text(name) == Some(key)).map(|(_, value)| value)
    }

    /// The value of `key`; a finding if it is missing.
    pub fn required(&mut self, key: &'static str, findings: &mut Findings) -> Option<&'n Node> {
        let value = self.optional(key);
        if value.is_none() {
            let message = format!("{} needs `{key}`", self.what);
            findings.push(Finding::error(FindingCode::MissingKey, Some(first_byte(self.span)), message));
        }
        value
    }

    /// The span of the map.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Reports every key that was not read.
    pub fn finish(self, findings: &mut Findings) {
        for (key, value) in self.entries {
            let input = scalar_text(key).unwrap_or_default();
            if !self.known.contains(&input) {
                let finding = Finding::error(
                    FindingCode::UnknownKey,
                    Some(key.span),
                    format!("{} has no key `{input}`", self.what),
                );
                findings.push(match crate::vocabulary::name::nearest(input, self.known.iter().copied()) {
                    Some(name) => finding.help(format!("did you mean `{name}`?")),
                    None if is_empty_scalar(value) => finding.help(format!(
                        "inside `{{…}}` a text with a comma needs quotes; known keys: {}",
                        self.known.join(", ")
                    )),
                    None => finding.help(format!("known keys: {}", self.known.join(", "))),
                });
            }
        }
    }
}

/// Whether a key has no value: in `{ note: one, two }` the key `two` has none.
fn is_empty_scalar(value: &Node) -> bool {
    matches!(&value.value, Value::Scalar { text, plain: true } if text.is_empty())
}

/// The entries of a map in source order; a finding if `node` is not a map.
pub fn entries<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n [(Node, Node)]> {
    match &node.value {
        Value::Map(entries) => Some(entries),
        other => {
            findings.push(wrong_type(node, &format!("{what} is a map"), other));
            None
        }
    }
}

/// The items of a list; a finding if `node` is not a list.
pub fn list<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n [Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        other => {
            let finding = wrong_type(node, &format!("{what} is a list"), other);
            findings.push(finding.help("write `[one, two]`, or one item per line after a `-`"));
            None
        }
    }
}

/// The text of a scalar; a finding if `node` is not a scalar, is empty, or has another type in YAML.
pub fn text<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n str> {
    match &node.value {
        Value::Scalar { text, plain: true } if text.is_empty() => {
            findings.push(Finding::error(FindingCode::EmptyValue, Some(node.span), format!("{what} is empty")));
            None
        }
        Value::Scalar { text, plain: true } if is_ambiguous_scalar(text) => {
            let finding = Finding::error(
                FindingCode::NeedsQuotes,
                Some(node.span),
                format!("{what} is a text, but an unquoted `{text}` is something else in YAML"),
            );
            findings.push(finding.help(format!("write \"{text}\"")));
            None
        }
        Value::Scalar { text, .. } if text.trim().is_empty() => {
            findings.push(Finding::error(FindingCode::EmptyValue, Some(node.span), format!("{what} is empty")));
            None
        }
        Value::Scalar { text, .. } => Some(text),
        other => {
            let finding = wrong_type(node, &format!("{what} is a text"), other);
            let map = matches!(other, Value::Map(_));
            findings.push(if map { finding.help("a text with a colon needs quotes") } else { finding });
            None
        }
    }
}

/// The texts of a list; messages call each item `what`.
pub fn texts<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Vec<(&'n str, Span)> {
    let items = list(node, what, findings).unwrap_or_default();
    items.iter().filter_map(|item| text(item, what, findings).map(|found| (found, item.span))).collect()
}

/// A whole number between `least` and `most` inclusive.
pub fn integer(node: &Node, what: &str, least: u64, most: u64, findings: &mut Findings) -> Option<u64> {
    let wrong = |message: String| Finding::error(FindingCode::BadValue, Some(node.span), message);
    let input = match &node.value {
        Value::Scalar { text, plain: true } => text,
        other => {
            findings.push(wrong_type(node, &format!("{what} is a whole number without quotes"), other));
            return None;
        }
    };
    let digits = input.bytes().all(|byte| byte.is_ascii_digit()) && !(input.len() > 1 && input.starts_with('0'));
    match input.parse::<u64>() {
        Ok(number) if digits && (least..=most).contains(&number) => Some(number),
        Ok(_) if digits => {
            findings.push(wrong(format!("{what} is between {least} and {most}, not `{input}`")));
            None
        }
        _ => {
            findings.push(wrong(format!("{what} is a whole number between {least} and {most}, not `{input}`")));
            None
        }
    }
}

/// `true` or `false`, unquoted.
pub fn boolean(node: &Node, what: &str, findings: &mut Findings) -> Option<bool> {
    match &node.value {
        Value::Scalar { text, plain: true } if &**text == "true" => Some(true),
        Value::Scalar { text, plain: true } if &**text == "false" => Some(false),
        other => {
            let finding = wrong_type(node, &format!("{what} is `true` or `false`"), other);
            findings.push(finding);
            None
        }
    }
}

/// The value of the keyword at `node`; a finding if it is not among `keywords`.
pub fn keyword<T: Copy>(node: &Node, what: &str, keywords: &[(&str, T)], findings: &mut Findings) -> Option<T> {
    let input = text(node, what, findings)?;
    let found = keywords.iter().find(|(keyword, _)| *keyword == input).map(|(_, value)| *value);
    if found.is_none() {
        let known: Vec<&str> = keywords.iter().map(|(keyword, _)| *keyword).collect();
        let finding = Finding::error(FindingCode::BadValue, Some(node.span), format!("{what} cannot be `{input}`"));
        findings.push(match crate::vocabulary::name::nearest(input, known.iter().copied()) {
            Some(name) => finding.help(format!("did you mean `{name}`?")),
            None => finding.help(format!("one of: {}", known.join(", "))),
        });
    }
    found
}

/// A map's key as text, with the checks of [`text`].
pub fn key<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> Option<&'n str> {
    text(node, what, findings)
}

fn scalar_text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

fn wrong_type(node: &Node, expected: &str, found: &Value) -> Finding {
    let code = if found.type_name() == "nothing" { FindingCode::EmptyValue } else { FindingCode::WrongSort };
    let input = match found {
        Value::Scalar { text, .. } if !text.is_empty() => format!("`{text}`"),
        other => other.type_name().to_owned(),
    };
    Finding::error(code, Some(node.span), format!("{expected}, not {input}"))
}

fn first_byte(span: Span) -> Span {
    Span { end: span.start.saturating_add(1), ..span }
}

/// Whether a YAML 1.1 or 1.2 parser may read a plain scalar as null, a boolean, a number or a date.
pub(crate) fn is_ambiguous_scalar(plain: &str) -> bool {
    const WORDS: [&str; 10] = ["~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    if WORDS.iter().any(|word| plain.eq_ignore_ascii_case(word)) {
        return true;
    }
    let unsigned = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    if [".inf", ".nan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return true;
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    is_number(unsigned) || is_date(plain)
}

fn is_number(unsigned: &str) -> bool {
    let radix = |prefix: &str, digit: fn(char) -> bool| {
        unsigned.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| digit(c) || c == '_'))
    };
    if radix("0x", |c| c.is_ascii_hexdigit()) || radix("0o", |c| c.is_digit(8)) || radix("0b", |c| c.is_digit(2)) {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if exponent.is_some_and(|exponent| !digits(exponent)) {
        return false;
    }
    // Digits, `_` between digits and `:` between sexagesimal groups (YAML 1.1), and at most one dot.
    mantissa.matches('.').count() <= 1
        && mantissa.chars().any(|c| c.is_ascii_digit())
        && mantissa.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '_' | ':'))
}

/// Whether a text is a date such as `2026-01-01`, with or without a time after it (YAML 1.1, timestamp).
fn is_date(plain: &str) -> bool {
    let mut parts = plain.splitn(3, '-');
    let digits = |part: Option<&str>, least: usize| {
        part.is_some_and(|text| {
            text.chars().take_while(char::is_ascii_digit).count() >= least
                && text.starts_with(|c: char| c.is_ascii_digit())
        })
    };
    let year = parts.next().is_some_and(|year| year.len() == 4 && year.chars().all(|c| c.is_ascii_digit()));
    let month =
        parts.next().is_some_and(|month| (1..=2).contains(&month.len()) && month.chars().all(|c| c.is_ascii_digit()));
    let day = parts.next();
    let rest = day.map_or("", |day| day.trim_start_matches(|c: char| c.is_ascii_digit()));
    year && month && digits(day, 1) && (rest.is_empty() || rest.starts_with(['T', 't', ' ']))
}

#[cfg(test)]
mod tests;
