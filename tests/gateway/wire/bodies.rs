//! Bodies: streamed in both directions without buffering, ended at their end, and cut if they are too long.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Client, ask, find, request};
use super::large_body::{BodyDigest, LARGE, digesting_origin, generate_body, large_body_origin};
use super::origin::{Origin, ReceivedRequest, ok};
use super::testbed::Testbed;

/// The gateway's maximum memory, in KiB.
const MEMORY: u64 = 150 << 10;

#[test]
fn a_large_request_body_with_a_length_is_not_buffered() {
    let (origin, sum) = digesting_origin();
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    client.send(request("PUT /t1/things/a", &[&token, &format!("Content-Length: {LARGE}")], b""));
    let sent = generate_body(|piece| client.try_send(piece).unwrap());
    assert_eq!(client.answer().status, 200);
    assert_eq!(*sum.lock().unwrap(), sent);
    assert_eq!(testbed.origin.last().header("content-length"), Some(LARGE.to_string()));
    assert_eq!(testbed.origin.last().header("transfer-encoding"), None);
    assert!(testbed.peak_memory() < MEMORY, "{} KiB", testbed.peak_memory());
}

#[test]
fn a_large_chunked_request_body_is_not_buffered() {
    let (origin, sum) = digesting_origin();
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    client.send(request("PUT /t1/things/a", &[&token, "Transfer-Encoding: chunked"], b""));
    let sent = generate_body(|piece| {
        client.try_send(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
        client.try_send(piece).unwrap();
        client.try_send(b"\r\n").unwrap();
    });
    client.send(b"0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(*sum.lock().unwrap(), sent);
    assert_eq!(testbed.origin.last().header("content-length"), None);
    assert_eq!(testbed.origin.last().header("transfer-encoding").as_deref(), Some("chunked"));
    assert!(testbed.peak_memory() < MEMORY, "{} KiB", testbed.peak_memory());
}

#[test]
fn a_large_response_body_is_not_buffered() {
    for chunked in [false, true] {
        let testbed = Testbed::strict(large_body_origin(chunked)).start();
        let token = testbed.bearer(&["user"]);
        let mut client = Client::connect(testbed.at());
        client.send(request("GET /t1/things", &[&token], b""));
        // A client that does not read yet: anything that the gateway buffers, it buffers now.
        thread::sleep(Duration::from_millis(500));
        let head = client.head().unwrap();
        assert_eq!(head.status, 200);
        let expected = generate_body(|_| {});
        let mut sum = BodyDigest::default();
        if chunked {
            assert_eq!(head.header("transfer-encoding"), Some("chunked"));
            // Chunk by chunk, so that the test does not buffer the body either.
            let mut pending = client.taken();
            'body: loop {
                while let Some(at) = find(&pending, b"\r\n") {
                    let size = usize::from_str_radix(std::str::from_utf8(&pending[..at]).unwrap(), 16).unwrap();
                    if pending.len() < at + 2 + size + 2 {
                        break;
                    }
                    sum.add(&pending[at + 2..at + 2 + size]);
                    pending.drain(..at + 2 + size + 2);
                    if size == 0 {
                        break 'body;
                    }
                }
                assert!(client.more(), "the body ends with its last chunk");
                pending.extend(client.taken());
            }
            assert!(pending.is_empty(), "nothing stands behind the last chunk: {pending:?}");
        } else {
            assert_eq!(head.header("content-length"), Some(LARGE.to_string().as_str()));
            sum.add(&client.taken());
            while sum.length < LARGE as u64 {
                assert!(client.more(), "the body is as long as announced");
                sum.add(&client.taken());
            }
        }
        assert_eq!(sum, expected, "chunked: {chunked}");
        assert!(testbed.peak_memory() < MEMORY, "{} KiB", testbed.peak_memory());
        // The connection remains usable.
        assert_eq!(client.send(request("GET /t1/Secrets", &[&token], b"")).answer().status, 403);
    }
}

#[test]
fn bodies_stream_both_ways_at_once() {
    // An upstream that echoes the body while it arrives.
    let origin = Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        let end = loop {
            if let Some(at) = find(&pending, b"\r\n\r\n") {
                break at + 4;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => pending.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        };
        journal.record_request(ReceivedRequest { head: pending.drain(..end).collect(), ..ReceivedRequest::default() });
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut left = LARGE - pending.len();
        stream.write_all(&pending).unwrap();
        let mut chunk = vec![0; 64 * 1024];
        while left > 0 {
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => {
                    left -= count;
                    stream.write_all(&chunk[..count]).unwrap();
                }
                _ => return,
            }
        }
    });
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    client.send(request("PUT /t1/things/a", &[&token, &format!("Content-Length: {LARGE}")], b""));
    let mut up = client.socket();
    let sending = thread::spawn(move || generate_body(|piece| up.write_all(piece).unwrap()));
    assert_eq!(client.head().unwrap().status, 200);
    let mut sum = BodyDigest::default();
    sum.add(&client.taken());
    while sum.length < LARGE as u64 {
        assert!(client.more(), "the echo is whole, not {} bytes", sum.length);
        sum.add(&client.taken());
    }
    assert_eq!(sum, sending.join().unwrap());
    assert!(testbed.peak_memory() < MEMORY, "{} KiB", testbed.peak_memory());
}

#[test]
fn a_response_arrives_piece_by_piece_and_not_at_its_end() {
    let origin = Origin::with_script(|mut stream, _| {
        let mut chunk = [0; 4096];
        if stream.read(&mut chunk).is_ok_and(|count| count > 0) {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
            // No further bytes until the client confirms the first piece by leaving.
            let _ = stream.read(&mut chunk);
        }
    });
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    let started = Instant::now();
    assert_eq!(client.send(request("GET /t1/things", &[&token], b"")).head().unwrap().status, 200);
    assert_eq!(client.exactly(10), b"5\r\nfirst\r\n");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_that_is_announced_too_long_is_refused_before_it_is_sent() {
    let testbed = Testbed::strict(Origin::start()).with("api/body", json!("1MiB")).start();
    let token = testbed.bearer(&["user"]);
    let most = 1 << 20;
    let answer =
        ask(testbed.at(), request("PUT /t1/things/a", &[&token, &format!("Content-Length: {}", most + 1)], b""));
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(testbed.origin.count(), 0);
    let answer = ask(testbed.at(), request("PUT /t1/things/a", &[&token], &vec![b'x'; most]));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(testbed.origin.last().body.len(), most);
}

#[test]
fn a_body_that_grows_too_long_is_cut() {
    let testbed = Testbed::strict(Origin::start()).with("api/body", json!("1MiB")).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    client.send(request("PUT /t1/things/a", &[&token, "Transfer-Encoding: chunked"], b""));
    for _ in 0..17 {
        client.send(b"10000\r\n").send(vec![b'x'; 0x10000]).send(b"\r\n");
    }
    client.send(b"0\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    // The upstream got an unterminated piece: it cannot take it for a complete request.
    for received in testbed.origin.requests() {
        assert!(!received.raw_body.ends_with(b"0\r\n\r\n"), "{}", received.text());
    }
}

#[test]
fn the_default_limit_of_bodies_is_that_of_the_gateway() {
    let testbed = Testbed::strict(Origin::start()).with("/limits", json!({ "body": "4KiB" })).start();
    let token = testbed.bearer(&["user"]);
    assert_eq!(ask(testbed.at(), request("PUT /t1/things/a", &[&token], &[b'x'; 4097])).status, 413);
    assert_eq!(ask(testbed.at(), request("PUT /t1/things/a", &[&token], &[b'x'; 4096])).status, 200);
}

#[test]
fn a_large_upload_that_is_refused_gets_its_answer() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for line in ["DELETE /t1/things/a", "PUT /t2/things/a", "PUT /t1/nothing/a/b"] {
        let started = Instant::now();
        let mut client = Client::connect(testbed.at());
        client.send(request(line, &[&token, &format!("Content-Length: {LARGE}")], b""));
        let mut up = client.socket();
        let sending = thread::spawn(move || {
            let piece = vec![b'x'; 64 * 1024];
            // It ends when all is sent or the gateway closes the connection, whichever comes first.
            (0..LARGE / piece.len()).all(|_| up.write_all(&piece).is_ok())
        });
        let answer = client.answer();
        assert!(matches!(answer.status, 403 | 404), "{line}: {}", answer.status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{line}");
        drop(client);
        sending.join().unwrap();
        assert!(started.elapsed() < Duration::from_secs(15), "{line}: {:?}", started.elapsed());
        assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&token], b"")).status, 200);
    }
}

#[test]
fn head_is_answered_without_a_body() {
    let testbed = Testbed::strict(Origin::with_responder(|_| ok("twelve bytes"))).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    let answer = client.send(request("HEAD /t1/things", &[&token], b"")).answer_to_head();
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("12")));
    assert_eq!(testbed.origin.last().method(), "HEAD");
    // No part of a body disturbs the next response.
    let answer = client.send(request("GET /t1/things", &[&token], b"")).answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "twelve bytes"));
}

#[test]
fn answers_without_content_have_none() {
    let testbed = Testbed::strict(Origin::with_responder(|received| match received.target().as_str() {
        "/t1/things/none" => b"HTTP/1.1 204 No Content\r\nX-Kept: yes\r\n\r\n".to_vec(),
        "/t1/things/same" => b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 99\r\n\r\n".to_vec(),
        "/t1/things/empty" => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => ok("more"),
    }))
    .start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    for (path, status) in [("none", 204), ("same", 304), ("empty", 200)] {
        let answer = client.send(request(&format!("GET /t1/things/{path}"), &[&token], b"")).answer();
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
        let answer = client.send(request("GET /t1/things/x", &[&token], b"")).answer();
        assert_eq!((answer.status, answer.text().as_str()), (200, "more"), "after {path}");
    }
}

#[test]
fn a_client_that_waits_for_100_gets_it_only_with_a_permit() {
    let testbed = Testbed::strict(Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        let mut chunk = [0; 4096];
        while find(&pending, b"\r\n\r\n").is_none() {
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => pending.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        }
        let head = pending.clone();
        if find(&head.to_ascii_lowercase(), b"expect:").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let end = find(&pending, b"\r\n\r\n").unwrap() + 4;
        while pending.len() < end + 5 {
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => pending.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        }
        journal.record_request(ReceivedRequest {
            body: pending.split_off(end),
            head: pending,
            ..ReceivedRequest::default()
        });
        stream.write_all(&ok("taken")).unwrap();
    }))
    .start();
    let token = testbed.bearer(&["user"]);
    let expects = ["Expect: 100-continue", "Content-Length: 5"];
    let mut client = Client::connect(testbed.at());
    client.send(request("PUT /t1/things/a", &[&token, expects[0], expects[1]], b""));
    assert_eq!(client.head().map(|head| head.status), Some(100));
    let answer = client.send(b"hello").answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "taken"));
    assert_eq!(testbed.origin.last().body, b"hello");
    let mut refused = Client::connect(testbed.at());
    refused.send(request("DELETE /t1/things/a", &[&token, expects[0], expects[1]], b""));
    assert_eq!(refused.head().map(|head| head.status), Some(403), "no 100 before a refusal");
}

#[test]
fn an_upload_that_breaks_off_does_not_arrive_as_a_whole_one() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for framing in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let mut client = Client::connect(testbed.at());
        client.send(request("PUT /t1/things/a", &[&token, framing], b""));
        client.send(if framing.starts_with('T') { "5\r\nhello\r\n" } else { "hello" });
        testbed.origin.wait_for(1);
        drop(client);
        thread::sleep(Duration::from_millis(200));
        let received = testbed.origin.last();
        assert!(received.body.is_empty(), "the origin notes whole bodies only: {:?}", received.body);
        assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&token], b"")).status, 200);
    }
}
