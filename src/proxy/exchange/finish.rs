//! The last phase: the exchange is recorded, and its connection prepared for the next request.

use pingora::prelude::Error;
use pingora::proxy::Session;

use crate::proxy::downstream::connection::deadlines_of;

use super::context::ProxyContext;
use super::deadlines::deadlines;
use super::error_mapping::map_error;

/// Records an exchange that has ended.
pub(super) fn finish(session: &mut Session, error: Option<&Error>, context: &mut ProxyContext) {
    let exchange = &mut context.exchange;
    exchange.transfer().set_status(session.response_written().map(|response| response.status.as_u16()));
    if let Some(error) = error {
        exchange.transfer().fail_first(map_error(error).1);
    }
    exchange.finish();
    if let Some(deadlines) = deadlines(session) {
        deadlines.unwatch();
    }
    if error.is_none() {
        expect_another(session);
    }
}

/// Prepares a connection that is kept open for the header of another request.
fn expect_another(session: &mut Session) {
    let downstream = session.as_downstream_mut();
    if downstream.is_http2() {
        return;
    }
    // The rest of a body would look like the beginning of a header. Pingora closes the connection where a response
    // overtakes a body; this makes sure of it.
    if !downstream.is_body_done() {
        downstream.set_keepalive(None);
    } else if let Some(deadlines) = downstream.stream().and_then(deadlines_of) {
        deadlines.expect_header();
    }
}
