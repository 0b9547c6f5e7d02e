//! What the upstream gets: the path that was decided, the gateway's word about the caller, nothing in disguise.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;

use crate::request::OverrideMode;
use crate::request::headers::HeaderAction;
use crate::settings::{HostHeader, UpstreamCredential};
use crate::vocabulary::Proof;

use super::api::Api;
use super::exchange::Exchange;
use super::read;

/// Turns the header that Pingora would send into the one that was decided; called after its hop-by-hop removal.
pub(super) fn prepare(session: &Session, upstream: &mut RequestHeader, exchange: &Exchange) -> pingora::Result<()> {
    let (Some(api), Some(path)) = (&exchange.api, &exchange.path) else {
        return pingora::Error::e_explain(pingora::ErrorType::InternalError, "nothing was decided");
    };
    let target = match &exchange.query {
        Some(query) => format!("{path}?{query}"),
        None => path.clone(),
    };
    upstream.set_raw_path(target.as_bytes())?;
    drop_fields(upstream, api, exchange);
    join_cookies(upstream)?;
    set_host(session, upstream, api)?;
    set_credential(upstream, api, exchange)?;
    set_identity(upstream, api, exchange)?;
    set_forwarded(session, upstream, exchange)
}

/// Ends the upstream's connection with a request whose method has no body though it has one: a server that does not read
/// it would take it for the next request, and nobody's request shall follow it there.
pub(super) fn end_odd_body(session: &mut Session, upstream: &mut RequestHeader) -> pingora::Result<()> {
    let usual = matches!(upstream.method, Method::POST | Method::PUT | Method::PATCH);
    if usual || session.as_downstream_mut().is_body_empty() {
        return Ok(());
    }
    upstream.insert_header(CONNECTION, "close")
}

/// Whether an answer is framed in a way that every client reads alike; a length that stands there several times, and is
/// the same, is made one.
pub(super) fn frames_once(answer: &mut ResponseHeader) -> pingora::Result<bool> {
    if answer.status.is_informational() {
        // Nothing follows it (RFC 9110, section 15.2).
        answer.remove_header(&CONTENT_LENGTH);
        answer.remove_header(&TRANSFER_ENCODING);
        return Ok(true);
    }
    let mut lengths = answer.headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next().map(|length| length.as_bytes().split(|&byte| byte == b',').next().unwrap_or_default());
    if let Some(first) = first.map(|first| first.trim_ascii().to_vec()) {
        answer.insert_header(CONTENT_LENGTH, first)?;
    }
    let mut codings = answer.headers.get_all(TRANSFER_ENCODING).iter();
    let plain = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    Ok(plain && codings.next().is_none())
}

/// Takes out of an answer what the upstream says about its own connection (RFC 9110, section 7.6.1).
pub(super) fn end_hop(answer: &mut ResponseHeader) {
    if answer.status == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let lines = answer.headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let nominated = lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let nominated: Vec<HeaderName> = nominated.filter(|name| !FRAMING.contains(&name.as_str())).collect();
    for name in nominated.iter().map(HeaderName::as_str).chain(ENDS_HERE) {
        answer.remove_header(name);
    }
}

/// What ends at this hop whether `Connection` says so or not.
const ENDS_HERE: [&str; 4] = ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authentication-info"];

/// What Pingora needs to frame the body: nobody can nominate it away.
const FRAMING: [&str; 4] = ["connection", "content-length", "transfer-encoding", "trailer"];

/// Whether shadow mode forwards somebody who is not known: as if there were no gateway, for the server behind may know
/// the credential.
fn is_stranger(exchange: &Exchange) -> bool {
    exchange.caller.is_none() && exchange.is_shadowed()
}

fn drop_fields(upstream: &mut RequestHeader, api: &Api, exchange: &Exchange) {
    let stranger = is_stranger(exchange);
    let dropped = |name: &HeaderName| match api.headers.fate(name.as_str()) {
        HeaderAction::Drop if stranger && api.keys.headers().any(|key| name.as_str().eq_ignore_ascii_case(key)) => {
            false
        }
        // Pingora leaves both to whoever names a WebSocket, which only GET opens.
        HeaderAction::Forward => !exchange.websocket && (*name == UPGRADE || *name == CONNECTION),
        HeaderAction::Drop => true,
        HeaderAction::MethodOverride => api.overrides != OverrideMode::Evaluate,
    };
    let names: Vec<HeaderName> = upstream.headers.keys().filter(|name| dropped(name)).cloned().collect();
    for name in names {
        upstream.remove_header(&name);
    }
}

/// HTTP/2 may send cookies one by one; HTTP/1.1 has one line of them (RFC 9113, section 8.2.3).
fn join_cookies(upstream: &mut RequestHeader) -> pingora::Result<()> {
    let crumbs: Vec<&[u8]> = upstream.headers.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return Ok(());
    }
    let joined = crumbs.join(&b"; "[..]);
    upstream.insert_header(COOKIE, joined)
}

fn set_host(session: &Session, upstream: &mut RequestHeader, api: &Api) -> pingora::Result<()> {
    let host: Vec<u8> = match &api.host {
        HostHeader::AsReceived => read::host(session.req_header()).unwrap_or(api.authority.as_bytes()).to_vec(),
        HostHeader::Upstream => api.authority.as_bytes().to_vec(),
        HostHeader::Literal(host) => host.as_bytes().to_vec(),
    };
    upstream.insert_header(HOST, host)
}

/// A bearer token goes on where the settings say so; one from the query, and any other credential, never does. The
/// headers of API keys were dropped with the other fields that are the gateway's.
fn set_credential(upstream: &mut RequestHeader, api: &Api, exchange: &Exchange) -> pingora::Result<()> {
    let by_token = exchange.subject().is_some_and(|subject| subject.proof == Proof::Token);
    match &api.credential {
        UpstreamCredential::ForwardBearer if by_token => {}
        // The gateway's own credential is not lent to strangers.
        UpstreamCredential::ForwardBearer | UpstreamCredential::Fixed { .. } if is_stranger(exchange) => {}
        UpstreamCredential::ForwardBearer | UpstreamCredential::None => {
            upstream.remove_header(&AUTHORIZATION);
        }
        UpstreamCredential::Fixed { header, value } => {
            upstream.remove_header(&AUTHORIZATION);
            upstream.insert_header(header.to_string(), value.expose())?;
        }
    }
    Ok(())
}

fn set_identity(upstream: &mut RequestHeader, api: &Api, exchange: &Exchange) -> pingora::Result<()> {
    for name in api.identity.all() {
        upstream.remove_header(name);
    }
    upstream.insert_header(api.identity.decision.to_string(), exchange.id.to_string())?;
    let Some(subject) = exchange.subject() else { return Ok(()) };
    if let Some(id) = &subject.id {
        upstream.insert_header(api.identity.subject.to_string(), visible(&id.to_string(), ""))?;
    }
    let roles: Vec<String> = exchange.roles.iter().map(|role| visible(role, ",")).collect();
    if !roles.is_empty() {
        upstream.insert_header(api.identity.roles.to_string(), roles.join(","))?;
    }
    if let Some(tenant) = exchange.tenant() {
        upstream.insert_header(api.identity.tenant.to_string(), visible(tenant, ""))?;
    }
    Ok(())
}

fn set_forwarded(session: &Session, upstream: &mut RequestHeader, exchange: &Exchange) -> pingora::Result<()> {
    let header = session.req_header();
    let peer = exchange.peer.map(|peer| peer.ip().to_canonical());
    // Several lines are one list (RFC 9110, section 5.3): the last one is the proxy's own.
    let before = header.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let before = before.collect::<Vec<_>>().join(", ");
    let chain = match (peer, before) {
        (Some(peer), before) if exchange.trusted_peer && !before.is_empty() => format!("{before}, {peer}"),
        (Some(peer), _) => peer.to_string(),
        (None, _) => "unknown".to_owned(),
    };
    upstream.insert_header("X-Forwarded-For", chain)?;
    let scheme = if exchange.secure { "https" } else { "http" };
    // Two values are a client's and the proxy's: which is which cannot be told.
    let believed = |name| read::single(header, name).filter(|_| exchange.trusted_peer);
    upstream.insert_header("X-Forwarded-Proto", believed("x-forwarded-proto").unwrap_or(scheme).to_owned())?;
    let host = read::host(header).unwrap_or_default();
    let host = believed("x-forwarded-host").map_or(host, str::as_bytes).to_vec();
    upstream.insert_header("X-Forwarded-Host", host)?;
    if exchange.scan.is_none() && session.as_downstream().body_bytes_read() > 0 {
        // The body was read before the decision, with its own `100 Continue`.
        upstream.remove_header(&EXPECT);
    }
    Ok(())
}

/// A name as a header may carry it: visible ASCII as it is, all else, `%` and `also` percent-encoded.
fn visible(name: &str, also: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        // A blank at an end would be trimmed, and somebody else's name be left.
        let trimmed = byte == b' ' && (at == 0 || at + 1 == name.len());
        if (0x20..0x7f).contains(&byte) && !trimmed && byte != b'%' && !also.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
