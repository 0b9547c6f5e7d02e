//! Limits: the resources that one client may use.

use std::time::Duration;

use super::reader::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node};

/// Limits: the resource limits of a client; each is finite unless its type is optional or its text says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most open connections of each listener.
    pub connections: usize,
    /// The most open connections of one address on each listener; `None` is no limit.
    pub connections_per_address: Option<usize>,
    /// The most requests on one HTTP/1.1 connection before it is closed; `None` is no limit.
    pub requests_per_connection: Option<u32>,
    /// The most bytes of the request line and all headers.
    pub header_bytes: usize,
    /// The most headers of one request.
    pub header_count: usize,
    /// The most bytes of path and query.
    pub target_length: usize,
    /// The timeout from the first byte of a connection to the end of its first headers.
    pub header_timeout: Duration,
    /// The timeout of a TLS handshake.
    pub tls_handshake: Duration,
    /// The idle timeout of a connection between two requests.
    pub keep_alive: Duration,
    /// The most bytes of a request body; `None` is no limit. An API may set its own.
    pub body: Option<u64>,
    /// The timeout without progress while a client sends a body or receives a response.
    pub client_timeout: Duration,
    /// The least bytes per second of a request or response body over each `client_timeout`; 0 is no limit.
    pub least_rate: u64,
    /// The longest lifetime of an upgraded or streaming exchange.
    pub stream_age: Duration,
    /// The most concurrent streams of one HTTP/2 connection.
    pub http2_streams: u32,
    /// The most streams that a client may reset on one HTTP/2 connection in ten seconds.
    pub http2_resets: u32,
    /// The most frames without content on one HTTP/2 connection in ten seconds.
    pub http2_control_frames: u32,
    /// The most refused credentials per address and minute before a 429; 0 is no limit.
    pub failed_credentials: u32,
    /// The time that requests in flight have after SIGTERM.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: Some(2500),
            requests_per_connection: Some(10_000),
            header_bytes: 64 << 10,
            header_count: 100,
            target_length: 8 << 10,
            header_timeout: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            body: Some(100 << 20),
            client_timeout: Duration::from_secs(60),
            least_rate: 512,
            stream_age: Duration::from_secs(12 * 60 * 60),
            http2_streams: 128,
            http2_resets: 500,
            http2_control_frames: 2000,
            failed_credentials: 60,
            drain: Duration::from_secs(30),
        }
    }
}

/// Reads a body limit: a size or `unlimited`; `otherwise` where the key is missing.
pub(super) fn read_body_limit(
    node: Option<&Node>,
    otherwise: Option<u64>,
    reader: &mut SettingsReader<'_>,
) -> Option<u64> {
    match node {
        None => otherwise,
        some => reader.limit(some, "`body`", 0, 0, 1 << 50),
    }
}

/// Reads the map under `limits`.
pub(super) fn read_limits(node: Option<&Node>, reader: &mut SettingsReader<'_>) -> Limits {
    let default = Limits::default();
    let Some(node) = node else { return default };
    let Some(mut fields) = MapReader::open(node, "`limits`", reader.findings) else { return default };
    let second = Duration::from_secs(1);
    let hour = Duration::from_secs(60 * 60);
    let narrow = |wide: usize| u32::try_from(wide).unwrap_or(u32::MAX);

    let connections = fields.optional("connections");
    let connections = reader.count(connections, "`connections`", 10_000, 1, 1_000_000);
    let per_address = fields.optional("connections-per-address");
    let connections_per_address = match per_address {
        Some(node) if super::reader::is_word(node, "unlimited") => None,
        some => Some(reader.count(some, "`connections-per-address`", 2500, 1, 1_000_000)),
    };
    let requests = fields.optional("requests-per-connection");
    let requests_per_connection = match requests {
        Some(node) if super::reader::is_word(node, "unlimited") => None,
        some => Some(narrow(reader.count(some, "`requests-per-connection`", 10_000, 1, 1_000_000_000))),
    };
    let header_bytes = fields.optional("header-bytes");
    let header_bytes = reader.memory(header_bytes, "`header-bytes`", 64 << 10, 1 << 10, 1 << 20);
    let header_count = fields.optional("header-count");
    let header_count = reader.count(header_count, "`header-count`", 100, 10, 256);
    let target = fields.optional("target-length");
    let target_length = reader.memory(target, "`target-length`", 8 << 10, 256, 64 << 10);
    let header_timeout = fields.optional("header-timeout");
    let header_timeout =
        reader.duration(header_timeout, "`header-timeout`", default.header_timeout, second / 10, hour / 12);
    let handshake = fields.optional("tls-handshake");
    let tls_handshake = reader.duration(handshake, "`tls-handshake`", default.tls_handshake, second / 10, hour / 12);
    let keep_alive = fields.optional("keep-alive");
    let keep_alive = reader.duration(keep_alive, "`keep-alive`", default.keep_alive, second, hour);
    let body = read_body_limit(fields.optional("body"), default.body, reader);
    let client_timeout = fields.optional("client-timeout");
    let client_timeout = reader.duration(client_timeout, "`client-timeout`", default.client_timeout, second / 10, hour);
    let least_rate = reader.size(fields.optional("least-rate"), "`least-rate`", default.least_rate, 0, 1 << 30);
    let stream_age = fields.optional("stream-age");
    let stream_age = reader.duration(stream_age, "`stream-age`", default.stream_age, second, hour * 24 * 7);
    let streams = fields.optional("http2-streams");
    let http2_streams = narrow(reader.count(streams, "`http2-streams`", 128, 1, 10_000));
    let resets = fields.optional("http2-resets");
    let http2_resets = narrow(reader.count(resets, "`http2-resets`", 500, 1, 1_000_000));
    let control = fields.optional("http2-control-frames");
    let http2_control_frames = narrow(reader.count(control, "`http2-control-frames`", 2000, 10, 1_000_000));
    let failed = fields.optional("failed-credentials");
    let failed_credentials = narrow(reader.count(failed, "`failed-credentials`", 60, 0, 1_000_000));
    let drain = reader.duration(fields.optional("drain"), "`drain`", default.drain, second / 10, hour);
    if target_length > header_bytes {
        let message = "`target-length` is larger than `header-bytes`, which the path is part of";
        let span = target.map_or(fields.span(), |node| node.span);
        reader.report(Finding::error(FindingCode::BadValue, Some(span), message));
    }
    fields.finish(reader.findings);
    Limits {
        connections,
        connections_per_address,
        requests_per_connection,
        header_bytes,
        header_count,
        target_length,
        header_timeout,
        tls_handshake,
        keep_alive,
        body,
        client_timeout,
        least_rate,
        stream_age,
        http2_streams,
        http2_resets,
        http2_control_frames,
        failed_credentials,
        drain,
    }
}
