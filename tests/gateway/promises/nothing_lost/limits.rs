//! Limits and overload: while one client exhausts a limit, others are served, memory is bounded, and the limit is
//! counted.

mod http2;
mod attacked_gateway;
mod slow;

use std::time::Duration;

use serde_json::json;

use crate::wire::client::{Client, ask, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::{Testbed, until};
use attacked_gateway::{AttackedGateway, GET, connect_from};

#[test]
fn connections_over_the_limit_are_closed_at_once_and_freed_slots_are_reused() {
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits/connections", json!(50)));
    let mut held: Vec<Client> = gateway.connections(50);
    for client in &mut held {
        assert_eq!(client.send(GET).answer().status, 200);
    }
    for mut over in gateway.connections(200) {
        assert!(!over.send(GET).more(), "it is closed and nothing is said");
    }
    assert_eq!(gateway.limit_count("connections"), 200);
    assert_eq!(gateway.log_count("connections"), 1, "a flood does not flood the log");
    held.truncate(20);
    until("places are free", || gateway.open_connections() == 20);
    gateway.serves_others();
    drop(held);
    gateway.wait_until_closed();
}

#[test]
fn an_address_cannot_take_all_connections_and_a_trusted_proxy_may() {
    let builder = Testbed::strict(Origin::start()).with("/limits/connections-per-address", json!(10));
    let gateway = AttackedGateway::of(builder.with("/trusted-proxies", json!(["127.0.0.3"])));
    let held = gateway.connections(10);
    until("all are there", || gateway.open_connections() == 10);
    for mut over in gateway.connections(30) {
        assert!(!over.send(GET).more(), "it is closed and nothing is said");
    }
    assert_eq!(gateway.limit_count("connections-per-address"), 30);
    let mut other = Client::from_stream(connect_from("127.0.0.2", gateway.testbed.at()));
    assert_eq!(other.send(GET).answer().status, 200);
    let mut proxied: Vec<Client> =
        (0..20).map(|_| Client::from_stream(connect_from("127.0.0.3", gateway.testbed.at()))).collect();
    for client in &mut proxied {
        assert_eq!(client.send(GET).answer().status, 200);
    }
    drop((held, other, proxied));
    gateway.wait_until_closed();
    gateway.serves_others();
}

#[test]
fn headers_that_are_too_many_or_too_long_are_refused_and_those_without_end_are_cut() {
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()));
    let long = format!("X-Long: {}", "x".repeat(70 << 10));
    let answer = ask(gateway.testbed.at(), request("GET /open", &[&long], b""));
    assert_eq!((answer.status, answer.reason().as_str()), (431, "bad-request"));
    assert_eq!(ask(gateway.testbed.at(), request(&format!("GET /{}", "x".repeat(9 << 10)), &[], b"")).status, 414);
    let many: Vec<String> = (0..101).map(|number| format!("X-{number}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(ask(gateway.testbed.at(), request("GET /open", &many, b"")).status, 431);
    until("each is counted", || {
        ["header-bytes", "target-length", "header-count"].iter().all(|key| gateway.limit_count(key) == 1)
    });

    let before = gateway.memory_mib();
    let mut endless = gateway.connections(100);
    let filler = vec![b'x'; 100 << 10];
    for client in &mut endless {
        client.send("GET /open HTTP/1.1\r\nX-Long: ").send(&filler);
    }
    gateway.serves_others();
    // The bound is half of what the connections could buffer before each is cut, not one mebibyte each.
    assert!(gateway.memory_mib() < before + 64, "{} MiB after {before} MiB", gateway.memory_mib());
    for client in &mut endless {
        client.send(&filler);
        assert!(!client.more());
    }
    assert_eq!(gateway.limit_count("header-bytes"), 101);
    drop(endless);
    gateway.wait_until_closed();
}

#[test]
fn a_body_that_is_too_long_is_counted() {
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits/body", json!("1KiB")));
    let announced = ask(gateway.testbed.at(), request("POST /open", &["Content-Length: 2000"], b""));
    assert_eq!(announced.status, 413);
    let chunked = [b"7d0\r\n".to_vec(), vec![b'x'; 2000], b"\r\n0\r\n\r\n".to_vec()].concat();
    let type_and_coding = ["Transfer-Encoding: chunked", "Content-Type: text/plain"];
    assert_eq!(ask(gateway.testbed.at(), request("POST /open", &type_and_coding, &chunked)).status, 413);
    until("both are counted", || gateway.limit_count("body") == 2);
}

#[test]
fn handshakes_that_never_end_delay_no_other_client() {
    let made = rcgen::generate_simple_self_signed(vec!["noah.test".to_owned()]).unwrap();
    let listeners = json!([
        { "address": "127.0.0.1:0", "name": "plain" },
        { "address": "127.0.0.1:0", "name": "secure", "tls": { "certificates": [{ "chain": "chain.pem", "key": "key.pem" }] } },
    ]);
    let builder =
        Testbed::strict(Origin::start()).with("/listeners", listeners).with("/limits/tls-handshake", json!("1s"));
    let builder = builder.file("chain.pem", made.cert.pem()).file("key.pem", made.signing_key.serialize_pem());
    let gateway = AttackedGateway::of(builder);
    until("both listen", || gateway.testbed.gateway.log_lines("listening").len() == 2);
    let secure = gateway.testbed.gateway.listener("secure");
    let mut silent: Vec<Client> = (0..200).map(|_| Client::connect(secure)).collect();
    for half in silent.iter_mut().step_by(2) {
        half.send([22, 3, 1, 2, 0, 1]);
    }
    gateway.serves_others();
    for client in &mut silent {
        assert!(!client.more());
    }
    // The socket closes a moment before the counter changes.
    until("all are counted", || gateway.limit_count("tls-handshake") == 200);
    assert_eq!(gateway.log_count("tls-handshake"), 1);
    drop(silent);
    gateway.wait_until_closed();
}

#[test]
fn idle_connections_are_closed_and_old_ones_too() {
    let limits = json!({ "keep-alive": "1s", "requests-per-connection": 3 });
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits", limits));
    let mut idle = gateway.connections(200);
    for client in &mut idle {
        assert_eq!(client.send(GET).answer().status, 200);
    }
    gateway.serves_others();
    for client in &mut idle {
        assert!(!client.more());
    }
    gateway.wait_until_closed();
    let mut busy = Client::connect(gateway.testbed.at());
    for left in [2, 1, 0] {
        let answer = busy.send(GET).answer();
        assert_eq!((answer.status, answer.header("connection") == Some("close")), (200, left == 0));
    }
    assert!(!busy.more());
}

#[test]
fn guessed_credentials_are_refused_unread_and_others_are_not() {
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits/failed-credentials", json!(5)));
    let token = gateway.testbed.token(&["user"]);
    let guess = |at: usize| {
        // A different signature each time.
        let (signed, _) = token.rsplit_once('.').unwrap();
        format!("Authorization: Bearer {signed}.{at:085}A")
    };
    let mut client = Client::connect(gateway.testbed.at());
    let mut statuses = Vec::new();
    for at in 0..50 {
        statuses.push(client.send(request("GET /t1/things", &[&guess(at)], b"")).answer().status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 45, "{statuses:?}");
    until("they are counted", || gateway.limit_count("failed-credentials") == 45);
    let mut other = Client::from_stream(connect_from("127.0.0.2", gateway.testbed.at()));
    let bearer = gateway.testbed.bearer(&["user"]);
    assert_eq!(other.send(request("GET /t1/things", &[&bearer], b"")).answer().status, 200);
}

#[test]
fn a_flood_of_random_words_adds_no_metric() {
    let gateway = AttackedGateway::of(Testbed::strict(Origin::start()).with("/limits/failed-credentials", json!(0)));
    let (_, rest) =
        gateway.testbed.token(&["user"]).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let mut client = Client::connect(gateway.testbed.at());
    let mut random = |number: usize| {
        use base64::Engine;
        let header = format!("{{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"kid-{number}\"}}");
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
        let host = format!("Host: host-{number}.test");
        let bearer = format!("Authorization: Bearer {header}.{rest}");
        let id = format!("X-Request-Id: id-{number}");
        for (line, extra) in [
            (format!("GET /t{number}/things"), id.as_str()),
            (format!("M{number} /t1/things"), id.as_str()),
            (format!("GET /t1/{number}/random?x{number}=1"), id.as_str()),
            (format!("GET /t1/things/{number}"), bearer.as_str()),
        ] {
            let answer = client.send(request(&line, &[&host, extra], b"")).answer();
            assert!((400..500).contains(&answer.status), "{line}: {answer:?}");
            if answer.header("connection") == Some("close") {
                client = Client::connect(gateway.testbed.at());
            }
        }
    };
    random(0);
    until("they are counted", || gateway.metric_lines().iter().any(|line| line.contains("unauthenticated")));
    std::thread::sleep(Duration::from_millis(50));
    let (before, memory) = (gateway.series(), gateway.memory_mib());
    (1..300).for_each(&mut random);
    assert_eq!(gateway.series(), before);
    assert!(gateway.memory_mib() < memory + 32, "{} MiB after {memory} MiB", gateway.memory_mib());
}
