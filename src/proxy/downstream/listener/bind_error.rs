//! BindError: why a listener cannot start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::proxy::downstream::tls::CertificateError;

/// BindError: why a listener cannot start, in one line.
#[derive(Debug)]
pub enum BindError {
    /// The address cannot be bound.
    Address(SocketAddr, io::Error),
    /// The certificates cannot be used.
    Tls(SocketAddr, CertificateError),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address, error) => write!(f, "cannot listen on `{address}`: {error}"),
            Self::Tls(address, error) => write!(f, "cannot listen on `{address}` with tls: {error}"),
        }
    }
}

impl std::error::Error for BindError {}
