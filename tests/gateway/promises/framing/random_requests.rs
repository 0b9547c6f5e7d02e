//! Random requests made of parts that servers frame differently, and the assertion that none is forwarded ambiguously.

use std::collections::HashMap;
use std::time::Duration;

use super::strict_origin::strict_origin;
use crate::seed::seeds;
use crate::wire::client::{Client, request};
use crate::wire::testbed::{Testbed, until};

/// The number of random requests, half of them from each seed.
const CASES: u64 = 1500;

/// SeededRandom: a deterministic pseudo-random generator.
struct SeededRandom(u64);

impl SeededRandom {
    fn below(&mut self, count: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % count as u64) as usize
    }

    fn choose<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn is_rare(&mut self) -> bool {
        self.below(12) == 0
    }
}

/// Transfer codings that some servers take for `chunked` and others do not.
const CODINGS: [&str; 18] = [
    "chunked",
    "chunked",
    "chunked",
    "Chunked",
    "xchunked",
    " chunked",
    "\tchunked",
    "chunked ",
    "\x0bchunked",
    "chunked\x0c",
    "chunked, chunked",
    "gzip, chunked",
    "chunked, identity",
    "identity",
    "\"chunked\"",
    "chunked;q=1",
    ", chunked",
    "chun\u{212a}ed",
];

/// Characters between a field name and its colon that some servers accept.
const NAMES: [&str; 9] = ["", "", "", "", " ", "\t", "\0", "\r", "\u{a0}"];

/// Line endings.
const ENDS: [&str; 12] =
    ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\r\n "];

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "FOO"];

/// Builds one attempt: all bytes that are sent on one connection.
fn attempt(random: &mut SeededRandom, case: u64, token: &str) -> Vec<u8> {
    let smuggled = request(&format!("GET /t1/Secrets/marker{case}"), &[token], b"");
    let smuggled = String::from_utf8(smuggled).unwrap();
    let body = body(random, &smuggled);
    let method = random.choose(&METHODS);
    let target = random.choose(&["/t1/things", "/t1/things/a", "/open"]);
    let version =
        if random.is_rare() { random.choose(&["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1"]) } else { "HTTP/1.1" };
    let mut text = format!("{method} {target} {version}\r\nHost: noah.test\r\n{token}\r\n");
    for _ in 0..random.below(3) + 1 {
        let end = random.choose(&ENDS);
        let before = random.choose(&NAMES);
        if random.below(2) == 0 {
            let near = (body.len() as i64 + [0, 0, 0, 1, -1, 4, -4, -5][random.below(8)]).max(0);
            let value = match random.below(14) {
                0 => format!("+{near}"),
                1 => format!("{near}, {near}"),
                2 => format!("0x{near:x}"),
                3 => "0".to_owned(),
                4 => format!("0{near}"),
                5 => format!("{near} "),
                6 => format!("-{near}"),
                7 => format!("{near}\x0b"),
                8 => format!("1844674407370955161{near}"),
                9 => format!("{near};x"),
                _ => near.to_string(),
            };
            let name = random.choose(&["Content-Length", "content-length", "Content_Length", "Content-Length"]);
            text.push_str(&format!("{name}{before}: {value}{end}"));
        } else {
            let name =
                random.choose(&["Transfer-Encoding", "transfer-encoding", "Transfer_Encoding", "TRANSFER-ENCODING"]);
            text.push_str(&format!("{name}{before}: {}{end}", random.choose(&CODINGS)));
        }
    }
    for extra in ["Expect: 100-continue", "Connection: keep-alive", "Upgrade: h2c", "X: a\r\n Y: b", "Trailer: Host"] {
        if random.is_rare() {
            text.push_str(&format!("{extra}\r\n"));
        }
    }
    text.push_str(if random.is_rare() { "\n" } else { "\r\n" });
    text.push_str(&body);
    if random.below(3) == 0 {
        text.push_str(&smuggled);
    }
    text.into_bytes()
}

/// A body that contains another request, as well-formed chunks, malformed chunks or plain bytes.
fn body(random: &mut SeededRandom, smuggled: &str) -> String {
    let size = match random.below(10) {
        0 => format!("0x{:x}", smuggled.len()),
        1 => format!("+{:x}", smuggled.len()),
        2 => format!(" {:x}", smuggled.len()),
        3 => format!("{:x} ;x=\"\n\"", smuggled.len()),
        4 => format!("{:x};x\n0\r\n\r\n", smuggled.len()),
        5 => format!("1{:016x}", smuggled.len()),
        6 => format!("{:x}\x0b", smuggled.len()),
        _ => format!("{:x}", smuggled.len()),
    };
    let end = random.choose(&["\r\n", "\r\n", "\r\n", "\n", "\r", "", "\r\r\n"]);
    match random.below(7) {
        0 => smuggled.to_owned(),
        1 => format!("0\r\n\r\n{smuggled}"),
        2 => format!("{size}{end}{smuggled}{end}0\r\n\r\n"),
        3 => format!("{size}{end}{smuggled}\r\n0{end}{end}"),
        4 => format!("{size}\r\n{smuggled}\r\n0\r\nHost: x{end}Content-Length: 5{end}\r\n"),
        5 => format!("5\r\nhello{end}{smuggled}\r\n0\r\n\r\n"),
        _ => format!("{size}\r\n{smuggled}\r\n0\r\n\r\n"),
    }
}

#[test]
fn random_requests_reach_the_upstream_in_one_framing_and_only_if_permitted() {
    let (origin, faults) = strict_origin();
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user", "remover"]);
    let mut random = seeds().map(SeededRandom);
    let mut answered = 0;
    for case in 0..CASES {
        let random = &mut random[usize::from(case >= CASES / 2)];
        let bytes = attempt(random, case, &token);
        let mut client = Client::connect(testbed.at());
        // In one piece, or cut at a random position.
        let cut = if random.below(4) == 0 { random.below(bytes.len()) } else { 0 };
        client.send(&bytes[..cut]).send(&bytes[cut..]);
        // These requests complete whatever is still open: a header, a body or nothing.
        (0..3).for_each(|_| _ = client.send(request("GET /open", &["Connection: close"], b"")));
        if client.is_silent_for(Duration::from_secs(1)) {
            client.finish();
        }
        while client.more() {}
        let answer = client.taken();
        answered += usize::from(answer.starts_with(b"HTTP/1.1 200"));
        assert!(faults.lock().unwrap().is_empty(), "{}\n{:?}", String::from_utf8_lossy(&bytes), faults.lock().unwrap());
    }
    let received = testbed.origin.requests();
    assert!(answered > 20 && received.len() >= answered, "{answered} answered, {} arrived", received.len());
    let mut arrived = HashMap::new();
    for received in &received {
        assert!(!received.line().contains("marker"), "{}", received.text());
        *arrived.entry(received.header("x-portcullis-decision").expect("a decision's id")).or_insert(0) += 1;
    }
    until("every request that arrived is audited", || {
        let audit = testbed.env.audit_records();
        arrived.keys().all(|id| audit.iter().any(|record| record["id"] == **id))
    });
    let records = testbed.env.audit_records();
    for (id, count) in &arrived {
        let record = records.iter().find(|record| record["id"] == **id).unwrap();
        assert_eq!((record["verdict"].as_str(), *count), (Some("permit"), 1), "{record}");
    }
    for record in records.iter().filter(|record| record["verdict"] == "permit" && record["status"] == 200) {
        assert!(arrived.contains_key(record["id"].as_str().unwrap()), "{record}");
    }
}
