//! KeyPlan: the source of an issuer's keys, and when it is read.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::identity::Algorithms;
use crate::reload::issuer_error::IssuerError;

/// The most bytes of a key file, key set or discovery document.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The unit of the default periods of [`KeyPlan`].
const MINUTE: Duration = Duration::from_secs(60);

/// KeySource: the source of an issuer's keys.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file with PEM public keys or a JSON Web Key Set, distinguished by its content.
    File(PathBuf),
    /// The URL of a JSON Web Key Set.
    Jwks(Box<str>),
    /// The URL of an issuer whose configuration names its key set (OpenID Connect Discovery 1.0, section 4).
    Discovery(Box<str>),
    /// A secret shared with the issuer, for HS256.
    Secret(Box<[u8]>),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "File({path:?})"),
            Self::Jwks(url) => write!(out, "Jwks({url:?})"),
            Self::Discovery(url) => write!(out, "Discovery({url:?})"),
            Self::Secret(_) => out.write_str("Secret(…)"),
        }
    }
}

/// KeyPlan: a source of keys, and the periods and limits of reading it.
#[derive(Debug, Clone)]
pub struct KeyPlan {
    /// The source of the keys.
    pub source: KeySource,
    /// The algorithms that the keys may be used with.
    pub algorithms: Algorithms,
    /// How long fetched keys are used before they are fetched again; 5 minutes.
    pub ttl: Duration,
    /// How long after a fetch for an unknown `kid` no other unknown `kid` causes a fetch; 30 seconds.
    pub cool_down: Duration,
    /// How long keys are used that cannot be fetched again; 24 hours, and at least `ttl`.
    pub max_stale: Duration,
    /// The pause after the first failure, doubled after each further one; 1 second.
    pub retry_first: Duration,
    /// The longest pause between two attempts; 1 minute.
    pub retry_longest: Duration,
    /// How long one response may take, from connecting to its last byte; 5 seconds.
    pub timeout: Duration,
    /// How often a file is checked; 1 second.
    pub poll: Duration,
    /// Authorities for the issuer's certificate instead of the built-in ones: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Whether keys may be fetched over plain HTTP from another machine; an attacker on the path could replace them.
    pub insecure_http: bool,
}

impl KeyPlan {
    /// The plan for `source` with every other setting at its default.
    pub fn new(source: KeySource) -> Self {
        Self {
            source,
            algorithms: Algorithms::ALL,
            ttl: 5 * MINUTE,
            cool_down: MINUTE / 2,
            max_stale: 24 * 60 * MINUTE,
            retry_first: Duration::from_secs(1),
            retry_longest: MINUTE,
            timeout: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            ca_file: None,
            insecure_http: false,
        }
    }

    /// The pause after this number of consecutive failures.
    pub(super) fn retry_after(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.retry_first.saturating_mul(doubled).min(self.retry_longest)
    }
}

/// Reads the text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, IssuerError> {
    let failed = |error: std::io::Error| IssuerError::File(path.to_owned(), error.to_string());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_BYTES {
        return Err(IssuerError::TooLong(MAX_BYTES));
    }
    String::from_utf8(bytes).map_err(|_| IssuerError::File(path.to_owned(), "not UTF-8".into()))
}
