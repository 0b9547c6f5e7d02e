//! The gateway's own answers, written to the client: refusals, failures and preflights.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use crate::decision::Reason;
use crate::guard::arrival::content_length;
use crate::guard::problem::Problem;
use crate::guard::{Exchange, cors};

/// How long an unread body may be for it to be drained after a refusal.
const DRAINED: u64 = 64 << 10;

/// How long a refusal over HTTP/1.1 waits for a short body, so that the connection can be kept open.
const SHORT: Duration = Duration::from_millis(100);

/// How long a client may go on sending after a refusal, before its stream or connection is closed.
const LINGER: Duration = Duration::from_secs(1);

/// How much it may send then.
const LINGERING: u64 = 8 << 20;

/// How long an answer over HTTP/2 takes to leave at most, once it is queued.
const FLUSH: Duration = Duration::from_millis(100);

/// Answers a refused request.
pub(super) async fn refuse(
    session: &mut Session,
    exchange: &mut Exchange,
    reason: Reason,
    status: u16,
) -> pingora::Result<()> {
    let problem = Problem::refusal(exchange, reason, status);
    let http2 = session.as_downstream().is_http2();
    let closes = must_close(session, reason);
    if closes || (!http2 && !drain(session, SHORT, DRAINED).await) {
        session.set_keepalive(None);
    }
    send(session, exchange, problem).await?;
    // A connection that is closed with bytes unread is reset, and the answer may be lost with it. Where the framing is
    // in doubt, and where the client waits to be asked for its body, there is nothing to read.
    let waits = session.req_header().headers.contains_key(http::header::EXPECT);
    if closes && !http2 && !waits && !matches!(reason, Reason::BadRequest(_)) {
        drain(session, LINGER, LINGERING).await;
    }
    Ok(())
}

/// Answers where something failed after the permit: the upstream, a limit, or the time.
pub(super) async fn answer_failure(
    session: &mut Session,
    exchange: &mut Exchange,
    code: &str,
    status: u16,
) -> pingora::Result<()> {
    session.set_keepalive(None);
    let problem = Problem::failure(exchange, code, status);
    send(session, exchange, problem).await
}

/// Answers a preflight.
pub(super) async fn answer_preflight(session: &mut Session, exchange: &Exchange) -> pingora::Result<()> {
    let mut response = ResponseHeader::build(204, Some(8))?;
    if let (Some(cors), Some(origin)) =
        (exchange.policy().and_then(|policy| policy.model.cors.as_ref()), exchange.origin())
    {
        for (name, value) in cors::preflight_fields(cors, origin) {
            response.insert_header(name, value)?;
        }
    }
    session.as_downstream_mut().write_response_header(Box::new(response)).await
}

async fn send(session: &mut Session, exchange: &mut Exchange, problem: Problem) -> pingora::Result<()> {
    let mut response = ResponseHeader::build(problem.status, Some(8))?;
    for (name, value) in problem.fields {
        response.insert_header(String::from(name), value)?;
    }
    let body = Bytes::from(problem.body);
    response.insert_header("content-length", body.len().to_string())?;
    let is_head = session.req_header().method == http::Method::HEAD;
    let downstream = session.as_downstream_mut();
    downstream.write_response_header(Box::new(response)).await?;
    if !is_head {
        exchange.transfer().send_own(body.len());
        downstream.write_response_body(body, true).await?;
    }
    if downstream.is_http2() {
        // A stream that is dropped with its body unread is reset, and what is still queued of the answer with it.
        if !drain(session, LINGER, LINGERING).await {
            tokio::time::sleep(FLUSH).await;
        }
    }
    Ok(())
}

/// Reads the rest of a body for at most `time`, and at most `left` bytes of it; returns whether it came to its end.
async fn drain(session: &mut Session, time: Duration, mut left: u64) -> bool {
    let downstream = session.as_downstream_mut();
    let rest = async {
        while let Some(chunk) = downstream.read_request_body().await.ok()? {
            left = left.checked_sub(u64::try_from(chunk.len()).ok()?)?;
        }
        Some(())
    };
    matches!(tokio::time::timeout(time, rest).await, Ok(Some(())))
}

/// Whether the connection cannot go on: its framing is in doubt, or a long body would have to be drained.
fn must_close(session: &Session, reason: Reason) -> bool {
    if matches!(reason, Reason::BadRequest(_)) {
        return true;
    }
    let headers: &HeaderMap = &session.req_header().headers;
    let chunked = headers.contains_key(http::header::TRANSFER_ENCODING);
    let expects = headers.contains_key(http::header::EXPECT);
    chunked || expects || content_length(headers).is_some_and(|length| length > DRAINED)
}
