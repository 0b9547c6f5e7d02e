//! WebSockets: opened by a decision, on routes that allow them, and closed when their permission ends.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Answer, Client, find, request};
use super::origin::{Origin, ReceivedRequest};
use super::testbed::{Testbed, TestbedBuilder};
use crate::support::now;

/// The example of RFC 6455, section 1.3, and the accept value that belongs to it.
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub(crate) const HANDSHAKE: [&str; 4] = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY];

#[test]
fn a_hub_opens_with_a_token_in_the_query_that_is_never_forwarded_or_logged() {
    let testbed = Testbed::noah(hub_origin()).start();
    let token = testbed.token(&["Level 2"]);
    let (answer, mut client) = open(&testbed, &format!("/rtm?id=7&access_token={token}"), &[]);
    assert_eq!(answer.status, 101, "{}", answer.text());
    assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
    for at in 0..20 {
        let message = format!("message {at} {}", "x".repeat(at * 500));
        assert_eq!(echoed(&mut client, &message).as_deref(), Some(message.as_str()));
    }
    let received = testbed.origin.last();
    assert_eq!(received.target(), "/rtm?id=7");
    assert_eq!(received.header("authorization"), None);
    assert_eq!(received.header("x-portcullis-subject").as_deref(), Some("test/alice"));
    assert!(!received.text().contains(&token));
    client.finish();
    drop(client);
    let id = received.header("x-portcullis-decision").unwrap();
    let record = testbed.record(&id);
    assert_eq!((&record["status"], &record["path"]), (&json!(101), &json!("/rtm")));
    assert!(!testbed.has_written(&token), "the token stands in a log or an audit record");
    assert!(!testbed.has_written(token.rsplit('.').next().unwrap()), "its signature stands there");
}

#[test]
fn a_hub_opens_with_a_token_in_the_header_too() {
    let testbed = Testbed::noah(hub_origin()).start();
    let token = testbed.bearer(&["Level 2"]);
    for path in ["/rtm", "/clientrtm", "/RTM", "/ClientRtm/"] {
        let (answer, mut client) = open(&testbed, path, &[&token]);
        assert_eq!(answer.status, 101, "{path}: {}", answer.text());
        assert_eq!(echoed(&mut client, "hello").as_deref(), Some("hello"));
        assert_eq!(testbed.origin.last().target(), path.to_lowercase().trim_end_matches('/'));
    }
}

#[test]
fn what_is_sent_with_the_handshake_is_not_lost() {
    let testbed = Testbed::noah(hub_origin()).start();
    let token = testbed.bearer(&["Level 2"]);
    let mut headers = vec![token.as_str()];
    headers.extend(HANDSHAKE);
    let mut client = Client::connect(testbed.at());
    let mut bytes = request("GET /rtm", &headers, b"");
    bytes.extend(frame("early"));
    client.send(bytes);
    assert_eq!(client.head().unwrap().status, 101);
    assert_eq!(read_message(&mut client).as_deref(), Some("early"));
}

#[test]
fn a_hub_stays_closed_to_whom_the_policy_refuses() {
    let testbed = Testbed::noah(hub_origin()).start();
    let claims = [
        (json!({ "client_id": "new-app" }), 403, "gate:app-connection"),
        (json!({ "tenants": ["t1", "t2"] }), 403, "gate:app-connection"),
        (json!({ "exp": now() - 60 }), 401, "unauthenticated"),
        (json!({ "aud": "other" }), 401, "unauthenticated"),
    ];
    for (claims, status, reason) in claims {
        let token = testbed.env.token(claims.clone());
        let (answer, mut client) = open(&testbed, &format!("/rtm?access_token={token}"), &[]);
        assert_eq!(answer.status, status, "{claims}");
        let body = client.try_body(&answer);
        assert!(body.contains(reason), "{claims}: {body}");
    }
    let (nobody, _) = open(&testbed, "/rtm", &[]);
    assert_eq!(nobody.status, 401);
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_route_that_does_not_say_so_opens_no_socket() {
    let testbed = Testbed::strict(hub_origin()).start();
    let token = testbed.bearer(&["user"]);
    for path in ["/t1/things", "/open"] {
        let (answer, mut client) = open(&testbed, path, &[&token]);
        assert_eq!(answer.status, 403, "{path}");
        assert!(client.try_body(&answer).contains("no-upgrade"), "{path}");
    }
    for upgrade in ["Upgrade: WebSocket", "Upgrade: h2c, websocket", "Upgrade: h2c\r\nUpgrade: websocket"] {
        let headers = [token.as_str(), HANDSHAKE[0], upgrade, HANDSHAKE[2], HANDSHAKE[3]];
        let mut client = Client::connect(testbed.at());
        let answer = client.send(request("GET /t1/things", &headers, b"")).head().unwrap();
        assert!((400..404).contains(&answer.status), "{upgrade}: {}", answer.status);
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_token_in_the_query_of_another_route_is_no_credential() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.token(&["user"]);
    for path in ["/t1/things", "/t1/things/a", "/t1/nothing"] {
        let answer = super::client::ask(testbed.at(), request(&format!("GET {path}?access_token={token}"), &[], b""));
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "nothing was presented");
    }
    assert_eq!(testbed.origin.count(), 0);
    assert!(!testbed.has_written(&token));
}

#[test]
fn a_token_in_the_query_is_never_forwarded_beside_another_credential() {
    let testbed = Testbed::strict(Origin::start()).start();
    let (token, header) = (testbed.token(&["user"]), testbed.bearer(&["user"]));
    for name in ["access_token", "ACCESS_TOKEN", "access%5Ftoken", "access.token"] {
        let line = format!("GET /t1/things?{name}={token}&x=1");
        assert_eq!(super::client::ask(testbed.at(), request(&line, &[&header], b"")).status, 401, "{name}");
    }
    assert_eq!(testbed.origin.count(), 0);
    // On a route without authentication it is left out.
    let line = format!("GET /open?a=1;b=2&access_token={token}&x=1");
    assert_eq!(super::client::ask(testbed.at(), request(&line, &[], b"")).status, 200);
    assert_eq!(testbed.origin.last().target(), "/open?a=1;b=2&x=1");
}

#[test]
fn a_request_has_a_token_in_one_place_only() {
    let testbed = Testbed::noah(hub_origin()).start();
    let token = testbed.token(&["Level 2"]);
    let header = testbed.bearer(&["Level 2"]);
    let (both, _) = open(&testbed, &format!("/rtm?access_token={token}"), &[&header]);
    assert_eq!(both.status, 401);
    for twice in [
        format!("/rtm?access_token={token}&access_token={token}"),
        format!("/rtm?access_token={token}&ACCESS_TOKEN=x"),
        format!("/rtm?access_token={token}&access%5ftoken=x"),
        format!("/rtm?access_token=x&access.token={token}"),
    ] {
        let (answer, _) = open(&testbed, &twice, &[]);
        assert_eq!(answer.status, 401, "{twice}: two tokens are two credentials");
    }
    assert_eq!(testbed.origin.count(), 0);
    assert!(!testbed.has_written(&token));
}

#[test]
fn a_socket_ends_with_its_token() {
    let testbed = expiring(Testbed::noah(hub_origin())).start();
    let token = testbed.short_token(&["Level 2"], 3);
    let (answer, mut client) = open(&testbed, &format!("/rtm?access_token={token}"), &[]);
    assert_eq!(answer.status, 101);
    assert_eq!(echoed(&mut client, "before").as_deref(), Some("before"));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(echoed(&mut client, "after"), None, "the token has expired");
}

#[test]
fn a_socket_ends_with_its_token_though_only_the_upstream_talks() {
    let testbed = expiring(Testbed::noah(ticking_origin())).start();
    let token = testbed.short_token(&["Level 2"], 3);
    let opened = Instant::now();
    let (answer, mut client) = open(&testbed, &format!("/rtm?access_token={token}"), &[]);
    assert_eq!(answer.status, 101);
    while client.more() {
        assert!(opened.elapsed() < Duration::from_secs(10), "the token has expired and the socket goes on");
    }
    assert!(opened.elapsed() > Duration::from_secs(1), "it did not end at once");
}

#[test]
fn a_long_response_ends_with_its_token() {
    let testbed = expiring(Testbed::strict(ticking_origin())).start();
    let token = super::client::bearer(&testbed.short_token(&["user"], 2));
    let started = Instant::now();
    let mut client = Client::connect(testbed.at());
    assert_eq!(client.send(request("GET /t1/things", &[&token], b"")).head().unwrap().status, 200);
    while client.more() {
        assert!(started.elapsed() < Duration::from_secs(15), "the token has expired and the response goes on");
    }
    assert!(!client.taken().ends_with(b"0\r\n\r\n"), "it does not look whole");
}

#[test]
fn a_socket_ends_when_a_reload_refuses_what_it_was_opened_for() {
    let testbed = Testbed::noah(hub_origin()).start();
    let token = testbed.bearer(&["Level 2"]);
    let (answer, mut client) = open(&testbed, "/rtm", &[&token]);
    assert_eq!(answer.status, 101);
    assert_eq!(echoed(&mut client, "one").as_deref(), Some("one"));
    testbed.edit_policy("name: noah-es", "name: noah-es-2");
    assert_eq!(echoed(&mut client, "two").as_deref(), Some("two"), "a reload that still permits it");
    testbed.edit_policy("      - { client: app-1,         tenant: t1 }\n", "");
    assert_eq!(echoed(&mut client, "three"), None, "a reload that refuses it");
}

#[test]
fn a_socket_ends_when_the_api_key_that_opened_it_is_revoked() {
    let digest = portcullis::identity::SecretDigest::of(b"secret");
    let entry = |id: &str, more: &str| {
        format!("  {id}: {{ digest: \"{digest}\", roles: [Level 2], tenants: [t1], client: app-1{more} }}\n")
    };
    let keys = |more: &str| format!("version: 1\nkeys:\n{}{}", entry("alice", more), entry("bob", ""));
    let source = json!({ "file": "keys.yaml", "header": "X-Api-Key" });
    // The only source of identity, so that the policy need not name the one that vouches for its apps.
    let builder = Testbed::noah(hub_origin()).with("/issuers", json!({})).with("/api-keys/machines", source);
    let testbed = builder.file("keys.yaml", keys("")).start();
    let opened = ["alice", "bob"].map(|id| open(&testbed, "/rtm", &[&format!("X-Api-Key: {id}:secret")]));
    let [(alice, mut hers), (bob, mut his)] = opened;
    assert_eq!((alice.status, bob.status), (101, 101));
    assert_eq!(echoed(&mut hers, "hello").as_deref(), Some("hello"));
    testbed.env.write("keys.yaml", &keys(", revoked: true"));
    super::testbed::until("her socket ends", || echoed(&mut hers, "still there?").is_none());
    assert_eq!(echoed(&mut his, "and mine?").as_deref(), Some("and mine?"));
}

#[test]
fn a_socket_ends_at_the_age_that_the_settings_say() {
    let testbed = Testbed::noah(hub_origin()).with("/limits", json!({ "stream-age": "2s" })).start();
    let token = testbed.bearer(&["Level 2"]);
    let (answer, mut client) = open(&testbed, "/rtm", &[&token]);
    assert_eq!(answer.status, 101);
    assert_eq!(echoed(&mut client, "young").as_deref(), Some("young"));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(echoed(&mut client, "old"), None);
}

#[test]
fn an_upstream_that_does_not_switch_is_answered_as_it_says() {
    let testbed = Testbed::noah(Origin::with_responder(|_| {
        b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\n\r\nlate".to_vec()
    }))
    .start();
    let token = testbed.bearer(&["Level 2"]);
    let (answer, mut client) = open(&testbed, "/rtm", &[&token]);
    assert_eq!(answer.status, 426);
    assert_eq!(client.exactly(4), b"late");
}

#[test]
fn the_upstream_gets_a_plain_handshake() {
    let testbed = Testbed::noah(hub_origin()).start();
    let token = testbed.bearer(&["Level 2"]);
    let extra =
        [token.as_str(), "Sec-WebSocket-Protocol: json", "X_Portcullis_Subject: forged", "Origin: https://portal.test"];
    let (answer, _client) = open(&testbed, "/rtm", &extra);
    assert_eq!(answer.status, 101);
    let received = testbed.origin.last();
    assert_eq!(received.header("upgrade").map(|value| value.to_lowercase()).as_deref(), Some("websocket"));
    assert_eq!(received.header("connection").map(|value| value.to_lowercase()).as_deref(), Some("upgrade"));
    assert_eq!(received.header("sec-websocket-protocol").as_deref(), Some("json"));
    assert_eq!(received.header("origin").as_deref(), Some("https://portal.test"));
    assert!(!received.text().contains("forged"));
    assert_eq!(
        received.all("content-length").len() + received.all("transfer-encoding").len(),
        0,
        "{}",
        received.text()
    );
}

/// A testbed without clock tolerance.
fn expiring(builder: TestbedBuilder) -> TestbedBuilder {
    builder.with("/issuers/test/leeway", json!("0s"))
}

/// The response to a handshake, and the connection after it.
pub(crate) fn open(testbed: &Testbed, target: &str, headers: &[&str]) -> (Answer, Client) {
    let mut all = headers.to_vec();
    all.extend(HANDSHAKE);
    let mut client = Client::connect(testbed.at());
    client.send(request(&format!("GET {target}"), &all, b""));
    let answer = client.head().expect("the gateway answers");
    (answer, client)
}

impl Client {
    /// The body of a response whose head has been read.
    fn try_body(&mut self, answer: &Answer) -> String {
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        String::from_utf8(self.exactly(length)).unwrap()
    }
}

/// The echo of a message; `None` if the WebSocket has ended.
pub(crate) fn echoed(client: &mut Client, message: &str) -> Option<String> {
    client.send(frame(message));
    read_message(client)
}

/// A masked text frame; the mask is zero, which RFC 6455 allows to clients other than browsers.
fn frame(message: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match u8::try_from(message.len()) {
        Ok(short) if short < 126 => bytes.push(0x80 | short),
        _ => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(message.bytes());
    bytes
}

/// The next message of the hub, which sends frames back unchanged.
fn read_message(client: &mut Client) -> Option<String> {
    let mut bytes = client.taken();
    loop {
        if let Some((&[_, second], rest)) = bytes.split_first_chunk::<2>() {
            let (length, rest) = match second & 0x7f {
                126 if rest.len() >= 2 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
                126 => (usize::MAX, rest),
                short => (usize::from(short), rest),
            };
            let mask = if second & 0x80 == 0 { 0 } else { 4 };
            if length != usize::MAX && rest.len() >= mask + length {
                assert_eq!(rest.len(), mask + length, "nothing but what was sent comes back");
                return String::from_utf8(rest[mask..].to_vec()).ok();
            }
        }
        if !client.more() {
            return None;
        }
        bytes.extend(client.taken());
    }
}

/// The delay before a hub answers. Pingora 0.9.1 ends an upgraded exchange if the 101 arrives before it has recorded
/// that the request has no body. On a busy machine, a hub that answers at once loses its WebSocket (README, limits).
const HUB_DELAY: std::time::Duration = std::time::Duration::from_millis(20);

/// A hub: answers the handshake, and echoes everything after it.
pub(crate) fn hub_origin() -> Origin {
    Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        let end = loop {
            if let Some(at) = find(&pending, b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => pending.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        };
        journal.record_request(ReceivedRequest { head: pending.drain(..end).collect(), ..ReceivedRequest::default() });
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        std::thread::sleep(HUB_DELAY);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&pending).unwrap();
        while let Ok(count) = stream.read(&mut chunk) {
            if count == 0 || stream.write_all(&chunk[..count]).is_err() {
                return;
            }
        }
    })
}

/// An upstream that sends a message every 200 ms without end, after a handshake or as a response.
pub(crate) fn ticking_origin() -> Origin {
    Origin::with_script(|mut stream, journal| {
        let mut pending = Vec::new();
        let Some(received) = super::origin::read_request(&mut stream, &mut pending, journal) else { return };
        let (head, tick): (String, &[u8]) = if received.header("upgrade").is_some() {
            let accept = format!("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}");
            (format!("HTTP/1.1 101 Switching Protocols\r\n{accept}\r\n\r\n"), b"\x81\x04tick")
        } else {
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), b"4\r\ntick\r\n")
        };
        std::thread::sleep(HUB_DELAY);
        stream.write_all(head.as_bytes()).unwrap();
        while stream.write_all(tick).is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    })
}
