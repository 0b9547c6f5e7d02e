//! Arrival: a request as a front door received it, and what its connection says about the client.

mod check;
mod client;

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::identity::Credentials;
use crate::reload::api_keys::ApiKeys;
use crate::request::HeaderView;

use super::peer_certificate::PeerCertificate;

pub use client::{Client, is_trusted};

/// Arrival: one request as a front door hands it to the guard; everything is borrowed from the door.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// The method as received.
    pub method: &'a str,
    /// The request target as received (RFC 9112, section 3.2).
    pub target: &'a [u8],
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The version of HTTP, with what only that version has.
    pub protocol: Protocol<'a>,
    /// The socket's other end.
    pub peer: Option<SocketAddr>,
    /// The TLS session; `None` on a connection in cleartext.
    pub tls: Option<TlsFacts<'a>>,
    /// The name of the listener in the settings; empty where it is not known.
    pub listener: &'a str,
}

/// Protocol: the version of HTTP that a request came over.
#[derive(Clone, Copy)]
pub enum Protocol<'a> {
    /// HTTP/1.0 or HTTP/1.1, with the header block as received where the door has it: its framing is checked then.
    Http1 {
        /// Request line and header fields, up to the empty line.
        head: Option<&'a [u8]>,
    },
    /// HTTP/2, with its pseudo-header fields (RFC 9113, section 8.3.1).
    Http2 {
        /// `:scheme`.
        scheme: Option<&'a str>,
        /// `:authority`.
        authority: Option<&'a [u8]>,
    },
}

/// TlsFacts: what the client showed in its TLS handshake.
#[derive(Clone, Copy)]
pub struct TlsFacts<'a> {
    /// The client's certificate; `None` where it was not asked for one, or sent none.
    pub certificate: Option<&'a Arc<PeerCertificate>>,
}

impl<'a> Arrival<'a> {
    /// The host that the request names: `:authority` of HTTP/2, else `Host`.
    pub fn host(&self) -> Option<&'a [u8]> {
        match self.protocol {
            Protocol::Http2 { authority: Some(authority), .. } => Some(authority),
            _ => self.headers.get(http::header::HOST).map(HeaderValue::as_bytes),
        }
    }

    /// Whether the request asks for a WebSocket, which only GET can (RFC 6455, section 4.1).
    pub fn is_websocket(&self) -> bool {
        self.method == "GET" && names_websocket(self.headers)
    }

    /// The client's certificate.
    pub(super) fn certificate(&self) -> Option<&'a Arc<PeerCertificate>> {
        self.tls?.certificate
    }

    /// The credentials of the request: a token, or a key in one of the ways in which `keys` are presented.
    pub(super) fn credentials(&self, keys: &'a ApiKeys) -> Credentials<'a> {
        let headers = self.headers;
        let values = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        keys.collect_keys(Credentials::new(values(http::header::AUTHORIZATION.as_str())), values)
    }

    /// The value of a field that occurs once and holds one value.
    pub(super) fn single(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.headers.get_all(name).iter();
        let value = lines.next()?.to_str().ok()?;
        (lines.next().is_none() && !value.contains(',')).then_some(value)
    }
}

/// The length that a request announces for its body (RFC 9110, section 8.6).
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a request names the WebSocket protocol in `Upgrade`.
fn names_websocket(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(http::header::UPGRADE).iter();
    let mut protocols = lines.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// RequestFields: the header fields of an arrival as the pure layers read them.
pub(super) struct RequestFields<'a>(pub(super) &'a HeaderMap);

impl HeaderView for RequestFields<'_> {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.0 {
            visit(name.as_str(), value.as_bytes());
        }
    }
}
