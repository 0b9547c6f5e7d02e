//! RejectedRequest: why a request cannot be read.

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
