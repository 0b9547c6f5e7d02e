//! Phase 6: the response's body, which the client must take fast enough.

use bytes::Bytes;
use pingora::prelude::{Error, ErrorType, Result};
use pingora::proxy::Session;

use crate::proxy::Proxy;

use super::context::ProxyContext;
use super::rate::TransferRate;

impl Proxy {
    /// Counts one piece of the body before it is sent.
    ///
    /// # Errors
    /// The client takes the response too slowly, or the exchange must end.
    pub(super) fn return_body(
        &self,
        session: &Session,
        body: Option<&Bytes>,
        context: &mut ProxyContext,
    ) -> Result<()> {
        // Only the time counts in which the client did not take what was ready for it. Over HTTP/2 each piece has a
        // time of its own.
        if let Some(waited) = session.as_downstream().stream().map(|stream| stream.get_write_pending_time()) {
            let sent = context.exchange.transfer().sent();
            let rate = context.response_rate.get_or_insert_with(|| TransferRate::from(waited, sent));
            if rate.is_too_low(self.minimum_rate(), waited, sent) {
                context.exchange.transfer().fail("client-slow");
                return Error::e_explain(ErrorType::HTTPStatus(408), "the answer is taken too slowly");
            }
        }
        context.exchange.transfer().send(body.map_or(0, Bytes::len));
        self.check_stream(context)
    }
}
