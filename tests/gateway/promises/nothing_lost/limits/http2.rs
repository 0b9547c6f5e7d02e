//! Hand-written HTTP/2 attacks: frames that cost their sender nothing, and header blocks without an end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::attacked_gateway::AttackedGateway;
use crate::wire::origin::{Origin, ok};
use crate::wire::testbed::{Testbed, TestbedBuilder, until};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// Longer than any limit in these tests.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn streams_that_are_reset_at_once_end_the_connection() {
    let gateway = attacked_gateway(Origin::start(), |builder| builder);
    let pairs: Vec<u8> =
        (0..5000).flat_map(|at| [get(1 + 2 * at), frame(RST_STREAM, 0, 1 + 2 * at, &CANCEL)].concat()).collect();
    assert!(floods(&gateway, |connection| connection.send(&pairs)), "it goes on for ever");
    assert!(gateway.limit_count("http2-resets") >= 1);
    assert!(gateway.testbed.origin.count() < 1000, "{} requests came through", gateway.testbed.origin.count());
}

#[test]
fn streams_that_are_reset_one_after_the_other_end_the_connection() {
    let gateway = attacked_gateway(Origin::start(), |builder| builder.with("/limits/http2-resets", json!(100)));
    let mut stream = 1;
    let ended = floods(&gateway, |connection| {
        // Each stream is accepted before it is reset, so that the library's own counter does not see it.
        connection.send(&get(stream));
        std::thread::sleep(Duration::from_millis(2));
        connection.send(&frame(RST_STREAM, 0, stream, &CANCEL));
        stream += 2;
    });
    assert!(ended && stream > 150, "after {stream}");
    assert_eq!(gateway.limit_count("http2-resets"), 1);
}

#[test]
fn a_header_block_without_end_ends_the_connection() {
    let large = frame(CONTINUATION, 0, 1, &literal("x-long", &"x".repeat(16_000)));
    let tiny = frame(CONTINUATION, 0, 1, &[]).repeat(1000);
    for (more, what) in [(large, "large"), (tiny, "tiny")] {
        let gateway = attacked_gateway(Origin::start(), |builder| builder);
        let begun = [frame(HEADERS, END_STREAM, 1, &path("/open")), more.clone()].concat();
        let mut first = true;
        let ended = floods(&gateway, |connection| {
            connection.send(if first { &begun } else { &more });
            first = false;
        });
        assert!(ended, "{what}");
        assert_eq!(gateway.limit_count("header-bytes"), 1, "{what}");
    }
}

#[test]
fn a_small_block_that_unpacks_to_a_large_one_is_refused() {
    let gateway = attacked_gateway(Origin::start(), |builder| builder);
    // The first field goes into the table; each byte after it expands to 4 KB.
    let bomb = [path("/open"), literal_indexed("x-bomb", &"x".repeat(3900)), vec![0xbe; 12_000]].concat();
    let mut stream = 1;
    floods_for(&gateway, 50, |connection| {
        connection.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &bomb));
        stream += 2;
    });
    assert_eq!(gateway.limit_count("header-bytes"), 1);
    assert!(
        gateway.testbed.origin.requests().iter().all(|received| !received.text().to_lowercase().contains("x-bomb"))
    );
}

#[test]
fn headers_too_long_are_refused_as_over_http1() {
    let gateway = attacked_gateway(Origin::start(), |builder| builder.with("/limits/header-bytes", json!("8KiB")));
    let mut connection = Http2Connection::connect(&gateway);
    let block = [path("/open"), literal("x-long", &"x".repeat(9000))].concat();
    connection.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
    until("it is refused and counted", || gateway.limit_count("header-bytes") == 1);
    assert!(gateway.metric_lines().iter().any(|line| line.contains("reason=\"bad-request\"")));
}

#[test]
fn frames_that_ask_for_nothing_end_the_connection() {
    let cases = [
        ("PING", frame(PING, 0, 0, b"portcull")),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("unknown", frame(0xbe, 0, 0, b"anything")),
        ("DATA", [post(1), frame(DATA, 0, 1, b"")].concat()),
    ];
    for (what, one) in cases {
        let gateway = attacked_gateway(Origin::start(), |builder| builder);
        let more = if what == "DATA" { frame(DATA, 0, 1, b"").repeat(500) } else { one.repeat(500) };
        let mut first = true;
        let ended = floods(&gateway, |connection| {
            connection.send(if first { &one } else { &more });
            first = false;
        });
        assert!(ended, "{what}");
        assert_eq!(gateway.limit_count("http2-control-frames"), 1, "{what}");
    }
}

#[test]
fn a_window_that_overflows_ends_the_connection() {
    let gateway = attacked_gateway(Origin::start(), |builder| builder);
    assert!(floods(&gateway, |connection| connection.send(&frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))));
}

#[test]
fn answers_that_are_asked_for_and_not_taken_are_given_up() {
    let large = Origin::with_responder(|received| {
        ok(&"x".repeat(if received.target().contains("large") { 4 << 20 } else { 2 }))
    });
    let gateway = attacked_gateway(large, |builder| builder.with("/limits/client-timeout", json!("1s")));
    let before = gateway.memory_mib();
    let mut connection = Http2Connection::connect(&gateway);
    // The initial window of every stream is zero.
    connection.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    for at in 0..100 {
        let block = path("/open?large");
        connection.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1 + 2 * at, &block));
    }
    gateway.serves_others();
    assert!(gateway.memory_mib() < before + 100, "{} MiB after {before} MiB", gateway.memory_mib());
    until("all are given up", || gateway.limit_count("client-timeout") == 100);
    drop(connection);
    gateway.wait_until_closed();
}

#[test]
fn streams_over_the_limit_are_refused_and_those_that_say_nothing_end() {
    let limits = json!({ "http2-streams": 50, "keep-alive": "1s" });
    let gateway = attacked_gateway(Origin::start(), |builder| {
        builder.with("/limits", limits).with("upstream/read-timeout", json!("2s"))
    });
    let before = gateway.memory_mib();
    let mut connection = Http2Connection::connect(&gateway);
    (0..1000).for_each(|at| connection.send(&post(1 + 2 * at)));
    until("the rest is refused", || gateway.limit_count("http2-streams") == 950);
    gateway.serves_others();
    assert!(gateway.memory_mib() < before + 64, "{} MiB after {before} MiB", gateway.memory_mib());
    assert_eq!(gateway.log_count("http2-streams"), 1);
    gateway.wait_until_closed();
}

#[test]
fn a_body_that_trickles_in_over_http2_is_cut() {
    let limits = json!({ "client-timeout": "1s", "least-rate": "512B" });
    let gateway = attacked_gateway(Origin::start(), |builder| builder.with("/limits", limits));
    let mut connection = Http2Connection::connect(&gateway);
    connection.send(&post(1));
    let end = Instant::now() + LONG;
    while gateway.limit_count("least-rate") == 0 {
        assert!(Instant::now() < end, "it is not cut");
        connection.send(&frame(DATA, 0, 1, b"x"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A gateway with cleartext HTTP/2.
fn attacked_gateway(origin: Origin, change: impl FnOnce(TestbedBuilder) -> TestbedBuilder) -> AttackedGateway {
    let listeners = json!([{ "address": "127.0.0.1:0", "name": "plain", "h2c": true }]);
    AttackedGateway::of(change(Testbed::strict(origin).with("/listeners", listeners)))
}

/// Whether the gateway repeatedly closes the connection on which `flood` sends, while it serves other clients.
fn floods(gateway: &AttackedGateway, flood: impl FnMut(&mut Http2Connection)) -> bool {
    floods_for(gateway, usize::MAX, flood)
}

fn floods_for(gateway: &AttackedGateway, times: usize, mut flood: impl FnMut(&mut Http2Connection)) -> bool {
    let before = gateway.memory_mib();
    let mut connection = Http2Connection::connect(gateway);
    let end = Instant::now() + LONG;
    let mut sent = 0;
    while !connection.is_closed() && Instant::now() < end && sent < times {
        flood(&mut connection);
        sent += 1;
        if sent % 20 == 1 {
            gateway.serves_others();
            assert!(gateway.memory_mib() < before + 64, "{} MiB after {before} MiB", gateway.memory_mib());
        }
    }
    let closed = connection.is_closed();
    drop(connection);
    gateway.serves_others();
    gateway.wait_until_closed();
    closed
}

/// Http2Connection: a hand-written HTTP/2 connection that only watches for its end.
struct Http2Connection {
    stream: TcpStream,
    closed: bool,
    got: Vec<u8>,
}

impl Http2Connection {
    fn connect(gateway: &AttackedGateway) -> Self {
        let stream = TcpStream::connect(gateway.testbed.at()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        let mut connection = Self { stream, closed: false, got: Vec::new() };
        connection.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        connection
    }

    /// Sends bytes and reads what is available, so that the gateway never waits for this client.
    fn send(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(16 << 10) {
            self.closed |= self.stream.write_all(part).is_err();
            self.take();
        }
    }

    fn take(&mut self) {
        let mut bytes = [0; 16 << 10];
        self.stream.set_nonblocking(true).unwrap();
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.closed = true,
                Ok(count) => {
                    self.got.extend_from_slice(&bytes[..count]);
                    continue;
                }
                Err(error) => self.closed |= error.kind() != std::io::ErrorKind::WouldBlock,
            }
            break;
        }
        self.stream.set_nonblocking(false).unwrap();
    }

    fn is_closed(&mut self) -> bool {
        self.take();
        self.closed || self.has_gone_away()
    }

    /// Whether a GOAWAY has arrived, after which the gateway accepts no stream.
    fn has_gone_away(&self) -> bool {
        let mut rest = &self.got[..];
        while let [high, middle, low, kind, ..] = *rest {
            let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            if kind == GOAWAY {
                return true;
            }
            rest = rest.get(9 + length..).unwrap_or_default();
        }
        false
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &path("/open"))
}

/// A request whose body is still to be sent.
fn post(stream: u32) -> Vec<u8> {
    let mut block = path("/open");
    // `:method: POST` instead of GET.
    block[0] = 0x83;
    block.extend(literal("content-type", "text/plain"));
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// `:method: GET`, `:scheme: http`, `:authority` and `:path` (RFC 7541, appendix A).
fn path(path: &str) -> Vec<u8> {
    [&[0x82, 0x86, 0x01][..], &string("noah.test"), &[0x04], &string(path)].concat()
}

/// A literal field without indexing.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &string(name), &string(value)].concat()
}

/// A literal field with incremental indexing.
fn literal_indexed(name: &str, value: &str) -> Vec<u8> {
    [&[0x40][..], &string(name), &string(value)].concat()
}

/// A string without Huffman coding (RFC 7541, section 5.2).
fn string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut length = text.len();
    if length < 127 {
        bytes.push(u8::try_from(length).unwrap());
    } else {
        bytes.push(127);
        length -= 127;
        while length >= 128 {
            bytes.push(u8::try_from(length % 128 + 128).unwrap());
            length /= 128;
        }
        bytes.push(u8::try_from(length).unwrap());
    }
    bytes.extend(text.bytes());
    bytes
}
