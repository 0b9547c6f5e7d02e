//! Edits the file of API keys as a text, so that comments and layout stay as they are.

use super::read::{KeyEntry, read};
use crate::document::{Findings, Node, Sources, Value, parse};
use crate::vocabulary::{SubjectKind, Timestamp};

/// The text of a file without keys.
pub const EMPTY_FILE: &str = "\
# API keys, read by the gateway and written by `portcullis key`. This file holds digests only: a secret is shown once,
# when its key is created. Each key is a caller, described with the keys of `portcullis explain --as`.
version: 1
keys: {}
";

/// Adds `entry` after the other keys of `text`; `None` where the layout does not allow a safe edit.
pub fn add_key(text: &str, entry: &KeyEntry) -> Option<String> {
    let file = KeyFileText::read(text)?;
    let Value::Map(keys) = &file.keys.value else { return None };
    let edited = match keys.first() {
        None => {
            let (before, behind) = (file.text.get(..start_of(&file.keys))?, file.text.get(end_of(&file.keys)..)?);
            let (line, rest) = behind.split_once('\n').unwrap_or((behind, ""));
            format!("{}{}\n{}{rest}", before.trim_end(), line.trim_end_matches('\r'), format_entry(entry, 2))
        }
        Some((first, _)) => {
            let indent = file.indent(first)?;
            let at = file.end_of_section(first, indent)?;
            let (before, behind) = file.text.split_at_checked(at)?;
            let line_end = if before.ends_with('\n') { "" } else { "\n" };
            format!("{before}{line_end}{}{behind}", format_entry(entry, indent))
        }
    };
    let mut expected = file.entries;
    expected.push(entry.clone());
    holds_entries(&edited, &expected).then_some(edited)
}

/// Revokes the key `id` of `text` at `now`; `None` where there is no such key, or the layout allows no safe edit.
pub fn revoke_key(text: &str, id: &str, now: Timestamp) -> Option<String> {
    let file = KeyFileText::read(text)?;
    let Value::Map(keys) = &file.keys.value else { return None };
    let (key, value) = keys.iter().find(|(key, _)| has_text(key, id))?;
    let Value::Map(fields) = &value.value else { return None };
    let (name, digest) = fields.iter().find(|(name, _)| has_text(name, "digest"))?;
    let line = format!("revoked: {}", now);
    let (at, inserted) = if file.indent(name).is_some() && start_of(name) > file.end_of_line(start_of(key)) {
        (file.end_of_line(end_of(digest)), format!("\n{}{line}", " ".repeat(file.indent(name)?)))
    } else {
        (end_of(digest), format!(", {line}"))
    };
    let (before, behind) = file.text.split_at_checked(at)?;
    let edited = format!("{before}{inserted}{behind}");
    let mut expected = file.entries;
    expected.iter_mut().filter(|entry| *entry.id == *id).for_each(|entry| entry.revoked = Some(Some(now)));
    holds_entries(&edited, &expected).then_some(edited)
}

/// KeyFileText: the text of a key file, and the positions of its keys.
struct KeyFileText {
    /// The text without a byte order mark, so that spans are offsets into it.
    text: String,
    keys: Node,
    entries: Vec<KeyEntry>,
}

impl KeyFileText {
    fn read(text: &str) -> Option<Self> {
        let mut sources = Sources::default();
        let file = sources.add("", text);
        let entries = read(&sources, file, &mut Findings::default())?;
        let Value::Map(fields) = parse(&sources, file, &mut Findings::default())?.value else { return None };
        let (_, keys) = fields.into_iter().find(|(name, _)| has_text(name, "keys"))?;
        Some(Self { text: sources.source(file)?.text.clone(), keys, entries })
    }

    /// The number of spaces before `node` on its line; `None` where anything else precedes it.
    fn indent(&self, node: &Node) -> Option<usize> {
        let before = self.text.get(..start_of(node))?;
        let line = before.rsplit('\n').next()?;
        line.bytes().all(|byte| byte == b' ').then_some(line.len())
    }

    /// The end of the line that holds byte `at`, without its line break.
    fn end_of_line(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        at + line.trim_end_matches('\r').len()
    }

    /// The byte after the last line of the keys, of which `first` is the first.
    ///
    /// A comment with the indentation of the keys belongs to them; a comment at the line's start belongs to the file.
    fn end_of_section(&self, first: &Node, indent: usize) -> Option<usize> {
        let (mut at, mut section) = (start_of(first), start_of(first));
        for line in self.text.get(at..)?.split_inclusive('\n') {
            let blank = line.trim().is_empty();
            let inside = at == start_of(first) || line.bytes().take_while(|byte| *byte == b' ').count() >= indent;
            if !blank && !inside {
                break;
            }
            at += line.len();
            if !blank {
                section = at;
            }
        }
        Some(section)
    }
}

/// Formats `entry` as lines.
fn format_entry(entry: &KeyEntry, indent: usize) -> String {
    let subject = &entry.subject;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let list =
        |names: &mut dyn Iterator<Item = &str>| format!("[{}]", names.map(quoted).collect::<Vec<_>>().join(", "));
    let mut lines = vec![format!("digest: {}", entry.digest)];
    let mut line = |name: &str, value: Option<String>| lines.extend(value.map(|value| format!("{name}: {value}")));
    line("kind", Some(if subject.kind == SubjectKind::Service { "service" } else { "user" }.to_owned()));
    line("client", subject.client.as_deref().map(quoted));
    let roles: Vec<Box<str>> = subject.roles.iter().map(|claimed| claimed.role.clone()).collect();
    for (name, names) in [
        ("tenants", &subject.tenants),
        ("roles", &roles),
        ("groups", &subject.groups),
        ("permissions", &subject.permissions),
    ] {
        line(name, (!names.is_empty()).then(|| list(&mut names.iter().map(|name| &**name))));
    }
    line("created", entry.created.map(|at| at.to_string()));
    line("expires", entry.expires.map(|at| at.to_string()));
    line("comment", entry.comment.as_deref().map(quoted));
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + 2));
    let lines: String = lines.into_iter().map(|line| format!("{inner}{line}\n")).collect();
    format!("{outer}{}:\n{lines}", quoted(&entry.id))
}

/// Whether `text` holds exactly `entries`.
fn holds_entries(text: &str, entries: &[KeyEntry]) -> bool {
    KeyFileText::read(text).is_some_and(|file| file.entries == entries)
}

fn has_text(node: &Node, wanted: &str) -> bool {
    matches!(&node.value, Value::Scalar { text, .. } if **text == *wanted)
}

fn start_of(node: &Node) -> usize {
    usize::try_from(node.span.start).unwrap_or(usize::MAX)
}

fn end_of(node: &Node) -> usize {
    usize::try_from(node.span.end).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
