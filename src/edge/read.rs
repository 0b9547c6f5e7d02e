//! Reading what Pingora parsed: header fields, framing, addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pingora::http::RequestHeader;
use pingora::proxy::Session;

use crate::identity::Credentials;
use crate::reload::api_keys::ApiKeys;
use crate::request::{HeaderView, RejectedRequest, framing};
use crate::settings::{Limits, Network};

use super::tls::HandshakeFacts;
use super::tls::peer::PeerCertificate;

/// RequestHeaderView: a request's header fields as the pure layers read them.
pub(super) struct RequestHeaderView<'a>(pub(super) &'a RequestHeader);

impl HeaderView for RequestHeaderView<'_> {
    fn each(&self, see: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0.headers {
            see(name.as_str(), value.as_bytes());
        }
    }
}

/// The value of a field that stands there once, with one value.
pub(super) fn single<'a>(header: &'a RequestHeader, name: &str) -> Option<&'a str> {
    let mut lines = header.headers.get_all(name).iter();
    let value = lines.next()?.to_str().ok()?;
    (lines.next().is_none() && !value.contains(',')).then_some(value)
}

/// The length that the request announces for its body.
pub(super) fn content_length(header: &RequestHeader) -> Option<u64> {
    header.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The host that the request names: `:authority` of HTTP/2, else `Host`.
pub(super) fn host(header: &RequestHeader) -> Option<&[u8]> {
    match (header.version, header.uri.authority()) {
        (http::Version::HTTP_2, Some(authority)) => Some(authority.as_str().as_bytes()),
        _ => header.headers.get(http::header::HOST).map(http::HeaderValue::as_bytes),
    }
}

/// What may prove the caller: a token, or a key in one of the ways in which `keys` are presented.
pub(super) fn credentials<'a>(header: &'a RequestHeader, keys: &'a ApiKeys) -> Credentials<'a> {
    let values = |name: &str| header.headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
    keys.among(Credentials::new(values(http::header::AUTHORIZATION.as_str())), values)
}

/// What the client has shown in its TLS handshake; `None` where it was not asked, or has shown nothing.
pub(super) fn certificate(session: &Session) -> Option<&Arc<PeerCertificate>> {
    session.digest()?.ssl_digest.as_ref()?.extension.get::<HandshakeFacts>()?.certificate.as_ref()
}

/// Judges the header block: its framing as received, and its size.
pub(super) fn check_header(session: &Session, limits: &Limits) -> Result<(), RejectedRequest> {
    let header = session.req_header();
    // A tunnel has no path that a route could be about, and its bytes would follow no framing.
    if header.method == http::Method::CONNECT {
        return Err(RejectedRequest::Method);
    }
    if header.version == http::Version::HTTP_2 {
        check_http2(header)?;
    } else {
        let raw = session.as_downstream().to_h1_raw();
        if raw.len() > limits.header_bytes {
            return Err(RejectedRequest::HeadersTooLong);
        }
        framing::check(&raw)?;
    }
    // Whether the bytes behind such a header are a body or the other protocol is not for two servers to find out.
    let bodied = content_length(header).is_some_and(|length| length > 0)
        || header.headers.contains_key(http::header::TRANSFER_ENCODING);
    if bodied && names_websocket(header) {
        return Err(RejectedRequest::Framing);
    }
    if !host(header).is_none_or(framing::is_authority) {
        return Err(RejectedRequest::Host);
    }
    let bytes: usize = header.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > limits.header_bytes {
        return Err(RejectedRequest::HeadersTooLong);
    }
    if header.headers.len() > limits.header_count {
        return Err(RejectedRequest::TooManyHeaders);
    }
    if header.raw_path().len() > limits.target_length {
        return Err(RejectedRequest::TargetTooLong);
    }
    Ok(())
}

/// Whether a request asks for a WebSocket, which only GET can (RFC 6455, section 4.1).
pub(super) fn is_websocket(header: &RequestHeader) -> bool {
    header.method == http::Method::GET && names_websocket(header)
}

/// Whether a request names the protocol.
fn names_websocket(header: &RequestHeader) -> bool {
    let lines = header.headers.get_all(http::header::UPGRADE).iter();
    let mut protocols = lines.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// HTTP/2 frames its bodies itself; what a downgrade to HTTP/1.1 would turn into something else is refused
/// (RFC 9113, sections 8.2.2 and 8.3.1).
fn check_http2(header: &RequestHeader) -> Result<(), RejectedRequest> {
    let hosts = header.headers.get_all(http::header::HOST).iter().collect::<Vec<_>>();
    let authority = header.uri.authority().map(|authority| authority.as_str().as_bytes());
    let agree =
        hosts.iter().all(|host| authority.is_none_or(|authority| host.as_bytes().eq_ignore_ascii_case(authority)));
    if hosts.len() > 1 || (hosts.is_empty() && authority.is_none()) || !agree {
        return Err(RejectedRequest::Host);
    }
    if !header.uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https")) {
        return Err(RejectedRequest::TargetForm);
    }
    let lengths = header.headers.get_all(http::header::CONTENT_LENGTH).iter().count();
    if lengths > 1 || header.headers.contains_key(http::header::TRANSFER_ENCODING) {
        return Err(RejectedRequest::Framing);
    }
    // HTTP/1.1 takes blanks around a value for none of it (RFC 9113, section 8.2.1).
    if header.headers.values().any(|value| value.as_bytes().trim_ascii().len() < value.len()) {
        return Err(RejectedRequest::Framing);
    }
    if header.headers.contains_key(http::header::CONNECTION) {
        return Err(RejectedRequest::Nomination);
    }
    Ok(())
}

/// The socket's other end.
pub(super) fn peer(session: &Session) -> Option<SocketAddr> {
    session.client_addr().and_then(|address| address.as_inet()).copied()
}

/// Whether an address is one of the forwarders whose word is believed.
pub(super) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address.to_canonical()))
}

/// The client's address: the last one in `X-Forwarded-For` that is no trusted forwarder, if the peer is one.
pub(super) fn client_address(header: &RequestHeader, peer: Option<SocketAddr>, trusted: &[Network]) -> Option<IpAddr> {
    let peer = peer?.ip().to_canonical();
    if !is_trusted(peer, trusted) {
        return Some(peer);
    }
    let lines = header.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut client = peer;
    for hop in hops.into_iter().rev() {
        // A hop that is no address ends the chain: what stands before it cannot be believed either.
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        client = address.to_canonical();
        if !is_trusted(client, trusted) {
            break;
        }
    }
    Some(client)
}
