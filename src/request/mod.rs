//! Requests: received bytes become one canonical spelling, or are refused.

pub mod dialect;
pub mod framing;
pub mod headers;
pub mod path;
pub mod prefix;
pub mod query;
pub mod rejected;

pub use dialect::{Dialect, Treatment};
pub use headers::{HeaderView, OverrideMode};
pub use path::CanonicalPath;
pub use rejected::RejectedRequest;

/// RawRequest: a request as received, borrowed from its receiver.
#[derive(Clone, Copy)]
pub struct RawRequest<'a> {
    /// The method, as received.
    pub method: &'a str,
    /// The request target, as received (RFC 9112, section 3.2).
    pub target: &'a [u8],
    /// The single `Host`, or HTTP/2's `:authority`.
    pub host: Option<&'a [u8]>,
    /// The header fields.
    pub headers: &'a dyn HeaderView,
}

/// CanonicalRequest: the request that is matched, decided, logged and forwarded.
#[derive(Debug, Clone)]
pub struct CanonicalRequest<'a> {
    /// The method, compared byte for byte.
    pub method: &'a str,
    /// The methods of overrides; under [`OverrideMode::Evaluate`] they must be permitted too.
    pub overrides: Vec<String>,
    /// The canonical path.
    pub path: CanonicalPath<'a>,
    /// The query as received, without `?`.
    pub query: Option<&'a str>,
}

/// Reads a request into its canonical spelling, as an upstream of `dialect` would.
///
/// # Errors
/// A common server or proxy would interpret the request differently; see [`RejectedRequest`].
pub fn read<'a>(
    raw: &RawRequest<'a>,
    dialect: Dialect,
    overrides: OverrideMode,
) -> Result<CanonicalRequest<'a>, RejectedRequest> {
    let method = raw.method;
    if method.is_empty() || method.len() > 32 || !method.bytes().all(headers::is_token_byte) {
        return Err(RejectedRequest::Method);
    }
    let target = origin_form(raw.target, raw.host)?;
    let (path, query) = split_query(target);
    let path = CanonicalPath::read(path, dialect)?;
    let query = query.map(query::read).transpose()?;
    let mut methods = headers::method_overrides(raw.headers);
    if let Some(query) = query {
        query::method_overrides(query, &mut methods);
    }
    match overrides {
        OverrideMode::Reject if !methods.is_empty() => Err(RejectedRequest::MethodOverride),
        OverrideMode::Reject | OverrideMode::Strip => {
            Ok(CanonicalRequest { method, overrides: Vec::new(), path, query })
        }
        OverrideMode::Evaluate => Ok(CanonicalRequest { method, overrides: methods, path, query }),
    }
}

/// The path and query of a target; an absolute one must name the Host (RFC 9112, sections 3.2.1 and 3.2.2).
///
/// # Errors
/// The target has neither form, or names another host.
pub fn origin_form<'a>(target: &'a [u8], host: Option<&[u8]>) -> Result<&'a [u8], RejectedRequest> {
    if target.starts_with(b"/") {
        return Ok(target);
    }
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let rest = scheme.and_then(|scheme| target.get(scheme.len()..)).ok_or(RejectedRequest::TargetForm)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).ok_or(RejectedRequest::TargetForm)?;
    if !path.starts_with(b"/") {
        return Err(RejectedRequest::TargetForm);
    }
    match host {
        Some(host) if host.eq_ignore_ascii_case(authority) => Ok(path),
        _ => Err(RejectedRequest::AuthorityMismatch),
    }
}

fn split_query(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = target.splitn(2, |&byte| byte == b'?');
    (parts.next().unwrap_or_default(), parts.next())
}

#[cfg(test)]
mod tests;
