//! Secret: a value that is never written in the settings or in a message.

use std::io::{self, Read};
use std::path::Path;

/// Secret: bytes that `Debug` does not print; never empty.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Makes a secret of these bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the code that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// Compares in constant time for secrets of equal length.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Secret {}

/// Secrets: access to the environment and the files that settings may refer to.
pub trait Secrets {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// Reads the content of a secret's file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    fn read(&self, path: &Path) -> io::Result<SecretFile>;
    /// Checks that a file or folder that is read later can be opened now.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    fn open(&self, path: &Path) -> io::Result<()>;
}

/// SecretFile: the content of a secret's file and whether others may read it.
pub struct SecretFile {
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether users other than its owner may read it.
    pub exposed: bool,
}

/// ProcessSecrets: the environment and files of this process.
pub struct ProcessSecrets;

/// The largest secret, far above any key or password; a larger file is a wrong path.
pub(super) const MAX_SECRET_LENGTH: usize = 64 << 10;

impl Secrets for ProcessSecrets {
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(std::os::unix::ffi::OsStringExt::into_vec)
    }

    fn read(&self, path: &Path) -> io::Result<SecretFile> {
        let file = std::fs::File::open(path)?;
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata()?);
        let mut bytes = Vec::new();
        file.take(u64::try_from(MAX_SECRET_LENGTH + 1).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        Ok(SecretFile { bytes, exposed: mode & 0o044 != 0 })
    }

    fn open(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(path).map(drop)
    }
}
