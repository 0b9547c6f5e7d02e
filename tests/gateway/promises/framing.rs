//! Framing: a header block that two servers could frame differently ends the connection with 400.

mod random_requests;
mod downgrade;
mod http2_connection;
mod pipelining;
mod strict_origin;
mod upstream;

use std::time::Duration;

use crate::wire::client::{Client, ask, find, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

#[test]
fn a_block_that_could_be_framed_in_two_ways_is_refused_and_the_connection_closed() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let start = format!("POST /t1/things HTTP/1.1\r\nHost: noah.test\r\n{token}\r\n");
    let smuggled = "GET /t1/Secrets HTTP/1.1\r\nHost: noah.test\r\n\r\n";
    let blocks = [
        (
            "Content-Length with Transfer-Encoding",
            format!("{start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "Transfer-Encoding with Content-Length",
            format!("{start}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ),
        ("two lengths alike", format!("{start}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello")),
        ("two lengths that differ", format!("{start}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello")),
        ("a list of lengths", format!("{start}Content-Length: 5, 5\r\n\r\nhello")),
        ("a length with a sign", format!("{start}Content-Length: +5\r\n\r\nhello")),
        ("a length below zero", format!("{start}Content-Length: -5\r\n\r\nhello")),
        ("a length in hexadecimal", format!("{start}Content-Length: 0x5\r\n\r\nhello")),
        ("an empty length", format!("{start}Content-Length:\r\n\r\n")),
        ("a length beyond all numbers", format!("{start}Content-Length: 99999999999999999999\r\n\r\n")),
        ("a length under a folded name", format!("{start}Content_Length : 5\r\n\r\nhello")),
        ("another coding", format!("{start}Transfer-Encoding: gzip\r\n\r\n")),
        ("a coding behind chunked", format!("{start}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n")),
        ("a coding before chunked", format!("{start}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        ("chunked twice", format!("{start}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("almost chunked", format!("{start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        ("chunked behind a vertical tab", format!("{start}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n")),
        (
            "chunked in HTTP/1.0",
            format!(
                "POST /t1/things HTTP/1.0\r\nHost: noah.test\r\n{token}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        ("a blank before the colon", format!("{start}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n")),
        ("a folded line", format!("{start}X: a\r\n b\r\n\r\n")),
        ("a folded coding", format!("{start}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n")),
        ("a bare line feed", format!("{start}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("a bare line feed at the end", format!("{start}X: a\n\n")),
        ("a bare carriage return", format!("{start}X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("a line without a colon", format!("{start}X\r\n\r\n")),
        ("a line without a name", format!("{start}: x\r\n\r\n")),
        ("a NUL", format!("{start}X: a\0b\r\n\r\n")),
        ("no Host", format!("GET /t1/things HTTP/1.1\r\n{token}\r\n\r\n")),
        ("two Hosts", format!("{start}Host: other.test\r\n\r\n")),
        ("two Hosts alike", format!("{start}Host: noah.test\r\n\r\n")),
        ("a nomination", format!("{start}Connection: Transfer-Encoding\r\n\r\n")),
        ("a blank before the first field", format!("GET /t1/things HTTP/1.1\r\n Host: noah.test\r\n{token}\r\n\r\n")),
        ("two carriage returns", format!("{start}X: a\r\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("a name of eight bits", format!("{start}X\u{e4}: a\r\n\r\n")),
        ("an empty Host", format!("GET /t1/things HTTP/1.1\r\nHost:\r\n{token}\r\n\r\n")),
        ("a Host of two ports", format!("GET /t1/things HTTP/1.1\r\nHost: noah.test:80:81\r\n{token}\r\n\r\n")),
        ("a Host with a user", format!("GET /t1/things HTTP/1.1\r\nHost: a@noah.test\r\n{token}\r\n\r\n")),
        ("a Host with a path", format!("GET /t1/things HTTP/1.1\r\nHost: noah.test/x\r\n{token}\r\n\r\n")),
        ("another version", format!("GET /t1/things HTTP/1.2\r\nHost: noah.test\r\n{token}\r\n\r\n")),
        ("HTTP/2 in words", format!("GET /t1/things HTTP/2.0\r\nHost: noah.test\r\n{token}\r\n\r\n")),
        ("HTTP/0.9", "GET /t1/things\r\n\r\n".to_owned()),
        ("two blanks in the request line", format!("GET  /t1/things HTTP/1.1\r\nHost: noah.test\r\n{token}\r\n\r\n")),
        ("a tab in the request line", format!("GET\t/t1/things HTTP/1.1\r\nHost: noah.test\r\n{token}\r\n\r\n")),
    ];
    for (what, block) in blocks {
        let mut client = Client::connect(testbed.at());
        client.send(&block).send(smuggled);
        let answer = client.try_answer(false).unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(answer.status, 400, "{what}");
        while client.more() {}
        let rest = client.taken();
        assert!(rest.is_empty(), "{what}: {:?}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(testbed.origin.count(), 0);
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&token], b"")).status, 200);
}

#[test]
fn an_invalid_chunked_body_is_never_completed_for_the_upstream() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let head = String::from_utf8(request("POST /t1/things", &[&token, "Transfer-Encoding: chunked"], b"")).unwrap();
    for body in [
        "-5\r\nhello\r\n0\r\n\r\n",
        "5 \x0b\r\nhello\r\n0\r\n\r\n",
        "zz\r\nhello\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
    ] {
        let mut client = Client::connect(testbed.at());
        client.send(&head).send(body);
        client.finish();
        let status = client.try_answer(false).map(|answer| answer.status);
        assert!(status.is_none_or(|status| (400..600).contains(&status)), "{body:?}: {status:?}");
    }
    for received in testbed.origin.requests() {
        assert!(!received.raw_body.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&received.raw_body));
    }
}

#[test]
fn the_upstream_gets_exactly_one_framing() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    for (headers, body, expected) in [
        (vec!["Content-Length: 5"], &b"hello"[..], &b"hello"[..]),
        (vec!["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (vec!["Transfer-Encoding: Chunked"], b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
        (vec!["Transfer-Encoding: chunked"], b"5;ext=1\r\nhello\r\n0\r\n\r\n", b"hello"),
        (vec!["Transfer-Encoding: chunked"], b"0\r\n\r\n", b""),
        (vec!["Content-Length: 0"], b"", b""),
    ] {
        let mut all = vec![token.as_str()];
        all.extend(&headers);
        let answer = client.send(request("POST /t1/things", &all, body)).answer();
        assert_eq!(answer.status, 200, "{headers:?}");
        let received = testbed.origin.last();
        assert_eq!(received.body, expected, "{headers:?}");
        let framings = received.all("content-length").len() + received.all("transfer-encoding").len();
        assert_eq!(framings, 1, "{}", received.text());
        assert!(find(&received.raw_body, b"ext").is_none());
    }
}

#[test]
fn two_requests_sent_at_once_are_two_requests() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    let mut both = request("POST /t1/things", &[&token, "Content-Length: 5"], b"hello");
    both.extend(request("GET /t1/Secrets", &[&token], b""));
    client.send(&both);
    assert_eq!(client.answer().status, 200);
    assert_eq!(testbed.origin.last().body, b"hello");
    // The second request gets its own decision; a gateway that closes the connection has not forwarded it either.
    if let Some(answer) = client.try_answer(false) {
        assert_eq!(answer.status, 403);
    }
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn connect_and_other_forms_of_targets_go_nowhere() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for line in [
        "CONNECT noah.test:443",
        "OPTIONS *",
        "GET t1/things",
        "GET ftp://noah.test/t1/things",
        "GET http:/t1/things",
        "GET ?",
        "TRACE /t1/things",
    ] {
        let mut client = Client::connect(testbed.at());
        let status = client.send(request(line, &[&token], b"")).try_answer(false).map(|answer| answer.status);
        assert!(matches!(status, None | Some(400 | 404 | 405)), "{line}: {status:?}");
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn an_upgrade_to_http2_is_not_handed_on() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let headers =
        [token.as_str(), "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"];
    let answer = ask(testbed.at(), request("GET /t1/things", &headers, b""));
    assert_ne!(answer.status, 101);
    for received in testbed.origin.requests() {
        for name in ["upgrade", "http2-settings"] {
            assert_eq!(received.header(name), None, "{}", received.text());
        }
    }
}

#[test]
fn half_a_request_is_not_forwarded() {
    let testbed =
        Testbed::strict(Origin::start()).with("/limits", serde_json::json!({ "header-timeout": "1s" })).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    client.send(format!("GET /t1/things HTTP/1.1\r\nHost: noah.test\r\n{token}\r\n"));
    assert!(client.is_silent_for(Duration::from_millis(300)) || client.taken().is_empty());
    while client.more() {}
    let rest = String::from_utf8(client.taken()).unwrap();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408") || rest.starts_with("HTTP/1.1 400"), "{rest}");
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn trailers_of_a_request_end_at_the_gateway() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let body = b"5\r\nhello\r\n0\r\nX-Portcullis-Subject: forged\r\nX-HTTP-Method-Override: DELETE\r\n\r\n";
    let headers = [token.as_str(), "Transfer-Encoding: chunked", "Trailer: X-Portcullis-Subject"];
    let answer = Client::connect(testbed.at()).send(request("POST /t1/things", &headers, body)).try_answer(false);
    assert!(answer.is_none_or(|answer| answer.status == 200 || answer.status == 400));
    for received in testbed.origin.requests() {
        let raw = String::from_utf8_lossy(&received.raw_body).into_owned();
        assert!(!raw.contains("forged") && !raw.contains("DELETE"), "{raw}");
    }
}

#[test]
fn a_request_that_cannot_be_read_leaves_no_token_in_the_log() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.token(&["user"]);
    for bytes in [
        format!("GET /socket?access_token={token} HTTP/1.1\r\nHost: noah.test\r\nBad Header: x\r\n\r\n"),
        format!("GET /socket?access_token={token} HTTP/9.9\r\nHost: noah.test\r\n\r\n"),
        format!("GET /socket?access_token={token}<> HTTP/1.1\r\nHost: noah.test\r\n\r\n"),
        format!("GET /socket?access_token={token} x HTTP/1.1\r\nHost: noah.test\r\n\r\n"),
        format!("GET /t1/things HTTP/1.1\r\nHost: noah.test\r\nAuthorization: Bearer {token}\r\n\0\r\n\r\n"),
        format!("GET /t1/things HTTP/1.1\r\nHost: noah.test\r\nAuthorization: Bearer {token}\r\nX: \x01\r\n\r\n"),
        format!("Authorization: Bearer {token}\r\n\r\n"),
        format!(
            "POST /t1/things HTTP/1.1\r\nHost: noah.test\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n{token}\r\n"
        ),
        format!("GET /socket?access_token={token}"),
    ] {
        let mut client = Client::connect(testbed.at());
        client.send(&bytes).finish();
        while client.more() {}
    }
    std::thread::sleep(Duration::from_millis(200));
    assert!(!testbed.has_written(&token), "the token stands in a log or an audit record");
    assert!(!testbed.has_written(token.rsplit('.').next().unwrap()), "its signature stands there");
}

#[test]
fn a_preflight_or_a_handshake_with_a_body_smuggles_nothing() {
    let cors = "cors: { origins: [\"https://portal.test\"] }\nroutes:";
    let testbed = Testbed::strict(Origin::start()).policy("routes:", cors).start();
    let token = testbed.bearer(&["user"]);
    let inner = request("GET /t1/things/smuggled", &[&token], b"");
    let length = format!("Content-Length: {}", inner.len());
    let preflight = ["Origin: https://portal.test", "Access-Control-Request-Method: GET", length.as_str()];
    let mut client = Client::connect(testbed.at());
    client.send(request("OPTIONS /t1/things", &preflight, &inner));
    assert!(matches!(client.answer().status, 200 | 204 | 400));
    client.send(request("GET /open", &[], b""));
    assert!(client.try_answer(false).is_none_or(|answer| answer.status == 200));
    let handshake = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut headers = vec![token.as_str(), length.as_str()];
    headers.extend(handshake);
    let mut client = Client::connect(testbed.at());
    client.send(request("GET /socket", &headers, &inner));
    client.try_answer(false);
    for received in testbed.origin.requests() {
        assert!(!received.line().contains("smuggled"), "{}", received.text());
    }
}
