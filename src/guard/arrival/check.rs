//! Checks of a header block before anything is read from it: framing, host and size.

use crate::request::{RejectedRequest, framing};
use crate::settings::Limits;

use super::{Arrival, Protocol, content_length, names_websocket};

impl Arrival<'_> {
    /// Checks the framing of the header block as received, the host that it names, and its size.
    ///
    /// # Errors
    /// The first check that fails; nothing of the request is read then.
    pub(in crate::guard) fn check(&self, limits: &Limits) -> Result<(), RejectedRequest> {
        // A tunnel has no path that a route could name, and no framing limits its bytes.
        if self.method == "CONNECT" {
            return Err(RejectedRequest::Method);
        }
        match self.protocol {
            Protocol::Http2 { scheme, authority } => self.check_http2(scheme, authority)?,
            Protocol::Http1 { head: Some(head) } if head.len() > limits.header_bytes => {
                return Err(RejectedRequest::HeadersTooLong);
            }
            Protocol::Http1 { head: Some(head) } => framing::check_header_block(head)?,
            Protocol::Http1 { head: None } => {}
        }
        // Two servers could disagree whether the bytes behind such a header are a body or the other protocol.
        let has_body = content_length(self.headers).is_some_and(|length| length > 0)
            || self.headers.contains_key(http::header::TRANSFER_ENCODING);
        if has_body && names_websocket(self.headers) {
            return Err(RejectedRequest::Framing);
        }
        if !self.host().is_none_or(framing::is_authority) {
            return Err(RejectedRequest::Host);
        }
        let bytes: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if bytes > limits.header_bytes {
            return Err(RejectedRequest::HeadersTooLong);
        }
        if self.headers.len() > limits.header_count {
            return Err(RejectedRequest::TooManyHeaders);
        }
        if self.target.len() > limits.target_length {
            return Err(RejectedRequest::TargetTooLong);
        }
        Ok(())
    }

    /// Rejects what a downgrade to HTTP/1.1 would change (RFC 9113, sections 8.2.2 and 8.3.1); HTTP/2 frames its
    /// bodies itself.
    fn check_http2(&self, scheme: Option<&str>, authority: Option<&[u8]>) -> Result<(), RejectedRequest> {
        let hosts = self.headers.get_all(http::header::HOST).iter().collect::<Vec<_>>();
        let agree =
            hosts.iter().all(|host| authority.is_none_or(|authority| host.as_bytes().eq_ignore_ascii_case(authority)));
        if hosts.len() > 1 || (hosts.is_empty() && authority.is_none()) || !agree {
            return Err(RejectedRequest::Host);
        }
        if !scheme.is_some_and(|scheme| matches!(scheme, "http" | "https")) {
            return Err(RejectedRequest::TargetForm);
        }
        let lengths = self.headers.get_all(http::header::CONTENT_LENGTH).iter().count();
        if lengths > 1 || self.headers.contains_key(http::header::TRANSFER_ENCODING) {
            return Err(RejectedRequest::Framing);
        }
        // HTTP/1.1 drops white space around a value (RFC 9113, section 8.2.1).
        if self.headers.values().any(|value| value.as_bytes().trim_ascii().len() < value.len()) {
            return Err(RejectedRequest::Framing);
        }
        if self.headers.contains_key(http::header::CONNECTION) {
            return Err(RejectedRequest::Nomination);
        }
        Ok(())
    }
}
