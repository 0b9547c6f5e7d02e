//! Secret: a value that never stands in the settings and never in a message.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, Value};

/// Secret: bytes that no `Debug` prints; never empty.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// The secret that these bytes are.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// Equal in a time that tells nothing but the length.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Secret {}

/// Secrets: the environment and the files that settings may refer to.
pub trait Secrets {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// The content of a secret's file.
    fn read(&self, path: &Path) -> io::Result<SecretFile>;
    /// Whether a file or folder that is read later can be opened now.
    fn open(&self, path: &Path) -> io::Result<()>;
}

/// SecretFile: what stands in a secret's file, and who may see it.
pub struct SecretFile {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether others than its owner may read it.
    pub exposed: bool,
}

/// ProcessSecrets: the process's own environment and files.
pub struct ProcessSecrets;

/// Far above any key or password; a larger file is a wrong path.
const MAX_SECRET: usize = 64 << 10;

impl Secrets for ProcessSecrets {
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(std::os::unix::ffi::OsStringExt::into_vec)
    }

    fn read(&self, path: &Path) -> io::Result<SecretFile> {
        let file = std::fs::File::open(path)?;
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata()?);
        let mut bytes = Vec::new();
        file.take(u64::try_from(MAX_SECRET + 1).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        Ok(SecretFile { bytes, exposed: mode & 0o044 != 0 })
    }

    fn open(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(path).map(drop)
    }
}

impl SettingsReader<'_> {
    /// The secret that `{ file: path }` or `{ env: NAME }` refers to; it is never written out.
    pub fn secret(&mut self, node: &Node, what: &'static str) -> Option<Secret> {
        const HELP: &str = "write `{ file: path }` or `{ env: NAME }`";
        if let Value::Scalar { text, .. } = &node.value
            && !text.is_empty()
        {
            // The value stays out of the message: messages end in logs.
            let message = format!("{what} is a secret and never stands in this file");
            self.finding(Finding::error(FindingCode::WrongSort, Some(node.span), message)).help(HELP);
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
                self.bad(node, message).help(HELP);
                return None;
            }
        };
        let trimmed = bytes.strip_suffix(b"\n").map_or(&*bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
        if trimmed.is_empty() {
            let message = format!("{what} is empty there");
            self.finding(Finding::error(FindingCode::EmptyValue, Some(from.span), message));
            return None;
        }
        Some(Secret::new(trimmed))
    }

    /// A secret that can stand in a header: visible ASCII and blanks inside.
    pub fn header_secret(&mut self, node: &Node, what: &'static str) -> Option<Secret> {
        let secret = self.secret(node, what)?;
        let bytes = secret.expose();
        let visible = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
        if !visible || bytes.starts_with(b" ") || bytes.ends_with(b" ") {
            self.bad(node, format!("{what} holds a character that cannot stand in a header"));
            return None;
        }
        Some(secret)
    }

    fn secret_file(&mut self, node: &Node, what: &str) -> Option<Vec<u8>> {
        let path = self.path(node, what)?;
        match self.secrets.read(&path) {
            Ok(file) if file.bytes.len() > MAX_SECRET => {
                self.bad(node, format!("`{}` is larger than any secret", path.display()));
                None
            }
            Ok(file) => {
                self.note_exposed(node, &path, &file);
                Some(file.bytes)
            }
            Err(error) => {
                let message = format!("{what} cannot be read from `{}`: {error}", path.display());
                self.finding(Finding::error(FindingCode::Unreadable, Some(node.span), message));
                None
            }
        }
    }

    /// The path of a file that is read later and that nobody but its owner should see.
    pub fn guarded_file(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        let path = self.path(node, what)?;
        match self.secrets.read(&path) {
            Ok(file) => self.note_exposed(node, &path, &file),
            Err(error) => {
                let message = format!("{what} `{}` cannot be read: {error}", path.display());
                self.finding(Finding::error(FindingCode::Unreadable, Some(node.span), message));
            }
        }
        Some(path)
    }

    fn note_exposed(&mut self, node: &Node, path: &Path, file: &SecretFile) {
        if file.exposed {
            let message = format!("`{}` can be read by others than its owner", path.display());
            let note = Finding::note(FindingCode::BadValue, Some(node.span), message);
            self.finding(note).help(format!("chmod 600 {}", path.display()));
        }
    }

    fn secret_variable(&mut self, node: &Node, what: &str) -> Option<Vec<u8>> {
        let name = self.text(node, what)?;
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !letters || name.starts_with(|c: char| c.is_ascii_digit()) {
            self.bad(node, format!("`{name}` is no name of an environment variable"));
            return None;
        }
        let value = self.secrets.variable(name);
        if value.is_none() {
            let message = format!("{what} is read from the environment variable `{name}`, which is not set");
            self.finding(Finding::error(FindingCode::Unreadable, Some(node.span), message));
        }
        value
    }
}

#[cfg(test)]
mod tests;
