//! Pipelining: bytes after a complete request get their own decision; bytes after anything else are not a request.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use super::strict_origin::strict_origin;
use crate::wire::client::{Client, find, request};
use crate::wire::origin::{Origin, ReceivedRequest, ok, read_request};
use crate::wire::testbed::Testbed;

/// A request that no caller in these tests may make.
fn secret(token: &str) -> Vec<u8> {
    request("GET /t1/Secrets/marker", &[token], b"")
}

fn assert_no_marker(testbed: &Testbed) {
    for received in testbed.origin.requests() {
        assert!(find(&received.head, b"marker").is_none(), "{}", received.text());
    }
}

#[test]
fn requests_sent_at_once_are_judged_one_by_one_and_answered_in_order() {
    let (origin, faults) = strict_origin();
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let chunked = [token.as_str(), "Transfer-Encoding: chunked"];
    let batch = [
        (request("GET /t1/things/1", &[&token], b""), 200),
        (request("POST /t1/things", &[&token], b"hello"), 200),
        (secret(&token), 403),
        (request("POST /t1/things", &chunked, b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"), 200),
        (request("GET /t1/things/2", &[], b""), 401),
        (request("DELETE /t1/things/3", &[&token], b"hello"), 403),
        (request("GET /nowhere", &[&token], b""), 404),
        (request("GET /open", &[], b""), 200),
    ];
    let mut client = Client::connect(testbed.at());
    for _ in 0..5 {
        client.send(batch.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<_>>());
    }
    for (at, (bytes, status)) in batch.iter().cycle().take(5 * batch.len()).enumerate() {
        assert_eq!(client.answer().status, *status, "request {at}: {}", String::from_utf8_lossy(bytes));
    }
    let permitted = batch.iter().filter(|(_, status)| *status == 200).count();
    assert_eq!(testbed.origin.count(), 5 * permitted);
    assert_no_marker(&testbed);
    assert!(faults.lock().unwrap().is_empty());
}

#[test]
fn a_second_request_may_be_cut_at_any_byte() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let first = request("POST /t1/things", &[&token], b"hello");
    let second = request("POST /t1/things", &[&token, "Transfer-Encoding: chunked"], b"3\r\nabc\r\n0\r\n\r\n");
    let mut client = Client::connect(testbed.at());
    for cut in 1..second.len() {
        client.send([&first, &second[..cut]].concat());
        assert_eq!(client.answer().status, 200, "before byte {cut}");
        assert_eq!(client.send(&second[cut..]).answer().status, 200, "cut at {cut}");
        assert_eq!(testbed.origin.last().body, b"abc", "cut at {cut}");
    }
}

#[test]
fn the_body_of_a_request_that_came_with_the_last_one_has_its_own_time() {
    let testbed = Testbed::strict(Origin::start()).with("/limits", json!({ "header-timeout": "1s" })).start();
    let token = testbed.bearer(&["user"]);
    let head = request("POST /t1/things", &[&token, "Content-Length: 5"], b"");
    let mut client = Client::connect(testbed.at());
    client.send([request("GET /open", &[], b""), head].concat());
    assert_eq!(client.answer().status, 200);
    client.send(b"he");
    assert!(client.is_silent_for(Duration::from_millis(1500)), "the body was taken for a header");
    assert_eq!(client.send(b"llo").answer().status, 200);
    // An incomplete header is not a request, however it arrived.
    let mut client = Client::connect(testbed.at());
    client.send([request("GET /open", &[], b""), b"GET /open HTTP/1.1\r\n".to_vec()].concat());
    assert_eq!(client.answer().status, 200);
    client.send(b"Host: noah");
    while client.more() {}
    assert_eq!(testbed.origin.count(), 3);
}

#[test]
fn nothing_is_served_behind_a_request_whose_framing_was_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let next = request("GET /open", &[], b"");
    for refused in [
        request("POST /t1/things", &[&token, "Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        request("POST /t1/things", &[&token, "Content-Length: 0", "Content-Length: 0"], b""),
        request("GET /t1/things", &[&token, "X: a\r\n b"], b""),
        request("GET /t1//things", &[&token], b""),
        request("CONNECT noah.test:443", &["Host: noah.test:443"], b""),
        b"GET /t1/things\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\r\n\r\n".to_vec(),
    ] {
        let mut client = Client::connect(testbed.at());
        client.send([refused.clone(), next.clone()].concat());
        let shown = String::from_utf8_lossy(&refused).into_owned();
        assert_eq!(client.answer().status, 400, "{shown}");
        while client.more() {}
        assert!(client.taken().is_empty(), "{shown}");
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn the_body_of_a_refused_request_is_no_request() {
    let (origin, faults) = strict_origin();
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user", "insider"]);
    let inner = request("GET /open?inner", &[&token], b"");
    let last = request("GET /open?last", &[], b"");
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PATCH", "FOO", "CONNECT"] {
        for expects in [None, Some("Expect: 100-continue")] {
            let mut headers = vec![token.as_str()];
            headers.extend(expects);
            let mut client = Client::connect(testbed.at());
            client.send([request(&format!("{method} /nowhere"), &headers, &inner), last.clone()].concat());
            let answer = client.try_answer(method == "HEAD").unwrap();
            assert!((400..500).contains(&answer.status), "{method}: {answer:?}");
            while client.more() && find(client.peek(), b"\r\n\r\nok").is_none() {}
        }
    }
    for received in testbed.origin.requests() {
        assert_eq!(received.target(), "/open?last", "{}", received.text());
    }
    assert!(faults.lock().unwrap().is_empty());
}

#[test]
fn the_body_of_a_method_without_one_is_no_request_and_its_connection_is_not_reused() {
    // An upstream that ignores the bodies of such requests would take them for the next request.
    let origin = Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        while let Some(received) = read_request(&mut stream, &mut pending, journal) {
            if stream.write_all(&ok("ok")).is_err() || received.header("connection").as_deref() == Some("close") {
                return;
            }
        }
    });
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user", "remover"]);
    let inner = secret(&token);
    let chunks = [format!("{:x}\r\n", inner.len()).into_bytes(), inner.clone(), b"\r\n0\r\n\r\n".to_vec()].concat();
    for line in ["GET /t1/things", "DELETE /t1/things/a", "OPTIONS /t1/things", "HEAD /t1/things"] {
        let forms = [(None, inner.clone()), (Some("Transfer-Encoding: chunked"), chunks.clone())];
        for (coding, body) in forms {
            let mut headers = vec![token.as_str()];
            headers.extend(coding);
            let mut client = Client::connect(testbed.at());
            client.send([request(line, &headers, &body), request("GET /open", &[], b"")].concat());
            let answer = client.try_answer(line.starts_with("HEAD")).unwrap();
            assert_eq!(answer.status, 200, "{line}");
            let received =
                testbed.origin.requests().into_iter().rev().find(|received| received.line().starts_with(line)).unwrap();
            assert_eq!((&received.body, received.header("connection").as_deref()), (&inner, Some("close")), "{line}");
            assert_eq!(client.answer().status, 200, "the request behind {line}");
        }
    }
    assert_no_marker(&testbed);
}

#[test]
fn bytes_after_a_response_that_preceded_the_body_are_no_request() {
    let origin = Origin::with_script(|mut stream, journal| {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while std::io::Read::read(&mut stream, &mut byte).is_ok_and(|count| count == 1) {
            bytes.push(byte[0]);
            if !bytes.ends_with(b"\r\n\r\n") {
                continue;
            }
            // The upstream answers as soon as it has the head, and reads the body afterwards.
            let received = ReceivedRequest { head: std::mem::take(&mut bytes), ..ReceivedRequest::default() };
            let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
            journal.record_request(received);
            let mut body = vec![0; length];
            if stream.write_all(&ok("early")).is_err() || std::io::Read::read_exact(&mut stream, &mut body).is_err() {
                return;
            }
        }
    });
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let inner = secret(&token);
    for _ in 0..5 {
        let mut client = Client::connect(testbed.at());
        client.send(request("POST /t1/things", &[&token, &format!("Content-Length: {}", inner.len() + 10)], b""));
        client.send(b"0123456789");
        assert_eq!(client.answer().text(), "early");
        client.send(&inner);
        while client.more() {}
        assert!(client.taken().is_empty());
        // The next request on the upstream's connection is not taken for the rest of the body either.
        assert_eq!(Client::connect(testbed.at()).send(request("GET /open", &[], b"")).answer().text(), "early");
    }
    assert_eq!(testbed.origin.count(), 10);
    assert_no_marker(&testbed);
}

#[test]
fn a_body_that_was_not_asked_for_is_no_request() {
    let (origin, faults) = strict_origin();
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let inner = secret(&token);
    let length = format!("Content-Length: {}", inner.len());
    // The request is refused, so the gateway does not ask for the body, and does not read it if it arrives.
    let mut client = Client::connect(testbed.at());
    client.send(request("DELETE /t1/things/a", &[&token, "Expect: 100-continue", &length], b""));
    assert_eq!(client.head().unwrap().status, 403);
    client.send(&inner);
    while client.more() {}
    assert!(find(&client.taken(), b"HTTP/1.1").is_none());
    // The request is granted: the bytes are its body, whether the client waits or not.
    for waits in [true, false] {
        let mut client = Client::connect(testbed.at());
        client.send(request("POST /t1/things", &[&token, "Expect: 100-continue", &length], b""));
        if !waits {
            client.send(&inner);
        }
        let next = if waits { Client::send(&mut client, &inner) } else { &mut client };
        assert_eq!(next.answer().status, 200);
        assert_eq!(next.send(request("GET /open", &[], b"")).answer().status, 200);
    }
    assert_no_marker(&testbed);
    assert!(faults.lock().unwrap().is_empty());
}
