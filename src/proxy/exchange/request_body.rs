//! Phase 4: the request's body, within its limits and without a method override.

use bytes::Bytes;
use pingora::prelude::{Error, ErrorType, Result};

use crate::guard::stream::StreamEnd;
use crate::proxy::Proxy;

use super::context::ProxyContext;
use super::rate::MinimumRate;

impl Proxy {
    /// Checks one piece of the body before it is forwarded.
    ///
    /// # Errors
    /// The body is too long, too slow, or overrides the method; or the exchange must end.
    pub(super) fn forward_body(
        &self,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut ProxyContext,
    ) -> Result<()> {
        if let Some(chunk) = body {
            let exchange = &mut context.exchange;
            let received = exchange.transfer().receive(chunk.len());
            // The bytes of an open WebSocket are no body.
            let is_open = exchange.is_websocket() && exchange.transfer().upstream_status() == Some(101);
            let most = exchange.api().and_then(|api| api.body).filter(|_| !is_open);
            if most.is_some_and(|most| received > most) {
                exchange.transfer().fail("body-too-long");
                return Error::e_explain(ErrorType::HTTPStatus(413), "the body is longer than the settings allow");
            }
            if context.scanner.as_mut().is_some_and(|scanner| scanner.finds_override(chunk)) {
                exchange.transfer().fail("method-override");
                return Error::e_explain(ErrorType::HTTPStatus(400), "a field of the body overrides the method");
            }
            let waited = exchange.started().elapsed();
            let is_timed = !is_open && !end_of_stream;
            if is_timed && context.request_rate.is_too_low(self.minimum_rate(), waited, received) {
                exchange.transfer().fail("client-slow");
                return Error::e_explain(ErrorType::HTTPStatus(408), "the body comes too slowly");
            }
            // Pingora 0.9.1 writes the last chunk twice where HTTP/2 ends a body with an empty frame.
            if end_of_stream && chunk.is_empty() {
                *body = None;
            }
        }
        self.check_stream(context)
    }

    /// The rate at which clients must send and take bytes.
    pub(super) fn minimum_rate(&self) -> MinimumRate {
        MinimumRate { bytes: self.guard.limits.least_rate, window: self.guard.limits.client_timeout }
    }

    /// Checks that the exchange may continue.
    ///
    /// # Errors
    /// It must end. The client sees a status only where no header has left yet; else the connection is cut.
    pub(super) fn check_stream(&self, context: &mut ProxyContext) -> Result<()> {
        let Err(end) = self.guard.check_stream(&mut context.exchange) else { return Ok(()) };
        context.exchange.transfer().fail(end.code());
        let status = if end == StreamEnd::Unauthorized { 403 } else { 504 };
        Error::e_explain(ErrorType::HTTPStatus(status), "the exchange's time or permission has ended")
    }
}
