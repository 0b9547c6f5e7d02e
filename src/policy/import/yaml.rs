//! Texts as a policy file can hold them, whatever a vendor's file has in them.

use crate::document::reader;

/// The longest name that can stand before a colon: YAML reads no longer ones.
pub(super) const LONGEST_NAME: usize = 1000;

/// A text as a scalar: bare where every reader takes it for the same text, else in double quotes.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// A text as part of a comment, on one line.
pub(super) fn comment(text: &str) -> String {
    one_line(&text.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect::<String>())
}

/// A text without line ends and with single blanks.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_plain(text: &str) -> bool {
    let path = text.starts_with('/');
    let begins = path || text.starts_with(char::is_alphabetic);
    let safe = |c: char| c.is_alphanumeric() || " -_./()+&'".contains(c) || (path && "{}*".contains(c));
    begins && text.chars().all(safe) && !text.ends_with(' ') && !reader::is_ambiguous_scalar(text)
}

fn quoted(text: &str) -> String {
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
