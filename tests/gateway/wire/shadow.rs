//! Shadow mode on the wire: no working request breaks, every would-be refusal is reported, and removing one line
//! enforces the policy.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Answer, ask, request};
use super::origin::Origin;
use super::testbed::{Testbed, TestbedBuilder, until};
use super::websocket::{echoed, hub_origin, open, ticking_origin};

const SHADOW: &str = "dialect: strict\nshadow: all";

fn shadowed(origin: Origin) -> TestbedBuilder {
    Testbed::strict(origin).policy("dialect: strict", SHADOW)
}

/// Removes that line, and waits until the policy is enforced.
fn enforce(testbed: &Testbed) {
    testbed.edit_policy("shadow: all\n", "");
}

fn get(testbed: &Testbed, line: &str, headers: &[&str]) -> Answer {
    ask(testbed.at(), request(line, headers, b""))
}

/// Verdict, reason, status and upstream status of the newest request at the upstream.
fn last_record(testbed: &Testbed) -> (Value, Value, Value, Value) {
    let id = testbed.origin.last().header("x-portcullis-decision").unwrap();
    let mut record = testbed.record(&id);
    let mut take = |name: &str| record[name].take();
    (take("verdict"), take("reason"), take("status"), take("upstream_status"))
}

#[test]
fn what_would_be_refused_reaches_the_upstream_and_one_line_less_refuses_it() {
    let testbed = shadowed(Origin::start()).start();
    let user = testbed.bearer(&["user"]);
    let stranger = super::client::bearer(&testbed.env.token(json!({ "sub": "eve", "tenants": ["t9"] })));
    let requests: [(&str, &[&str], &str, u16); 8] = [
        ("DELETE /t1/things/a", &[&user], "not-granted", 403),
        ("GET /t1/Secrets/s", &[&user], "not-granted", 403),
        ("GET /t1/things", &[&stranger], "not-a-member", 403),
        ("GET /t1/nothing/17?q=1", &[&user], "no-route", 404),
        ("PATCH /t1/things", &[&user], "no-method", 405),
        ("GET /closed", &[&user], "nobody", 403),
        ("GET /t1/things", &[], "unauthenticated", 401),
        ("HEAD /t1/Secrets", &[&user], "not-granted", 403),
    ];
    for (at, (line, headers, reason, _)) in requests.iter().enumerate() {
        let answer = get(&testbed, line, headers);
        assert_eq!(answer.status, 200, "{line}");
        assert_eq!(testbed.origin.count(), at + 1, "{line}");
        assert_eq!(testbed.origin.last().line(), format!("{line} HTTP/1.1"));
        assert_eq!(last_record(&testbed), (json!("shadow"), json!(reason), json!(200), json!(200)), "{line}");
    }
    // A permitted request is not a shadow event.
    assert_eq!(get(&testbed, "GET /t1/things", &[&user]).status, 200);
    assert_eq!(last_record(&testbed), (json!("permit"), json!("granted"), json!(200), json!(200)));
    let count = testbed.origin.count();

    enforce(&testbed);
    for (line, headers, reason, status) in requests {
        let answer = get(&testbed, line, headers);
        assert_eq!(answer.status, status, "{line}");
        if !line.starts_with("HEAD") {
            assert_eq!(answer.reason(), reason, "{line}");
        }
    }
    assert_eq!(testbed.origin.count(), count);
    assert_eq!(get(&testbed, "GET /t1/things", &[&user]).status, 200);
}

#[test]
fn shadow_mode_is_visible_in_readiness_metrics_and_logs() {
    let testbed = shadowed(Origin::start()).start();
    let user = testbed.bearer(&["user"]);
    for _ in 0..50 {
        assert_eq!(get(&testbed, "DELETE /t1/things/secret-name?key=secret-value", &[&user]).status, 200);
    }
    let ready = testbed.wait(testbed.gateway.admin("/ready"));
    assert_eq!((ready.status, &ready.json()["apis"][0]["policy"]["shadow"]), (200, &json!("all")));
    assert_eq!(testbed.wait(testbed.gateway.admin("/policy")).json()["apis"][0]["policy"]["shadow"], json!("all"));
    let metric = |name: &str| testbed.wait(testbed.gateway.metric(name));
    assert_eq!(metric("portcullis_shadow{api=\"noah\"}"), 1.0);
    let decisions = |verdict: &str, reason: &str| {
        let labels = "api=\"noah\",operation=\"delete\"";
        metric(&format!(
            "portcullis_decisions_total{{{labels},reason=\"{reason}\",resource=\"Things\",verdict=\"{verdict}\"}}"
        ))
    };
    until("all are counted", || decisions("shadow", "not-granted") == 50.0);
    assert_eq!(testbed.gateway.log_lines("shadow mode: every refusal is forwarded").len(), 1);
    let samples = testbed.gateway.log_lines("shadow mode has forwarded what would be refused");
    assert!((2..50).contains(&samples.len()), "{}", samples.len());
    let sample = samples[0].to_string();
    for part in ["not-granted", "Things", "delete", "/{tenant}/things/{thing}", "decision"] {
        assert!(sample.contains(part), "{part} not in {sample}");
    }
    let lines = testbed.gateway.lines().join("\n");
    assert!(!lines.contains("secret-name") && !lines.contains("secret-value"), "a value stands in the log");
    assert!(!testbed.has_written(user.rsplit('.').next().unwrap()), "a token's signature stands there");

    enforce(&testbed);
    assert_eq!(get(&testbed, "DELETE /t1/things/a", &[&user]).status, 403);
    until("the refusal is counted", || decisions("refuse", "not-granted") == 1.0);
    assert_eq!(metric("portcullis_shadow{api=\"noah\"}"), 0.0);
    assert_eq!(testbed.wait(testbed.gateway.admin("/ready")).json()["apis"][0]["policy"]["shadow"], json!("off"));
    testbed.edit_policy("dialect: strict\n", "dialect: strict\nshadow: [Secrets]\n");
    assert_eq!(testbed.gateway.log_lines("shadow mode: refusals about these resources are forwarded").len(), 1);
    let shadow = testbed.wait(testbed.gateway.admin("/ready")).json()["apis"][0]["policy"]["shadow"].clone();
    assert_eq!(shadow, json!({ "resources": ["Secrets"] }));
}

#[test]
fn what_can_be_read_in_two_ways_and_what_protects_the_gateway_is_never_forwarded() {
    let testbed = shadowed(Origin::start()).with("limits/failed-credentials", json!(5)).start();
    let user = testbed.bearer(&["user"]);
    for (line, header) in [
        ("GET /t1/../Secrets", "X-A: b"),
        ("GET /t1//things", "X-A: b"),
        ("GET /t1/things%2fa", "X-A: b"),
        ("GET /t1/things/a", "X-HTTP-Method-Override: DELETE"),
        ("GET /t1/things/a?_method=DELETE", "X-A: b"),
    ] {
        let answer = get(&testbed, line, &[&user, header]);
        assert_eq!(answer.status, 400, "{line}");
    }
    let form = "Content-Type: application/x-www-form-urlencoded";
    let answer = ask(testbed.at(), request("POST /t1/things", &[&user, form], b"_method=DELETE"));
    assert_eq!((answer.status, answer.reason().as_str()), (400, "bad-request"));
    assert_eq!(testbed.origin.count(), 0);
    // Requests with failed verifications are forwarded until the limit is reached.
    let (head, signature) = user.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{head}.{other}{}", &signature[1..]);
    let answers: Vec<u16> = (0..10).map(|_| get(&testbed, "GET /t1/things", &[&forged]).status).collect();
    let forwarded = answers.iter().take_while(|status| **status == 200).count();
    assert!((5..8).contains(&forwarded) && answers[forwarded..].iter().all(|status| *status == 429), "{answers:?}");
    assert_eq!(testbed.origin.count(), forwarded);
}

#[test]
fn in_shadow_mode_an_unidentified_caller_is_forwarded_anonymously_with_the_original_credential() {
    let testbed = shadowed(Origin::start()).start();
    for credential in ["Bearer opaque-token-of-old", "Basic b2xkOnNlY3JldA==", "Session old-session-key"] {
        let header = format!("Authorization: {credential}");
        let spoofed = ["X-Portcullis-Subject: test/alice", "X-Portcullis-Roles: insider", "X_Portcullis_Tenant: t1"];
        let answer = get(&testbed, "GET /t1/things", &[&header, spoofed[0], spoofed[1], spoofed[2]]);
        assert_eq!(answer.status, 200, "{credential}");
        let received = testbed.origin.last();
        assert_eq!(received.header("authorization").as_deref(), Some(credential));
        for name in ["x-portcullis-subject", "x-portcullis-roles", "x-portcullis-tenant", "x_portcullis_tenant"] {
            assert_eq!(received.header(name), None, "{credential}");
        }
        let (verdict, reason, ..) = last_record(&testbed);
        assert_eq!((verdict, reason), (json!("shadow"), json!("unauthenticated")), "{credential}");
        assert!(!testbed.has_written(credential.split(' ').next_back().unwrap()), "{credential} was written");
    }
    // A known caller who would be refused keeps the identity.
    let user = testbed.bearer(&["user"]);
    assert_eq!(get(&testbed, "DELETE /t1/things/a", &[&user]).status, 200);
    assert_eq!(testbed.origin.last().header("x-portcullis-subject").as_deref(), Some("test/alice"));
    // A token of an unknown issuer stays in the query, for the server that can verify it.
    assert_eq!(get(&testbed, "GET /old/hub?access_token=opaque-17&x=1", &[]).status, 200);
    assert_eq!(testbed.origin.last().target(), "/old/hub?access_token=opaque-17&x=1");
    assert!(!testbed.has_written("opaque-17"));
    enforce(&testbed);
    let count = testbed.origin.count();
    assert_eq!(get(&testbed, "GET /t1/things", &["Authorization: Bearer opaque-token-of-old"]).status, 401);
    assert_eq!(get(&testbed, "GET /open?access_token=opaque-17&x=1", &[]).status, 200);
    assert_eq!((testbed.origin.count(), testbed.origin.last().target()), (count + 1, "/open?x=1".to_owned()));
}

#[test]
fn the_gateways_own_credential_is_for_callers_that_it_knows() {
    let fixed = json!({ "header": "X-Api-Key", "value": { "file": "key" } });
    let builder = shadowed(Origin::start()).with("api/credential", fixed).file("key", "the-gateways-key\n");
    let testbed = builder.start();
    let key = || testbed.origin.last().header("x-api-key");
    assert_eq!(get(&testbed, "DELETE /t1/things/a", &[&testbed.bearer(&["user"])]).status, 200);
    assert_eq!((key().as_deref(), testbed.origin.last().header("authorization")), (Some("the-gateways-key"), None));
    assert_eq!(get(&testbed, "GET /t1/things", &["X-Api-Key: a-key-of-old"]).status, 200);
    assert_eq!(key().as_deref(), Some("a-key-of-old"));
    assert_eq!(get(&testbed, "GET /t1/things", &[]).status, 200);
    assert_eq!(key(), None);
}

#[test]
fn only_the_named_resources_are_watched() {
    let testbed =
        Testbed::strict(Origin::start()).policy("dialect: strict", "dialect: strict\nshadow: [Secrets]").start();
    let user = testbed.bearer(&["user"]);
    assert_eq!(get(&testbed, "GET /t1/Secrets/s", &[&user]).status, 200);
    assert_eq!(last_record(&testbed).0, json!("shadow"));
    for (line, headers, status) in [
        ("DELETE /t1/things/a", &[user.as_str()][..], 403),
        ("GET /t1/Secrets/s", &[], 401),
        ("GET /t1/nothing", &[&user], 404),
        ("GET /closed", &[&user], 403),
    ] {
        assert_eq!(get(&testbed, line, headers).status, status, "{line}");
    }
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn sockets_open_where_no_route_says_so_and_end_when_the_policy_is_enforced() {
    let testbed = shadowed(hub_origin()).start();
    let user = testbed.bearer(&["user"]);
    let (answer, mut unnamed) = open(&testbed, "/t1/things", &[&user]);
    assert_eq!(answer.status, 101);
    assert_eq!(echoed(&mut unnamed, "hello").as_deref(), Some("hello"));
    let (answer, mut unknown) = open(&testbed, "/old/hub?access_token=opaque", &[]);
    assert_eq!(answer.status, 101);
    assert_eq!(echoed(&mut unknown, "hello").as_deref(), Some("hello"));
    let (answer, mut permitted) = open(&testbed, "/socket", &[&user]);
    assert_eq!(answer.status, 101);
    let ids: Vec<String> =
        testbed.origin.requests().iter().map(|received| received.header("x-portcullis-decision").unwrap()).collect();

    enforce(&testbed);
    until("the sockets end", || echoed(&mut unnamed, "x").is_none() && echoed(&mut unknown, "x").is_none());
    assert_eq!(echoed(&mut permitted, "still").as_deref(), Some("still"));
    for (id, reason) in ids.iter().zip(["no-upgrade", "unauthenticated"]) {
        let record = testbed.record(id);
        assert_eq!((&record["verdict"], &record["reason"]), (&json!("shadow"), &json!(reason)));
        assert_eq!(record["failure"], json!("stream-ended"));
    }
    assert_eq!(open(&testbed, "/t1/things", &[&user]).0.status, 403);
}

#[test]
fn in_shadow_mode_a_stream_outlives_its_token() {
    let testbed = shadowed(ticking_origin()).start();
    let token = super::client::bearer(&testbed.short_token(&["user"], 3));
    let mut client = super::client::Client::connect(testbed.at());
    let answer = client.send(request("GET /t1/things", &[&token], b"")).head().unwrap();
    assert_eq!(answer.status, 200);
    std::thread::sleep(Duration::from_secs(16));
    client.taken();
    assert!(client.more(), "the stream goes on");
    enforce(&testbed);
    until("the stream ends", || {
        client.taken();
        !client.more()
    });
}

#[test]
fn a_form_that_would_be_refused_arrives_whole() {
    let testbed = shadowed(Origin::start()).with("api/method-overrides", json!("evaluate")).start();
    let user = testbed.bearer(&["user"]);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let post = |line: &str, body: &[u8]| ask(testbed.at(), request(line, &[&user, form], body)).status;
    let body = b"_method=DELETE&a=1";
    assert_eq!(post("POST /t1/things", body), 200);
    assert_eq!(testbed.origin.last().body, body);
    // The route lists no DELETE: the form asks for an operation that would be refused.
    let (verdict, reason, ..) = last_record(&testbed);
    assert_eq!((verdict, reason), (json!("shadow"), json!("no-method")));
    enforce(&testbed);
    assert_eq!(post("POST /t1/things", body), 405);
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn in_shadow_mode_an_unlisted_origin_is_left_to_the_upstream() {
    let origin = Origin::with_responder(|_| {
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\n\r\nok".to_vec()
    });
    let cors = "cors: { origins: [\"https://portal.test\"] }\nroutes:";
    let testbed = shadowed(origin).policy("routes:", cors).start();
    let user = testbed.bearer(&["user"]);
    let preflight = |origin: &str| {
        let origin = format!("Origin: {origin}");
        get(&testbed, "OPTIONS /t1/things", &[&origin, "Access-Control-Request-Method: GET"])
    };
    let simple = |origin: &str| get(&testbed, "GET /t1/things", &[&user, &format!("Origin: {origin}")]);
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    assert_eq!(allowed(&preflight("https://old.test")).as_deref(), Some("*"));
    assert_eq!(allowed(&simple("https://old.test")).as_deref(), Some("*"));
    assert_eq!(testbed.origin.count(), 2);
    assert_eq!(allowed(&preflight("https://portal.test")).as_deref(), Some("https://portal.test"));
    assert_eq!(allowed(&simple("https://portal.test")).as_deref(), Some("https://portal.test"));
    assert_eq!(testbed.origin.count(), 3, "the gateway answers the preflight that it will answer");
    enforce(&testbed);
    assert_eq!(preflight("https://old.test").status, 401);
    assert_eq!(allowed(&simple("https://old.test")), None);
}

#[test]
fn in_shadow_mode_a_response_of_a_forbidden_type_is_forwarded_and_counted() {
    let origin = Origin::with_responder(|received| {
        let kind = if received.target().ends_with("png") { "image/png" } else { "text/plain" };
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 4\r\n\r\ndata").into_bytes()
    });
    let typed =
        "routes:\n  /{tenant}/typed/{x}: { GET: { by-type: { image/png: read Secrets, otherwise: read Things } } }";
    let testbed = shadowed(origin).policy("routes:", typed).start();
    let user = testbed.bearer(&["user"]);
    assert_eq!(get(&testbed, "GET /t1/typed/a.txt", &[&user]).status, 200);
    assert_eq!(last_record(&testbed).0, json!("permit"));
    let answer = get(&testbed, "GET /t1/typed/a.png", &[&user]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "data"));
    assert_eq!(last_record(&testbed), (json!("shadow"), json!("wrong-type"), json!(200), json!(200)));
    let sample = "portcullis_decisions_total{api=\"noah\",operation=\"read\",reason=\"wrong-type\",resource=\"Secrets\",verdict=\"shadow\"}";
    until("it is counted", || testbed.wait(testbed.gateway.metric(sample)) == 1.0);
    // While only `Things` is in shadow mode, `Secrets` is enforced.
    testbed.edit_policy("shadow: all\n", "shadow: [Things]\n");
    let answer = get(&testbed, "GET /t1/typed/a.png", &[&user]);
    assert_eq!((answer.status, answer.reason().as_str()), (403, "wrong-type"));
}
