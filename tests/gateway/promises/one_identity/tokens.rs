//! Tokens through the gateway: which ones prove a caller, which ones do not, and keys that appear and disappear.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::demo::Issuer;
use serde_json::{Value, json};

use crate::support::now;
use crate::wire::client::{ask, bearer, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

fn status(testbed: &Testbed, headers: &[&str]) -> u16 {
    ask(testbed.at(), request("GET /t1/things", headers, b"")).status
}

#[test]
fn a_token_that_does_not_prove_its_caller_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let wrong: Vec<(&str, Value)> = vec![
        ("token-expired", json!({ "exp": now() - 60 })),
        ("malformed-time", json!({ "exp": null })),
        ("malformed-time", json!({ "exp": "tomorrow" })),
        ("token-not-yet-valid", json!({ "nbf": now() + 300 })),
        ("token-lives-too-long", json!({ "exp": now() + 10 * 86_400 })),
        ("wrong-audience", json!({ "aud": "other" })),
        ("wrong-audience", json!({ "aud": ["other", "another"] })),
        ("wrong-audience", json!({ "aud": null })),
        ("unknown-issuer", json!({ "iss": "https://evil.test" })),
        ("unknown-issuer", json!({ "iss": null })),
        ("no-id", json!({ "sub": "" })),
        ("no-id", json!({ "sub": null, "client_id": null })),
    ];
    for (detail, claims) in wrong {
        let mut all = json!({ "roles": ["user"] });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let token = testbed.env.token(all);
        let answer = ask(testbed.at(), request("GET /t1/things", &[&bearer(&token)], b""));
        assert_eq!(answer.status, 401, "{claims}");
        let record = testbed.record(answer.header("x-portcullis-decision").unwrap());
        assert_eq!(record["detail"], detail, "{claims}");
        // Only the log holds the reason.
        assert!(!answer.text().contains(detail), "{}", answer.text());
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_token_is_only_what_its_issuer_has_signed() {
    let testbed = Testbed::strict(Origin::start()).start();
    let good = testbed.token(&["user"]);
    let parts: Vec<&str> = good.split('.').collect();
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let mut more = claims.clone();
    more["roles"] = json!(["user", "insider"]);
    let none = encoded(json!({ "alg": "none", "typ": "JWT" }));
    let mut critical = header.clone();
    critical["crit"] = json!(["exp"]);
    let mut symmetric = header.clone();
    symmetric["alg"] = json!("HS256");
    let mut own_key = header.clone();
    own_key["jwk"] = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" });
    let stranger = testbed.wait(Issuer::start("127.0.0.1:0".parse().unwrap())).unwrap();
    let forged = [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], encoded(more), parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}", encoded(critical), parts[1], parts[2]),
        format!("{}.{}.{}", encoded(symmetric), parts[1], parts[2]),
        format!("{}.{}.{}", encoded(own_key), parts[1], parts[2]),
        format!("{good}."),
        format!("{good}A"),
        stranger.token(&claims),
        "x".repeat(9000),
    ];
    for token in forged {
        assert_eq!(status(&testbed, &[&bearer(&token)]), 401, "{token}");
    }
    assert_eq!(testbed.origin.count(), 0);
    assert_eq!(status(&testbed, &[&bearer(&good)]), 200);
}

#[test]
fn there_is_one_credential_in_one_scheme() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.token(&["user"]);
    let good = bearer(&token);
    assert_eq!(status(&testbed, &[&good]), 200);
    assert_eq!(status(&testbed, &[&format!("authorization: bearer {token}")]), 200, "schemes have no case");
    for wrong in [
        vec![good.clone(), good.clone()],
        vec![good.clone(), "Authorization: Basic YTpi".to_owned()],
        vec!["Authorization: Basic YTpi".to_owned()],
        vec![format!("Authorization: Token {token}")],
        vec![format!("Authorization: {token}")],
        vec![format!("Authorization: Bearer  {token}")],
        vec![format!("Authorization: Bearer {token}, Bearer {token}")],
        vec![format!("Authorization: Bearer {token} x")],
        vec!["Authorization: Bearer".to_owned()],
        vec!["Authorization:".to_owned()],
    ] {
        let headers: Vec<&str> = wrong.iter().map(String::as_str).collect();
        assert_eq!(status(&testbed, &headers), 401, "{wrong:?}");
    }
    assert_eq!(testbed.origin.count(), 2);
    assert!(!testbed.has_written(&token));
}

#[test]
fn a_public_route_refuses_a_bad_credential_all_the_same() {
    let testbed = Testbed::strict(Origin::start()).start();
    assert_eq!(ask(testbed.at(), request("GET /open", &[], b"")).status, 200);
    assert_eq!(ask(testbed.at(), request("GET /open", &[&bearer("a.b.c")], b"")).status, 401);
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn a_new_key_of_the_issuer_is_found_and_a_withdrawn_one_forgotten() {
    let testbed = Testbed::strict(Origin::start())
        .with("/issuers/test/keys/refresh", json!("1s"))
        .with("/limits", json!({ "failed-credentials": 0 }))
        .start();
    let old = testbed.bearer(&["user"]);
    assert_eq!(status(&testbed, &[&old]), 200);
    testbed.env.issuer.rotate().unwrap();
    let new = testbed.bearer(&["user"]);
    poll_slowly("the new key is found", || status(&testbed, &[&new]) == 200);
    assert_eq!(status(&testbed, &[&old]), 200, "the old key is still published");
    testbed.env.issuer.withdraw();
    poll_slowly("the old key is forgotten", || status(&testbed, &[&old]) == 401);
    assert_eq!(status(&testbed, &[&new]), 200);
}

#[test]
fn an_unknown_key_is_asked_for_before_the_next_refresh() {
    let testbed = Testbed::strict(Origin::start()).with("/limits", json!({ "failed-credentials": 0 })).start();
    let asked = testbed.env.issuer.key_set_requests();
    testbed.env.issuer.rotate().unwrap();
    let new = testbed.bearer(&["user"]);
    poll_slowly("the new key is found", || status(&testbed, &[&new]) == 200);
    // One forced fetch with a cool-down, however many requests name unknown keys.
    for _ in 0..20 {
        let unknown = testbed.token(&["user"]);
        let (head, rest) = unknown.split_once('.').unwrap();
        let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
        header["kid"] = json!("nobody-has-it");
        assert_eq!(
            status(&testbed, &[&bearer(&format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string())))]),
            401
        );
    }
    assert!(
        testbed.env.issuer.key_set_requests() - asked < 4,
        "{} fetches",
        testbed.env.issuer.key_set_requests() - asked
    );
}

#[test]
fn an_issuer_may_start_late_and_disappear() {
    let at = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{at}");
    let testbed = Testbed::strict(Origin::start())
        .with("/issuers/test/issuer", json!(url))
        .with("/issuers/test/keys/refresh", json!("1s"))
        .launch();
    let claims = |sub: &str| {
        json!({ "iss": url, "aud": "noah-es", "exp": now() + 600, "sub": sub, "client_id": "app-1", "tenants": ["t1"],
                "roles": ["user"] })
    };
    let early = testbed.env.issuer.token(&claims("early"));
    assert_eq!(status(&testbed, &[&bearer(&early)]), 503, "nobody can say whether it is good");
    let issuer = testbed.wait(Issuer::start(at)).unwrap();
    let token = bearer(&issuer.token(&claims("alice")));
    poll_slowly("its keys are there", || status(&testbed, &[&token]) == 200);
    let other = bearer(&issuer.token(&claims("bob")));
    testbed.wait(issuer.stop());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(status(&testbed, &[&token]), 200, "verified before");
    assert_eq!(status(&testbed, &[&other]), 200, "keys that were good a moment ago are believed for a while");
}

#[test]
fn a_service_app_passes_inside_its_tenant() {
    let testbed = Testbed::noah(Origin::start()).start();
    // The token names no user: the client is the caller.
    let token = bearer(&testbed.env.token(json!({ "sub": null, "client_id": "noah-sync" })));
    let ask = |line: &str| ask(testbed.at(), request(line, &[&token], b""));
    let answer = ask("GET /t1/api/Settings");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = testbed.origin.last();
    let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
    assert_eq!((&record["reason"], &record["caller_kind"]), (&json!("service-app"), &json!("service")));
    assert!(received.header("x-portcullis-subject").unwrap().contains("noah-sync"));
    assert_eq!(ask("DELETE /t1/api/Patients/p1").status, 200);
    assert_eq!(ask("GET /t2/api/Settings").status, 403);
    assert_eq!(ask("DELETE /t1/api/AppConnection").status, 405);
    assert_eq!(ask("GET /t1/api/Nothing").status, 404);
    assert_eq!(ask("GET /t1/api/../Settings").status, 400);
    assert_eq!(testbed.origin.count(), 2);
    let user = bearer(&testbed.env.token(json!({ "roles": ["BDM"], "client_id": "app-1" })));
    let answer = crate::wire::client::ask(testbed.at(), request("GET /t1/api/Settings", &[&user], b""));
    assert_eq!(answer.reason(), "not-granted", "no user has it");
}

#[test]
fn a_remembered_token_is_still_decided_by_the_policy_of_the_moment() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for _ in 0..3 {
        assert_eq!(status(&testbed, &[&token]), 200);
    }
    testbed.edit_policy("  Use: { Things: CRU }", "  Use: { Things: CU }");
    assert_eq!(status(&testbed, &[&token]), 403);
}

#[test]
fn a_remembered_token_expires_in_time() {
    let testbed = Testbed::strict(Origin::start()).with("/issuers/test/leeway", json!("0s")).start();
    let token = bearer(&testbed.short_token(&["user"], 2));
    assert_eq!(status(&testbed, &[&token]), 200);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(status(&testbed, &[&token]), 401);
}

/// Polls as a client does that retries twice a second.
fn poll_slowly(what: &str, mut probe: impl FnMut() -> bool) {
    for _ in 0..40 {
        if probe() {
            return;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    panic!("not in time: {what}");
}
