//! Limits and overload: while a client uses up what it can, others are served, memory is bounded, and it is counted.

mod http2;
mod siege;
mod slow;

use std::time::Duration;

use serde_json::json;

use crate::wire::client::{Client, ask, request};
use crate::wire::origin::Origin;
use crate::wire::scene::{Scene, until};
use siege::{GET, Siege, connect_from};

#[test]
fn connections_over_the_limit_are_closed_at_once_and_places_that_become_free_are_given() {
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits/connections", json!(50)));
    let mut held: Vec<Client> = siege.connections(50);
    for client in &mut held {
        assert_eq!(client.send(GET).answer().status, 200);
    }
    for mut over in siege.connections(200) {
        assert!(!over.send(GET).more(), "it is closed and nothing is said");
    }
    assert_eq!(siege.reached("connections"), 200);
    assert_eq!(siege.told("connections"), 1, "a flood does not flood the log");
    held.truncate(20);
    until("places are free", || siege.open() == 20);
    siege.serves_others();
    drop(held);
    siege.is_over();
}

#[test]
fn an_address_cannot_take_all_connections_and_a_trusted_proxy_may() {
    let plan = Scene::strict(Origin::start()).with("/limits/connections-per-address", json!(10));
    let siege = Siege::of(plan.with("/trusted-proxies", json!(["127.0.0.3"])));
    let held = siege.connections(10);
    until("all are there", || siege.open() == 10);
    for mut over in siege.connections(30) {
        assert!(!over.send(GET).more(), "it is closed and nothing is said");
    }
    assert_eq!(siege.reached("connections-per-address"), 30);
    let mut other = Client::of(connect_from("127.0.0.2", siege.scene.at()));
    assert_eq!(other.send(GET).answer().status, 200);
    let mut proxied: Vec<Client> = (0..20).map(|_| Client::of(connect_from("127.0.0.3", siege.scene.at()))).collect();
    for client in &mut proxied {
        assert_eq!(client.send(GET).answer().status, 200);
    }
    drop((held, other, proxied));
    siege.is_over();
    siege.serves_others();
}

#[test]
fn headers_that_are_too_many_or_too_long_are_refused_and_those_without_end_are_cut() {
    let siege = Siege::of(Scene::strict(Origin::start()));
    let long = format!("X-Long: {}", "x".repeat(70 << 10));
    let answer = ask(siege.scene.at(), request("GET /open", &[&long], b""));
    assert_eq!((answer.status, answer.reason().as_str()), (431, "bad-request"));
    assert_eq!(ask(siege.scene.at(), request(&format!("GET /{}", "x".repeat(9 << 10)), &[], b"")).status, 414);
    let many: Vec<String> = (0..101).map(|number| format!("X-{number}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(ask(siege.scene.at(), request("GET /open", &many, b"")).status, 431);
    until("each is counted", || {
        ["header-bytes", "target-length", "header-count"].iter().all(|key| siege.reached(key) == 1)
    });

    let before = siege.memory();
    let mut endless = siege.connections(100);
    let filler = vec![b'x'; 100 << 10];
    for client in &mut endless {
        client.send("GET /open HTTP/1.1\r\nX-Long: ").send(&filler);
    }
    siege.serves_others();
    // Half of what they could hold before each is cut, and not a mebibyte each.
    assert!(siege.memory() < before + 64, "{} MiB after {before} MiB", siege.memory());
    for client in &mut endless {
        client.send(&filler);
        assert!(!client.more());
    }
    assert_eq!(siege.reached("header-bytes"), 101);
    drop(endless);
    siege.is_over();
}

#[test]
fn a_body_that_is_too_long_is_counted() {
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits/body", json!("1KiB")));
    let announced = ask(siege.scene.at(), request("POST /open", &["Content-Length: 2000"], b""));
    assert_eq!(announced.status, 413);
    let chunked = [b"7d0\r\n".to_vec(), vec![b'x'; 2000], b"\r\n0\r\n\r\n".to_vec()].concat();
    let type_and_coding = ["Transfer-Encoding: chunked", "Content-Type: text/plain"];
    assert_eq!(ask(siege.scene.at(), request("POST /open", &type_and_coding, &chunked)).status, 413);
    until("both are counted", || siege.reached("body") == 2);
}

#[test]
fn handshakes_that_never_end_hold_nobody_up() {
    let made = rcgen::generate_simple_self_signed(vec!["noah.test".to_owned()]).unwrap();
    let listeners = json!([
        { "address": "127.0.0.1:0", "name": "plain" },
        { "address": "127.0.0.1:0", "name": "secure", "tls": { "certificates": [{ "chain": "chain.pem", "key": "key.pem" }] } },
    ]);
    let plan = Scene::strict(Origin::start()).with("/listeners", listeners).with("/limits/tls-handshake", json!("1s"));
    let plan = plan.file("chain.pem", made.cert.pem()).file("key.pem", made.signing_key.serialize_pem());
    let siege = Siege::of(plan);
    until("both listen", || siege.scene.gateway.logged("listening").len() == 2);
    let secure = siege.scene.gateway.listener("secure");
    let mut silent: Vec<Client> = (0..200).map(|_| Client::connect(secure)).collect();
    for half in silent.iter_mut().step_by(2) {
        half.send([22, 3, 1, 2, 0, 1]);
    }
    siege.serves_others();
    for client in &mut silent {
        assert!(!client.more());
    }
    // The socket is gone a moment before it is counted.
    until("all are counted", || siege.reached("tls-handshake") == 200);
    assert_eq!(siege.told("tls-handshake"), 1);
    drop(silent);
    siege.is_over();
}

#[test]
fn idle_connections_are_closed_and_old_ones_too() {
    let limits = json!({ "keep-alive": "1s", "requests-per-connection": 3 });
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits", limits));
    let mut idle = siege.connections(200);
    for client in &mut idle {
        assert_eq!(client.send(GET).answer().status, 200);
    }
    siege.serves_others();
    for client in &mut idle {
        assert!(!client.more());
    }
    siege.is_over();
    let mut busy = Client::connect(siege.scene.at());
    for left in [2, 1, 0] {
        let answer = busy.send(GET).answer();
        assert_eq!((answer.status, answer.header("connection") == Some("close")), (200, left == 0));
    }
    assert!(!busy.more());
}

#[test]
fn guessed_credentials_are_refused_unread_and_others_are_not() {
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits/failed-credentials", json!(5)));
    let token = siege.scene.token(&["user"]);
    let guess = |at: usize| {
        // Another signature each time.
        let (signed, _) = token.rsplit_once('.').unwrap();
        format!("Authorization: Bearer {signed}.{at:085}A")
    };
    let mut client = Client::connect(siege.scene.at());
    let mut statuses = Vec::new();
    for at in 0..50 {
        statuses.push(client.send(request("GET /t1/things", &[&guess(at)], b"")).answer().status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 45, "{statuses:?}");
    until("they are counted", || siege.reached("failed-credentials") == 45);
    let mut other = Client::of(connect_from("127.0.0.2", siege.scene.at()));
    let bearer = siege.scene.bearer(&["user"]);
    assert_eq!(other.send(request("GET /t1/things", &[&bearer], b"")).answer().status, 200);
}

#[test]
fn a_flood_of_random_words_adds_no_metric() {
    let siege = Siege::of(Scene::strict(Origin::start()).with("/limits/failed-credentials", json!(0)));
    let (_, rest) = siege.scene.token(&["user"]).split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let mut client = Client::connect(siege.scene.at());
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
                client = Client::connect(siege.scene.at());
            }
        }
    };
    random(0);
    until("they are counted", || siege.metric_lines().iter().any(|line| line.contains("unauthenticated")));
    std::thread::sleep(Duration::from_millis(50));
    let (before, memory) = (siege.series(), siege.memory());
    (1..300).for_each(&mut random);
    assert_eq!(siege.series(), before);
    assert!(siege.memory() < memory + 32, "{} MiB after {memory} MiB", siege.memory());
}
