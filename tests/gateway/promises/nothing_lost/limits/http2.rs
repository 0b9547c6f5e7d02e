//! HTTP/2 by hand: frames that cost their sender nothing, and header blocks without end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::siege::Siege;
use crate::wire::origin::{Origin, ok};
use crate::wire::scene::{Plan, Scene, until};

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

/// Longer than any limit of these tests.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn streams_that_are_reset_at_once_end_the_connection() {
    let siege = siege(Origin::start(), |plan| plan);
    let pairs: Vec<u8> =
        (0..5000).flat_map(|at| [get(1 + 2 * at), frame(RST_STREAM, 0, 1 + 2 * at, &CANCEL)].concat()).collect();
    assert!(floods(&siege, |wire| wire.send(&pairs)), "it goes on for ever");
    assert!(siege.reached("http2-resets") >= 1);
    assert!(siege.scene.origin.count() < 1000, "{} requests came through", siege.scene.origin.count());
}

#[test]
fn streams_that_are_reset_one_after_the_other_end_the_connection() {
    let siege = siege(Origin::start(), |plan| plan.with("/limits/http2-resets", json!(100)));
    let mut stream = 1;
    let ended = floods(&siege, |wire| {
        // Each is taken up before it is reset, so that the library's own count does not see it.
        wire.send(&get(stream));
        std::thread::sleep(Duration::from_millis(2));
        wire.send(&frame(RST_STREAM, 0, stream, &CANCEL));
        stream += 2;
    });
    assert!(ended && stream > 150, "after {stream}");
    assert_eq!(siege.reached("http2-resets"), 1);
}

#[test]
fn a_header_block_without_end_ends_the_connection() {
    let large = frame(CONTINUATION, 0, 1, &literal("x-long", &"x".repeat(16_000)));
    let tiny = frame(CONTINUATION, 0, 1, &[]).repeat(1000);
    for (more, what) in [(large, "large"), (tiny, "tiny")] {
        let siege = siege(Origin::start(), |plan| plan);
        let begun = [frame(HEADERS, END_STREAM, 1, &path("/open")), more.clone()].concat();
        let mut first = true;
        let ended = floods(&siege, |wire| {
            wire.send(if first { &begun } else { &more });
            first = false;
        });
        assert!(ended, "{what}");
        assert_eq!(siege.reached("header-bytes"), 1, "{what}");
    }
}

#[test]
fn a_small_block_that_unpacks_to_a_large_one_is_refused() {
    let siege = siege(Origin::start(), |plan| plan);
    // The first field goes into the table; each byte behind it stands for 4 KB.
    let bomb = [path("/open"), literal_indexed("x-bomb", &"x".repeat(3900)), vec![0xbe; 12_000]].concat();
    let mut stream = 1;
    floods_for(&siege, 50, |wire| {
        wire.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &bomb));
        stream += 2;
    });
    assert_eq!(siege.reached("header-bytes"), 1);
    assert!(siege.scene.origin.seen().iter().all(|seen| !seen.text().to_lowercase().contains("x-bomb")));
}

#[test]
fn headers_too_long_are_refused_as_over_http1() {
    let siege = siege(Origin::start(), |plan| plan.with("/limits/header-bytes", json!("8KiB")));
    let mut wire = Wire::connect(&siege);
    let block = [path("/open"), literal("x-long", &"x".repeat(9000))].concat();
    wire.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
    until("it is refused and counted", || siege.reached("header-bytes") == 1);
    assert!(siege.metric_lines().iter().any(|line| line.contains("reason=\"bad-request\"")));
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
        let siege = siege(Origin::start(), |plan| plan);
        let more = if what == "DATA" { frame(DATA, 0, 1, b"").repeat(500) } else { one.repeat(500) };
        let mut first = true;
        let ended = floods(&siege, |wire| {
            wire.send(if first { &one } else { &more });
            first = false;
        });
        assert!(ended, "{what}");
        assert_eq!(siege.reached("http2-control-frames"), 1, "{what}");
    }
}

#[test]
fn a_window_that_overflows_ends_the_connection() {
    let siege = siege(Origin::start(), |plan| plan);
    assert!(floods(&siege, |wire| wire.send(&frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))));
}

#[test]
fn answers_that_are_asked_for_and_not_taken_are_given_up() {
    let large = Origin::answering(|seen| ok(&"x".repeat(if seen.target().contains("large") { 4 << 20 } else { 2 })));
    let siege = siege(large, |plan| plan.with("/limits/client-timeout", json!("1s")));
    let before = siege.memory();
    let mut wire = Wire::connect(&siege);
    // No stream may be sent anything.
    wire.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    for at in 0..100 {
        let block = path("/open?large");
        wire.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1 + 2 * at, &block));
    }
    siege.serves_others();
    assert!(siege.memory() < before + 100, "{} MiB after {before} MiB", siege.memory());
    until("all are given up", || siege.reached("client-timeout") == 100);
    drop(wire);
    siege.is_over();
}

#[test]
fn streams_over_the_limit_are_refused_and_those_that_say_nothing_end() {
    let limits = json!({ "http2-streams": 50, "keep-alive": "1s" });
    let siege = siege(Origin::start(), |plan| plan.with("/limits", limits).with("upstream/read-timeout", json!("2s")));
    let before = siege.memory();
    let mut wire = Wire::connect(&siege);
    (0..1000).for_each(|at| wire.send(&post(1 + 2 * at)));
    until("the rest is refused", || siege.reached("http2-streams") == 950);
    siege.serves_others();
    assert!(siege.memory() < before + 64, "{} MiB after {before} MiB", siege.memory());
    assert_eq!(siege.told("http2-streams"), 1);
    siege.is_over();
}

#[test]
fn a_body_that_trickles_in_over_http2_is_cut() {
    let limits = json!({ "client-timeout": "1s", "least-rate": "512B" });
    let siege = siege(Origin::start(), |plan| plan.with("/limits", limits));
    let mut wire = Wire::connect(&siege);
    wire.send(&post(1));
    let end = Instant::now() + LONG;
    while siege.reached("least-rate") == 0 {
        assert!(Instant::now() < end, "it is not cut");
        wire.send(&frame(DATA, 0, 1, b"x"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A gateway with HTTP/2 in the clear.
fn siege(origin: Origin, change: impl FnOnce(Plan) -> Plan) -> Siege {
    let listeners = json!([{ "address": "127.0.0.1:0", "name": "plain", "h2c": true }]);
    Siege::of(change(Scene::strict(origin).with("/listeners", listeners)))
}

/// Whether the gateway closes the connection on which `flood` sends, time and again; others are served meanwhile.
fn floods(siege: &Siege, flood: impl FnMut(&mut Wire)) -> bool {
    floods_for(siege, usize::MAX, flood)
}

fn floods_for(siege: &Siege, times: usize, mut flood: impl FnMut(&mut Wire)) -> bool {
    let before = siege.memory();
    let mut wire = Wire::connect(siege);
    let end = Instant::now() + LONG;
    let mut sent = 0;
    while !wire.is_closed() && Instant::now() < end && sent < times {
        flood(&mut wire);
        sent += 1;
        if sent % 20 == 1 {
            siege.serves_others();
            assert!(siege.memory() < before + 64, "{} MiB after {before} MiB", siege.memory());
        }
    }
    let closed = wire.is_closed();
    drop(wire);
    siege.serves_others();
    siege.is_over();
    closed
}

/// Wire: a connection that speaks HTTP/2 to the letter, and listens only for its end.
struct Wire {
    stream: TcpStream,
    closed: bool,
    got: Vec<u8>,
}

impl Wire {
    fn connect(siege: &Siege) -> Self {
        let stream = TcpStream::connect(siege.scene.at()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        let mut wire = Self { stream, closed: false, got: Vec::new() };
        wire.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        wire
    }

    /// Sends bytes, and takes what is there, so that nobody waits for this client to listen.
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

    /// Whether a GOAWAY has come, behind which nothing is taken any more.
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

/// A request whose body is still to come.
fn post(stream: u32) -> Vec<u8> {
    let mut block = path("/open");
    // `:method: POST` in place of GET.
    block[0] = 0x83;
    block.extend(literal("content-type", "text/plain"));
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// `:method: GET`, `:scheme: http`, `:authority` and `:path` (RFC 7541, appendix A).
fn path(path: &str) -> Vec<u8> {
    [&[0x82, 0x86, 0x01][..], &string("noah.test"), &[0x04], &string(path)].concat()
}

/// A field that no table keeps.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &string(name), &string(value)].concat()
}

/// A field that goes into the table.
fn literal_indexed(name: &str, value: &str) -> Vec<u8> {
    [&[0x40][..], &string(name), &string(value)].concat()
}

/// A string without Huffman's code (RFC 7541, section 5.2).
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
