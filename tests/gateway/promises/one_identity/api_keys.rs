//! API keys through the gateway: in a header and as HTTP Basic, while they are valid, and never in any output.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis::identity::SecretDigest;
use serde_json::{Value, json};

use crate::wire::client::{Answer, Client, ask, bearer, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::{Testbed, TestbedBuilder, until};

/// The secret of most keys here.
const SECRET: &str = "n0b0dy-sha11-ever-read-th1s-1n-any-0utput-43";

/// An entry of a key file.
fn entry(id: &str, secret: &str, more: &str) -> String {
    let digest = SecretDigest::of(secret.as_bytes());
    format!("  {id}:\n    digest: {digest}\n    roles: [user]\n    tenants: [t1]\n{more}")
}

fn file_of(entries: &[String]) -> String {
    format!("version: 1\nkeys:\n{}", entries.concat())
}

/// Four keys: a valid one, one of a service app, an expired one and a revoked one.
fn keys() -> String {
    file_of(&[
        entry("alice", SECRET, "    client: app-1\n"),
        entry("sync.app@x", SECRET, "    kind: service\n"),
        entry("old", SECRET, "    expires: 2020-01-01T00:00:00Z\n"),
        entry("gone", SECRET, "    revoked: true\n"),
    ])
}

fn builder(text: &str) -> TestbedBuilder {
    let source = json!({ "file": "keys.yaml", "header": "X-Api-Key", "basic": true });
    Testbed::strict(Origin::start()).with("/api-keys/machines", source).file("keys.yaml", text)
}

fn header(id: &str, secret: &str) -> String {
    format!("X-Api-Key: {id}:{secret}")
}

fn basic(id: &str, secret: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn get(testbed: &Testbed, headers: &[&str]) -> Answer {
    ask(testbed.at(), request("GET /t1/things", headers, b""))
}

fn record(testbed: &Testbed, answer: &Answer) -> Value {
    testbed.record(answer.header("x-portcullis-decision").expect("a decision"))
}

#[test]
fn a_key_proves_its_caller_in_a_header_and_as_basic_and_goes_no_further() {
    let testbed = builder(&keys()).start();
    let presentations = [
        header("alice", SECRET),
        header("alice", SECRET).replace("X-Api-Key", "x-api-key"),
        basic("alice", SECRET),
        basic("alice", SECRET).replace("Basic", "bAsIc"),
    ];
    for presented in &presentations {
        let answer = get(&testbed, &[presented, "X_Api_Key: alias", "X.Api.Key: alias"]);
        assert_eq!(answer.status, 200, "{presented}: {}", answer.text());
        let received = testbed.origin.last();
        assert_eq!(received.header("x-portcullis-subject").as_deref(), Some("machines/alice"));
        assert_eq!(received.header("authorization"), None);
        for hidden in ["Api", "api", "alias", SECRET, &STANDARD.encode(format!("alice:{SECRET}"))] {
            assert!(!received.text().contains(hidden), "{hidden} in {}", received.text());
        }
        let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
        assert_eq!((&record["proof"], &record["caller"]), (&json!("api-key"), &json!("machines/alice")));
        assert_eq!((&record["client"], &record["caller_kind"]), (&json!("app-1"), &json!("user")));
    }
    assert_eq!(get(&testbed, &[&header("sync.app@x", SECRET)]).status, 200);
    let record = testbed.record(&testbed.origin.last().header("x-portcullis-decision").unwrap());
    assert_eq!((&record["caller"], &record["caller_kind"]), (&json!("machines/sync.app@x"), &json!("service")));
    // Anything that the key does not grant stays refused, and tokens remain valid.
    let refused = ask(testbed.at(), request("GET /t2/things", &[&header("alice", SECRET)], b""));
    assert_eq!((refused.status, refused.reason().as_str()), (403, "not-a-member"));
    let token = testbed.bearer(&["user"]);
    assert_eq!(get(&testbed, &[&token]).status, 200);
    assert!(testbed.origin.last().header("authorization").is_some());
}

#[test]
fn an_invalid_key_is_refused_and_only_the_log_names_the_reason() {
    let colon = entry("colon", "a:b:c", "");
    let testbed = builder(&(keys() + &colon)).start();
    let encoded = |text: &[u8]| format!("Authorization: Basic {}", STANDARD.encode(text));
    let table = [
        (header("alice", "wrong"), "wrong-secret"),
        (basic("alice", "wrong"), "wrong-secret"),
        (header("alice", &format!("{SECRET}x")), "wrong-secret"),
        (header("alice", &format!(":{SECRET}")), "wrong-secret"),
        (header("bob", SECRET), "unknown-api-key"),
        (basic("bob", SECRET), "unknown-api-key"),
        (header("ALICE", SECRET), "unknown-api-key"),
        (header("old", SECRET), "api-key-expired"),
        (basic("gone", SECRET), "api-key-revoked"),
        (header("gone", "wrong"), "wrong-secret"),
        (header("alic\u{e9}", SECRET), "malformed-api-key"),
        (basic("alic\u{e9}", SECRET), "malformed-api-key"),
        (encoded(b"alic\xe9:s"), "malformed-api-key"),
        (encoded(b"alice"), "malformed-api-key"),
        (encoded(b":"), "malformed-api-key"),
        (encoded(format!("alice:{SECRET}\0").as_bytes()), "wrong-secret"),
        (basic("alice", &"x".repeat(2000)), "malformed-api-key"),
        (header("alice", &"x".repeat(2000)), "malformed-api-key"),
        (format!("X-Api-Key: {SECRET}"), "malformed-api-key"),
        ("X-Api-Key:".to_owned(), "malformed-api-key"),
        (format!("X-Api-Key: machines/alice:{SECRET}"), "malformed-api-key"),
        ("Authorization: Basic YWxpY2U".to_owned(), "malformed-api-key"),
        ("Authorization: Basic =".to_owned(), "malformed-authorization"),
        ("Authorization: Basic a!b".to_owned(), "malformed-authorization"),
        ("Authorization: Basic".to_owned(), "malformed-authorization"),
        (format!("Authorization: Bearer {SECRET}"), "malformed-token"),
        (format!("Authorization: ApiKey {SECRET}"), "unknown-scheme"),
    ];
    for (presented, detail) in table {
        for line in ["GET /t1/things", "GET /open", "GET /t1/nothing"] {
            let answer = ask(testbed.at(), request(line, &[&presented], b""));
            assert_eq!((answer.status, answer.reason().as_str()), (401, "unauthenticated"), "{presented}");
            assert!(!answer.text().contains(detail) && answer.header("www-authenticate").is_some());
            assert_eq!(record(&testbed, &answer)["detail"], detail, "{presented}");
        }
    }
    assert_eq!(testbed.origin.count(), 0);
    for presented in [header("colon", "a:b:c"), basic("colon", "a:b:c")] {
        assert_eq!(get(&testbed, &[&presented]).status, 200, "colons behind the first one are the secret's");
    }
}

#[test]
fn a_request_has_one_credential() {
    let testbed = builder(&keys()).start();
    let (key, pair, token) = (header("alice", SECRET), basic("alice", SECRET), testbed.bearer(&["user"]));
    for wrong in
        [[&key, &pair], [&pair, &key], [&key, &token], [&token, &key], [&pair, &token], [&key, &key], [&pair, &pair]]
    {
        let answer = get(&testbed, &[wrong[0], wrong[1]]);
        assert_eq!(answer.status, 401, "{wrong:?}");
        assert_eq!(record(&testbed, &answer)["detail"], "several-credentials", "{wrong:?}");
    }
    for target in [
        "/socket?access_token=a.b.c",
        "/t1/things?access_token=a.b.c",
        "/t1/things?[access_token]=a",
        "/t1/things?access_token[]=a",
    ] {
        let answer = ask(testbed.at(), request(&format!("GET {target}"), &[&key], b""));
        assert_eq!(record(&testbed, &answer)["detail"], "several-credentials", "{target}");
    }
    assert_eq!(get(&testbed, &[&key, "X-Api-Key:"]).status, 401, "an empty one is one too");
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_credential_scheme_that_the_settings_do_not_name_is_refused() {
    let only = |way: Value| {
        let source = json!({ "file": "keys.yaml" });
        let mut builder = Testbed::strict(Origin::start()).with("/api-keys/machines", source).file("keys.yaml", keys());
        for (name, value) in way.as_object().unwrap() {
            let place = if name == "header" { "/api-keys/machines/header" } else { "/api-keys/machines/basic" };
            builder = builder.with(place, value.clone());
        }
        builder
    };
    let testbed = only(json!({ "basic": true })).start();
    assert_eq!(get(&testbed, &[&basic("alice", SECRET)]).status, 200);
    assert_eq!(get(&testbed, &[&header("alice", SECRET)]).status, 401, "a header like any other");
    let testbed = only(json!({ "header": "X-Api-Key" })).start();
    assert_eq!(get(&testbed, &[&header("alice", SECRET)]).status, 200);
    let answer = get(&testbed, &[&basic("alice", SECRET)]);
    assert_eq!(record(&testbed, &answer)["detail"], "unknown-scheme");
    // An API that accepts only keys challenges for keys, not for tokens.
    let testbed = only(json!({ "basic": true })).with("/issuers", json!({})).start();
    assert_eq!(get(&testbed, &[]).all("www-authenticate"), ["Basic realm=\"api\", charset=\"UTF-8\""]);
    assert_eq!(get(&testbed, &[&basic("alice", SECRET)]).status, 200);
    assert_eq!(get(&testbed, &[&bearer("a.b.c")]).status, 401);
}

#[test]
fn a_key_that_is_revoked_in_the_file_is_refused_on_the_same_connection() {
    let testbed = builder(&keys()).start();
    let key = header("alice", SECRET);
    let mut client = Client::connect(testbed.at());
    let mut status = || client.send(request("GET /t1/things", &[&key], b"")).answer().status;
    assert_eq!(status(), 200);
    let revoked = keys().replace("    client: app-1\n", "    client: app-1\n    revoked: true\n");
    // A broken file changes nothing, and the error is reported.
    testbed.env.write("keys.yaml", &revoked.replace("revoked: true", "revoked: perhaps"));
    let issuer_status = || testbed.wait(testbed.gateway.admin("/ready")).json()["issuers"][1].clone();
    until("the broken file is refused", || issuer_status()["state"] == "stale");
    assert!(
        issuer_status()["error"].as_str().is_some_and(|why| why.contains("keys.yaml:8:14: error[bad-value]")),
        "{}",
        issuer_status()
    );
    assert_eq!(status(), 200);
    testbed.env.write("keys.yaml", &revoked);
    until("the key is revoked", || issuer_status()["state"] == "available");
    assert_eq!(status(), 401);
    assert_eq!((&issuer_status()["name"], &issuer_status()["keys"]), (&json!("machines"), &json!(4)));
    let reloads = |result: &str| {
        let name = format!("portcullis_reloads_total{{api=\"\",result=\"{result}\",what=\"keys\"}}");
        testbed.wait(testbed.gateway.metric(&name))
    };
    assert_eq!((reloads("published"), reloads("refused")), (1.0, 1.0));
}

#[test]
fn a_key_that_the_command_makes_works_until_the_command_revokes_it() {
    let testbed = builder("version: 1\nkeys: {}\n").start();
    let file = testbed.env.path("keys.yaml");
    let key = |command: &str, more: &[&str]| {
        let mut portcullis = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        portcullis.args(["key", command, "--id", "lab", "--file"]).arg(&file).args(more);
        let output = portcullis.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let made = key("create", &["--role", "user", "--tenant", "t1", "--expires", "1d"]);
    let (id, secret) = made.split_once(':').unwrap();
    let mut client = Client::connect(testbed.at());
    let mut status = |presented: &str| client.send(request("GET /t1/things", &[presented], b"")).answer().status;
    until("the new key works", || status(&header(id, secret)) == 200);
    assert_eq!(status(&basic(id, secret)), 200);
    key("revoke", &[]);
    until("the key is refused", || status(&header(id, secret)) == 401);
    assert!(!testbed.has_written(secret));
}

#[test]
fn guesses_are_counted_and_expired_keys_are_not() {
    let testbed = builder(&keys()).with("/limits/failed-credentials", json!(5)).start();
    let status = |presented: &str| get(&testbed, &[presented]).status;
    // The count restarts each minute: the test must not run across a minute's end.
    let second = crate::support::now() % 60;
    if second > 50 {
        std::thread::sleep(std::time::Duration::from_secs(61 - second));
    }
    for _ in 0..10 {
        assert_eq!(status(&header("old", SECRET)), 401);
        assert_eq!(status(&header("gone", SECRET)), 401);
        assert_eq!(status("X-Api-Key: malformed"), 401);
    }
    for guess in
        [header("alice", "a"), header("bob", "b"), basic("alice", "c"), basic("bob", "d"), header("alice", "e")]
    {
        assert_eq!(status(&guess), 401);
    }
    assert_eq!(status(&header("alice", "f")), 429);
    let answer = get(&testbed, &[&basic("alice", SECRET)]);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("60")),
        "or a guess would be told by its luck"
    );
    assert_eq!(get(&testbed, &[]).status, 401, "who presents nothing is not counted");
}

#[test]
fn no_output_of_the_gateway_contains_a_secret() {
    let testbed = builder(&keys()).with("/log/level", json!("trace")).start();
    let encoded = STANDARD.encode(format!("alice:{SECRET}"));
    let both = STANDARD.encode(format!("bob:{SECRET}"));
    let mut said = String::new();
    for headers in [
        vec![header("alice", SECRET)],
        vec![basic("alice", SECRET)],
        vec![basic("bob", SECRET)],
        vec![header("old", SECRET)],
        vec![format!("X-Api-Key: {SECRET}")],
        vec![header("alice", SECRET), basic("alice", SECRET)],
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = get(&testbed, &headers);
        said += &format!("{answer:?}{}", answer.text());
    }
    // A user pastes a secret into the file.
    testbed.env.write("keys.yaml", &keys().replace("    client: app-1\n", &format!("    secret: {SECRET}\n")));
    until("the file is refused", || {
        let ready = testbed.wait(testbed.gateway.admin("/ready")).text();
        ready.contains("\"stale\"")
    });
    for path in ["/metrics", "/ready", "/policy"] {
        said += &testbed.wait(testbed.gateway.admin(path)).text();
    }
    until("the records are written", || testbed.env.audit_records().len() >= 6);
    let digest = SecretDigest::of(SECRET.as_bytes()).to_string();
    for hidden in [SECRET, &encoded, &both, &digest] {
        assert!(!testbed.has_written(hidden) && !said.contains(hidden), "{hidden}");
    }
}

#[test]
fn guesses_do_not_reveal_which_ids_exist() {
    let digest = SecretDigest::of(b"secret");
    let keys = format!(
        "version: 1\nkeys:\n  alice: {{ digest: \"{digest}\", roles: [user], tenants: [t1] }}\n  \
         carol: {{ digest: \"{digest}\", roles: [user], tenants: [t1], revoked: true }}\n"
    );
    let source = json!({ "file": "keys.yaml", "header": "X-Api-Key", "basic": true });
    let builder = Testbed::strict(Origin::start()).with("/api-keys/machines", source).file("keys.yaml", keys);
    let testbed = builder.with("/limits", json!({ "failed-credentials": 0 })).start();
    let refused = |line: String| {
        let answer = ask(testbed.at(), request("GET /t1/things", &[&line], b""));
        let id = answer.header("x-portcullis-decision").unwrap().to_owned();
        let headers: Vec<_> = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
        let text = format!("{} {headers:?} {}", answer.status, answer.text()).replace(&id, "ID");
        (text, testbed.record(&id)["detail"].as_str().unwrap().to_owned())
    };
    let basic = |pair: &str| format!("Authorization: Basic {}", STANDARD.encode(pair));
    let guesses = [
        (refused("X-Api-Key: alice:guess".to_owned()), "wrong-secret"),
        (refused("X-Api-Key: nobody:guess".to_owned()), "unknown-api-key"),
        (refused("X-Api-Key: nobody:secret".to_owned()), "unknown-api-key"),
        (refused("X-Api-Key: carol:guess".to_owned()), "wrong-secret"),
        (refused(basic("alice:guess")), "wrong-secret"),
        (refused(basic("nobody:guess")), "unknown-api-key"),
    ];
    let first = guesses[0].0.0.clone();
    assert!(first.starts_with("401 "), "{first}");
    for ((text, detail), expected) in guesses {
        assert_eq!((text, detail.as_str()), (first.clone(), expected));
    }
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &["X-Api-Key: alice:secret"], b"")).status, 200);
}
