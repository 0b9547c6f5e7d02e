//! Pingora's phases, each a line or two: what happens in them stands in the files around.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::prelude::{Error, ErrorType, HttpPeer, Result};
use pingora::proxy::{FailToProxy, ProxyHttp, Session};

use super::connection::ConnectionDeadlines;
use super::exchange::Exchange;
use super::fault::map_error;
use super::keep::AuditDurability;
use super::rate::{MinimumRate, TransferRate};
use super::standing::StreamAuthorization;
use super::{Edge, cors, forward, judge, respond};

/// From this age on an exchange is a stream: it ends with its token, and when a new policy refuses it.
const STREAM: Duration = Duration::from_secs(5);

/// How long a connection may take to be drained of a body that nobody reads.
const UNREAD: Duration = Duration::from_secs(5);

#[async_trait]
impl ProxyHttp for Edge {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        let (metrics, audit) = (Arc::clone(&self.metrics), Arc::clone(&self.audit));
        let reached = Arc::clone(&self.reached);
        Exchange::new(self.ids.next(), self.audit_mode, metrics, audit, reached, self.in_flight.enter())
    }

    fn init_downstream_modules(&self, _: &mut HttpModules) {
        // Modules run before the decision: there are none.
    }

    async fn early_request_filter(&self, session: &mut Session, _: &mut Exchange) -> Result<()> {
        // Pingora takes the idle time from the client's own `Keep-Alive`, or for ever: ours replaces it.
        let idle = (!self.draining.is_leaving()).then(|| self.limits.keep_alive.as_secs().max(1));
        session.set_keepalive(idle);
        session.set_read_timeout(Some(self.limits.client_timeout));
        session.set_write_timeout(Some(self.limits.client_timeout));
        session.set_total_drain_timeout(Some(UNREAD));
        // What a client sends behind a whole request is its next one, judged on its own when this one is answered.
        session.set_pipelining_enabled(true);
        if let Some(pace) = pace(session) {
            pace.end_header();
        }
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> Result<bool> {
        self.judge(session, exchange).await;
        if exchange.permit().is_some() {
            self.read_form(session, exchange).await?;
        }
        self.keep(exchange).await;
        if exchange.preflight {
            respond::preflight(session, exchange).await?;
            return Ok(true);
        }
        let Some(decision) = &exchange.decision else {
            return Error::e_explain(ErrorType::InternalError, "nothing was decided");
        };
        match &decision.verdict {
            Ok(_) => {
                let total = exchange.api.as_ref().and_then(|api| api.total).unwrap_or(Duration::MAX);
                exchange.ends = exchange.started.checked_add(self.limits.stream_age.min(total));
                exchange.is_totalled = total < self.limits.stream_age;
                if let (true, Some(pace), Some(end)) = (exchange.is_totalled, pace(session), exchange.ends) {
                    let overdue = exchange.overdue();
                    // Pingora times each piece of an answer's header: one that comes in drops would never be late.
                    pace.watch(move || if Instant::now() > end { Err(overdue) } else { Ok(()) });
                }
                Ok(false)
            }
            Err(refusal) => {
                let (reason, status) = (decision.reason, refusal.status);
                respond::refuse(session, exchange, reason, status).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(&self, _: &mut Session, exchange: &mut Exchange) -> Result<Box<HttpPeer>> {
        // The proof: without a permit nothing is forwarded, whatever happened before.
        if exchange.permit().is_none() {
            return Error::e_explain(ErrorType::InternalError, "there is no permit to forward");
        }
        exchange.upstream_started = Some(Instant::now());
        match exchange.api.as_ref().and_then(|api| api.upstream.peer()) {
            Some(mut peer) => {
                // No single wait is longer than what is left of the whole.
                if let Some(total) = exchange.api.as_ref().and_then(|api| api.total) {
                    let left = total.saturating_sub(exchange.started.elapsed());
                    peer.options.read_timeout = peer.options.read_timeout.map(|read| read.min(left));
                }
                Ok(peer)
            }
            None => {
                exchange.failure = Some("upstream-unresolved");
                Error::e_explain(ErrorType::HTTPStatus(503), "the upstream's name has not been resolved")
            }
        }
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        forward::prepare(session, upstream, exchange)?;
        forward::end_odd_body(session, upstream)
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        exchange: &mut Exchange,
    ) -> Result<()> {
        if let Some(chunk) = body {
            exchange.received = exchange.received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            // What flows through an open WebSocket is no body.
            let open = exchange.websocket && exchange.upstream_status == Some(101);
            let most = exchange.api.as_ref().and_then(|api| api.body).filter(|_| !open);
            if most.is_some_and(|most| exchange.received > most) {
                exchange.failure = Some("body-too-long");
                return Error::e_explain(ErrorType::HTTPStatus(413), "the body is longer than the settings allow");
            }
            if exchange.scan.as_mut().is_some_and(|scan| scan.finds_override(chunk)) {
                exchange.failure = Some("method-override");
                return Error::e_explain(ErrorType::HTTPStatus(400), "a field of the body overrides the method");
            }
            let waited = exchange.started.elapsed();
            if !open && !end_of_stream && exchange.body_rate.is_too_low(self.least_rate(), waited, exchange.received) {
                exchange.failure = Some("client-slow");
                return Error::e_explain(ErrorType::HTTPStatus(408), "the body comes too slowly");
            }
            // Pingora 0.9.1 writes the last chunk twice where HTTP/2 ends a body with an empty frame.
            if end_of_stream && chunk.is_empty() {
                *body = None;
            }
        }
        self.check_stream(exchange)
    }

    async fn upstream_response_filter(
        &self,
        _: &mut Session,
        answer: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        exchange.upstream_took = exchange.upstream_started.map(|started| started.elapsed());
        exchange.upstream_status = Some(answer.status.as_u16());
        if answer.status == http::StatusCode::SWITCHING_PROTOCOLS && !exchange.websocket {
            exchange.failure = Some("upstream-broken");
            return Error::e_explain(
                ErrorType::HTTPStatus(502),
                "the upstream switches protocols that nobody asked for",
            );
        }
        if !forward::frames_once(answer)? {
            exchange.failure = Some("upstream-broken");
            return Error::e_explain(ErrorType::HTTPStatus(502), "the upstream's answer is framed in a way of its own");
        }
        forward::end_hop(answer);
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> Result<()> {
        if judge::judge_answer(exchange, answer) {
            exchange.failure = exchange.decision.as_ref().map(|decision| decision.reason.code());
            if exchange.kept == AuditDurability::Decision {
                exchange.kept = AuditDurability::Former;
            }
            return Error::e_explain(ErrorType::HTTPStatus(403), "the answer is not for this caller");
        }
        if is_often_silent(answer)
            && let Some(pace) = pace(session)
            && let Some(mut standing) = StreamAuthorization::of(self, exchange)
        {
            pace.watch(move || standing.check());
        }
        if self.draining.is_leaving() && !answer.status.is_informational() {
            // The request came while the connection was to be kept, which it is not any more: the client is told.
            session.set_keepalive(None);
        }
        // An intermediary speaks its own version, whatever the upstream's (RFC 9110, section 6.2).
        if matches!(answer.version, http::Version::HTTP_09 | http::Version::HTTP_10) {
            answer.set_version(http::Version::HTTP_11);
        }
        if let Some(api) = &exchange.api {
            // Only the gateway's own answers carry it: that tells them from the application's.
            answer.remove_header(&*api.identity.decision);
        }
        if let Some(cors) = exchange.snapshot().and_then(|policy| policy.model.cors.as_ref()) {
            match &exchange.origin {
                Some(origin) => cors::mark(answer, cors, origin)?,
                // What has worked without the gateway goes on to do so while it only watches.
                None if exchange.snapshot().is_some_and(|policy| policy.is_shadowed(None)) => {}
                None => cors::clear(answer),
            }
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        _: bool,
        exchange: &mut Exchange,
    ) -> Result<Option<Duration>> {
        let length = body.as_ref().map_or(0, Bytes::len);
        // Only the time counts in which the client took nothing that was there for it. Over HTTP/2 each piece has its
        // own time.
        if let Some(waited) = session.as_downstream().stream().map(|stream| stream.get_write_pending_time()) {
            let sent = exchange.sent;
            let rate = exchange.answer_rate.get_or_insert_with(|| TransferRate::from(waited, sent));
            if rate.is_too_low(self.least_rate(), waited, sent) {
                exchange.failure = Some("client-slow");
                return Error::e_explain(ErrorType::HTTPStatus(408), "the answer is taken too slowly");
            }
        }
        exchange.sent = exchange.sent.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        self.check_stream(exchange).map(|()| None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, exchange: &mut Exchange) -> FailToProxy {
        let ended = pace(session).and_then(ConnectionDeadlines::ended);
        let (status, failure) = match ended {
            // Not the client's fault, which still waits.
            Some("upstream-timeout") => (504, "upstream-timeout"),
            _ => map_error(error),
        };
        exchange.failure = exchange.failure.or(ended).or(Some(failure));
        if failure.starts_with("upstream-")
            && let Some(api) = &exchange.api
            && let Some(left_out) = api.failed.admit()
        {
            // Pingora's own line would hold the whole target: this one names the route's API and the decision only.
            tracing::warn!(
                api = %api.name,
                decision = %exchange.id,
                failure,
                left_out,
                cause = %error.etype().as_str(),
                "the upstream failed"
            );
        }
        // After 101 the connection speaks another protocol: an answer would be noise in it.
        let written = session.response_written().is_some_and(|answer| {
            !answer.status.is_informational() || answer.status == http::StatusCode::SWITCHING_PROTOCOLS
        });
        if !written && (status != 0 || exchange.permit().is_none()) {
            // What was decided only now has not been seen either.
            self.keep(exchange).await;
        }
        // An answer that was refused is a refusal like any other.
        let refused = exchange
            .decision
            .as_ref()
            .and_then(|decision| decision.verdict.as_ref().err().map(|refusal| (decision.reason, refusal.status)));
        if let Some((reason, status)) = refused.filter(|_| !written) {
            if let Err(error) = respond::refuse(session, exchange, reason, status).await {
                tracing::debug!(decision = %exchange.id, cause = %error.etype().as_str(), "the client did not take the answer");
            }
        } else if status != 0 && !written {
            let code = exchange.failure.unwrap_or(failure).to_owned();
            if let Err(error) = respond::fail(session, exchange, &code, status).await {
                tracing::debug!(decision = %exchange.id, cause = %error.etype().as_str(), "the client did not take the answer");
            }
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Exchange) {
        exchange.status = session.response_written().map(|answer| answer.status.as_u16());
        if let Some(error) = error {
            exchange.failure = exchange.failure.or(Some(map_error(error).1));
        }
        exchange.finish();
        if let Some(pace) = pace(session) {
            pace.unwatch();
        }
        if error.is_none() {
            expect_another(session);
        }
    }

    fn suppress_error_log(&self, _: &Session, _: &Exchange, _: &Error) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, exchange: &Exchange) -> String {
        exchange.id.to_string()
    }
}

impl Edge {
    fn least_rate(&self) -> MinimumRate {
        MinimumRate { bytes: self.limits.least_rate, window: self.limits.client_timeout }
    }

    /// Decides about the request, where need be behind a question to the token's issuer.
    async fn judge(&self, session: &Session, exchange: &mut Exchange) {
        let Err(question) = judge::judge(self, session, exchange, None) else { return };
        let Some(api) = exchange.api.clone() else { return };
        let answered = question.ask(&api).await;
        // A question that is answered is not asked again; were it otherwise, nothing is decided, which is refused.
        judge::judge(self, session, exchange, Some(&answered)).ok();
    }

    /// Ends an exchange whose time is over, and a stream whose token has ended or that a newer policy refuses.
    fn check_stream(&self, exchange: &mut Exchange) -> Result<()> {
        let long = exchange.websocket || exchange.started.elapsed() >= STREAM;
        let checked = if long {
            if exchange.standing.is_none() {
                exchange.standing = StreamAuthorization::of(self, exchange);
            }
            exchange.standing.as_mut().map_or(Err("stream-ended"), StreamAuthorization::check)
        } else if exchange.ends.is_some_and(|end| Instant::now() > end) {
            Err(exchange.overdue())
        } else {
            Ok(())
        };
        checked.or_else(|word| {
            exchange.failure = Some(word);
            // The client sees a status only where no header has left yet; else the connection is cut.
            let status = if word == "stream-ended" { 403 } else { 504 };
            Error::e_explain(ErrorType::HTTPStatus(status), "the exchange's time or permission has ended")
        })
    }
}

/// The pace of an HTTP/1.1 connection; streams of HTTP/2 have none of their own.
fn pace(session: &Session) -> Option<&ConnectionDeadlines> {
    session.as_downstream().stream().and_then(ConnectionDeadlines::of)
}

/// Whether nothing may flow for long after such an answer, so that its permission must be looked at meanwhile.
fn is_often_silent(answer: &ResponseHeader) -> bool {
    let kind = answer.headers.get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let events = b"text/event-stream";
    answer.status == http::StatusCode::SWITCHING_PROTOCOLS
        || kind.and_then(|kind| kind.get(..events.len())).is_some_and(|kind| kind.eq_ignore_ascii_case(events))
}

/// Prepares a connection that is kept for the header of another request.
fn expect_another(session: &mut Session) {
    let downstream = session.as_downstream_mut();
    if downstream.is_http2() {
        return;
    }
    // The rest of a body would look like the beginning of a header. Pingora closes where an answer overtakes a body:
    // this holds it to that.
    if !downstream.is_body_done() {
        downstream.set_keepalive(None);
    } else if let Some(pace) = downstream.stream().and_then(ConnectionDeadlines::of) {
        pace.expect_header();
    }
}
