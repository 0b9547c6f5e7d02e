//! Phase 3: the upstream is chosen, and the request's header takes the form that was decided.

use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, Method};
use pingora::http::RequestHeader;
use pingora::prelude::{Error, ErrorType, HttpPeer, Result};
use pingora::proxy::Session;

use crate::guard::forwarding::HeaderEditor;
use crate::proxy::Proxy;

use super::context::ProxyContext;

impl Proxy {
    /// The peer to connect to.
    ///
    /// # Errors
    /// There is no permit, whatever happened before; or the upstream's name is not resolved.
    pub(super) fn choose_peer(&self, context: &mut ProxyContext) -> Result<Box<HttpPeer>> {
        let exchange = &mut context.exchange;
        if exchange.permit().is_none() {
            return Error::e_explain(ErrorType::InternalError, "there is no permit to forward");
        }
        exchange.transfer().begin_upstream();
        let target = exchange.api().and_then(|api| self.upstream(api));
        let Some(mut peer) = target.and_then(|target| target.upstream.peer()) else {
            exchange.transfer().fail("upstream-unresolved");
            return Error::e_explain(ErrorType::HTTPStatus(503), "the upstream's name has not been resolved");
        };
        // No single wait is longer than what is left of the total time.
        if let Some(total) = exchange.api().and_then(|api| api.total) {
            let left = total.saturating_sub(exchange.started().elapsed());
            peer.options.read_timeout = peer.options.read_timeout.map(|read| read.min(left));
        }
        Ok(peer)
    }

    /// Replaces the header that Pingora would send by the one that was decided, after its hop-by-hop removal.
    ///
    /// # Errors
    /// There is no permit, or a value cannot stand in a header field.
    pub(super) fn edit_request(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        context: &mut ProxyContext,
    ) -> Result<()> {
        let exchange = &context.exchange;
        let Some(plan) = exchange.plan().filter(|_| exchange.permit().is_some()) else {
            return Error::e_explain(ErrorType::InternalError, "nothing was decided");
        };
        upstream.set_raw_path(plan.target().as_bytes())?;
        exchange.edit_request(&self.arrival(session, None), &mut UpstreamHeader(upstream))?;
        if context.scanner.is_none() && session.as_downstream().body_bytes_read() > 0 {
            // The body was read before the decision, with its own `100 Continue`.
            upstream.remove_header(&EXPECT);
        }
        end_unusual_body(session, upstream)
    }
}

/// UpstreamHeader: Pingora's request header, as the guard edits it.
struct UpstreamHeader<'a>(&'a mut RequestHeader);

impl HeaderEditor for UpstreamHeader<'_> {
    type Error = Box<Error>;

    fn fields(&self) -> &HeaderMap {
        &self.0.headers
    }

    fn remove(&mut self, name: &str) {
        self.0.remove_header(name);
    }

    fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        self.0.insert_header(name.to_owned(), value)
    }
}

/// Closes the upstream connection after a body that the method does not usually have.
///
/// A server that does not read such a body would take it for the next request; no request may follow it there.
fn end_unusual_body(session: &mut Session, upstream: &mut RequestHeader) -> Result<()> {
    let usual = matches!(upstream.method, Method::POST | Method::PUT | Method::PATCH);
    if usual || session.as_downstream_mut().is_body_empty() {
        return Ok(());
    }
    upstream.insert_header(CONNECTION, "close")
}
