//! RejectedRequest: why a request cannot be read.

/// RejectedRequest: why a request cannot be read; the caller only learns «bad request».
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectedRequest {
    /// The method is not a token of at most 32 characters (RFC 9110, section 9.1).
    Method,
    /// The target is longer than the settings allow.
    TargetTooLong,
    /// The target is neither a path nor an absolute URI that names the Host.
    TargetForm,
    /// The absolute target names another authority than `Host`.
    AuthorityMismatch,
    /// A `%` without two hexadecimal digits.
    PercentEncoding,
    /// The decoded text contains a percent-encoding again.
    DoubleEncoding,
    /// The decoded path is not UTF-8.
    NotUtf8,
    /// A control character, a space or `#`, literal or encoded.
    Control,
    /// A segment `.` or `..`, or an encoded `.`.
    DotSegment,
    /// Two slashes in a row.
    EmptySegment,
    /// A `\`, literal or encoded.
    Backslash,
    /// An encoded `/` where the route does not allow one.
    EncodedSlash,
    /// A `;`, from which some servers strip the rest of the segment.
    PathParameter,
    /// A segment that ends in a dot or a space, which some servers strip.
    TrailingDot,
    /// A character that a case-insensitive server reads as an ASCII letter (`ſ` as `s`).
    FoldsIntoAscii,
    /// A name that Windows or IIS resolves to another one: `::$DATA`, `~1`, `(S(…))`, a full-width letter.
    WindowsName,
    /// Another template would match if the upstream interpreted the path more loosely.
    AmbiguousPath,
    /// The query parameter of a scope is repeated, or some servers read another parameter in its place.
    AmbiguousScope,
    /// Two APIs could receive the path.
    AmbiguousApi,
    /// The query contains a control character, a space or `#`, or is not ASCII.
    Query,
    /// A query parameter with a scope or a token is repeated.
    RepeatedParameter,
    /// A method override in a header, the query or a form.
    MethodOverride,
    /// A form that may hold a method override exceeds the limit up to which the gateway reads it.
    FormTooLong,
    /// The header block frames the body in more than one way, or breaks RFC 9112.
    Framing,
    /// `Host` is missing or repeated.
    Host,
    /// `Connection` lists a header on which the upstream may rely.
    Nomination,
    /// The body is longer than the settings allow.
    BodyTooLong,
    /// The header fields are longer than the settings allow.
    HeadersTooLong,
    /// There are more header fields than the settings allow.
    TooManyHeaders,
}

impl RejectedRequest {
    /// The stable code for the log.
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

    /// The response status (RFC 9110, section 15.5; RFC 6585, section 5).
    pub fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::FormTooLong | Self::BodyTooLong => 413,
            Self::HeadersTooLong | Self::TooManyHeaders => 431,
            _ => 400,
        }
    }
}
