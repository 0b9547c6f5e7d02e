//! Upstreams that fail or are too slow, and the responses that clients get.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Client, ask, find, request};
use super::origin::{Journal, Origin, ok};
use super::testbed::{Testbed, until};

#[test]
fn an_upstream_that_does_not_listen_is_502() {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let testbed = Testbed::strict(Origin::start()).with("upstream/url", json!(format!("http://{free}"))).start();
    let token = testbed.bearer(&["user"]);
    let answer = ask(testbed.at(), request("GET /t1/things", &[&token], b""));
    assert_failed(&answer, 502);
    let record = testbed.record(answer.header("x-portcullis-decision").unwrap());
    assert_eq!((&record["verdict"], &record["status"]), (&json!("permit"), &json!(502)));
}

#[test]
fn an_upstream_that_does_not_answer_is_504() {
    let origin = Origin::with_script(|mut stream, _| {
        let mut sink = [0; 4096];
        while stream.read(&mut sink).is_ok_and(|count| count > 0) {}
    });
    let testbed = Testbed::strict(origin).with("upstream/read-timeout", json!("1s")).start();
    let token = testbed.bearer(&["user"]);
    let started = Instant::now();
    assert_failed(&ask(testbed.at(), request("GET /t1/things", &[&token], b"")), 504);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_upstream_that_speaks_no_http_is_502() {
    let garbage: [&'static [u8]; 8] = [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 999999 No\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    ];
    for bytes in garbage {
        let origin = Origin::with_script(move |mut stream, _| {
            let mut sink = [0; 4096];
            if stream.read(&mut sink).is_ok_and(|count| count > 0) {
                stream.write_all(bytes).ok();
            }
        });
        let testbed = Testbed::strict(origin).start();
        let token = testbed.bearer(&["user"]);
        let answer = ask(testbed.at(), request("GET /t1/things", &[&token], b""));
        assert_eq!(answer.status, 502, "{:?}: {answer:?}", String::from_utf8_lossy(bytes));
        assert_failed(&answer, 502);
    }
}

#[test]
fn a_response_that_breaks_off_does_not_arrive_as_a_whole_one() {
    for head in ["Content-Length: 1000\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let origin = Origin::with_script(move |mut stream, _| {
            let mut sink = [0; 4096];
            if stream.read(&mut sink).is_ok_and(|count| count > 0) {
                stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).ok();
            }
        });
        let testbed = Testbed::strict(origin).start();
        let token = testbed.bearer(&["user"]);
        let mut client = Client::connect(testbed.at());
        let answer = client.send(request("GET /t1/things", &[&token], b"")).head().unwrap();
        assert_eq!(answer.status, 200);
        while client.more() {}
        let body = client.taken();
        assert!(find(&body, b"hello").is_some() && !body.ends_with(b"0\r\n\r\n"), "{body:?}");
    }
}

#[test]
fn the_next_request_does_not_suffer_from_an_upstream_that_closed_its_idle_connection() {
    let connections = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&connections);
    let origin = Origin::with_script(move |mut stream, journal: &Journal| {
        counted.fetch_add(1, Ordering::SeqCst);
        let mut pending = Vec::new();
        // One response without `Connection: close`, and then the connection closes.
        if super::origin::read_request(&mut stream, &mut pending, journal).is_some() {
            stream.write_all(&ok("ok")).ok();
        }
    });
    let testbed = Testbed::strict(origin).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    for at in 1..=5 {
        assert_eq!(client.send(request("GET /t1/things", &[&token], b"")).answer().status, 200, "request {at}");
        thread::sleep(Duration::from_millis(50));
    }
    until("each had a connection", || connections.load(Ordering::SeqCst) >= 5);
}

fn assert_failed(answer: &super::client::Answer, status: u16) {
    assert_eq!(answer.status, status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], json!(status));
    assert_eq!(problem["decision"].as_str(), answer.header("x-portcullis-decision"));
}

#[test]
fn an_exchange_ends_when_its_total_time_is_over() {
    let origin = Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        if super::origin::read_request(&mut stream, &mut pending, journal).is_none() {
            return;
        }
        let mut alive = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").is_ok();
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(200));
            alive = alive && stream.write_all(b"x").is_ok();
            if !alive {
                return;
            }
        }
    });
    let testbed = Testbed::strict(origin).with("upstream/total-timeout", json!("1s")).start();
    let token = testbed.bearer(&["user"]);
    let begun = Instant::now();
    let mut socket = std::net::TcpStream::connect(testbed.at()).unwrap();
    socket.write_all(&request("GET /t1/things", &[&token], b"")).unwrap();
    let mut answer = Vec::new();
    // The connection is cut: after a 200 the gateway has no other way to report the failure.
    let _ = socket.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert!(answer.iter().filter(|byte| **byte == b'x').count() < 100);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
