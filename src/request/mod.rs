//! What was asked: bytes as received become one spelling, or are refused.

pub mod dialect;
pub mod framing;
pub mod headers;
pub mod path;
pub mod prefix;
pub mod query;

pub use dialect::{Dialect, Treatment};
pub use headers::{HeaderView, OverrideMode};
pub use path::CanonicalPath;

/// RawRequest: a request as it came in, borrowed from the edge.
#[derive(Clone, Copy)]
pub struct RawRequest<'a> {
    /// The method, as received.
    pub method: &'a str,
    /// The request target, as received (RFC 9112, section 3.2).
    pub target: &'a [u8],
    /// The one `Host`, or HTTP/2's `:authority`.
    pub host: Option<&'a [u8]>,
    /// The header fields.
    pub headers: &'a dyn HeaderView,
}

/// CanonicalRequest: what is matched, decided, logged and forwarded.
#[derive(Debug, Clone)]
pub struct CanonicalRequest<'a> {
    /// The method, compared byte for byte.
    pub method: &'a str,
    /// The methods that overrides ask for besides; under [`OverrideMode::Evaluate`] they must be permitted too.
    pub overrides: Vec<String>,
    /// The path in its one spelling.
    pub path: CanonicalPath<'a>,
    /// The query as received, without `?`.
    pub query: Option<&'a str>,
}

/// RejectedRequest: why a request cannot be read; the caller learns no more than «bad request».
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectedRequest {
    /// The method is no token of at most 32 letters (RFC 9110, section 9.1).
    Method,
    /// The target is longer than the settings allow.
    TargetTooLong,
    /// The target is neither a path nor an absolute URI that names the Host.
    TargetForm,
    /// The absolute target names another authority than `Host`.
    AuthorityMismatch,
    /// A `%` without two hexadecimal digits.
    PercentEncoding,
    /// Decoding gives a percent-encoding again.
    DoubleEncoding,
    /// The decoded path is not UTF-8.
    NotUtf8,
    /// A control character, a blank or `#`, as it is or encoded.
    Control,
    /// A segment `.` or `..`, or an encoded `.`.
    DotSegment,
    /// Two slashes in a row.
    EmptySegment,
    /// A `\`, as it is or encoded.
    Backslash,
    /// An encoded `/` where the route does not allow one.
    EncodedSlash,
    /// A `;`, which some servers cut off.
    PathParameter,
    /// A segment that ends in a dot or a blank, which some servers cut off.
    TrailingDot,
    /// A character that a server without case reads as an ASCII letter (`ſ` as `s`).
    FoldsIntoAscii,
    /// A name that Windows or IIS takes for another one: `::$DATA`, `~1`, `(S(…))`, a full-width letter.
    WindowsName,
    /// Another template would match if the upstream read the path more loosely.
    AmbiguousPath,
    /// The query parameter of a scope stands there twice, or some servers read another one for it.
    AmbiguousScope,
    /// Two APIs would claim the path.
    AmbiguousApi,
    /// The query holds a control character, a blank, `#` or is not ASCII.
    Query,
    /// A query parameter that a scope or a token is read from stands there twice.
    RepeatedParameter,
    /// A method override in a header, the query or a form.
    MethodOverride,
    /// A form that may hold a method override is longer than the reader looks.
    FormTooLong,
    /// The header block frames the body in more than one way, or breaks RFC 9112.
    Framing,
    /// `Host` is missing or stands there twice.
    Host,
    /// `Connection` nominates a header that the upstream may rely on.
    Nomination,
    /// The body is longer than the settings allow.
    BodyTooLong,
    /// Longer header fields than the settings allow.
    HeadersTooLong,
    /// More header fields than the settings allow.
    TooManyHeaders,
}

impl RejectedRequest {
    /// The stable word for the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::TargetTooLong => "target-too-long",
            Self::TargetForm => "target-form",
            Self::AuthorityMismatch => "authority-mismatch",
            Self::PercentEncoding => "percent-encoding",
            Self::DoubleEncoding => "double-encoding",
            Self::NotUtf8 => "not-utf-8",
            Self::Control => "control-character",
            Self::DotSegment => "dot-segment",
            Self::EmptySegment => "empty-segment",
            Self::Backslash => "backslash",
            Self::EncodedSlash => "encoded-slash",
            Self::PathParameter => "path-parameter",
            Self::TrailingDot => "trailing-dot",
            Self::FoldsIntoAscii => "folds-into-ascii",
            Self::WindowsName => "windows-name",
            Self::AmbiguousPath => "ambiguous-path",
            Self::AmbiguousScope => "ambiguous-scope",
            Self::AmbiguousApi => "ambiguous-api",
            Self::Query => "query",
            Self::RepeatedParameter => "repeated-parameter",
            Self::MethodOverride => "method-override",
            Self::FormTooLong => "form-too-long",
            Self::Framing => "framing",
            Self::Host => "host",
            Self::Nomination => "connection-nomination",
            Self::BodyTooLong => "body-too-long",
            Self::HeadersTooLong => "headers-too-long",
            Self::TooManyHeaders => "too-many-headers",
        }
    }

    /// The status that the caller sees (RFC 9110, section 15.5; RFC 6585, section 5).
    pub fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::FormTooLong | Self::BodyTooLong => 413,
            Self::HeadersTooLong | Self::TooManyHeaders => 431,
            _ => 400,
        }
    }
}

/// Reads a request into its one spelling, as an upstream of `dialect` would.
///
/// # Errors
/// Whatever some common server or proxy would read differently; see [`RejectedRequest`].
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
    let mut asked = headers::method_overrides(raw.headers);
    if let Some(query) = query {
        query::method_overrides(query, &mut asked);
    }
    match overrides {
        OverrideMode::Reject if !asked.is_empty() => Err(RejectedRequest::MethodOverride),
        OverrideMode::Reject | OverrideMode::Strip => {
            Ok(CanonicalRequest { method, overrides: Vec::new(), path, query })
        }
        OverrideMode::Evaluate => Ok(CanonicalRequest { method, overrides: asked, path, query }),
    }
}

/// The path and query of a target; an absolute one must name the Host (RFC 9112, sections 3.2.1 and 3.2.2).
///
/// # Errors
/// It is neither, or names another host.
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
