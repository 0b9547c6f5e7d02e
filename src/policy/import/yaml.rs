//! Formats a vendor's texts so that a policy file can hold them.

use crate::document::reader;

/// The longest name before a colon: YAML reads no longer keys.
pub(super) const MAX_NAME_LENGTH: usize = 1000;

/// Formats a text as a scalar: plain where every reader reads the same text, otherwise in double quotes.
pub(super) fn format_scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quote(text) }
}

/// Formats a text as part of a comment, on one line.
pub(super) fn format_comment(text: &str) -> String {
    join_lines(&text.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect::<String>())
}

/// Joins the lines of a text and collapses white space to single spaces.
pub(super) fn join_lines(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_plain(text: &str) -> bool {
    let path = text.starts_with('/');
    let begins = path || text.starts_with(char::is_alphabetic);
    let safe = |c: char| c.is_alphanumeric() || " -_./()+&'".contains(c) || (path && "{}*".contains(c));
    begins && text.chars().all(safe) && !text.ends_with(' ') && !reader::is_ambiguous_scalar(text)
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~') || (!c.is_ascii() && c.is_alphanumeric()) || matches!(c, '–' | '—' | '…' | '’' | '“' | '”')
}

#[cfg(test)]
mod tests;
