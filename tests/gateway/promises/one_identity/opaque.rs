//! Opaque tokens: introspection by their issuer names the caller, and the gateway rarely calls the issuer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::introspection_server::{IntrospectionServer, presented_token};
use crate::support::now;
use crate::wire::client::{Answer, ask, bearer, request};
use crate::wire::testbed::{Testbed, until};
use crate::wire::websocket::{echoed, hub_origin, open};

fn get(testbed: &Testbed, token: &str) -> Answer {
    ask(testbed.at(), request("GET /t1/things", &[&bearer(token)], b""))
}

fn status(testbed: &Testbed, token: &str) -> u16 {
    get(testbed, token).status
}

fn counted(testbed: &Testbed, result: &str) -> u64 {
    let text = testbed.wait(testbed.gateway.admin("/metrics")).text();
    let name = format!("portcullis_introspections_total{{issuer=\"opaque\",result=\"{result}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

/// The statuses of concurrent requests with these tokens.
fn statuses_in_parallel(testbed: &Testbed, tokens: &[String]) -> Vec<u16> {
    let at = testbed.at();
    let introspection_server = tokens.iter().map(|token| {
        let request = request("GET /t1/things", &[&bearer(token)], b"");
        std::thread::spawn(move || ask(at, request).status)
    });
    let introspection_server: Vec<_> = introspection_server.collect();
    introspection_server.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn an_opaque_token_names_the_caller_that_its_issuer_says() {
    let token = "2YotnFZFEjr1z+C/sicMWpAA~=";
    let introspection_server = IntrospectionServer::with_token(token, json!({}));
    let testbed = introspection_server.strict().start();
    for _ in 0..3 {
        let answer = get(&testbed, token);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let received = testbed.origin.last();
    assert_eq!(received.header("x-portcullis-subject").as_deref(), Some("opaque/alice"));
    assert_eq!(received.header("x-portcullis-roles").as_deref(), Some("user"));
    let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
    assert_eq!((&record["caller"], &record["proof"]), (&json!("opaque/alice"), &json!("token")));

    assert_eq!(introspection_server.count(), 1, "the answer is remembered");
    let question = introspection_server.endpoint.last();
    assert_eq!((question.method().as_str(), question.target().as_str()), ("POST", "/introspect"));
    assert_eq!(question.header("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    let basic = format!("Basic {}", STANDARD.encode("port%3Acullis:s+p%26%C3%A4"));
    assert_eq!(question.header("authorization"), Some(basic));
    assert_eq!(question.body, b"token=2YotnFZFEjr1z%2BC%2FsicMWpAA%7E%3D&token_type_hint=access_token");
    assert_eq!((counted(&testbed, "accepted"), counted(&testbed, "refused")), (1, 0));
    assert!(!testbed.has_written(token) && !testbed.has_written("s p&"), "a secret stands in a log or an audit record");

    assert_eq!(ask(testbed.at(), request("GET /t1/Secrets", &[&bearer(token)], b"")).status, 403, "the policy decides");
    assert_eq!(ask(testbed.at(), request("GET /t2/things", &[&bearer(token)], b"")).status, 403);
}

#[test]
fn the_client_may_prove_itself_in_the_form() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({}));
    let testbed = introspection_server.strict().with("/issuers/opaque/keys/introspection/auth", json!("post")).start();
    assert_eq!(status(&testbed, "reference"), 200);
    let question = introspection_server.endpoint.last();
    assert_eq!(question.header("authorization"), None);
    let form = "token=reference&token_type_hint=access_token&client_id=port%3Acullis&client_secret=s+p%26%C3%A4";
    assert_eq!(String::from_utf8(question.body).unwrap(), form);
}

#[test]
fn an_active_token_that_is_not_for_us_or_of_this_moment_is_refused() {
    let introspection_server = IntrospectionServer::start();
    let testbed = introspection_server.strict().start();
    let wrong = [
        ("inactive-token", json!({ "active": false })),
        ("wrong-audience", json!({ "aud": "other" })),
        ("wrong-audience", json!({ "aud": null })),
        ("unknown-issuer", json!({ "iss": "https://other.test" })),
        ("token-expired", json!({ "exp": now() - 60 })),
        ("token-not-yet-valid", json!({ "nbf": now() + 300 })),
        ("wrong-token-type", json!({ "token_type": "DPoP" })),
        ("no-id", json!({ "sub": "" })),
        ("token-lives-too-long", json!({ "exp": now() + 10 * 86_400 })),
    ];
    for (at, (detail, claims)) in wrong.into_iter().enumerate() {
        let token = format!("reference-{at}");
        introspection_server.set_claims(&token, claims.clone());
        let answer = get(&testbed, &token);
        assert_eq!((answer.status, answer.reason().as_str()), (401, "unauthenticated"), "{claims}");
        assert_eq!(testbed.record(answer.header("x-portcullis-decision").unwrap())["detail"], detail, "{claims}");
        assert!(!answer.text().contains(detail));
    }
    assert_eq!(testbed.origin.count(), 0);
    introspection_server.set_claims("ours", json!({ "iss": "https://opaque.test" }));
    assert_eq!(status(&testbed, "ours"), 200);
}

#[test]
fn a_token_without_audience_passes_only_where_the_settings_say_so() {
    let key = "/issuers/opaque/keys/introspection/dangerously-accept-missing-audience";
    let introspection_server = IntrospectionServer::with_token("reference", json!({ "aud": null }));
    introspection_server.set_claims("other", json!({ "aud": ["other"] }));
    let testbed = introspection_server.strict().with(key, json!(true)).start();
    assert_eq!((status(&testbed, "reference"), status(&testbed, "other")), (200, 401));
}

#[test]
fn an_issuer_that_does_not_answer_is_503_and_never_a_permit_or_a_bad_token() {
    let introspection_server = IntrospectionServer::start();
    let testbed =
        introspection_server.strict().with("/issuers/opaque/keys/introspection/timeout", json!("500ms")).start();
    let good = json!({
        "active": true, "aud": "noah-es", "sub": "alice", "exp": now() + 600, "tenants": ["t1"], "roles": ["user"],
    });
    let good = good.to_string();
    let head = |status: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let elsewhere = format!("Location: http://{}/elsewhere\r\n", introspection_server.endpoint.address());
    let large = good.replacen('{', &format!("{{\"pad\":\"{}\",", "x".repeat(70_000)), 1);
    let failing = [
        head("401 Unauthorized", "", &good),
        head("403 Forbidden", "", &good),
        head("500 Internal Server Error", "", &good),
        head("503 Service Unavailable", "", "{\"active\":false}"),
        head("302 Found", &elsewhere, &good),
        head("307 Temporary Redirect", &elsewhere, &good),
        head("201 Created", "", &good),
        head("200 OK", "", "<html>"),
        head("200 OK", "", ""),
        head("200 OK", "", "[]"),
        head("200 OK", "", &good[..good.len() - 1]),
        head("200 OK", "", &good.replace("true", "\"true\"")),
        head("200 OK", "", &good.replace("true", "1")),
        head("200 OK", "", &good.replace("\"active\":true,", "")),
        head("200 OK", "", &good.replacen('{', "{\"active\":true,", 1)),
        head("200 OK", "", &good.replacen('{', "{\"sub\":\"bob\",", 1)),
        head("200 OK", "", &large),
        head("200 OK", "", &good).replace("application/json", "text/html"),
        head("200 OK", "", &good).replace("Content-Type", "X-Type"),
        "nonsense\r\n\r\n".to_owned(),
        String::new(),
    ];
    for (at, bytes) in failing.iter().enumerate() {
        introspection_server.send_instead(Some(bytes));
        let answer = get(&testbed, &format!("reference-{at}"));
        assert_eq!((answer.status, answer.reason().as_str()), (503, "keys-unavailable"), "{bytes}");
        assert!(answer.header("www-authenticate").is_none());
    }
    assert!(
        !introspection_server.endpoint.requests().iter().any(|received| received.target() == "/elsewhere"),
        "a redirect was followed"
    );

    introspection_server.send_instead(Some(&head("200 OK", "", &good)));
    introspection_server.wait(Duration::from_secs(2));
    assert_eq!(get(&testbed, "slow").reason(), "keys-unavailable");
    introspection_server.wait(Duration::ZERO);
    assert_eq!(testbed.origin.count(), 0);
    assert_eq!(counted(&testbed, "failed"), failing.len() as u64 + 1);
    let ready = testbed.wait(testbed.gateway.admin("/ready"));
    assert!(ready.status == 200 && ready.text().contains("no answer in time"), "{}", ready.text());

    assert_eq!(status(&testbed, "fresh"), 200, "the same bytes as an answer are believed");

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = json!(format!("http://{nobody}/introspect"));
    let testbed = introspection_server.strict().with("/issuers/opaque/keys/introspection/url", url).start();
    let answer = get(&testbed, "reference");
    assert_eq!((answer.status, answer.reason().as_str()), (503, "keys-unavailable"));
}

#[test]
fn a_flood_of_one_bad_token_costs_its_issuer_one_call() {
    let introspection_server = IntrospectionServer::start();
    introspection_server.wait(Duration::from_millis(200));
    let testbed = introspection_server.strict().with("/limits", json!({ "failed-credentials": 3 })).start();
    let flood = vec!["guess".to_owned(); 8];
    for _ in 0..3 {
        assert_eq!(statuses_in_parallel(&testbed, &flood), [401; 8]);
    }
    assert_eq!(introspection_server.count(), 1);
    assert_eq!(counted(&testbed, "refused"), 1);
}

#[test]
fn requests_with_one_token_share_one_call() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({}));
    introspection_server.wait(Duration::from_millis(300));
    let testbed = introspection_server.strict().start();
    assert_eq!(statuses_in_parallel(&testbed, &vec!["reference".to_owned(); 12]), [200; 12]);
    assert_eq!(introspection_server.count(), 1);
}

#[test]
fn a_flood_of_random_tokens_never_overloads_their_issuer() {
    let introspection_server = IntrospectionServer::start();
    introspection_server.wait(Duration::from_millis(100));
    let place = "/issuers/opaque/keys/introspection";
    let mut introspection = introspection_server.issuer()["keys"]["introspection"].clone();
    introspection["at-once"] = json!(2);
    introspection["per-second"] = json!(6);
    let testbed = introspection_server
        .strict()
        .with(place, introspection)
        .with("/limits", json!({ "failed-credentials": 0 }))
        .start();
    let began = std::time::Instant::now();
    let tokens: Vec<String> = (0..40).map(|at| format!("random-{at}")).collect();
    let answers = statuses_in_parallel(&testbed, &tokens);
    // One second's worth of concurrent calls, and as many again for each second that the flood took.
    let most = 6 * (2 + began.elapsed().as_secs() as usize);
    assert!(introspection_server.count() <= most, "{} calls", introspection_server.count());
    assert!(introspection_server.script.most_under_way.load(Ordering::SeqCst) <= 2);
    assert!(answers.iter().all(|status| matches!(status, 401 | 503)), "{answers:?}");
    assert!(answers.contains(&503) && counted(&testbed, "withheld") > 0, "{answers:?}");
    assert_eq!(testbed.origin.count(), 0);
    introspection_server.set_claims("honest", json!({}));
    until("the budget is there again", || status(&testbed, "honest") == 200);
}

#[test]
fn an_address_that_guesses_opaque_tokens_is_limited() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({}));
    let testbed = introspection_server.strict().with("/limits", json!({ "failed-credentials": 5 })).start();
    assert_eq!(status(&testbed, "reference"), 200);
    let answers: Vec<u16> = (0..20).map(|at| status(&testbed, &format!("guess-{at}"))).collect();
    assert!(answers.contains(&429), "{answers:?}");
    // The flood may touch two minutes.
    assert!(introspection_server.count() <= 1 + 2 * 5, "{} calls", introspection_server.count());
    assert_eq!(status(&testbed, "reference"), 200, "what is remembered costs nobody anything");
}

#[test]
fn a_revoked_token_is_found_out_when_its_cache_time_is_over() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({}));
    let testbed = introspection_server.strict().with("/issuers/opaque/keys/introspection/cache", json!("2s")).start();
    assert_eq!(status(&testbed, "reference"), 200);
    introspection_server.remove_token("reference");
    until("the token is refused", || status(&testbed, "reference") == 401);
    assert_eq!(introspection_server.count(), 2);
}

#[test]
fn a_reload_asks_about_every_token_again() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({}));
    let testbed = introspection_server.strict().with("/issuers/opaque/keys/introspection/cache", json!("1h")).start();
    assert_eq!(status(&testbed, "reference"), 200);
    assert_eq!(status(&testbed, "later"), 401);
    introspection_server.remove_token("reference");
    introspection_server.set_claims("later", json!({}));
    assert_eq!((status(&testbed, "reference"), status(&testbed, "later")), (200, 401));
    testbed.gateway.signal("HUP");
    until("the token is refused", || status(&testbed, "reference") == 401);
    until("the other one is believed", || status(&testbed, "later") == 200);
}

#[test]
fn an_introspection_response_expires_with_its_cache_time_even_if_the_issuer_is_down() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({}));
    let testbed = introspection_server.strict().with("/issuers/opaque/keys/introspection/cache", json!("2s")).start();
    assert_eq!(status(&testbed, "reference"), 200);
    introspection_server.send_instead(Some("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"));
    until("the answer is too old", || status(&testbed, "reference") == 503);
    introspection_server.send_instead(None);
    until("the issuer is back", || status(&testbed, "reference") == 200);
}

#[test]
fn an_opaque_token_ends_with_its_exp_whatever_the_cache_says() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({ "exp": now() + 3 }));
    let cache = "/issuers/opaque/keys/introspection/cache";
    let testbed =
        introspection_server.strict().with(cache, json!("1h")).with("/issuers/opaque/leeway", json!("0s")).start();
    assert_eq!(status(&testbed, "reference"), 200);
    until("the token has expired", || status(&testbed, "reference") == 401);
}

#[test]
fn a_socket_ends_with_the_opaque_token_that_opened_it() {
    let introspection_server =
        IntrospectionServer::with_token("with-end", json!({ "exp": now() + 4, "roles": ["Level 2"] }));
    introspection_server.set_claims("without-end", json!({ "exp": null, "roles": ["Level 2"] }));
    let mut issuer = introspection_server.issuer();
    issuer["leeway"] = json!("0s");
    issuer["keys"]["introspection"]["cache"] = json!("3s");
    // The only issuer, so that the policy need not name the one that vouches for its apps.
    let testbed =
        introspection_server.testbed(Testbed::noah(hub_origin())).with("/issuers", json!({ "opaque": issuer })).start();
    for token in ["with-end", "without-end"] {
        let (answer, mut client) = open(&testbed, &format!("/rtm?access_token={token}"), &[]);
        assert_eq!(answer.status, 101, "{}", answer.text());
        assert_eq!(echoed(&mut client, "before").as_deref(), Some("before"));
        until("the socket ends", || echoed(&mut client, "after").is_none());
    }
    assert_eq!(testbed.origin.last().target(), "/rtm");
}

#[test]
fn where_a_token_names_no_tenant_the_policys_users_do() {
    let introspection_server = IntrospectionServer::with_token("reference", json!({ "tenants": null, "roles": null }));
    introspection_server.set_claims("stranger", json!({ "sub": "bob", "tenants": null }));
    let testbed = introspection_server
        .strict()
        .policy("roles:\n", "users:\n  opaque/alice: { tenants: [t1], roles: [user] }\nroles:\n")
        .start();
    assert_eq!(status(&testbed, "reference"), 200);
    assert_eq!(testbed.origin.last().header("x-portcullis-tenant").as_deref(), Some("t1"));
    assert_eq!(ask(testbed.at(), request("GET /t2/things", &[&bearer("reference")], b"")).reason(), "not-a-member");
    assert_eq!(get(&testbed, "stranger").reason(), "not-a-member");
}

#[test]
fn tokens_of_other_issuers_are_never_shown_to_the_one_that_is_asked() {
    let introspection_server = IntrospectionServer::start();
    let testbed = introspection_server.strict().start();
    let signed = testbed.token(&["user"]);
    // The gateway is ready with one of the two issuers, and the keys of this one arrive later.
    until("it is verified by its own issuer's keys", || status(&testbed, &signed) == 200);
    assert_eq!(testbed.origin.last().header("x-portcullis-subject").as_deref(), Some("test/alice"));
    let foreign = testbed.env.token(json!({ "iss": "https://elsewhere.test" }));
    let nobodys = testbed.env.token(json!({ "iss": null }));
    let (head, rest) = signed.split_once('.').unwrap();
    for token in [&foreign, &nobodys, &signed[..signed.len() - 4], &format!("{head}.{rest}AAAA"), &"x".repeat(9000)] {
        assert_eq!(status(&testbed, token), 401, "{token}");
    }
    assert_eq!(introspection_server.count(), 0);

    // A token that names this issuer is sent to it, whoever signed it: the gateway assumes nothing about its content.
    let own = testbed.env.token(json!({ "iss": "https://opaque.test" }));
    assert_eq!(status(&testbed, &own), 401);
    assert_eq!(presented_token(&introspection_server.endpoint.last()), own);
    let other = testbed.env.token(json!({ "iss": "https://opaque.test", "jti": "2" }));
    introspection_server.set_claims(&other, json!({}));
    assert_eq!(status(&testbed, &other), 200);
}
