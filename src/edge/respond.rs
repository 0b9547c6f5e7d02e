//! Responses of the gateway itself: problem+json (RFC 9457) with a stable type and the decision's id.

use std::time::Duration;

use bytes::Bytes;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use crate::decision::Reason;
use crate::identity::IdentityError;

use super::exchange::Exchange;
use super::{cors, read};

/// What a problem's `type` begins with; the reason's code follows.
pub const PROBLEM: &str = "urn:portcullis:reason:";

/// The header that carries the decision's id, so that the gateway's refusal is told apart from the application's.
pub const DECISION_HEADER: &str = "X-Portcullis-Decision";

/// How large an unread body may be for it to be swallowed after a refusal.
const DRAINED: u64 = 64 << 10;

/// How long a refusal over HTTP/1.1 waits for a short body, so that the connection can be kept.
const SHORT: Duration = Duration::from_millis(100);

/// How long a client may go on sending behind a refusal before its stream or connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// How much it may send then.
const LINGERING: u64 = 8 << 20;

/// How long an answer over HTTP/2 takes to leave at most, once it is queued.
const FLUSH: Duration = Duration::from_millis(100);

/// Answers a refusal.
pub(super) async fn refuse(
    session: &mut Session,
    exchange: &mut Exchange,
    reason: Reason,
    status: u16,
) -> pingora::Result<()> {
    let code = reason.full_code(exchange.snapshot()).to_owned();
    let mut answer = problem_header(exchange, status)?;
    match reason {
        Reason::Unauthenticated(error) => answer.insert_header("www-authenticate", challenge(exchange, error))?,
        Reason::NoMethod => answer.insert_header("allow", allowed_methods(exchange))?,
        Reason::TooManyFailures => answer.insert_header("retry-after", "60")?,
        Reason::KeysUnavailable | Reason::NoPolicy | Reason::AuditUnavailable => {
            answer.insert_header("retry-after", "5")?
        }
        _ => {}
    }
    let http2 = session.as_downstream().is_http2();
    let closes = must_close(session, reason);
    if closes || (!http2 && !swallow(session, SHORT, DRAINED).await) {
        session.set_keepalive(None);
    }
    send(session, exchange, answer, &code, reason.sentence(), status).await?;
    // A connection that is closed with bytes unread is reset, and the answer may be lost with it. Where the framing is
    // in doubt, and where the client waits to be asked for its body, there is nothing to read.
    let waits = session.req_header().headers.contains_key(http::header::EXPECT);
    if closes && !http2 && !waits && !matches!(reason, Reason::BadRequest(_)) {
        swallow(session, LINGER, LINGERING).await;
    }
    Ok(())
}

/// Answers where something failed after the permit: the upstream, a limit, time.
pub(super) async fn fail(
    session: &mut Session,
    exchange: &mut Exchange,
    code: &str,
    status: u16,
) -> pingora::Result<()> {
    let sentence = match (status, code) {
        (413, _) => "the request's body is longer than this API allows",
        (502, "upstream-connect") | (503, _) => "the API behind the gateway cannot be reached now",
        (502, _) => "the API behind the gateway did not answer as HTTP should",
        (504, _) => "the API behind the gateway did not answer in time",
        _ => "the request could not be completed",
    };
    session.set_keepalive(None);
    let answer = problem_header(exchange, status)?;
    send(session, exchange, answer, code, sentence, status).await
}

/// Answers a preflight.
pub(super) async fn preflight(session: &mut Session, exchange: &Exchange) -> pingora::Result<()> {
    let answer = match (exchange.snapshot().and_then(|policy| policy.model.cors.as_ref()), &exchange.origin) {
        (Some(cors), Some(origin)) => cors::preflight(cors, origin)?,
        _ => ResponseHeader::build(204, None)?,
    };
    session.as_downstream_mut().write_response_header(Box::new(answer)).await
}

fn problem_header(exchange: &Exchange, status: u16) -> pingora::Result<ResponseHeader> {
    let mut answer = ResponseHeader::build(status, Some(8))?;
    answer.insert_header("content-type", "application/problem+json")?;
    answer.insert_header("cache-control", "no-store")?;
    let name = exchange.api.as_ref().map_or(DECISION_HEADER, |api| &*api.identity.decision).to_owned();
    answer.insert_header(name, exchange.id.to_string())?;
    if let (Some(cors), Some(origin)) =
        (exchange.snapshot().and_then(|policy| policy.model.cors.as_ref()), &exchange.origin)
    {
        cors::mark(&mut answer, cors, origin)?;
    }
    Ok(answer)
}

async fn send(
    session: &mut Session,
    exchange: &mut Exchange,
    mut answer: ResponseHeader,
    code: &str,
    sentence: &str,
    status: u16,
) -> pingora::Result<()> {
    let body = serde_json::json!({
        "type": format!("{PROBLEM}{code}"),
        "title": sentence,
        "status": status,
        "decision": exchange.id.to_string(),
    });
    let body = Bytes::from(body.to_string());
    answer.insert_header("content-length", body.len().to_string())?;
    let head = session.req_header().method == http::Method::HEAD;
    let downstream = session.as_downstream_mut();
    downstream.write_response_header(Box::new(answer)).await?;
    if !head {
        exchange.sent = u64::try_from(body.len()).unwrap_or(u64::MAX);
        downstream.write_response_body(body, true).await?;
    }
    if downstream.is_http2() {
        // A stream that is dropped with its body unread is reset, and what is still queued of the answer with it.
        if !swallow(session, LINGER, LINGERING).await {
            tokio::time::sleep(FLUSH).await;
        }
    }
    Ok(())
}

/// Reads what is left of a body for at most `time`, and at most `left` bytes of it; whether it came to its end.
async fn swallow(session: &mut Session, time: Duration, mut left: u64) -> bool {
    let downstream = session.as_downstream_mut();
    let rest = async {
        while let Some(chunk) = downstream.read_request_body().await.ok()? {
            left = left.checked_sub(u64::try_from(chunk.len()).ok()?)?;
        }
        Some(())
    };
    matches!(tokio::time::timeout(time, rest).await, Ok(Some(())))
}

/// RFC 6750, section 3: no error where nothing was presented. Where tokens are believed they alone are asked for, since
/// a browser would ask its user for a password as soon as it read `Basic`.
fn challenge(exchange: &Exchange, error: Option<IdentityError>) -> &'static str {
    if exchange.api.as_ref().is_some_and(|api| api.issuers.is_empty() && api.keys.takes_basic()) {
        return "Basic realm=\"api\", charset=\"UTF-8\"";
    }
    match error {
        None => "Bearer",
        // Another token would not help.
        Some(
            IdentityError::CertificateUntrusted
            | IdentityError::CertificateExpired
            | IdentityError::CertificateRevoked
            | IdentityError::RevocationUnknown
            | IdentityError::AmbiguousId,
        ) => "Bearer",
        Some(
            IdentityError::SeveralCredentials
            | IdentityError::MalformedAuthorization
            | IdentityError::CertificateBesideToken,
        ) => "Bearer error=\"invalid_request\"",
        Some(_) => "Bearer error=\"invalid_token\"",
    }
}

/// RFC 9110, section 10.2.1: the methods of the route, HEAD with GET.
fn allowed_methods(exchange: &Exchange) -> String {
    let route = exchange.route.and_then(|route| exchange.snapshot()?.routes.route(route));
    let methods = route.map(|route| &*route.methods).unwrap_or_default().iter();
    let names = methods.flat_map(|method| match &*method.name {
        "GET" => vec!["GET", "HEAD"],
        other => vec![other],
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Whether the connection cannot go on: its framing is in doubt, or it would have to swallow a long body.
fn must_close(session: &mut Session, reason: Reason) -> bool {
    if matches!(reason, Reason::BadRequest(_)) {
        return true;
    }
    let header = session.req_header();
    let chunked = header.headers.contains_key(http::header::TRANSFER_ENCODING);
    let expects = header.headers.contains_key(http::header::EXPECT);
    chunked || expects || read::content_length(header).is_some_and(|length| length > DRAINED)
}
