//! Reads secrets that the settings refer to by file or environment variable.

use std::path::{Path, PathBuf};

use super::reader::SettingsReader;
use super::secret::{MAX_SECRET_LENGTH, Secret, SecretFile};
use crate::document::{Finding, FindingCode, MapReader, Node, Value};

impl SettingsReader<'_> {
    /// Reads the secret that `{ file: path }` or `{ env: NAME }` refers to; no message repeats it.
    pub fn secret(&mut self, node: &Node, what: &'static str) -> Option<Secret> {
        const HELP: &str = "write `{ file: path }` or `{ env: NAME }`";
        if let Value::Scalar { text, .. } = &node.value
            && !text.is_empty()
        {
            // The value stays out of the message, because messages are logged.
            let message = format!("{what} is a secret, which is never written in this file");
            self.report(Finding::error(FindingCode::WrongSort, Some(node.span), message)).help(HELP);
            return None;
        }
        let mut fields = MapReader::open(node, what, self.findings)?;
        let file = fields.optional("file");
        let env = fields.optional("env");
        fields.finish(self.findings);
        let (from, bytes) = match (file, env) {
            (Some(file), None) => (file, self.secret_file(file, what)?),
            (None, Some(env)) => (env, self.secret_variable(env, what)?),
            _ => {
                let message = format!("{what} needs exactly one of `file` and `env`");
                self.reject(node, message).help(HELP);
                return None;
            }
        };
        let trimmed = bytes.strip_suffix(b"\n").map_or(&*bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
        if trimmed.is_empty() {
            let message = format!("the secret of {what} is empty");
            self.report(Finding::error(FindingCode::EmptyValue, Some(from.span), message));
            return None;
        }
        Some(Secret::new(trimmed))
    }

    /// Reads a secret that a header can carry: visible ASCII, with spaces only inside.
    pub fn header_secret(&mut self, node: &Node, what: &'static str) -> Option<Secret> {
        let secret = self.secret(node, what)?;
        let bytes = secret.expose();
        let visible = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if !visible || bytes.starts_with(b" ") || bytes.ends_with(b" ") {
            self.reject(node, format!("{what} holds a character that a header cannot carry"));
            return None;
        }
        Some(secret)
    }

    fn secret_file(&mut self, node: &Node, what: &str) -> Option<Vec<u8>> {
        let path = self.path(node, what)?;
        match self.secrets.read(&path) {
            Ok(file) if file.bytes.len() > MAX_SECRET_LENGTH => {
                self.reject(node, format!("`{}` is larger than any secret", path.display()));
                None
            }
            Ok(file) => {
                self.note_exposed(node, &path, &file);
                Some(file.bytes)
            }
            Err(error) => {
                let message = format!("{what} cannot be read from `{}`: {error}", path.display());
                self.report(Finding::error(FindingCode::Unreadable, Some(node.span), message));
                None
            }
        }
    }

    /// Reads the path of a file that is read later and that only its owner should be able to read.
    pub fn private_file(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let path = self.path(node, what)?;
        match self.secrets.read(&path) {
            Ok(file) => self.note_exposed(node, &path, &file),
            Err(error) => {
                let message = format!("{what} `{}` cannot be read: {error}", path.display());
                self.report(Finding::error(FindingCode::Unreadable, Some(node.span), message));
            }
        }
        Some(path)
    }

    fn note_exposed(&mut self, node: &Node, path: &Path, file: &SecretFile) {
        if file.exposed {
            let message = format!("`{}` can be read by others than its owner", path.display());
            let note = Finding::note(FindingCode::BadValue, Some(node.span), message);
            self.report(note).help(format!("chmod 600 {}", path.display()));
        }
    }

    fn secret_variable(&mut self, node: &Node, what: &str) -> Option<Vec<u8>> {
        let name = self.text(node, what)?;
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !letters || name.starts_with(|c: char| c.is_ascii_digit()) {
            self.reject(node, format!("`{name}` is no name of an environment variable"));
            return None;
        }
        let value = self.secrets.variable(name);
        if value.is_none() {
            let message = format!("{what} is read from the environment variable `{name}`, which is not set");
            self.report(Finding::error(FindingCode::Unreadable, Some(node.span), message));
        }
        value
    }
}

#[cfg(test)]
mod tests;
