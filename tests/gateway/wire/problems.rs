//! Refusals as callers see them: problem+json, a stable type, the decision's id, and no hints for unauthenticated
//! callers.

use std::net::TcpListener;

use serde_json::json;

use super::client::{Answer, Client, ask, bearer, request};
use super::origin::Origin;
use super::testbed::Testbed;

/// Asserts the common parts of every refusal.
fn assert_problem(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    let problem = answer.json();
    assert_eq!(answer.reason(), reason);
    assert_eq!(problem["status"], json!(status));
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
    let id = answer.header("x-portcullis-decision").unwrap_or_else(|| panic!("no decision in {answer:?}"));
    assert_eq!(problem["decision"].as_str(), Some(id));
    assert!(!id.is_empty());
}

#[test]
fn every_refusal_is_a_problem_with_a_stable_type_and_an_id_of_its_own() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let bad = bearer("a.b.c");
    let table: [(&str, Option<&str>, u16, &str); 10] = [
        ("GET /t1//things", Some(&token), 400, "bad-request"),
        ("GET /t1/things", None, 401, "unauthenticated"),
        ("GET /t1/things", Some(&bad), 401, "unauthenticated"),
        ("GET /t2/things", Some(&token), 403, "not-a-member"),
        ("GET /t1/Secrets", Some(&token), 403, "not-granted"),
        ("GET /closed", Some(&token), 403, "nobody"),
        ("GET /t1/nothing", Some(&token), 404, "no-route"),
        ("PATCH /t1/things", Some(&token), 405, "no-method"),
        ("POST /t1/things/a", Some(&token), 405, "no-method"),
        ("HEAD /t1/inbox", Some(&token), 405, "no-method"),
    ];
    let mut ids = Vec::new();
    for (line, token, status, reason) in table {
        let headers: Vec<&str> = token.into_iter().collect();
        let answer = ask(testbed.at(), request(line, &headers, b""));
        if line.starts_with("HEAD") {
            assert_eq!(answer.status, status, "{line}");
        } else {
            assert_problem(&answer, status, reason);
        }
        let id = answer.header("x-portcullis-decision").unwrap().to_owned();
        let record = testbed.record(&id);
        assert_eq!((&record["reason"], &record["status"]), (&json!(reason), &json!(status)), "{line}");
        assert_eq!(record["verdict"], "refuse");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), table.len());
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_closed_gate_is_named() {
    let testbed = Testbed::noah(Origin::start()).start();
    let token = bearer(&testbed.env.token(json!({ "roles": ["Level 2"], "client_id": "new-app" })));
    let answer = ask(testbed.at(), request("GET /t1/api/Patients", &[&token], b""));
    assert_eq!(answer.status, 403);
    assert_eq!(answer.reason(), "gate:app-connection");
}

#[test]
fn a_challenge_says_what_was_wrong_with_what_was_presented() {
    let testbed = Testbed::strict(Origin::start()).start();
    let good = testbed.bearer(&["user"]);
    let nothing = ask(testbed.at(), request("GET /t1/things", &[], b""));
    assert_eq!(nothing.all("www-authenticate"), ["Bearer"]);
    let expired = bearer(&testbed.env.token(json!({ "exp": crate::support::now() - 100 })));
    for header in [expired.as_str(), "Authorization: Bearer abc", "Authorization: Bearer a.b.c"] {
        let answer = ask(testbed.at(), request("GET /t1/things", &[header], b""));
        assert_problem(&answer, 401, "unauthenticated");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    // RFC 6750, section 3.1: more than one method, or a malformed request.
    let twice = ask(testbed.at(), request("GET /t1/things", &[&good, &good], b""));
    assert_problem(&twice, 401, "unauthenticated");
    assert!(twice.header("www-authenticate").unwrap().starts_with("Bearer error=\"invalid_"));
}

#[test]
fn a_stranger_learns_nothing_about_routes() {
    let testbed = Testbed::strict(Origin::start()).start();
    for token in [None, Some(bearer("a.b.c"))] {
        let headers: Vec<&str> = token.as_deref().into_iter().collect();
        let ask = |line: &str| {
            let mut answer = ask(testbed.at(), request(line, &headers, b""));
            assert_problem(&answer, 401, "unauthenticated");
            let mut problem = answer.json();
            problem["decision"] = json!("");
            answer.headers.retain(|(name, _)| name != "date" && name != "x-portcullis-decision");
            (answer.headers, problem)
        };
        let mapped = ask("GET /t1/things");
        for line in [
            "GET /t1/nothing",
            "GET /",
            "GET /closed",
            "PATCH /t1/things",
            "DELETE /t9/Secrets/s",
            "GET /socket",
            "PROPFIND /t1",
            "POST /admin/../x".trim_end_matches("/../x"),
        ] {
            assert_eq!(ask(line), mapped, "{line} tells a stranger something");
        }
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_405_lists_what_the_route_has() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for (line, expected) in [
        ("PATCH /t1/things/a", vec!["DELETE", "GET", "HEAD", "PUT"]),
        ("GET /t1/inbox", vec!["POST"]),
        ("DELETE /t1/things", vec!["GET", "HEAD", "OPTIONS", "POST"]),
    ] {
        let answer = ask(testbed.at(), request(line, &[&token], b""));
        assert_problem(&answer, 405, "no-method");
        let mut allow: Vec<&str> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
        allow.sort_unstable();
        assert_eq!(allow, expected, "{line}");
    }
}

#[test]
fn what_is_too_long_is_refused_with_its_own_status() {
    let limits = json!({ "target-length": "1KiB", "header-bytes": "8KiB", "header-count": 20, "body": "1KiB" });
    let testbed = Testbed::strict(Origin::start()).with("/limits", limits).start();
    let token = testbed.bearer(&["user"]);
    let long = ask(testbed.at(), request(&format!("GET /t1/things?{}", "x".repeat(1100)), &[&token], b""));
    assert_eq!((long.status, long.reason().as_str()), (414, "bad-request"));
    let wide = format!("X-Wide: {}", "x".repeat(9000));
    let wide = ask(testbed.at(), request("GET /t1/things", &[&token, &wide], b""));
    assert_eq!(wide.status, 431, "{}", wide.text());
    let many: Vec<String> = (0..30).map(|at| format!("X-Many-{at}: x")).collect();
    let mut headers = vec![token.as_str()];
    headers.extend(many.iter().map(String::as_str));
    assert_problem(&ask(testbed.at(), request("GET /t1/things", &headers, b"")), 431, "bad-request");
    let large = ask(testbed.at(), request("POST /t1/things", &[&token], &[b'x'; 1025]));
    assert_problem(&large, 413, "bad-request");
    assert_eq!(testbed.origin.count(), 0);
    let fine = ask(testbed.at(), request(&format!("GET /t1/things?{}", "x".repeat(900)), &[&token], b""));
    assert_eq!(fine.status, 200, "{}", fine.text());
}

#[test]
fn an_address_with_too_many_failures_is_refused_without_verification() {
    let testbed = Testbed::strict(Origin::start()).with("/limits", json!({ "failed-credentials": 3 })).start();
    let good = testbed.bearer(&["user"]);
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&good], b"")).status, 200);
    let mut statuses = Vec::new();
    for at in 0..8 {
        // A wrong signature is the costly case: a different one each time, so that no result is cached.
        let bad = testbed.env.token(json!({ "exp": crate::support::now() + 100 + at }));
        let bad = bearer(&format!("{}AAAA", bad.strip_suffix(&bad[bad.len() - 4..]).unwrap()));
        let answer = ask(testbed.at(), request("GET /t1/things", &[&bad], b""));
        if answer.status == 429 {
            assert_problem(&answer, 429, "too-many-failures");
            assert!(answer.header("retry-after").is_some());
        }
        statuses.push(answer.status);
    }
    // The minute may change once meanwhile, and then three more are verified.
    assert_eq!(statuses.iter().take(3).collect::<Vec<_>>(), [&401; 3]);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 401).count() <= 6, "{statuses:?}");
    // A caller with a cached token, or without a credential, is not affected by others behind the same address.
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&good], b"")).status, 200);
    assert_eq!(ask(testbed.at(), request("GET /open", &[], b"")).status, 200);
}

#[test]
fn cheap_invalid_credentials_do_not_lock_out_an_address() {
    let testbed = Testbed::strict(Origin::start()).with("/limits", json!({ "failed-credentials": 3 })).start();
    let expired = bearer(&testbed.env.token(json!({ "exp": crate::support::now() - 100 })));
    for credential in ["Authorization: Basic eDp5", expired.as_str()].repeat(5) {
        assert_eq!(ask(testbed.at(), request("GET /t1/things", &[credential], b"")).status, 401);
    }
    let fresh = testbed.bearer(&["user"]);
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&fresh], b"")).status, 200);
}

#[test]
fn a_refusal_does_not_wait_for_a_body_that_does_not_come() {
    let testbed = Testbed::strict(Origin::start()).start();
    let begun = std::time::Instant::now();
    let mut client = Client::connect(testbed.at());
    client.send("POST /t1/things HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    let answer = client.answer();
    assert_problem(&answer, 401, "unauthenticated");
    assert!(begun.elapsed() < std::time::Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn keys_that_cannot_be_had_are_not_the_tokens_fault() {
    let nowhere = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let testbed = Testbed::strict(Origin::start()).with("/issuers/test/issuer", json!(nowhere)).launch();
    let token = bearer(&testbed.env.token(json!({ "iss": nowhere, "roles": ["user"] })));
    let answer = ask(testbed.at(), request("GET /t1/things", &[&token], b""));
    assert_problem(&answer, 503, "keys-unavailable");
    assert_eq!(answer.header("www-authenticate"), None);
    assert_problem(&ask(testbed.at(), request("GET /t1/things", &[], b"")), 401, "unauthenticated");
    assert_eq!(ask(testbed.at(), request("GET /open", &[], b"")).status, 200, "a public route needs no keys");
}

#[test]
fn a_connection_survives_refusals() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    for _ in 0..3 {
        for (line, with_token, body, status) in [
            ("GET /t1/Secrets", true, &b""[..], 403),
            ("GET /t1/things", false, b"", 401),
            ("DELETE /t1/things/a", true, b"with a body", 403),
            ("GET /t1/nothing", true, b"", 404),
            ("PATCH /t1/things", true, b"with a body", 405),
            ("POST /t1/things", true, b"hello", 200),
            ("GET /t1/things", true, b"", 200),
        ] {
            let headers: &[&str] = if with_token { &[&token] } else { &[] };
            let answer = client.send(request(line, headers, body)).answer();
            assert_eq!(answer.status, status, "{line}");
        }
        let head = client.send(request("HEAD /t1/Secrets", &[&token], b"")).answer_to_head();
        assert_eq!(head.status, 403);
    }
    assert!(testbed.origin.requests().iter().all(|received| matches!(received.body.as_slice(), b"" | b"hello")));
}

#[test]
fn a_refusal_of_head_has_no_body() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut client = Client::connect(testbed.at());
    for (line, with_token, status) in
        [("HEAD /t1/Secrets", true, 403), ("HEAD /t1/things", false, 401), ("HEAD /t1/nothing", true, 404)]
    {
        let headers: &[&str] = if with_token { &[&token] } else { &[] };
        let answer = client.send(request(line, headers, b"")).answer_to_head();
        assert_eq!(answer.status, status, "{line}");
        assert!(answer.header("x-portcullis-decision").is_some());
        assert!(client.is_silent_for(std::time::Duration::from_millis(100)), "{line}: something follows the head");
    }
}

#[test]
fn a_refusal_is_not_kept_by_caches_and_repeats_nothing_of_the_request() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for target in ["/t1/Secrets/s3cr3t?q=qu3ry", "/t1/no%3Cscript%3Ething", "/t1/things?_method=%3Cx%3E"] {
        let answer = ask(testbed.at(), request(&format!("GET {target}"), &[&token], b""));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
        for leaked in ["s3cr3t", "qu3ry", "script", "alice", "3Cx"] {
            assert!(!answer.text().contains(leaked), "{target}: {}", answer.text());
        }
    }
}
