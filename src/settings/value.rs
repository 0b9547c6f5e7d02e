//! SettingsReader: what every part of the settings is read with; durations, sizes, counts, paths and names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::secret::Secrets;
use super::units::{is_digits, near_size, parse_duration, parse_size, show_duration, show_size};
use crate::document::reader::{boolean, integer, keyword, text};
use crate::document::{Finding, FindingCode, Findings, Node, Value};

/// SettingsReader: where relative paths start, where secrets come from, and where findings go.
pub struct SettingsReader<'r> {
    /// The folder of the settings file.
    pub folder: &'r Path,
    /// The environment and the files.
    pub secrets: &'r dyn Secrets,
    /// What was found so far.
    pub findings: &'r mut Findings,
}

impl<'r> SettingsReader<'r> {
    /// A reading that has found nothing yet.
    pub fn new(folder: &'r Path, secrets: &'r dyn Secrets, findings: &'r mut Findings) -> Self {
        Self { folder, secrets, findings }
    }

    /// A value that is not allowed; the finding is kept when the draft is dropped.
    pub fn bad(&mut self, node: &Node, message: impl Into<String>) -> FindingDraft<'_> {
        self.finding(Finding::error(FindingCode::BadValue, Some(node.span), message))
    }

    /// Any finding, kept when the draft is dropped.
    pub fn finding(&mut self, finding: Finding) -> FindingDraft<'_> {
        FindingDraft { finding: Some(finding), findings: self.findings }
    }

    /// A duration between `least` and `most`, or `default` where nothing stands.
    pub fn duration(
        &mut self,
        node: Option<&Node>,
        what: &str,
        default: Duration,
        least: Duration,
        most: Duration,
    ) -> Duration {
        let Some(node) = node else { return default };
        let Some(written) = self.scalar(node, what, "a duration such as `10s`") else { return default };
        match parse_duration(written) {
            Some(found) if (least..=most).contains(&found) => return found,
            Some(_) => {
                let message =
                    format!("{what} is between {} and {}, not `{written}`", show_duration(least), show_duration(most));
                self.bad(node, message);
            }
            None => {
                let message = format!("{what} is a duration such as `10s`, not `{written}`");
                let help = if is_digits(written) {
                    format!("write the unit too: `{written}s`, `{written}ms`, `{written}m`")
                } else {
                    "a whole number and one of the units ms, s, m, h, d".to_owned()
                };
                self.bad(node, message).help(help);
            }
        }
        default
    }

    /// A duration in whole seconds, with the bounds of [`SettingsReader::duration`].
    pub fn seconds(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> u64 {
        let [default, least, most] = [default, least, most].map(Duration::from_secs);
        let found = self.duration(node, what, default, least, most);
        if let Some(node) = node
            && found.subsec_nanos() != 0
        {
            self.bad(node, format!("{what} is a duration in whole seconds"));
        }
        found.as_secs()
    }

    /// A size in bytes between `least` and `most`, or `default` where nothing stands.
    pub fn size(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> u64 {
        let Some(node) = node else { return default };
        let Some(written) = self.scalar(node, what, "a size such as `64KiB`") else { return default };
        match parse_size(written) {
            Some(found) if (least..=most).contains(&found) => return found,
            Some(_) => {
                let message =
                    format!("{what} is between {} and {}, not `{written}`", show_size(least), show_size(most));
                self.bad(node, message);
            }
            None => {
                let message = format!("{what} is a size such as `64KiB`, not `{written}`");
                let help = match near_size(written) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a whole number and one of the units B, KiB, MiB, GiB".to_owned(),
                };
                self.bad(node, message).help(help);
            }
        }
        default
    }

    /// A size as [`SettingsReader::size`] reads it, as this machine counts bytes in memory.
    pub fn memory(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> usize {
        usize::try_from(self.size(node, what, default, least, most)).unwrap_or(usize::MAX)
    }

    /// A size, or the word `unlimited`: `None`.
    pub fn limit(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> Option<u64> {
        let unlimited = node.is_some_and(|node| is_word(node, "unlimited"));
        (!unlimited).then(|| self.size(node, what, default, least, most))
    }

    /// A whole number between `least` and `most`, or `default` where nothing stands.
    pub fn number(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> u64 {
        node.and_then(|node| integer(node, what, least, most, self.findings)).unwrap_or(default)
    }

    /// A number as [`SettingsReader::number`] reads it, as this machine counts things in memory.
    pub fn count(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> usize {
        usize::try_from(self.number(node, what, default, least, most)).unwrap_or(usize::MAX)
    }

    /// `true` or `false`, or `default` where nothing stands.
    pub fn flag(&mut self, node: Option<&Node>, what: &str, default: bool) -> bool {
        node.and_then(|node| boolean(node, what, self.findings)).unwrap_or(default)
    }

    /// The one among `words` that stands here, or `default` where nothing stands.
    pub fn word<T: Copy>(&mut self, node: Option<&Node>, what: &str, words: &[(&str, T)], default: T) -> T {
        node.and_then(|node| keyword(node, what, words, self.findings)).unwrap_or(default)
    }

    /// A text, with the traps of the strict reader.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        text(node, what, self.findings)
    }

    /// The texts of a list that has at least one, none of them twice.
    pub fn texts(&mut self, node: &Node, what: &str) -> Vec<Box<str>> {
        let texts = self.names(node, what);
        if texts.is_empty() && matches!(&node.value, Value::List(items) if items.is_empty()) {
            let message = format!("{what} is an empty list");
            self.finding(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
        }
        texts
    }

    /// The texts of a list that may be empty, none of them twice.
    pub fn names(&mut self, node: &Node, what: &str) -> Vec<Box<str>> {
        let found = crate::document::reader::texts(node, what, self.findings);
        let mut names: Vec<Box<str>> = Vec::with_capacity(found.len());
        for (name, span) in found {
            if names.iter().any(|other| **other == *name) {
                let message = format!("`{name}` stands twice in {what}");
                self.finding(Finding::error(FindingCode::DuplicateName, Some(span), message));
            } else {
                names.push(name.into());
            }
        }
        names
    }

    /// The names of a list as [`SettingsReader::texts`] reads it, each of them one of `known`; `sort` says what they name.
    pub fn known(&mut self, node: &Node, what: &str, sort: &str, known: &[Box<str>]) -> Vec<Box<str>> {
        let names = self.texts(node, what);
        let Value::List(items) = &node.value else { return names };
        for item in items {
            if let Value::Scalar { text, .. } = &item.value
                && !text.is_empty()
                && !known.contains(text)
            {
                let message = format!("no {sort} is named `{text}`");
                let finding = Finding::error(FindingCode::UnknownName, Some(item.span), message);
                self.finding(finding.suggest(text, known.iter().map(|name| &**name)));
            }
        }
        names
    }

    /// A path, seen from the folder of the settings file.
    pub fn path(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let written = self.text(node, what)?;
        if written.contains('\0') {
            self.bad(node, format!("{what} holds a NUL"));
            return None;
        }
        Some(self.folder.join(written))
    }

    /// A path as [`SettingsReader::path`] reads it; a finding where this process cannot open it.
    pub fn file(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let path = self.path(node, what)?;
        if let Err(error) = self.secrets.open(&path) {
            let message = format!("{what} `{}` cannot be read: {error}", path.display());
            self.finding(Finding::error(FindingCode::Unreadable, Some(node.span), message));
        }
        Some(path)
    }

    /// A name that ids and metric labels are made of: small letters, digits and `-`.
    pub fn label<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let name = self.text(node, what)?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.len() > 64 || !name.bytes().all(allowed) {
            let message = format!("{what} is at most 64 of a-z, 0-9 and `-`, not `{name}`");
            let near: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
                .take(64)
                .collect();
            self.bad(node, message).help(format!("did you mean `{near}`?"));
            return None;
        }
        Some(name)
    }

    fn scalar<'n>(&mut self, node: &'n Node, what: &str, sort: &str) -> Option<&'n str> {
        let (code, found) = match &node.value {
            // The parser spells a missing value as a plain `~`.
            Value::Scalar { text, plain } if !(text.trim().is_empty() || *plain && &**text == "~") => {
                return Some(text);
            }
            Value::Scalar { .. } => (FindingCode::EmptyValue, "nothing"),
            other => (FindingCode::WrongSort, other.type_name()),
        };
        self.finding(Finding::error(code, Some(node.span), format!("{what} is {sort}, not {found}")));
        None
    }
}

/// FindingDraft: a finding that may still get help before it is kept.
pub struct FindingDraft<'f> {
    finding: Option<Finding>,
    findings: &'f mut Findings,
}

impl FindingDraft<'_> {
    /// Adds what would cure it.
    pub fn help(mut self, help: impl Into<String>) {
        self.finding = self.finding.take().map(|finding| finding.help(help));
    }
}

impl Drop for FindingDraft<'_> {
    fn drop(&mut self) {
        if let Some(finding) = self.finding.take() {
            self.findings.push(finding);
        }
    }
}

/// Whether a plain or quoted scalar is `word`.
pub fn is_word(node: &Node, word: &str) -> bool {
    matches!(&node.value, Value::Scalar { text, .. } if &**text == word)
}
