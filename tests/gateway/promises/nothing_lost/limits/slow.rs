//! Slow clients: with headers, with bodies, with responses; and slow clients that are within the limits.

use std::io::{Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::attacked_gateway::{AttackedGateway, GET, connect_narrow};
use crate::wire::client::{Client, request};
use crate::wire::origin::{Origin, ok, read_request};
use crate::wire::testbed::{Testbed, until};

/// Longer than any limit in these tests.
const LONG: Duration = Duration::from_secs(15);
const MANY: usize = 200;

#[test]
fn slow_headers_are_cut_at_their_deadline() {
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits/header-timeout", json!("2s")));
    let mut slow = gateway.connections(MANY);
    slow.iter_mut().for_each(|client| {
        client.send("GET /open HTTP/1.1\r\nHost: noah.test\r\nX-Slow: ");
    });
    send_slowly(&gateway, &mut slow, "header-timeout");
    assert_eq!(gateway.log_count("header-timeout"), 1);
    drop(slow);
    gateway.wait_until_closed();
}

#[test]
fn bodies_that_trickle_in_are_cut() {
    let limits = json!({ "client-timeout": "2s", "least-rate": "512B" });
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits", limits));
    let mut slow = gateway.connections(MANY);
    let head = request("POST /open", &["Content-Length: 100000", "Content-Type: text/plain"], b"");
    slow.iter_mut().for_each(|client| {
        client.send(&head);
    });
    send_slowly(&gateway, &mut slow, "least-rate");
    drop(slow);
    gateway.wait_until_closed();
}

#[test]
fn a_stalled_body_is_cut_and_one_at_the_minimum_rate_is_not() {
    let limits = json!({ "client-timeout": "1s", "least-rate": "512B" });
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits", limits));
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let kind = format!("Content-Type: {kind}");
        let stops = request("POST /open", &["Content-Length: 1000", &kind], b"");
        assert_eq!(Client::connect(gateway.testbed.at()).send(stops).answer().status, 408, "{kind}");
    }
    until("both are counted", || gateway.limit_count("client-timeout") == 2);
    let mut patient = Client::connect(gateway.testbed.at());
    patient.send(request("POST /open", &["Content-Length: 6000", "Content-Type: text/plain"], b""));
    for _ in 0..30 {
        sleep(Duration::from_millis(100));
        patient.send([b'x'; 200]);
    }
    assert_eq!(patient.answer().status, 200);
    assert_eq!(gateway.limit_count("least-rate"), 0);
}

#[test]
fn a_client_that_reads_no_response_is_cut() {
    let gateway = AttackedGateway::of(Testbed::strict(large_body_origin()).with("/limits/client-timeout", json!("1s")));
    let before = gateway.memory_mib();
    let mut slow: Vec<Client> = (0..20).map(|_| Client::from_stream(connect_narrow(gateway.testbed.at()))).collect();
    slow.iter_mut().for_each(|client| {
        client.send(request("GET /open?large", &[], b""));
    });
    gateway.serves_others();
    assert!(gateway.memory_mib() < before + 64, "{} MiB after {before} MiB", gateway.memory_mib());
    until("all are cut", || gateway.limit_count("client-timeout") == 20);
    gateway.serves_others();
    drop(slow);
    gateway.wait_until_closed();
}

#[test]
fn a_client_that_reads_a_response_too_slowly_is_cut() {
    let limits = json!({ "client-timeout": "1s", "least-rate": "256MiB" });
    let gateway = AttackedGateway::of(Testbed::strict(large_body_origin()).with("/limits", limits));
    let mut slow = connect_narrow(gateway.testbed.at());
    slow.write_all(&request("GET /open?large", &[], b"")).unwrap();
    let end = Instant::now() + LONG;
    // Fast enough to make progress every second, and slower than the required rate.
    let mut drop = vec![0; 64 << 10];
    while gateway.limit_count("least-rate") == 0 {
        assert!(Instant::now() < end, "it is not cut");
        slow.read_exact(&mut drop).ok();
        sleep(Duration::from_millis(5));
    }
    gateway.serves_others();
}

#[test]
fn a_quiet_event_stream_is_not_cut_before_its_maximum_age() {
    let events = Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        if read_request(&mut stream, &mut pending, journal).is_some() {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).ok();
            while stream.write_all(b"3\r\n:\n\n\r\n").is_ok() {
                sleep(Duration::from_millis(1500));
            }
        }
    });
    let limits = json!({ "client-timeout": "1s", "least-rate": "1MiB", "stream-age": "5s" });
    let gateway = AttackedGateway::of(Testbed::strict(events).with("/limits", limits));
    let mut client = Client::connect(gateway.testbed.at());
    assert_eq!(client.send(GET).head().unwrap().status, 200);
    while client.more() {}
    let taken_bytes = client.taken();
    assert!(taken_bytes.windows(3).filter(|event| event == b":\n\n").count() >= 3, "{taken_bytes:?}");
    until("it has ended by its age", || gateway.limit_count("stream-age") == 1);
    assert_eq!((gateway.limit_count("client-timeout"), gateway.limit_count("least-rate")), (0, 0));
}

/// Sends a byte on each connection now and then, until the limit with this key has cut each; others are served.
fn send_slowly(gateway: &AttackedGateway, slow: &mut [Client], key: &str) {
    let before = gateway.memory_mib();
    let end = Instant::now() + LONG;
    while gateway.limit_count(key) < MANY as u64 {
        assert!(Instant::now() < end, "{} of {MANY} are cut", gateway.limit_count(key));
        slow.iter_mut().for_each(|client| {
            client.send("x");
        });
        gateway.serves_others();
        assert!(gateway.memory_mib() < before + 64, "{} MiB after {before} MiB", gateway.memory_mib());
        sleep(Duration::from_millis(100));
    }
    assert_eq!(gateway.limit_count(key), MANY as u64);
}

/// An origin that answers every request with 32 MiB.
fn large_body_origin() -> Origin {
    Origin::with_responder(|received| {
        ok(&if received.target().contains("large") { "x".repeat(32 << 20) } else { "ok".to_owned() })
    })
}
