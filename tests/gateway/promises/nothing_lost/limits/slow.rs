//! Clients that take their time: with headers, with bodies, with answers; and those who may.

use std::io::{Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::siege::{GET, Siege, connect_narrow};
use crate::wire::client::{Client, request};
use crate::wire::origin::{Origin, ok, read_request};
use crate::wire::scene::{Scene, until};

/// Longer than any limit of these tests.
const LONG: Duration = Duration::from_secs(15);
const MANY: usize = 200;

#[test]
fn slow_headers_are_cut_at_their_deadline() {
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits/header-timeout", json!("2s")));
    let mut slow = siege.connections(MANY);
    slow.iter_mut().for_each(|client| {
        client.send("GET /open HTTP/1.1\r\nHost: noah.test\r\nX-Slow: ");
    });
    trickle(&siege, &mut slow, "header-timeout");
    assert_eq!(siege.told("header-timeout"), 1);
    drop(slow);
    siege.is_over();
}

#[test]
fn bodies_that_trickle_in_are_cut() {
    let limits = json!({ "client-timeout": "2s", "least-rate": "512B" });
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits", limits));
    let mut slow = siege.connections(MANY);
    let head = request("POST /open", &["Content-Length: 100000", "Content-Type: text/plain"], b"");
    slow.iter_mut().for_each(|client| {
        client.send(&head);
    });
    trickle(&siege, &mut slow, "least-rate");
    drop(slow);
    siege.is_over();
}

#[test]
fn a_body_that_stops_is_cut_and_one_that_goes_on_at_the_least_rate_is_not() {
    let limits = json!({ "client-timeout": "1s", "least-rate": "512B" });
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits", limits));
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let kind = format!("Content-Type: {kind}");
        let stops = request("POST /open", &["Content-Length: 1000", &kind], b"");
        assert_eq!(Client::connect(siege.scene.at()).send(stops).answer().status, 408, "{kind}");
    }
    until("both are counted", || siege.reached("client-timeout") == 2);
    let mut patient = Client::connect(siege.scene.at());
    patient.send(request("POST /open", &["Content-Length: 6000", "Content-Type: text/plain"], b""));
    for _ in 0..30 {
        sleep(Duration::from_millis(100));
        patient.send([b'x'; 200]);
    }
    assert_eq!(patient.answer().status, 200);
    assert_eq!(siege.reached("least-rate"), 0);
}

#[test]
fn whoever_takes_nothing_of_an_answer_is_cut() {
    let siege = Siege::of(Scene::strict(large()).with("/limits/client-timeout", json!("1s")));
    let before = siege.memory();
    let mut slow: Vec<Client> = (0..20).map(|_| Client::of(connect_narrow(siege.scene.at()))).collect();
    slow.iter_mut().for_each(|client| {
        client.send(request("GET /open?large", &[], b""));
    });
    siege.serves_others();
    assert!(siege.memory() < before + 64, "{} MiB after {before} MiB", siege.memory());
    until("all are cut", || siege.reached("client-timeout") == 20);
    siege.serves_others();
    drop(slow);
    siege.is_over();
}

#[test]
fn whoever_takes_an_answer_in_drops_is_cut() {
    let limits = json!({ "client-timeout": "1s", "least-rate": "256MiB" });
    let siege = Siege::of(Scene::strict(large()).with("/limits", limits));
    let mut slow = connect_narrow(siege.scene.at());
    slow.write_all(&request("GET /open?large", &[], b"")).unwrap();
    let end = Instant::now() + LONG;
    // Fast enough that the system has room for more within each second, and slower than is asked for.
    let mut drop = vec![0; 64 << 10];
    while siege.reached("least-rate") == 0 {
        assert!(Instant::now() < end, "it is not cut");
        slow.read_exact(&mut drop).ok();
        sleep(Duration::from_millis(5));
    }
    siege.serves_others();
}

#[test]
fn a_stream_on_which_little_happens_is_nobodys_fault_and_has_its_age() {
    let events = Origin::scripted(|mut stream, journal| {
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
    let siege = Siege::of(Scene::strict(events).with("/limits", limits));
    let mut client = Client::connect(siege.scene.at());
    assert_eq!(client.send(GET).head().unwrap().status, 200);
    while client.more() {}
    let got = client.taken();
    assert!(got.windows(3).filter(|event| event == b":\n\n").count() >= 3, "{got:?}");
    until("it has ended by its age", || siege.reached("stream-age") == 1);
    assert_eq!((siege.reached("client-timeout"), siege.reached("least-rate")), (0, 0));
}

/// Sends a byte on each connection now and then, until each was cut by the limit with this key; others are served.
fn trickle(siege: &Siege, slow: &mut [Client], key: &str) {
    let before = siege.memory();
    let end = Instant::now() + LONG;
    while siege.reached(key) < MANY as u64 {
        assert!(Instant::now() < end, "{} of {MANY} are cut", siege.reached(key));
        slow.iter_mut().for_each(|client| {
            client.send("x");
        });
        siege.serves_others();
        assert!(siege.memory() < before + 64, "{} MiB after {before} MiB", siege.memory());
        sleep(Duration::from_millis(100));
    }
    assert_eq!(siege.reached(key), MANY as u64);
}

/// An upstream that has 32 MiB for whoever asks for them.
fn large() -> Origin {
    Origin::answering(|seen| ok(&if seen.target().contains("large") { "x".repeat(32 << 20) } else { "ok".to_owned() }))
}
