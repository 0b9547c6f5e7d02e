//! The upstream's view of a permitted request: one spelling, its credential, and the caller's identity.

use serde_json::{Value, json};

use super::client::{Client, ask, bearer, request};
use super::origin::{Origin, ok};
use super::testbed::Testbed;

/// The identity headers, and the names under which lenient servers would also read them.
const SPOOFED: [&str; 9] = [
    "X-Portcullis-Subject",
    "x-portcullis-subject",
    "X_Portcullis_Subject",
    "x_portcullis-subject",
    "X.Portcullis.Subject",
    "X-Portcullis_Roles",
    "X-PORTCULLIS-ROLES",
    "x.portcullis-tenant",
    "X-Portcullis_Decision",
];

#[test]
fn the_path_is_printed_from_the_route_and_values_keep_their_case() {
    let testbed = Testbed::noah(Origin::start()).start();
    let token = testbed.bearer(&["Level 2"]);
    let table = [
        ("/t1/api/Patients", "/t1/api/Patients"),
        ("/t1/API/patients", "/t1/api/Patients"),
        ("/t1/Api/PATIENTS/", "/t1/api/Patients"),
        ("/t1/api/patients/McCoy", "/t1/api/Patients/McCoy"),
        ("/t1/api/Patients/%4dc%43oy", "/t1/api/Patients/McCoy"),
        ("/t1/api/%50atients/p%7E1", "/t1/api/Patients/p~1"),
        ("/%741/api/Patients/p1", "/t1/api/Patients/p1"),
        ("/t1/api/Patients/a%20b", "/t1/api/Patients/a%20b"),
        ("/t1/api/Patients/caf%c3%a9", "/t1/api/Patients/caf%C3%A9"),
        ("/t1/api/Patients/a|b", "/t1/api/Patients/a%7Cb"),
    ];
    for (sent, expected) in table {
        let answer = ask(testbed.at(), request(&format!("GET {sent}"), &[&token], b""));
        assert_eq!(answer.status, 200, "{sent}: {}", answer.text());
        assert_eq!(testbed.origin.last().target(), expected, "{sent}");
    }
}

#[test]
fn a_target_in_absolute_form_arrives_as_a_path() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let answer = ask(testbed.at(), request("GET http://noah.test/t1/things/a?x=1", &[&token], b""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(testbed.origin.last().target(), "/t1/things/a?x=1");
    let other = ask(testbed.at(), request("GET http://elsewhere.test/t1/things/a", &[&token], b""));
    assert_eq!(other.status, 400, "another authority than the Host");
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn the_query_is_kept_to_the_byte() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for query in ["a=1&b=2", "a=%2f%2F+%20", "&&a", "a;b=1", "q=../../x&q=2", "a=b?c=d", "a=%00%0d%0a"] {
        let answer = ask(testbed.at(), request(&format!("GET /t1/things?{query}"), &[&token], b""));
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert_eq!(testbed.origin.last().target(), format!("/t1/things?{query}"));
    }
}

#[test]
fn the_host_is_the_one_received_or_the_upstreams_or_a_fixed_one() {
    let table = [("as-received", "noah.test"), ("upstream", "UPSTREAM"), ("noah.internal:5080", "noah.internal:5080")];
    for (setting, expected) in table {
        let testbed = Testbed::strict(Origin::start()).with("api/host", json!(setting)).start();
        let token = testbed.bearer(&["user"]);
        assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&token], b"")).status, 200);
        let expected = expected.replace("UPSTREAM", &testbed.origin.address().to_string());
        assert_eq!(testbed.origin.last().header("host"), Some(expected), "{setting}");
    }
}

#[test]
fn the_bearer_token_is_forwarded_unless_the_settings_say_otherwise() {
    let secret = json!({ "file": "secret" });
    let basic = Some("Basic Z2F0ZTpvZiB0aGUgZ2F0ZXdheQ==");
    let table: [(Value, Option<&str>, &str); 4] = [
        (json!("forward-bearer"), Some("TOKEN"), "of the client"),
        (json!("none"), None, "of the client"),
        (json!({ "header": "X-Api-Key", "value": secret }), None, "of the gateway"),
        (json!({ "basic": { "user": "gate", "password": secret } }), basic, "of the client"),
    ];
    for (setting, authorization, key) in table {
        let testbed = Testbed::strict(Origin::start())
            .with("api/credential", setting.clone())
            .file("secret", "of the gateway")
            .start();
        let token = testbed.bearer(&["user"]);
        let headers = [token.as_str(), "X-Api-Key: of the client", "Proxy-Authorization: Basic YTpi"];
        let answer = ask(testbed.at(), request("GET /t1/things", &headers, b""));
        assert_eq!(answer.status, 200, "{setting}: {}", answer.text());
        let received = testbed.origin.last();
        let authorization =
            authorization.map(|value| value.replace("TOKEN", token.trim_start_matches("Authorization: ")));
        assert_eq!(received.header("authorization"), authorization, "{setting}");
        assert_eq!(received.header("x-api-key").as_deref(), Some(key), "{setting}");
        assert_eq!(received.header("proxy-authorization"), None, "{setting}");
    }
}

#[test]
fn a_fixed_credential_cannot_be_doubled_under_another_spelling() {
    let fixed = json!({ "header": "X-Api-Key", "value": { "file": "secret" } });
    let testbed =
        Testbed::strict(Origin::start()).with("api/credential", fixed).file("secret", "of the gateway").start();
    let token = testbed.bearer(&["user"]);
    let spoofed = ["X-Api-Key: 1", "x-api-key: 2", "X_API_KEY: 3", "X.Api.Key: 4"];
    let headers: Vec<&str> = std::iter::once(token.as_str()).chain(spoofed).collect();
    let answer = ask(testbed.at(), request("GET /t1/things", &headers, b""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = testbed.origin.last();
    let keys = received.fields().into_iter().filter(|(name, _)| folded(name) == "x-api-key");
    assert_eq!(keys.map(|(_, value)| value).collect::<Vec<_>>(), ["of the gateway"]);
}

#[test]
fn a_token_in_the_query_is_taken_out_and_not_turned_into_a_header() {
    let testbed = Testbed::noah(Origin::start()).start();
    let token = testbed.token(&["Level 2"]);
    for query in [format!("a=1&access_token={token}&b=2"), format!("a=1&%61ccess_token={token}&b=2")] {
        let answer = ask(testbed.at(), request(&format!("POST /rtm/negotiate?{query}"), &["Content-Length: 0"], b""));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = testbed.origin.last();
        assert_eq!(received.target(), "/rtm/negotiate?a=1&b=2");
        assert_eq!(received.header("authorization"), None);
        assert!(!received.text().contains(&token));
    }
}

#[test]
fn identity_headers_say_who_was_decided_on_and_nothing_else() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user", "remover"]);
    for name in SPOOFED {
        for spoofed in [vec![format!("{name}: forged")], vec![format!("{name}: forged"), format!("{name}: forged")]] {
            let mut headers = vec![token.as_str()];
            headers.extend(spoofed.iter().map(String::as_str));
            let answer = ask(testbed.at(), request("GET /t1/things", &headers, b""));
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let received = testbed.origin.last();
            assert!(!received.text().contains("forged"), "{name}: {}", received.text());
            for (header, expected) in [("subject", "test/alice"), ("tenant", "t1")] {
                assert_eq!(received.header(&format!("x-portcullis-{header}")).as_deref(), Some(expected));
            }
            let roles = received.header("x-portcullis-roles").unwrap();
            assert!(roles.contains("user") && roles.contains("remover"), "{roles}");
            let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
            assert_eq!((&record["caller"], &record["verdict"]), (&json!("test/alice"), &json!("permit")));
        }
    }
}

#[test]
fn an_anonymous_caller_of_a_public_route_cannot_claim_an_identity() {
    let testbed = Testbed::strict(Origin::start()).start();
    let spoofed: Vec<String> = SPOOFED.iter().map(|name| format!("{name}: forged")).collect();
    let headers: Vec<&str> = spoofed.iter().map(String::as_str).collect();
    let answer = ask(testbed.at(), request("GET /open", &headers, b""));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = testbed.origin.last();
    assert!(!received.text().contains("forged"), "{}", received.text());
    // Some servers read an absent header and an empty one alike; neither names a caller.
    assert!(received.header("x-portcullis-subject").is_none_or(|subject| subject.is_empty()));
}

#[test]
fn identity_headers_under_other_names_are_guarded_as_well() {
    let names =
        json!({ "subject": "X-User", "roles": "X-User-Roles", "tenant": "X-User-Tenant", "decision": "X-Trace" });
    let testbed = Testbed::strict(Origin::start()).with("api/identity-headers", names).start();
    let token = testbed.bearer(&["user"]);
    let headers =
        [token.as_str(), "x_user: forged", "X.USER.ROLES: forged", "X-User-Tenant: forged", "x-trace: forged"];
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    assert_eq!(received.header("x-user").as_deref(), Some("test/alice"));
    assert_eq!(received.header("x-user-tenant").as_deref(), Some("t1"));
    assert!(!received.text().contains("forged"), "{}", received.text());
}

#[test]
fn header_names_of_odd_characters_are_dropped_unless_the_settings_list_them() {
    let testbed = Testbed::strict(Origin::start()).with("api/pass-headers", json!(["X_Legacy", "X.Dotted"])).start();
    let token = testbed.bearer(&["user"]);
    let odd = ["X_Other: no", "X.Other: no", "X!Other: no", "X~Other: no", "x_legacy: yes", "X.Dotted: yes"];
    let mut headers = vec![token.as_str(), "X-Plain: yes"];
    headers.extend(odd);
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    assert_eq!(received.fields().iter().filter(|(_, value)| value == "yes").count(), 3, "{}", received.text());
    assert!(!received.fields().iter().any(|(_, value)| value == "no"), "{}", received.text());
}

#[test]
fn an_id_with_a_trailing_space_stays_another_id() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = bearer(&testbed.env.token(json!({ "sub": "alice ", "roles": ["user"] })));
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &[&token], b"")).status, 200);
    assert_eq!(testbed.origin.last().header("x-portcullis-subject").as_deref(), Some("test/alice%20"));
}

#[test]
fn headers_that_rewrite_the_url_or_the_client_never_arrive() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let names = [
        "X-Original-URL",
        "X-Rewrite-URL",
        "X_Original_URL",
        "x.rewrite.url",
        "X-Original-URI",
        "X-Forwarded-Uri",
        "X-Forwarded-Path",
        "X-Forwarded-Prefix",
        "X-Forwarded-Method",
        "X-Original-Host",
        "X-Client-Cert",
        "Proxy",
    ];
    let lines: Vec<String> = names.iter().map(|name| format!("{name}: /t1/Secrets/s")).collect();
    let mut headers = vec![token.as_str()];
    headers.extend(lines.iter().map(String::as_str));
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    assert!(!received.text().contains("Secrets"), "{}", received.text());
}

#[test]
fn hop_by_hop_headers_end_at_the_gateway() {
    let testbed = Testbed::strict(Origin::with_responder(|_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Upstream-Hop\r\nX-Upstream-Hop: no\r\n\
          Keep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\nX-Kept: yes\r\n\r\nok"
            .to_vec()
    }))
    .start();
    let token = testbed.bearer(&["user"]);
    let headers =
        [token.as_str(), "Keep-Alive: timeout=9", "TE: trailers", "Connection: keep-alive, TE", "X-Kept: yes"];
    let answer = ask(testbed.at(), request("GET /t1/things", &headers, b""));
    assert_eq!(answer.status, 200);
    let received = testbed.origin.last();
    for name in ["keep-alive", "te", "proxy-connection", "upgrade"] {
        assert_eq!(received.header(name), None, "{}", received.text());
    }
    assert!(received.header("connection").is_none_or(|value| !value.to_ascii_lowercase().contains("te")));
    assert_eq!(received.header("x-kept").as_deref(), Some("yes"));
    assert_eq!(answer.header("x-kept"), Some("yes"));
    for name in ["keep-alive", "x-upstream-hop", "proxy-authenticate"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
}

#[test]
fn a_header_cannot_be_nominated_away() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for nominated in [
        "X-Api-Version",
        "close, X-Api-Version",
        "Authorization",
        "X-Portcullis-Subject",
        "Host",
        "Content-Length",
        "keep-alive, x-portcullis-tenant",
    ] {
        let line = format!("Connection: {nominated}");
        let answer = ask(testbed.at(), request("GET /t1/things", &[&token, "X-Api-Version: 2", &line], b""));
        assert_eq!(answer.status, 400, "{nominated}");
        assert_eq!(answer.reason(), "bad-request");
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn ordinary_headers_arrive_as_they_were_sent() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let sent = [
        "X-Api-Version: 2",
        "X-Idempotent-ID: 7",
        "Accept: a/b;q=0.1, */*",
        "Cookie: a=b; c=d",
        "X-Twice: 1",
        "X-Twice: 2",
    ];
    let mut headers = vec![token.as_str()];
    headers.extend(sent);
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    assert_eq!(received.header("x-api-version").as_deref(), Some("2"));
    assert_eq!(received.header("accept").as_deref(), Some("a/b;q=0.1, */*"));
    assert_eq!(received.header("cookie").as_deref(), Some("a=b; c=d"));
    assert_eq!(received.all("x-twice"), ["1", "2"]);
}

#[test]
fn the_gateways_refusals_are_distinguishable_from_the_applications() {
    let testbed = Testbed::strict(Origin::with_responder(|_| {
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nContent-Type: text/plain\r\nX-Portcullis-Decision: forged\r\n\r\napp".to_vec()
    }))
    .start();
    let token = testbed.bearer(&["user"]);
    let application = ask(testbed.at(), request("GET /t1/things", &[&token], b""));
    assert_eq!((application.status, application.text().as_str()), (403, "app"));
    assert!(!application.all("x-portcullis-decision").contains(&"forged"), "{application:?}");
    let gateway = ask(testbed.at(), request("DELETE /t1/things/a", &[&token], b""));
    assert_eq!(gateway.status, 403);
    assert_eq!(gateway.header("content-type"), Some("application/problem+json"));
    assert_eq!(gateway.reason(), "not-granted");
}

#[test]
fn one_connection_carries_requests_of_several_callers_apart() {
    let testbed = Testbed::strict(Origin::with_responder(|received| {
        ok(&received.header("x-portcullis-subject").unwrap_or_default())
    }))
    .start();
    let (alice, bob) =
        (testbed.bearer(&["user"]), bearer(&testbed.env.token(json!({ "sub": "bob", "roles": ["user"] }))));
    let mut client = Client::connect(testbed.at());
    for _ in 0..5 {
        for (token, name) in [(&alice, "test/alice"), (&bob, "test/bob")] {
            let answer = client.send(request("GET /t1/things", &[token], b"")).answer();
            assert_eq!((answer.status, answer.text().as_str()), (200, name));
        }
        let nobody = client.send(request("GET /open", &[], b"")).answer();
        assert_eq!((nobody.status, nobody.text().as_str()), (200, ""));
    }
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}
