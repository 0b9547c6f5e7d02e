//! HTTP/2 to HTTP/1.1: frames that no client library sends, and the one plain request that they may become.

use serde_json::json;

use super::http2_connection::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Http2Connection, StreamOutcome, block,
};
use super::strict_origin::{FramingFaults, strict_origin};
use crate::wire::testbed::{Testbed, until};

type Field<'a> = (&'a [u8], &'a [u8]);

/// Type, flags, stream and payload of a frame.
type Frame<'a> = (u8, u8, u32, &'a [u8]);

/// A testbed whose gateway speaks cleartext HTTP/2 on `clear`.
fn testbed() -> (Testbed, FramingFaults, String) {
    let (origin, faults) = strict_origin();
    let listeners = json!([
        { "address": "127.0.0.1:0", "name": "plain" },
        { "address": "127.0.0.1:0", "name": "clear", "h2c": true },
    ]);
    let testbed = Testbed::strict(origin).with("/listeners", listeners).start();
    until("every listener is up", || testbed.gateway.log_lines("listening").len() == 2);
    let token = format!("Bearer {}", testbed.token(&["user"]));
    (testbed, faults, token)
}

/// The pseudo header fields of `method` and `path`.
fn pseudo<'a>(method: &'a [u8], path: &'a [u8]) -> Vec<Field<'a>> {
    vec![(b":method", method), (b":scheme", b"http"), (b":authority", b"noah.test"), (b":path", path)]
}

/// Sends one request on a connection of its own, with the frames of its body.
fn ask(testbed: &Testbed, fields: &[Field<'_>], body: &[&[u8]]) -> StreamOutcome {
    let mut frames = Http2Connection::connect(testbed.gateway.listener("clear"));
    let end = if body.is_empty() { END_STREAM } else { 0 };
    frames.send(HEADERS, END_HEADERS | end, 1, &block(fields));
    for (at, piece) in body.iter().enumerate() {
        frames.send(DATA, if at + 1 == body.len() { END_STREAM } else { 0 }, 1, piece);
    }
    frames.outcome()
}

fn shown(fields: &[Field<'_>]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    fields.iter().map(|(name, value)| format!("{:?}: {:?}; ", text(name), text(value))).collect()
}

#[test]
fn fields_that_http1_cannot_express_are_refused() {
    let (testbed, faults, token) = testbed();
    let auth: Field<'_> = (b"authorization", token.as_bytes());
    let get = || [pseudo(b"GET", b"/t1/things"), vec![auth]].concat();
    assert_eq!(ask(&testbed, &get(), &[]), StreamOutcome::Status(200), "the plain one");
    let odd: [Field<'_>; 34] = [
        (b"x", b"a\r\nx-marker: 1"),
        (b"x", b"a\nx-marker: 1"),
        (b"x", b"a\rb"),
        (b"x", b"a\0b"),
        (b"x", b"\x7f"),
        (b"x\r\nx-marker", b"1"),
        (b"x y", b"1"),
        (b"x:y", b"1"),
        (b"X-Upper", b"1"),
        (b"", b"1"),
        (b":odd", b"1"),
        (b"x ", b"1"),
        (b" x", b"1"),
        (b"x\0", b"1"),
        (b"\xc3\xa4", b"1"),
        (b"host: x\r\n\r\nget", b"1"),
        (b"connection", b"close"),
        (b"connection", b"x-portcullis-subject"),
        (b"transfer-encoding", b"chunked"),
        (b"transfer-encoding", b"identity"),
        (b"upgrade", b"websocket"),
        (b"upgrade", b"h2c"),
        (b"proxy-connection", b"keep-alive"),
        (b"keep-alive", b"timeout=5"),
        (b"te", b"chunked"),
        (b"te", b"gzip"),
        (b"content-length", b"5"),
        (b"content-length", b"-1"),
        (b"content-length", b"0x0"),
        (b"content-length", b"0, 0"),
        (b"host", b"other.test"),
        (b"host", b""),
        (b"host", b"noah.test\r\n"),
        (b":authority", b"other.test"),
    ];
    for field in odd {
        let fields = [get(), vec![field]].concat();
        let end = ask(&testbed, &fields, &[]);
        assert!(end.is_refusal(), "{end:?}: {}", shown(&fields));
    }
    for (field, body) in [
        ((&b"content-length"[..], &b"4"[..]), &[&b"hello"[..]][..]),
        ((b"content-length", b"6"), &[b"hello"]),
        ((b"content-length", b"0"), &[b"hello"]),
        ((b"content-length", b"5, 5"), &[b"hello"]),
        ((b"content-length", b"+5"), &[b"hello"]),
        ((b"content-length", b"99999999999999999999"), &[b"hello"]),
        ((b"transfer-encoding", b"chunked"), &[b"0\r\n\r\nGET /marker HTTP/1.1\r\n\r\n"]),
    ] {
        let fields = [pseudo(b"POST", b"/t1/things"), vec![auth, field]].concat();
        let before = testbed.origin.count();
        let end = ask(&testbed, &fields, body);
        // A wrong body length is known only at the end of the body: the upstream never receives the whole body.
        assert!(end.is_refusal() || end == StreamOutcome::Status(502), "{end:?}: {}", shown(&fields));
        for received in testbed.origin.requests().iter().skip(before) {
            assert_eq!(
                received.all("content-length").len() + received.all("transfer-encoding").len(),
                1,
                "{}",
                received.text()
            );
        }
    }
    let twice: [Field<'_>; 2] = [(b"content-length", b"5"), (b"content-length", b"5")];
    let fields = [pseudo(b"POST", b"/t1/things"), vec![auth], twice.to_vec()].concat();
    assert!(ask(&testbed, &fields, &[b"hello"]).is_refusal());
    for received in testbed.origin.requests() {
        assert!(!received.text().contains("marker"), "{}", received.text());
    }
    assert!(faults.lock().unwrap().is_empty(), "{:?}", faults.lock().unwrap());
}

#[test]
fn a_request_has_each_pseudo_header_once_and_before_the_others() {
    let (testbed, faults, token) = testbed();
    let auth: Field<'_> = (b"authorization", token.as_bytes());
    let with = |change: &dyn Fn(&mut Vec<Field<'_>>)| {
        let mut fields = [pseudo(b"GET", b"/t1/things"), vec![auth]].concat();
        change(&mut fields);
        let end = ask(&testbed, &fields, &[]);
        assert!(end.is_refusal(), "{end:?}: {}", shown(&fields));
    };
    for at in 0..4 {
        with(&|fields| fields.insert(at, fields[at]));
        with(&|fields| fields.push(fields[at]));
        with(&|fields| {
            let moved = fields.remove(at);
            fields.push(moved);
        });
    }
    for missing in [0, 1, 3] {
        with(&|fields| _ = fields.remove(missing));
    }
    with(&|fields| {
        fields.remove(2);
    });
    let values: [(usize, &[&[u8]]); 4] = [
        (0, &[b"", b"G T", b"GET /t1/things HTTP/1.1\r\nx", b"GET\r\n", b"CONNECT", b"G\0T", b"get", b"OPTION"]),
        (1, &[b"", b"ftp", b"http://x/?", b"ht tp", b"http\r\n", b"javascript"]),
        (
            2,
            &[
                b"",
                b"user@noah.test",
                b"noah.test/x",
                b"noah.test\r\nx: y",
                b"noah.test, other.test",
                b"a b",
                b":80",
                b"[::1",
                b"noah.test:x",
                b"noah.test#x",
                b"noah.test?x",
                b"noah\\test",
            ],
        ),
        (
            3,
            &[
                b"",
                b"*",
                b"t1/things",
                b"http://noah.test/t1/things",
                b"http://other.test/t1/things",
                b"/t1/things#x",
                b"/t1/things x",
                b"/t1/things\r\nx: y",
                b"/t1/things HTTP/1.1\r\nx: y",
                b"/t1/things\0",
                b"//t1/things",
                b"/t1/../t1/things",
                b"/t1/things\\",
                b"/t1/things?a b",
                b"/t1/things?a\r\n",
            ],
        ),
    ];
    for (at, odd) in values {
        for value in odd {
            // An absolute path that names the host is the same request, and a fragment is cut before the path is read.
            if matches!(*value, b"http://noah.test/t1/things" | b"/t1/things#x") {
                continue;
            }
            with(&|fields| fields[at].1 = value);
        }
    }
    with(&|fields| {
        fields.retain(|(name, _)| !matches!(*name, b":scheme" | b":path"));
        fields[0].1 = b"CONNECT";
        fields[1].1 = b"noah.test:443";
    });
    with(&|fields| {
        fields[0].1 = b"CONNECT";
        fields.insert(0, (b":protocol", b"websocket"));
    });
    with(&|fields| fields.insert(0, (b":protocol", b"websocket")));
    with(&|fields| fields.insert(0, (b":status", b"200")));
    assert_eq!(testbed.origin.count(), 0, "{}", testbed.origin.last().text());
    assert!(faults.lock().unwrap().is_empty());
}

#[test]
fn whitespace_around_a_value_is_trimmed_and_cookies_are_joined() {
    let (testbed, faults, token) = testbed();
    let auth: Field<'_> = (b"authorization", token.as_bytes());
    for value in [&b" a"[..], b"a ", b"\ta", b"a\t"] {
        let end = ask(&testbed, &[pseudo(b"GET", b"/t1/things"), vec![auth, (b"x", value)]].concat(), &[]);
        assert!(end == StreamOutcome::Status(200) || end.is_refusal(), "{end:?}");
    }
    let crumbs: [Field<'_>; 3] = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"cookie", b"c=3; d=4")];
    let end = ask(&testbed, &[pseudo(b"GET", b"/t1/things"), vec![auth], crumbs.to_vec()].concat(), &[]);
    assert_eq!(end, StreamOutcome::Status(200));
    assert_eq!(testbed.origin.last().all("cookie"), ["a=1; b=2; c=3; d=4"]);
    assert!(faults.lock().unwrap().is_empty(), "{:?}", faults.lock().unwrap());
}

#[test]
fn trailers_of_http2_end_at_the_gateway() {
    let (testbed, faults, token) = testbed();
    let auth: Field<'_> = (b"authorization", token.as_bytes());
    for trailer in [
        (&b"x-portcullis-subject"[..], &b"forged"[..]),
        (b"x-http-method-override", b"forged"),
        (b":path", b"/forged"),
        (b":status", b"200"),
        (b"transfer-encoding", b"forged"),
        (b"content-length", b"9"),
        (b"host", b"forged"),
        (b"x", b"forged\r\nx: y"),
        (b"authorization", b"forged"),
    ] {
        let mut frames = Http2Connection::connect(testbed.gateway.listener("clear"));
        frames.send(HEADERS, END_HEADERS, 1, &block(&[pseudo(b"POST", b"/t1/things"), vec![auth]].concat()));
        frames.send(DATA, 0, 1, b"hello").send(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[trailer]));
        let end = frames.outcome();
        assert!(end == StreamOutcome::Status(200) || end.is_refusal() || end == StreamOutcome::Status(502), "{end:?}");
    }
    assert!(testbed.origin.count() > 0);
    for received in testbed.origin.requests() {
        assert!(!received.text().contains("forged"), "{}", received.text());
    }
    assert!(faults.lock().unwrap().is_empty(), "{:?}", faults.lock().unwrap());
}

#[test]
fn frames_out_of_order_are_no_request() {
    let (testbed, faults, token) = testbed();
    let auth: Field<'_> = (b"authorization", token.as_bytes());
    let head = block(&[pseudo(b"GET", b"/t1/things"), vec![auth]].concat());
    let (first, rest) = head.split_at(20);
    let at = testbed.gateway.listener("clear");
    // A value split over two frames is one value.
    let mut frames = Http2Connection::connect(at);
    frames.send(HEADERS, END_STREAM, 1, first).send(CONTINUATION, END_HEADERS, 1, rest);
    assert_eq!(frames.outcome(), StreamOutcome::Status(200));
    let scripts: [&[Frame<'_>]; 6] = [
        &[(HEADERS, END_STREAM, 1, first), (DATA, 0, 1, b"x"), (CONTINUATION, END_HEADERS, 1, rest)],
        &[(HEADERS, END_STREAM, 1, first), (CONTINUATION, END_HEADERS, 3, rest)],
        &[(CONTINUATION, END_HEADERS, 1, &head)],
        &[(DATA, END_STREAM, 1, b"GET /t1/things HTTP/1.1\r\n\r\n")],
        &[(HEADERS, END_STREAM | END_HEADERS, 2, &head)],
        &[(HEADERS, END_STREAM | END_HEADERS, 1, &head[..head.len() - 3])],
    ];
    for (which, script) in scripts.iter().enumerate() {
        let mut frames = Http2Connection::connect(at);
        script.iter().for_each(|(kind, flags, stream, payload)| _ = frames.send(*kind, *flags, *stream, payload));
        assert!(matches!(frames.outcome(), StreamOutcome::Reset | StreamOutcome::Closed), "script {which}");
    }
    assert_eq!(testbed.origin.count(), 1);
    assert!(faults.lock().unwrap().is_empty());
}
