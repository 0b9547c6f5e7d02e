//! SettingsReader: reads the values of the settings, such as durations, sizes, counts, paths and names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::secret::Secrets;
use super::units::{format_duration, format_size, is_digits, parse_duration, parse_size, suggest_size};
use super::url::HttpUrl;
use crate::document::reader::{boolean, integer, keyword, text};
use crate::document::{Finding, FindingCode, Findings, Node, Value};

/// SettingsReader: the base folder of paths, the access to secrets, and the findings.
pub struct SettingsReader<'r> {
    /// The folder of the settings file.
    pub folder: &'r Path,
    /// Access to the environment and the files.
    pub secrets: &'r dyn Secrets,
    /// The findings so far.
    pub findings: &'r mut Findings,
}

impl<'r> SettingsReader<'r> {
    /// A reader without findings of its own yet.
    pub fn new(folder: &'r Path, secrets: &'r dyn Secrets, findings: &'r mut Findings) -> Self {
        Self { folder, secrets, findings }
    }

    /// Reports a value that is not allowed; the finding is added when the draft is dropped.
    pub fn reject(&mut self, node: &Node, message: impl Into<String>) -> FindingDraft<'_> {
        self.report(Finding::error(FindingCode::BadValue, Some(node.span), message))
    }

    /// Reports a finding, which is added when the draft is dropped.
    pub fn report(&mut self, finding: Finding) -> FindingDraft<'_> {
        FindingDraft { finding: Some(finding), findings: self.findings }
    }

    /// Reads a duration between `least` and `most`; `default` where the key is missing.
    pub fn duration(
        &mut self,
        node: Option<&Node>,
        what: &str,
        default: Duration,
        least: Duration,
        most: Duration,
    ) -> Duration {
        let Some(node) = node else { return default };
        let Some(raw) = self.scalar(node, what, "a duration such as `10s`") else { return default };
        match parse_duration(raw) {
            Some(found) if (least..=most).contains(&found) => return found,
            Some(_) => {
                let message =
                    format!("{what} is between {} and {}, not `{raw}`", format_duration(least), format_duration(most));
                self.reject(node, message);
            }
            None => {
                let message = format!("{what} is a duration such as `10s`, not `{raw}`");
                let help = if is_digits(raw) {
                    format!("write the unit too: `{raw}s`, `{raw}ms`, `{raw}m`")
                } else {
                    "a whole number and one of the units ms, s, m, h, d".to_owned()
                };
                self.reject(node, message).help(help);
            }
        }
        default
    }

    /// Reads a duration in whole seconds, bounded as in [`SettingsReader::duration`].
    pub fn seconds(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> u64 {
        let [default, least, most] = [default, least, most].map(Duration::from_secs);
        let found = self.duration(node, what, default, least, most);
        if let Some(node) = node
            && found.subsec_nanos() != 0
        {
            self.reject(node, format!("{what} is a duration in whole seconds"));
        }
        found.as_secs()
    }

    /// Reads a size in bytes between `least` and `most`; `default` where the key is missing.
    pub fn size(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> u64 {
        let Some(node) = node else { return default };
        let Some(raw) = self.scalar(node, what, "a size such as `64KiB`") else { return default };
        match parse_size(raw) {
            Some(found) if (least..=most).contains(&found) => return found,
            Some(_) => {
                let message =
                    format!("{what} is between {} and {}, not `{raw}`", format_size(least), format_size(most));
                self.reject(node, message);
            }
            None => {
                let message = format!("{what} is a size such as `64KiB`, not `{raw}`");
                let help = match suggest_size(raw) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a whole number and one of the units B, KiB, MiB, GiB".to_owned(),
                };
                self.reject(node, message).help(help);
            }
        }
        default
    }

    /// Reads a size as [`SettingsReader::size`] does, as a `usize`.
    pub fn memory(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> usize {
        usize::try_from(self.size(node, what, default, least, most)).unwrap_or(usize::MAX)
    }

    /// Reads a size, or `None` for `unlimited`.
    pub fn limit(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> Option<u64> {
        let unlimited = node.is_some_and(|node| is_word(node, "unlimited"));
        (!unlimited).then(|| self.size(node, what, default, least, most))
    }

    /// Reads a whole number between `least` and `most`; `default` where the key is missing.
    pub fn number(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> u64 {
        node.and_then(|node| integer(node, what, least, most, self.findings)).unwrap_or(default)
    }

    /// Reads a number as [`SettingsReader::number`] does, as a `usize`.
    pub fn count(&mut self, node: Option<&Node>, what: &str, default: u64, least: u64, most: u64) -> usize {
        usize::try_from(self.number(node, what, default, least, most)).unwrap_or(usize::MAX)
    }

    /// Reads `true` or `false`; `default` where the key is missing.
    pub fn flag(&mut self, node: Option<&Node>, what: &str, default: bool) -> bool {
        node.and_then(|node| boolean(node, what, self.findings)).unwrap_or(default)
    }

    /// Reads one of `words`; `default` where the key is missing.
    pub fn word<T: Copy>(&mut self, node: Option<&Node>, what: &str, words: &[(&str, T)], default: T) -> T {
        node.and_then(|node| keyword(node, what, words, self.findings)).unwrap_or(default)
    }

    /// Reads a text with the checks of the strict reader.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        text(node, what, self.findings)
    }

    /// Reads the distinct texts of a list that is not empty.
    pub fn texts(&mut self, node: &Node, what: &str) -> Vec<Box<str>> {
        let texts = self.names(node, what);
        if texts.is_empty() && matches!(&node.value, Value::List(items) if items.is_empty()) {
            let message = format!("{what} is an empty list");
            self.report(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
        }
        texts
    }

    /// Reads the distinct texts of a list that may be empty.
    pub fn names(&mut self, node: &Node, what: &str) -> Vec<Box<str>> {
        let found = crate::document::reader::texts(node, what, self.findings);
        let mut names: Vec<Box<str>> = Vec::with_capacity(found.len());
        for (name, span) in found {
            if names.iter().any(|other| **other == *name) {
                let message = format!("`{name}` is listed twice in {what}");
                self.report(Finding::error(FindingCode::DuplicateName, Some(span), message));
            } else {
                names.push(name.into());
            }
        }
        names
    }

    /// Reads the names of a list as [`SettingsReader::texts`] does; each must be in `known`.
    ///
    /// Messages call the named thing a `sort`.
    pub fn known_names(&mut self, node: &Node, what: &str, sort: &str, known: &[Box<str>]) -> Vec<Box<str>> {
        let names = self.texts(node, what);
        let Value::List(items) = &node.value else { return names };
        for item in items {
            if let Value::Scalar { text, .. } = &item.value
                && !text.is_empty()
                && !known.contains(text)
            {
                let message = format!("no {sort} is named `{text}`");
                let finding = Finding::error(FindingCode::UnknownName, Some(item.span), message);
                self.report(finding.suggest(text, known.iter().map(|name| &**name)));
            }
        }
        names
    }

    /// Reads a path relative to the folder of the settings file.
    pub fn path(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let raw = self.text(node, what)?;
        if raw.contains('\0') {
            self.reject(node, format!("{what} holds a NUL"));
            return None;
        }
        Some(self.folder.join(raw))
    }

    /// Reads a path as [`SettingsReader::path`] does; a finding where this process cannot open it.
    pub fn file(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let path = self.path(node, what)?;
        if let Err(error) = self.secrets.open(&path) {
            let message = format!("{what} `{}` cannot be read: {error}", path.display());
            self.report(Finding::error(FindingCode::Unreadable, Some(node.span), message));
        }
        Some(path)
    }

    /// Reads a URL.
    pub fn url(&mut self, node: &Node, what: &str) -> Option<HttpUrl> {
        let text = self.text(node, what)?;
        match HttpUrl::parse(text) {
            Ok(url) => Some(url),
            Err(fault) => {
                self.reject(node, format!("{what} is no URL such as `https://login.example.com/jwks`: {fault}"));
                None
            }
        }
    }

    /// Reads a name for ids and metric labels: lower-case letters, digits and `-`.
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
            self.reject(node, message).help(format!("did you mean `{near}`?"));
            return None;
        }
        Some(name)
    }

    fn scalar<'n>(&mut self, node: &'n Node, what: &str, sort: &str) -> Option<&'n str> {
        let (code, found) = match &node.value {
            // The parser represents a missing value as a plain `~`.
            Value::Scalar { text, plain } if !(text.trim().is_empty() || *plain && &**text == "~") => {
                return Some(text);
            }
            Value::Scalar { .. } => (FindingCode::EmptyValue, "nothing"),
            other => (FindingCode::WrongSort, other.type_name()),
        };
        self.report(Finding::error(code, Some(node.span), format!("{what} is {sort}, not {found}")));
        None
    }
}

/// FindingDraft: a finding that may still receive help before it is added.
pub struct FindingDraft<'f> {
    finding: Option<Finding>,
    findings: &'f mut Findings,
}

impl FindingDraft<'_> {
    /// Adds advice on how to correct it.
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
