//! Limits of `gateway.yaml`: bounds on what one client may use.

use super::values::{bytes, duration_default, size, size_or_unlimited};
use crate::cli::schema::builder::{SchemaBuilder, any_of, integer, object, one_of};
use crate::settings::Limits;
use crate::settings::units::format_size;

pub(super) fn limits() -> SchemaBuilder {
    let default = Limits::default();
    object([
        (
            "connections",
            integer(1, 1_000_000)
                .description("Connections open at once on each listener")
                .default_value(default.connections),
        ),
        (
            "connections-per-address",
            any_of([integer(1, 1_000_000), one_of(["unlimited"])])
                .description(
                    "Connections of one address open at once on each listener, or `unlimited`; not of trusted proxies",
                )
                .default_value(default.connections_per_address),
        ),
        (
            "requests-per-connection",
            any_of([integer(1, 1_000_000_000), one_of(["unlimited"])])
                .description("Requests on one HTTP/1.1 connection before it is closed, or `unlimited`")
                .default_value(default.requests_per_connection),
        ),
        (
            "header-bytes",
            size()
                .description("Bytes of the request line and all headers, 1KiB to 1MiB; more is 431")
                .default_value(bytes(default.header_bytes)),
        ),
        (
            "header-count",
            integer(10, 256).description("Headers of one request; more is 431").default_value(default.header_count),
        ),
        (
            "target-length",
            size()
                .description("Bytes of path and query, 256B to 64KiB; more is 414")
                .default_value(bytes(default.target_length)),
        ),
        (
            "header-timeout",
            duration_default("From a connection's first byte to the end of its first headers", default.header_timeout),
        ),
        ("tls-handshake", duration_default("The longest TLS handshake", default.tls_handshake)),
        ("keep-alive", duration_default("Idle time between two requests on a connection", default.keep_alive)),
        (
            "body",
            size_or_unlimited()
                .description("Bytes of one request's body, or `unlimited`; more is 413")
                .default_value(default.body.map_or("unlimited".to_owned(), format_size)),
        ),
        (
            "client-timeout",
            duration_default(
                "How long a client may send no part of a body, or receive no part of a response",
                default.client_timeout,
            ),
        ),
        (
            "least-rate",
            size()
                .description(
                    "The least bytes per second of a body or response, per `client-timeout`; 0B switches it off",
                )
                .default_value(format_size(default.least_rate)),
        ),
        ("stream-age", duration_default("The age at which WebSockets and endless responses end", default.stream_age)),
        (
            "http2-streams",
            integer(1, 10_000)
                .description("Streams open at once on one HTTP/2 connection")
                .default_value(default.http2_streams),
        ),
        (
            "http2-resets",
            integer(1, 1_000_000)
                .description("Streams that a client may reset on one HTTP/2 connection in ten seconds")
                .default_value(default.http2_resets),
        ),
        (
            "http2-control-frames",
            integer(10, 1_000_000)
                .description("Frames without content on one HTTP/2 connection in ten seconds")
                .default_value(default.http2_control_frames),
        ),
        (
            "failed-credentials",
            integer(0, 1_000_000)
                .description("Refused credentials per address and minute before it gets 429; 0 switches this off")
                .default_value(default.failed_credentials),
        ),
        ("drain", duration_default("How long requests in flight may continue after SIGTERM", default.drain)),
    ])
    .description("Bounds on what one client may use")
}
