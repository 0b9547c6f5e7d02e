//! Limit: each limit on a client's use of resources, by the name of its key in the settings.

/// Limit: a limit at which a client is disconnected or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Too many connections on a listener.
    Connections,
    /// Too many connections from one address.
    ConnectionsPerAddress,
    /// A TLS handshake that did not end in time.
    TlsHandshake,
    /// A header that did not end in time.
    HeaderTimeout,
    /// A header that is too long.
    HeaderBytes,
    /// Too many headers in one request.
    HeaderCount,
    /// A path with query that is too long.
    TargetLength,
    /// A body that is too long.
    Body,
    /// A client that neither sent nor received anything during an exchange.
    ClientTimeout,
    /// A client that sent a body or received a response too slowly.
    LeastRate,
    /// An exchange that lasted too long.
    StreamAge,
    /// Too many streams open on one HTTP/2 connection.
    Http2Streams,
    /// Too many streams reset on one HTTP/2 connection, or another HTTP/2 flood.
    Http2Resets,
    /// Too many frames without content on one HTTP/2 connection.
    Http2ControlFrames,
    /// Too many invalid credentials from one address.
    FailedCredentials,
}

impl Limit {
    /// All limits, in the order of their declaration.
    pub const ALL: [Self; 15] = [
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::TlsHandshake,
        Self::HeaderTimeout,
        Self::HeaderBytes,
        Self::HeaderCount,
        Self::TargetLength,
        Self::Body,
        Self::ClientTimeout,
        Self::LeastRate,
        Self::StreamAge,
        Self::Http2Streams,
        Self::Http2Resets,
        Self::Http2ControlFrames,
        Self::FailedCredentials,
    ];

    /// The limit's key under `limits`, which is also the metric's label.
    pub fn key(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections-per-address",
            Self::TlsHandshake => "tls-handshake",
            Self::HeaderTimeout => "header-timeout",
            Self::HeaderBytes => "header-bytes",
            Self::HeaderCount => "header-count",
            Self::TargetLength => "target-length",
            Self::Body => "body",
            Self::ClientTimeout => "client-timeout",
            Self::LeastRate => "least-rate",
            Self::StreamAge => "stream-age",
            Self::Http2Streams => "http2-streams",
            Self::Http2Resets => "http2-resets",
            Self::Http2ControlFrames => "http2-control-frames",
            Self::FailedCredentials => "failed-credentials",
        }
    }
}
