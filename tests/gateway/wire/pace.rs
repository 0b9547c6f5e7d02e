//! Time limits of a connection: later headers without an end, slow but permitted clients, and silent streams that lose
//! their permission.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Client, bearer, request};
use super::origin::{Origin, read_request};
use super::testbed::{Testbed, TestbedBuilder};

const HANDSHAKE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

#[test]
fn a_later_header_that_trickles_in_is_cut_at_its_deadline() {
    let testbed = with_short_header_timeout(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    assert_eq!(client.send(request("GET /t1/things", &[&token], b"")).answer().status, 200);
    let began = Instant::now();
    let trickling = send_slowly(&client);
    while client.more() {}
    let cut = began.elapsed();
    assert!(cut > Duration::from_millis(700) && cut < Duration::from_secs(3), "cut after {cut:?}");
    assert!(client.taken().is_empty());
    trickling.join().unwrap();
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn a_connection_is_not_kept_where_the_answer_overtakes_the_body() {
    let cors = "cors: { origins: [\"https://portal.test\"] }\nroutes:";
    let testbed = with_short_header_timeout(Origin::start()).policy("routes:", cors).start();
    let preflight = ["Origin: https://portal.test", "Access-Control-Request-Method: DELETE", "Content-Length: 10"];
    let mut client = Client::connect(testbed.at());
    let answer = client.send(request("OPTIONS /t1/things", &preflight, b"")).send("12345").answer();
    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
    client.send("67890");
    assert!(lifetime(&mut client) < Duration::from_secs(3));
}

#[test]
fn a_patient_client_is_served() {
    let testbed = with_short_header_timeout(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    for _ in 0..3 {
        assert_eq!(client.send(request("GET /t1/things", &[&token], b"")).answer().status, 200);
        sleep(Duration::from_millis(2500));
    }
    // A body that takes longer than a header may.
    client.send(format!("POST /t1/things HTTP/1.1\r\nHost: noah.test\r\n{token}\r\nContent-Length: 6\r\n\r\n"));
    for byte in *b"patien" {
        sleep(Duration::from_millis(400));
        client.send([byte]);
    }
    assert_eq!(client.answer().status, 200);
    assert_eq!(testbed.origin.count(), 4);
}

#[test]
fn a_silent_socket_ends_with_its_token() {
    let testbed = Testbed::strict(silent_origin()).with("/issuers/test/leeway", json!("0s")).start();
    let token = testbed.short_token(&["user"], 3);
    let (mut client, id) = open(&testbed, "/socket", &bearer(&token));
    let lived = lifetime(&mut client);
    assert!(lived > Duration::from_secs(1) && lived < Duration::from_secs(7), "it lived for {lived:?}");
    assert_eq!(testbed.record(&id)["failure"], json!("stream-ended"));
}

#[test]
fn a_silent_socket_ends_at_the_age_that_the_settings_say() {
    let testbed = Testbed::strict(silent_origin()).with("/limits", json!({ "stream-age": "2s" })).start();
    let token = testbed.bearer(&["user"]);
    let (mut client, id) = open(&testbed, "/socket", &token);
    let lived = lifetime(&mut client);
    assert!(lived > Duration::from_secs(1) && lived < Duration::from_secs(5), "it lived for {lived:?}");
    assert_eq!(testbed.record(&id)["failure"], json!("stream-age"));
}

#[test]
fn a_silent_socket_ends_when_a_reload_refuses_it_and_not_before() {
    let testbed = Testbed::strict(silent_origin()).start();
    let token = testbed.bearer(&["user"]);
    let (mut client, _) = open(&testbed, "/socket", &token);
    testbed.edit_policy("name: wire", "name: wire-2");
    assert!(client.is_silent_for(Duration::from_millis(2500)), "a reload that still permits it");
    testbed.edit_policy("Things: CRU", "Things: CU");
    let lived = lifetime(&mut client);
    assert!(lived < Duration::from_secs(3), "it lived for {lived:?} after the reload");
}

#[test]
fn silent_events_end_with_their_token() {
    let testbed = Testbed::strict(silent_origin()).with("/issuers/test/leeway", json!("0s")).start();
    let token = bearer(&testbed.short_token(&["user"], 3));
    let mut client = Client::connect(testbed.at());
    let answer = client.send(request("GET /t1/things", &[&token], b"")).head().unwrap();
    assert_eq!(answer.status, 200);
    let lived = lifetime(&mut client);
    assert!(lived > Duration::from_secs(1) && lived < Duration::from_secs(7), "it lived for {lived:?}");
    assert!(!client.taken().ends_with(b"0\r\n\r\n"), "it does not look whole");
}

/// A testbed builder with a header timeout of one second.
fn with_short_header_timeout(origin: Origin) -> TestbedBuilder {
    Testbed::strict(origin).with("/limits", json!({ "header-timeout": "1s" }))
}

/// Sends an endless header byte by byte, until the gateway closes or five seconds have passed.
fn send_slowly(client: &Client) -> std::thread::JoinHandle<()> {
    let mut socket = client.socket();
    std::thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(5);
        for byte in b"GET /t1/things HTTP/1.1\r\nX-Long: ".iter().chain(std::iter::repeat(&b'x')) {
            if Instant::now() > end || socket.write_all(&[*byte]).is_err() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        socket.shutdown(std::net::Shutdown::Both).ok();
    })
}

/// An open WebSocket, and the id of the decision that opened it.
fn open(testbed: &Testbed, target: &str, token: &str) -> (Client, String) {
    let mut headers = vec![token];
    headers.extend(HANDSHAKE);
    let mut client = Client::connect(testbed.at());
    let answer = client.send(request(&format!("GET {target}"), &headers, b"")).head().expect("the gateway answers");
    assert_eq!(answer.status, 101);
    let id = testbed.origin.last().header("x-portcullis-decision").unwrap();
    (client, id)
}

/// The time until the gateway closes the connection.
fn lifetime(client: &mut Client) -> Duration {
    let since = Instant::now();
    while client.more() {}
    since.elapsed()
}

/// An upstream that opens a WebSocket or an event stream, and then sends nothing.
fn silent_origin() -> Origin {
    Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        let Some(received) = read_request(&mut stream, &mut pending, journal) else { return };
        let head = if received.header("upgrade").is_some() {
            let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{accept}\r\n\r\n")
        } else {
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
        };
        stream.write_all(head.as_bytes()).unwrap();
        read_request(&mut stream, &mut pending, journal);
    })
}
