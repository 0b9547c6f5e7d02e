//! Phase 2: the decision. A refused request is answered here, a permitted one continues to the upstream.

use pingora::prelude::{Error, ErrorType, Result};
use pingora::proxy::Session;

use crate::guard::stream::StreamEnd;
use crate::proxy::Proxy;

use super::context::ProxyContext;
use super::deadlines::deadlines;
use super::refusal;

impl Proxy {
    /// Decides on a request, and answers it where it is not forwarded; returns whether it was answered.
    ///
    /// # Errors
    /// The client does not take the answer, or nothing was decided.
    pub(super) async fn decide(&self, session: &mut Session, context: &mut ProxyContext) -> Result<bool> {
        self.judge(session, context).await;
        if context.exchange.permit().is_some() {
            self.read_form(session, context).await?;
        }
        let exchange = &mut context.exchange;
        self.guard.persist_decision(exchange).await;
        if exchange.judgement().is_preflight() {
            refusal::answer_preflight(session, exchange).await?;
            return Ok(true);
        }
        let Some(decision) = exchange.decision() else {
            return Error::e_explain(ErrorType::InternalError, "nothing was decided");
        };
        if let Err(refused) = &decision.verdict {
            let (reason, status) = (decision.reason, refused.status);
            refusal::refuse(session, exchange, reason, status).await?;
            return Ok(true);
        }
        let deadline = self.guard.set_deadline(exchange);
        if let (true, Some(deadlines)) = (deadline.is_total_time(), deadlines(session)) {
            // Pingora times each piece of a response's header: one that comes byte by byte would never be late.
            deadlines.watch(move || deadline.check().map_err(StreamEnd::code));
        }
        Ok(false)
    }

    async fn judge(&self, session: &Session, context: &mut ProxyContext) {
        let is_http2 = session.req_header().version == http::Version::HTTP_2;
        let head = (!is_http2).then(|| session.as_downstream().to_h1_raw());
        let arrival = self.arrival(session, head.as_deref());
        self.guard.judge(&arrival, &mut context.exchange).await;
    }
}
