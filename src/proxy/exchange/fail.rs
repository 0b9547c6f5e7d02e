//! An error ends the exchange: it is logged, and answered where no response was sent yet.

use pingora::prelude::Error;
use pingora::proxy::{FailToProxy, Session};

use crate::proxy::Proxy;
use crate::proxy::downstream::connection::ConnectionDeadlines;

use super::context::ProxyContext;
use super::deadlines::deadlines;
use super::error_mapping::map_error;
use super::refusal;

impl Proxy {
    /// Answers an exchange that an error has ended, where the client can still read an answer.
    pub(super) async fn fail(&self, session: &mut Session, error: &Error, context: &mut ProxyContext) -> FailToProxy {
        let exchange = &mut context.exchange;
        let ended = deadlines(session).and_then(ConnectionDeadlines::ended);
        let (status, failure) = match ended {
            // The upstream is late; the client is still there.
            Some("upstream-timeout") => (504, "upstream-timeout"),
            _ => map_error(error),
        };
        exchange.transfer().fail_first(ended.unwrap_or(failure));
        if failure.starts_with("upstream-")
            && let Some(api) = exchange.api()
            && let Some(left_out) = self.upstream(api).and_then(|target| target.failures.rate_limit_log())
        {
            // Pingora's own line would hold the whole target: this one names only the API and the decision.
            tracing::warn!(
                api = %api.name,
                decision = %exchange.id(),
                failure,
                left_out,
                cause = %error.etype().as_str(),
                "the upstream failed"
            );
        }
        // After 101 the connection speaks another protocol, in which an answer would be noise.
        let written = session.response_written().is_some_and(|response| {
            !response.status.is_informational() || response.status == http::StatusCode::SWITCHING_PROTOCOLS
        });
        if !written && (status != 0 || exchange.permit().is_none()) {
            // A decision that was made only now has not been observed either.
            self.guard.persist_decision(exchange).await;
        }
        // A refused response is answered like a refused request.
        let refused = exchange
            .decision()
            .and_then(|decision| decision.verdict.as_ref().err().map(|refusal| (decision.reason, refusal.status)));
        let answered = match refused {
            _ if written => Ok(()),
            Some((reason, status)) => refusal::refuse(session, exchange, reason, status).await,
            None if status == 0 => Ok(()),
            None => {
                let code = exchange.transfer().failure().unwrap_or(failure);
                refusal::answer_failure(session, exchange, code, status).await
            }
        };
        if let Err(error) = answered {
            let cause = error.etype().as_str();
            tracing::debug!(decision = %exchange.id(), %cause, "the client did not take the answer");
        }
        FailToProxy { error_code: status, can_reuse_downstream: false }
    }
}
