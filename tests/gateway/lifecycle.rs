//! The lifecycle of the process: start, drain, several APIs, and the records written on the way.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use portcullis::demo::Upstream;
use serde_json::{Value, json};

use crate::support::{Backend, Client, Gateway, PATIENCE, RawConnection, TestEnvironment, now, within};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

/// A policy `name` whose only row grants `letters` on notes.
fn policy(name: &str, letters: &str) -> String {
    format!(
        "version: 1
name: {name}
scopes: {{ tenant: caller }}
service-apps: all
routes:
  /{{tenant}}/notes: {{ GET: read Notes, POST: create Notes }}
  /{{tenant}}/hub: {{ GET: {{ need: read Notes, token-from: access_token }} }}
resources: [Notes]
permissions:
  Notes: {{ Notes: {letters} }}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_bind_ends_with_a_message_that_names_the_address() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", &policy("notes", "R"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for place in ["/listeners/0/address", "/admin/address"] {
        let settings = env.settings("policy.yaml").with(place, json!(address));
        let mut gateway = Gateway::spawn(&env.write("gateway.yaml", &settings.text()));
        let status = gateway.wait_for_exit(PATIENCE).await;
        assert_eq!(status.code(), Some(1), "{place}: {:#?}", gateway.lines());
        assert!(gateway.lines().iter().any(|line| line.contains(&address)), "{place}: {:#?}", gateway.lines());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_load_end_with_their_place() {
    let env = TestEnvironment::set().await;
    let settings = env.settings("policy.yaml").with("/listenerz", json!([]));
    let mut gateway = Gateway::spawn(&env.write("gateway.yaml", &settings.text()));
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(1));
    let lines = gateway.lines().join("\n");
    assert!(lines.contains("listenerz") && lines.contains("gateway.yaml:"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_in_flight_and_exits_0() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", &policy("notes", "R"));
    let slow = Backend::start(Duration::from_secs(2), OK).await;
    let settings = env.settings("policy.yaml").with("/apis/noah/upstream/url", json!(url(&slow)));
    let mut gateway = env.serve(&settings).await;
    let address = gateway.address();
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(address).await;
    let pending = tokio::spawn(async move { client.get("/t1/notes", &token).await });
    within(PATIENCE, "the request arrives", async || (slow.requests().len() == 1).then_some(())).await;

    gateway.signal("TERM");
    within(Duration::from_millis(900), "/ready says no", async || {
        let ready = gateway.admin("/ready").await;
        (ready.status == 503 && ready.json()["draining"] == true).then_some(())
    })
    .await;
    assert!(!pending.is_finished(), "the answer came before the gateway was seen draining");
    within(Duration::from_millis(900), "no new connection is taken", async || {
        tokio::net::TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;

    let answer = pending.await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
    assert_eq!(gateway.wait_for_exit(Duration::from_secs(5)).await.code(), Some(0));
    let records = env.audit_records();
    assert_eq!(records.len(), 1);
    assert_eq!((&records[0]["verdict"], &records[0]["status"]), (&json!("permit"), &json!(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_while_idle_exits_0_at_once_and_closes_the_connections_of_idle_clients() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", &policy("notes", "R"));
    let mut gateway = env.serve(&env.settings("policy.yaml")).await;
    let mut wire = RawConnection::connect(gateway.address()).await;
    wire.send("GET /t1/notes HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().status, 401);
    gateway.signal("TERM");
    assert_eq!(wire.rest().await, b"");
    assert_eq!(gateway.wait_for_exit(Duration::from_secs(5)).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drain_deadline_cuts_what_does_not_end_and_its_decision_is_still_audited() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", &policy("notes", "R"));
    let stuck = Backend::start(Duration::from_secs(60), OK).await;
    let settings = env.settings("policy.yaml").with("/apis/noah/upstream/url", json!(url(&stuck)));
    let mut gateway = env.serve(&settings.with("/limits/drain", json!("1s"))).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;
    let pending = tokio::spawn(async move { client.try_send("GET", "/t1/notes", &token, &[], "").await.is_err() });
    within(PATIENCE, "the request arrives", async || (stuck.requests().len() == 1).then_some(())).await;

    let begun = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(Duration::from_secs(6)).await.code(), Some(0));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(pending.await.unwrap(), "the connection ends without an answer");
    let records = env.audit_records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!((&records[0]["verdict"], &records[0]["path"]), (&json!("permit"), &json!("/t1/notes")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_does_not_wait_for_what_is_in_flight() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", &policy("notes", "R"));
    let stuck = Backend::start(Duration::from_secs(60), OK).await;
    let settings = env.settings("policy.yaml").with("/apis/noah/upstream/url", json!(url(&stuck)));
    let mut gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;
    let pending = tokio::spawn(async move { client.try_send("GET", "/t1/notes", &token, &[], "").await.is_err() });
    within(PATIENCE, "the request arrives", async || (stuck.requests().len() == 1).then_some(())).await;

    gateway.signal("TERM");
    within(PATIENCE, "it drains", async || (!gateway.log_lines("draining").is_empty()).then_some(())).await;
    assert!(gateway.exit_status().is_none());
    gateway.signal("TERM");
    gateway.wait_for_exit(Duration::from_secs(5)).await;
    assert!(pending.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_everything_is_refused_until_there_is_one() {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", "version: 1\nroutes: nonsense\n");
    let gateway = env.launch(&env.settings("policy.yaml")).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;

    // The keys arrive after a moment; after that only the policy is not ready.
    let ready = within(PATIENCE, "the issuer's keys are there", async || {
        Some(gateway.admin("/ready").await).filter(|ready| ready.json()["issuers"][0]["state"] == "available")
    })
    .await;
    assert_eq!(ready.status, 503);
    let api = &ready.json()["apis"][0];
    assert_eq!(api["policy"], Value::Null);
    assert_eq!(api["refused"]["findings"][0]["line"], 2, "{api}");
    for (method, path) in [("GET", "/t1/notes"), ("GET", "/"), ("OPTIONS", "/t1/notes"), ("POST", "/nowhere/at/all")] {
        let answer = client.send(method, path, &token, &[], "").await;
        assert_eq!((answer.status, answer.reason().as_deref()), (503, Some("no-policy")), "{method} {path}");
    }
    assert_ne!(client.get("/t1/notes", "").await.status, 200);
    assert_eq!(env.upstream.journal().total(), 0);

    env.write("policy.yaml", &policy("notes", "R"));
    gateway.wait_until_ready().await;
    assert_eq!(client.get("/t1/notes", &token).await.reason(), None);
    assert_eq!(env.upstream.journal().total(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn apis_by_path_and_by_host_have_their_own_policies_and_upstreams() {
    let env = TestEnvironment::set().await;
    let others = [upstream().await, upstream().await];
    env.write("all.yaml", &policy("all", "R"));
    env.write("path.yaml", &policy("path", "C"));
    env.write("host.yaml", &policy("host", "CR"));
    let settings = env
        .settings("all.yaml")
        .with("/apis/noah/match", json!({ "path": "/", "hosts": ["127.0.0.1"] }))
        .api("path", "path.yaml", others[0].address())
        .with("/apis/path/match", json!({ "path": "/t2" }))
        .api("host", "host.yaml", others[1].address())
        .with("/apis/host/match", json!({ "path": "/", "hosts": ["notes.example"] }));
    let gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"], "tenants": ["t1", "t2"] }));

    let cases = [
        ("127.0.0.1", "/t1/notes", "noah", "all", [None, Some("not-granted")]),
        // The longer path takes precedence, whatever the host.
        ("127.0.0.1", "/t2/notes", "path", "path", [Some("not-granted"), None]),
        ("notes.example", "/t2/notes", "path", "path", [Some("not-granted"), None]),
        ("notes.example", "/t1/notes", "host", "host", [None, None]),
        ("NOTES.example:80", "/t1/notes", "host", "host", [None, None]),
    ];
    let journals = [("noah", env.upstream.journal()), ("path", others[0].journal()), ("host", others[1].journal())];
    let count = || journals.map(|(_, journal)| journal.total());
    for (host, path, api, name, expected) in cases {
        let mut client = Client::connect(gateway.address()).await.host(host);
        for (method, expected) in ["GET", "POST"].into_iter().zip(expected) {
            let mut reached = count();
            let answer = client.send(method, path, &token, &[], "").await;
            assert_eq!(answer.reason().as_deref(), expected, "{method} {host} {path}");
            let position = journals.iter().position(|(known, _)| *known == api).unwrap();
            reached[position] += u64::from(expected.is_none());
            assert_eq!(count(), reached, "{method} {host} {path}");
            let id = answer.decision().or_else(|| answer.header("x-seen-decision")).unwrap().to_owned();
            let record = env.audit_record(&id).await;
            assert_eq!((&record["api"], &record["policy"]), (&json!(api), &json!(name)), "{record}");
        }
    }
    let live = gateway.admin("/policy").await.json();
    let names = live["apis"].as_array().unwrap().iter().map(|api| (api["name"].clone(), api["policy"]["name"].clone()));
    let expected = [("noah", "all"), ("path", "path"), ("host", "host")];
    let mut names: Vec<_> = names.collect();
    names.sort_by_key(|(name, _)| expected.iter().position(|(known, _)| *name == *known));
    assert_eq!(names, expected.map(|(api, policy)| (json!(api), json!(policy))));
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_counted_and_those_of_service_apps_apart() {
    let (env, gateway) = notes().await;
    let user = env.token(json!({ "permissions": ["Notes"] }));
    let service = env.token(json!({ "sub": null, "client_id": "noah-sync" }));
    let mut client = Client::connect(gateway.address()).await;
    for (method, path, token, times) in [
        ("GET", "/t1/notes", &user, 3),
        ("POST", "/t1/notes", &user, 2),
        ("POST", "/t1/notes", &service, 4),
        ("GET", "/t2/notes", &service, 1),
        ("GET", "/nowhere", &user, 5),
        ("GET", "/t1/notes", &String::new(), 6),
    ] {
        for _ in 0..times {
            client.send(method, path, token, &[], "").await;
        }
    }
    let decision = |operation: &str, reason: &str, resource: &str, verdict: &str| {
        format!(
            "portcullis_decisions_total{{api=\"noah\",operation=\"{operation}\",reason=\"{reason}\",\
             resource=\"{resource}\",verdict=\"{verdict}\"}}"
        )
    };
    for (name, count) in [
        (decision("read", "granted", "Notes", "permit"), 3.0),
        (decision("create", "not-granted", "Notes", "refuse"), 2.0),
        (decision("create", "service-app", "Notes", "permit"), 4.0),
        (decision("read", "not-a-member", "Notes", "refuse"), 1.0),
        (decision("", "no-route", "", "refuse"), 5.0),
        (decision("", "unauthenticated", "", "refuse"), 6.0),
        ("portcullis_service_decisions_total{api=\"noah\",verdict=\"permit\"}".to_owned(), 4.0),
        ("portcullis_service_decisions_total{api=\"noah\",verdict=\"refuse\"}".to_owned(), 1.0),
        ("portcullis_decision_seconds_count".to_owned(), 21.0),
        ("portcullis_upstream_seconds_count{api=\"noah\"}".to_owned(), 7.0),
        ("portcullis_token_cache_total{result=\"miss\"}".to_owned(), 2.0),
        ("portcullis_token_cache_total{result=\"hit\"}".to_owned(), 13.0),
        ("portcullis_keys_available{issuer=\"test\"}".to_owned(), 1.0),
        ("portcullis_connections".to_owned(), 1.0),
        ("portcullis_in_flight".to_owned(), 0.0),
    ] {
        // A request updates the metrics only after its response has been sent.
        let mut last = f64::NAN;
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end && last != count {
            last = gateway.metric(&name).await;
        }
        assert_eq!(last, count, "{name} in\n{}", gateway.admin("/metrics").await.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_record_has_every_field() {
    let (env, gateway) = notes().await;
    let begun = now();
    let mut client = Client::connect(gateway.address()).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let hash = gateway.admin("/policy").await.json()["apis"][0]["policy"]["hash"].clone();

    let permitted = client.get("/t1/notes?search=hunter2", &token).await;
    let permit = env.audit_record(permitted.header("x-seen-decision").unwrap()).await;
    let refused = client.send("POST", "/t1/notes", &token, &[], "12345").await;
    let refusal = env.audit_record(refused.decision().unwrap()).await;
    let unknown = client.get("/t1/notes", "").await;
    let nobody = env.audit_record(unknown.decision().unwrap()).await;

    let fields = [
        "record",
        "time",
        "id",
        "policy",
        "policy_hash",
        "api",
        "peer",
        "client_address",
        "caller",
        "caller_kind",
        "client",
        "proof",
        "method",
        "route",
        "path",
        "resource",
        "operation",
        "scope",
        "verdict",
        "reason",
        "detail",
        "granted_by",
        "status",
        "upstream_status",
        "bytes_in",
        "bytes_out",
        "duration_us",
        "decision_us",
        "upstream_us",
        "failure",
        "seq",
        "chain",
    ];
    for record in [&permit, &refusal, &nobody] {
        assert_eq!(record.as_object().unwrap().keys().collect::<Vec<_>>(), fields, "{record}");
    }
    let expect = |record: &Value, expected: Value| {
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(record[name], *value, "`{name}` in {record}");
        }
    };
    expect(
        &permit,
        json!({
            "policy": "notes", "policy_hash": hash, "api": "noah", "client_address": "127.0.0.1",
            "caller": "test/someone", "caller_kind": "user", "client": "app-1", "method": "GET",
            "route": "/{tenant}/notes", "path": "/t1/notes", "resource": "Notes", "operation": "read",
            "scope": { "tenant": "t1" }, "verdict": "permit", "reason": "granted", "detail": null,
            "granted_by": "Notes", "status": permitted.status, "upstream_status": permitted.status, "bytes_in": 0,
            "bytes_out": permitted.body.len(), "failure": null,
        }),
    );
    assert!(permit["upstream_us"].as_u64().unwrap() > 0, "{permit}");
    assert!(permit["duration_us"].as_u64().unwrap() >= permit["decision_us"].as_u64().unwrap(), "{permit}");
    assert!(permit["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{permit}");
    assert!(permit["time"].as_str().unwrap().starts_with("20") && begun > 0, "{permit}");
    expect(
        &refusal,
        json!({
            "caller": "test/someone", "method": "POST", "path": "/t1/notes", "resource": "Notes",
            "operation": "create", "verdict": "refuse", "reason": "not-granted", "granted_by": null, "status": 403,
            "upstream_status": null, "upstream_us": null,
        }),
    );
    expect(
        &nobody,
        json!({ "caller": null, "verdict": "refuse", "reason": "unauthenticated", "detail": "no-credential", "status": 401 }),
    );
    let mode = std::fs::metadata(env.path("audit.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "paths name patients: only the owner may read {mode:o}");
}

async fn notes() -> (TestEnvironment, Gateway) {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", &policy("notes", "R"));
    let gateway = env.serve(&env.settings("policy.yaml")).await;
    (env, gateway)
}

async fn upstream() -> Upstream {
    Upstream::start("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

fn url(backend: &Backend) -> String {
    format!("http://{}", backend.address())
}
