//! Reading of forms before the decision is final: what the upstream may look for in a body, the gateway looks for first.

use pingora::OrErr;
use pingora::prelude::{Error, ErrorType, Result};
use pingora::proxy::Session;

use super::{FormKind, OverrideScanner, UnreadableForm};
use crate::guard::arrival::content_length;
use crate::proxy::Proxy;
use crate::proxy::exchange::context::ProxyContext;
use crate::request::{OverrideMode, RejectedRequest, query};

impl Proxy {
    /// Looks for a method override in a form, and for a scope outside the query, where the upstream may look for one.
    ///
    /// # Errors
    /// The body cannot be read, or does not come in time.
    pub(in crate::proxy::exchange) async fn read_form(
        &self,
        session: &mut Session,
        context: &mut ProxyContext,
    ) -> Result<()> {
        let exchange = &mut context.exchange;
        let reads = exchange.policy().is_some_and(|policy| policy.model.dialect.traits().reads_forms);
        let scoped = exchange.query_scopes();
        if scoped.is_empty() && (!reads || session.req_header().method != http::Method::POST) {
            return Ok(());
        }
        let empty = session.as_downstream_mut().is_body_empty();
        let header = session.req_header();
        let mode = exchange.api().map_or(OverrideMode::Reject, |api| api.overrides);
        let mut cookies = header.headers.get_all(http::header::COOKIE).iter();
        if cookies.any(|line| scoped.iter().any(|name| query::cookie_has_parameter(line.as_bytes(), name))) {
            exchange.reject(RejectedRequest::AmbiguousScope);
            return Ok(());
        }
        let keyed = header.method == http::Method::POST
            && exchange.policy().is_some_and(|policy| policy.model.dialect.traits().reads_json);
        match super::kind(&header.headers) {
            Ok(None) if keyed && super::is_json(&header.headers) => context.scanner = Some(OverrideScanner::of_keys()),
            Ok(None) => {}
            // Frameworks read a scope from a form as well as from the query, and some prefer the form.
            Ok(Some(FormKind::Multipart)) if !scoped.is_empty() => exchange.reject(RejectedRequest::AmbiguousScope),
            Ok(Some(FormKind::Untyped)) if empty => {}
            Ok(Some(FormKind::Untyped)) if !scoped.is_empty() => exchange.reject(RejectedRequest::AmbiguousScope),
            Err(UnreadableForm) => exchange.reject(RejectedRequest::MethodOverride),
            Ok(Some(FormKind::Multipart)) => context.scanner = Some(OverrideScanner::of_parts()),
            Ok(Some(FormKind::Untyped)) => context.scanner = Some(OverrideScanner::of_fields()),
            Ok(Some(FormKind::UrlEncoded)) => {
                let expects = header.headers.contains_key(http::header::EXPECT);
                let announced = content_length(&header.headers).and_then(|length| usize::try_from(length).ok());
                if announced.is_some_and(|length| length > super::LONGEST) {
                    exchange.reject(RejectedRequest::FormTooLong);
                    return Ok(());
                }
                if expects {
                    session.as_downstream_mut().write_continue_response().await?;
                }
                let limit = self.guard.limits.client_timeout;
                let Ok(read) = tokio::time::timeout(limit, read_short_body(session)).await else {
                    exchange.transfer().fail("client-timeout");
                    return Error::e_explain(ErrorType::HTTPStatus(408), "the form did not come in time");
                };
                let Some(body) = read? else {
                    exchange.reject(RejectedRequest::FormTooLong);
                    return Ok(());
                };
                if scoped.iter().any(|name| query::form_has_parameter(&body, name)) {
                    exchange.reject(RejectedRequest::AmbiguousScope);
                    return Ok(());
                }
                let mut methods = Vec::new();
                if reads && let Err(rejected) = query::form_method_overrides(&body, &mut methods) {
                    exchange.reject(rejected);
                    return Ok(());
                }
                // A body cannot be forwarded without its override: only `evaluate` lets it pass, where it is permitted.
                match mode {
                    _ if methods.is_empty() => {}
                    OverrideMode::Reject | OverrideMode::Strip => exchange.reject(RejectedRequest::MethodOverride),
                    OverrideMode::Evaluate => self.guard.judge_form_overrides(exchange, &methods),
                }
            }
        }
        Ok(())
    }
}

/// Reads the whole body, which Pingora keeps for the upstream; `None` where it is too long to keep.
async fn read_short_body(session: &mut Session) -> Result<Option<Vec<u8>>> {
    let downstream = session.as_downstream_mut();
    downstream.enable_retry_buffering();
    let mut body = Vec::new();
    while let Some(chunk) = downstream.read_request_body().await? {
        body.extend_from_slice(&chunk);
        if body.len() > super::LONGEST {
            return Ok(None);
        }
    }
    if !body.is_empty() && downstream.get_retry_buffer().is_none() {
        return Err(Error::new(ErrorType::InternalError)).or_err(ErrorType::InternalError, "the form was not kept");
    }
    Ok(Some(body))
}
