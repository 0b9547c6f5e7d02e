//! Phase 5: the header of the upstream's response, judged by its media type and edited for the client.

use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use pingora::http::ResponseHeader;
use pingora::prelude::{Error, ErrorType, Result};
use pingora::proxy::Session;

use crate::guard::cors;
use crate::guard::stream::StreamEnd;
use crate::policy::model::Cors;
use crate::proxy::Proxy;

use super::context::ProxyContext;
use super::deadlines::deadlines;

/// Checks a response's framing, and removes what concerns the upstream's own connection.
///
/// # Errors
/// The upstream switches protocols that no one asked for, or its framing is ambiguous.
pub(super) fn receive(response: &mut ResponseHeader, context: &mut ProxyContext) -> Result<()> {
    let exchange = &mut context.exchange;
    exchange.transfer().receive_response(response.status.as_u16());
    if response.status == StatusCode::SWITCHING_PROTOCOLS && !exchange.is_websocket() {
        exchange.transfer().fail("upstream-broken");
        return Error::e_explain(ErrorType::HTTPStatus(502), "the upstream switches protocols that nobody asked for");
    }
    if !frame_once(response)? {
        exchange.transfer().fail("upstream-broken");
        return Error::e_explain(ErrorType::HTTPStatus(502), "the upstream's answer is framed in a way of its own");
    }
    remove_hop_by_hop(response);
    Ok(())
}

impl Proxy {
    /// Judges a response, and edits its header for the client.
    ///
    /// # Errors
    /// The response is not for this caller.
    pub(super) fn judge_response(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut ProxyContext,
    ) -> Result<()> {
        let exchange = &mut context.exchange;
        if !exchange.judge_response(response.status, &response.headers) {
            return Error::e_explain(ErrorType::HTTPStatus(403), "the answer is not for this caller");
        }
        if is_often_silent(response)
            && let Some(deadlines) = deadlines(session)
            && let Some(mut stream) = self.guard.authorize_stream(exchange)
        {
            deadlines.watch(move || stream.check().map_err(StreamEnd::code));
        }
        if self.draining.is_leaving() && !response.status.is_informational() {
            // The request came while the connection was kept open: its response says that it ends.
            session.set_keepalive(None);
        }
        // An intermediary sends its own version, whatever the upstream's (RFC 9110, section 6.2).
        if matches!(response.version, http::Version::HTTP_09 | http::Version::HTTP_10) {
            response.set_version(http::Version::HTTP_11);
        }
        if let Some(api) = exchange.api() {
            // Only the gateway's own answers carry the field, which tells them from the application's.
            response.remove_header(&*api.identity.decision);
        }
        if let Some(cors) = exchange.policy().and_then(|policy| policy.model.cors.as_ref()) {
            match exchange.origin() {
                Some(origin) => set_cors(response, cors, origin)?,
                // In shadow mode, what worked without the gateway keeps working.
                None if exchange.policy().is_some_and(|policy| policy.is_shadowed(None)) => {}
                None => clear_cors(response),
            }
        }
        Ok(())
    }
}

/// Makes a repeated `Content-Length` with one value a single line; returns whether every client reads the same framing.
fn frame_once(response: &mut ResponseHeader) -> Result<bool> {
    if response.status.is_informational() {
        // It has no body (RFC 9110, section 15.2).
        response.remove_header(&CONTENT_LENGTH);
        response.remove_header(&TRANSFER_ENCODING);
        return Ok(true);
    }
    let mut lengths = response.headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next().map(|length| length.as_bytes().split(|&byte| byte == b',').next().unwrap_or_default());
    if let Some(first) = first.map(|first| first.trim_ascii().to_vec()) {
        response.insert_header(CONTENT_LENGTH, first)?;
    }
    let mut codings = response.headers.get_all(TRANSFER_ENCODING).iter();
    let plain = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    Ok(plain && codings.next().is_none())
}

/// Removes the hop-by-hop fields of a response (RFC 9110, section 7.6.1).
fn remove_hop_by_hop(response: &mut ResponseHeader) {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let lines = response.headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let nominated = lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    let nominated: Vec<HeaderName> = nominated.filter(|name| !FRAMING.contains(&name.as_str())).collect();
    for name in nominated.iter().map(HeaderName::as_str).chain(HOP_BY_HOP) {
        response.remove_header(name);
    }
}

/// The fields that end at this hop, whether `Connection` nominates them or not.
const HOP_BY_HOP: [&str; 4] = ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authentication-info"];

/// The fields that Pingora needs to frame the body: no upstream can nominate them.
const FRAMING: [&str; 4] = ["connection", "content-length", "transfer-encoding", "trailer"];

/// Whether nothing may flow for long after such a response, so that its authorization must be checked meanwhile.
fn is_often_silent(response: &ResponseHeader) -> bool {
    let kind = response.headers.get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let events = b"text/event-stream";
    response.status == StatusCode::SWITCHING_PROTOCOLS
        || kind.and_then(|kind| kind.get(..events.len())).is_some_and(|kind| kind.eq_ignore_ascii_case(events))
}

/// Sets the CORS fields of a response to an allowed origin, in place of the upstream's.
fn set_cors(response: &mut ResponseHeader, cors: &Cors, origin: &str) -> Result<()> {
    clear_cors(response);
    for (name, value) in cors::response_fields(cors, origin) {
        if name == "vary" {
            response.append_header(name, value)?;
        } else {
            response.insert_header(name, value)?;
        }
    }
    Ok(())
}

/// Removes the upstream's CORS fields: a policy with `cors` replaces them.
fn clear_cors(response: &mut ResponseHeader) {
    for name in cors::RESPONSE_FIELDS {
        response.remove_header(name);
    }
}
