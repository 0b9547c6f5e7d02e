//! Reads the paths that a source text names, without its comments and literals.

/// All paths in a text without comments, each with its line; groups in braces are expanded.
pub(crate) fn paths(code: &str) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = read_path(&tokens, at, &[], &mut found).max(at + 1);
    }
    found
}

/// Reads one path from `at` on, with the prefix `before`; returns the index after it.
fn read_path(
    tokens: &[(usize, String)],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let mut path = before.to_vec();
    let line = tokens.get(at).map_or(0, |(line, _)| *line);
    let text = |at: usize| tokens.get(at).map(|(_, text)| text.as_str());
    if text(at) == Some("::") {
        at += 1;
    }
    while let Some(part) = text(at).filter(|text| text.starts_with(|c: char| c.is_alphabetic() || c == '_')) {
        path.push(part.to_owned());
        at += 1;
        if text(at) != Some("::") {
            break;
        }
        at += 1;
        if text(at) == Some("{") {
            at += 1;
            while text(at).is_some_and(|text| text != "}") {
                at = read_path(tokens, at, &path, found).max(at + 1);
            }
            return at + 1;
        }
    }
    if path.len() > before.len() {
        found.push((line, path));
    }
    at
}

/// Identifiers, `::` and single characters, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(code.lines()) {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((number, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// A source text with comments and literals replaced by spaces; line numbers stay the same.
pub(crate) fn blank_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped_length(rest, out.chars().last());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// The length of the comment or literal at the start of `rest`; 0 if there is none.
fn skipped_length(rest: &str, before: Option<char>) -> usize {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    let in_identifier = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if let Some(raw) = rest.strip_prefix('r').filter(|_| !in_identifier || before == Some('b')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
        }
    }
    if let Some(text) = rest.strip_prefix('"') {
        return 1 + literal_length(text, '"');
    }
    if let Some(text) = rest.strip_prefix('\'') {
        // A lifetime has no closing quote directly after its first character.
        let escaped = text.starts_with('\\');
        let closes = text.chars().nth(1) == Some('\'');
        return if escaped || closes { 1 + literal_length(text, '\'') } else { 0 };
    }
    0
}

/// The length of the rest of a literal, including its closing quote.
fn literal_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

// ── Tests of the reader itself: a reader that finds no paths would pass every rule ──

#[test]
fn paths_are_found_in_every_spelling() {
    let code = blank_comments_and_literals(
        r##"
use crate::{audit::{Sink, log}, guard::*};
use super::super::cli;
// use crate::comment;
/* use crate::block; */
fn f<'a>(text: &'a str) -> char { let _ = "crate::text \" crate::quoted"; let _ = r#"crate::raw " x"#; '"' }
fn g() { let _ = ::tokio::spawn(async move {}); crate :: demo :: run(); }
"##,
    );
    let found: Vec<String> = paths(&code).into_iter().map(|(_, path)| path.join("::")).collect();
    for expected in [
        "crate::audit::Sink",
        "crate::audit::log",
        "crate::guard",
        "super::super::cli",
        "tokio::spawn",
        "async",
        "crate::demo::run",
    ] {
        assert!(found.iter().any(|path| path == expected), "{expected} not in {found:?}");
    }
    for absent in ["comment", "block", "text \\", "quoted", "raw"] {
        assert!(!found.iter().any(|path| path.contains(absent) && path.starts_with("crate")), "{absent} in {found:?}");
    }
    assert_eq!(paths(&code).iter().find(|(_, path)| path[0] == "async").unwrap().0, 7);
}
