//! IssuerError: why an issuer's keys or its answer about a token could not be obtained.

use std::fmt;
use std::path::PathBuf;

use crate::identity::KeyError;

/// IssuerError: why keys or an introspection response could not be obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerError {
    /// The file cannot be read.
    File(PathBuf, String),
    /// The file or response has more bytes than this.
    TooLong(usize),
    /// The content is not a usable key set.
    Keys(KeyError),
    /// The URL is not an http or https URL with a host.
    MalformedUrl(Box<str>),
    /// The URL uses plain HTTP to another machine.
    InsecureUrl(Box<str>),
    /// There was no response in time.
    Timeout,
    /// The connection failed.
    Transport(String),
    /// The response had a status other than 200; redirects are not followed.
    Status(u16),
    /// The introspection response is malformed.
    MalformedAnswer,
    /// The discovery document is not JSON, or lacks `issuer` or `jwks_uri`.
    MalformedDiscovery,
    /// The discovery document belongs to another issuer.
    WrongIssuer(Box<str>),
}

impl From<KeyError> for IssuerError {
    fn from(error: KeyError) -> Self {
        Self::Keys(error)
    }
}

impl fmt::Display for IssuerError {
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
            Self::WrongIssuer(found) => write!(out, "the discovery document belongs to another issuer: `{found}`"),
        }
    }
}

impl std::error::Error for IssuerError {}
