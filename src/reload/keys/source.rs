//! KeyPlan: where an issuer's keys come from and how often, and what can go wrong on the way.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MINUTE;
use crate::identity::{Algorithms, KeyError};

/// The most bytes that a key file, key set or discovery document may have.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// KeySource: where an issuer's keys come from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file with PEM public keys or a JSON Web Key Set, told apart by content.
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

/// KeyPlan: a source and the rhythm in which it is asked.
#[derive(Debug, Clone)]
pub struct KeyPlan {
    /// Where the keys come from.
    pub source: KeySource,
    /// What they may verify at most.
    pub algorithms: Algorithms,
    /// How long fetched keys are good before they are fetched again; 5 minutes.
    pub ttl: Duration,
    /// How long after a fetch for an unknown `kid` no other one makes a fetch; 30 seconds.
    pub cool_down: Duration,
    /// How long keys are believed when they cannot be fetched again; 24 hours, and `ttl` at least.
    pub max_stale: Duration,
    /// The pause after a first failure, doubled with each further one; 1 second.
    pub retry_first: Duration,
    /// The longest pause between two attempts; 1 minute.
    pub retry_longest: Duration,
    /// How long one answer may take, from connecting to its last byte; 5 seconds.
    pub timeout: Duration,
    /// How often a file is looked at; 1 second.
    pub poll: Duration,
    /// Authorities for the issuer's certificate instead of the built-in ones: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Whether keys may come over plain HTTP from another machine: whoever sits between chooses them.
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

    /// The pause after so many failures in a row.
    pub(super) fn retry_after(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.retry_first.saturating_mul(doubled).min(self.retry_longest)
    }
}

/// KeyFeedError: why keys, or an issuer's word about a token, could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFeedError {
    /// A file that cannot be read.
    File(PathBuf, String),
    /// More bytes than this.
    TooLong(usize),
    /// Something that is no usable key set.
    Keys(KeyError),
    /// Not a URL with a host.
    MalformedUrl(Box<str>),
    /// Plain HTTP to another machine.
    InsecureUrl(Box<str>),
    /// No answer in time.
    Timeout,
    /// A connection that failed.
    Transport(String),
    /// An answer other than 200; redirects are not followed.
    Status(u16),
    /// An answer about a token that is none.
    MalformedAnswer,
    /// A discovery document that is not JSON, or lacks `issuer` or `jwks_uri`.
    MalformedDiscovery,
    /// A discovery document of another issuer.
    WrongIssuer(Box<str>),
}

impl From<KeyError> for KeyFeedError {
    fn from(error: KeyError) -> Self {
        Self::Keys(error)
    }
}

impl fmt::Display for KeyFeedError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, why) => write!(out, "`{}` cannot be read: {why}", path.display()),
            Self::TooLong(most) => write!(out, "more than {most} bytes"),
            Self::Keys(error) => error.fmt(out),
            Self::MalformedUrl(url) => write!(out, "`{url}` is not an http or https URL"),
            Self::InsecureUrl(url) => write!(out, "`{url}` is not https, and `insecure_http` is not set"),
            Self::Timeout => out.write_str("no answer in time"),
            Self::Transport(why) => write!(out, "the connection failed: {why}"),
            Self::Status(status) => write!(out, "the answer was {status}, not 200"),
            Self::MalformedAnswer => out.write_str("an answer that is not JSON with a boolean `active`"),
            Self::MalformedDiscovery => out.write_str("a discovery document without `issuer` and `jwks_uri`"),
            Self::WrongIssuer(found) => write!(out, "the discovery document is of another issuer: `{found}`"),
        }
    }
}

impl std::error::Error for KeyFeedError {}

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, KeyFeedError> {
    let failed = |error: std::io::Error| KeyFeedError::File(path.to_owned(), error.to_string());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MOST_BYTES {
        return Err(KeyFeedError::TooLong(MOST_BYTES));
    }
    String::from_utf8(bytes).map_err(|_| KeyFeedError::File(path.to_owned(), "not UTF-8".into()))
}
