//! Nothing by default: a request that no policy permits is refused, at every entry point and after every failure.

use crate::wire::client::{Client, ask, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

/// Paths that proxies and servers tend to answer without a permission check.
const PATHS: [&str; 12] = [
    "/",
    "/health",
    "/healthz",
    "/live",
    "/ready",
    "/metrics",
    "/favicon.ico",
    "/robots.txt",
    "/.well-known/acme-challenge/x",
    "/policy",
    "/reload",
    "/t1/Secrets/a",
];

const METHODS: [&str; 9] = ["GET", "HEAD", "OPTIONS", "TRACE", "POST", "PROPFIND", "PRI", "TRACK", "FOO"];

#[test]
fn every_method_on_every_path_is_decided_and_its_refusal_audited() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut last = String::new();
    for method in METHODS {
        for path in PATHS {
            for (headers, statuses) in [(&[][..], &[401][..]), (&[token.as_str()], &[403, 404, 405])] {
                let answer = ask(testbed.at(), request(&format!("{method} {path}"), headers, b""));
                assert!(statuses.contains(&answer.status), "{method} {path}: {answer:?}");
                assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
                last = answer.header("x-portcullis-decision").expect("an id").to_owned();
            }
        }
    }
    assert_eq!(testbed.origin.count(), 0);
    let record = testbed.record(&last);
    assert_eq!((record["verdict"].as_str(), record["method"].as_str()), (Some("refuse"), Some("FOO")), "{record}");
    let audited = testbed.env.audit_records().iter().filter(|record| record["verdict"] == "refuse").count();
    assert_eq!(audited, METHODS.len() * PATHS.len() * 2);
}

#[test]
fn a_tunnel_is_refused_by_a_decision_like_everything_else() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "insider"]);
    for target in ["noah.test:443", "noah.test", "/t1/things", "http://noah.test/t1/things", "*"] {
        let mut client = Client::connect(testbed.at());
        client.send(request(&format!("CONNECT {target}"), &[&token], b""));
        let Some(answer) = client.try_answer(false) else { panic!("{target}: no answer") };
        assert_eq!(answer.status, 400, "{target}");
        if let Some(id) = answer.header("x-portcullis-decision") {
            assert_eq!(testbed.record(id)["method"], "CONNECT", "{target}");
        }
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn only_get_opens_a_websocket() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let headers = [token.as_str(), "Connection: Upgrade", "Upgrade: websocket"];
    assert_eq!(ask(testbed.at(), request("HEAD /socket", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    assert_eq!((received.header("upgrade"), received.header("connection")), (None, None));
}

#[test]
fn an_upgrade_to_anything_but_a_websocket_is_a_plain_request() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for protocol in ["h2c", "TLS/1.0", "websocket2", "HTTP/2.0, IRC/6.9"] {
        let headers = [token.as_str(), "Connection: Upgrade", &format!("Upgrade: {protocol}")];
        assert_eq!(ask(testbed.at(), request("GET /t1/Secrets", &headers, b"")).status, 403, "{protocol}");
        assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200, "{protocol}");
        let received = testbed.origin.last();
        assert_eq!((received.header("upgrade"), received.header("connection")), (None, None), "{}", received.text());
    }
}
