//! An exchange on its way through Pingora: one file a phase, in the order of a request.
//!
//! `receive` → `decide` (with `form`) → `forward` → `request_body` → `response_header` → `response_body` → `finish`,
//! and `fail` where an error ends it.

mod receive;
mod decide;
mod form;
mod refusal;
mod forward;
mod request_body;
mod response_header;
mod response_body;
mod fail;
mod finish;

mod context;
mod deadlines;
mod error_mapping;
mod rate;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::prelude::{Error, HttpPeer, Result};
use pingora::proxy::{FailToProxy, ProxyHttp, Session};

use super::Proxy;
use context::ProxyContext;

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ProxyContext;

    fn new_ctx(&self) -> ProxyContext {
        ProxyContext::new(self.guard.open())
    }

    fn init_downstream_modules(&self, _: &mut HttpModules) {
        // Modules run before the decision: there are none.
    }

    async fn early_request_filter(&self, session: &mut Session, _: &mut ProxyContext) -> Result<()> {
        self.receive(session);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut ProxyContext) -> Result<bool> {
        self.decide(session, context).await
    }

    async fn upstream_peer(&self, _: &mut Session, context: &mut ProxyContext) -> Result<Box<HttpPeer>> {
        self.choose_peer(context)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        context: &mut ProxyContext,
    ) -> Result<()> {
        self.edit_request(session, upstream, context)
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut ProxyContext,
    ) -> Result<()> {
        self.forward_body(body, end_of_stream, context)
    }

    async fn upstream_response_filter(
        &self,
        _: &mut Session,
        response: &mut ResponseHeader,
        context: &mut ProxyContext,
    ) -> Result<()> {
        response_header::receive(response, context)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut ProxyContext,
    ) -> Result<()> {
        self.judge_response(session, response, context)
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        _: bool,
        context: &mut ProxyContext,
    ) -> Result<Option<Duration>> {
        self.return_body(session, body.as_ref(), context).map(|()| None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut ProxyContext) -> FailToProxy {
        self.fail(session, error, context).await
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut ProxyContext) {
        finish::finish(session, error, context);
    }

    fn suppress_error_log(&self, _: &Session, _: &ProxyContext, _: &Error) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, context: &ProxyContext) -> String {
        context.exchange.id().to_string()
    }
}
