//! The audit: decisions are on disk before any party observes them, in a chain that reveals later changes.

mod disk;
mod audit_checking_upstream;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Gateway, PATIENCE, Settings, TestEnvironment, within};
use audit_checking_upstream::AuditCheckingUpstream;

/// Routes with each audit mode, and routes for each way to be refused.
const POLICY: &str = "version: 1
name: notes
scopes: { tenant: caller }
cors: { origins: ['https://app.example'] }
routes:
  /{tenant}/notes: { GET: read Notes, POST: create Notes }
  /{tenant}/fast: { GET: { need: read Notes, audit: fast } }
  /{tenant}/kept:
    GET: { need: read Notes, audit: lossless }
    POST: { need: read Notes, audit: fast }
    PUT: { need: read Notes, audit: lossless }
  /{tenant}/images: { GET: { by-type: { image/*: read Notes, otherwise: delete Notes } } }
resources: [Notes]
permissions:
  Notes: { Notes: R }
  All notes: { Notes: CRUD }
";

async fn set() -> (TestEnvironment, AuditCheckingUpstream) {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", POLICY);
    let upstream = AuditCheckingUpstream::start(&env.path("audit.jsonl")).await;
    (env, upstream)
}

fn settings(env: &TestEnvironment, upstream: &AuditCheckingUpstream, mode: &str) -> Settings {
    env.settings("policy.yaml")
        .with("/apis/noah/upstream/url", json!(format!("http://{}", upstream.address())))
        .with("/apis/noah/audit", json!(mode))
}

fn reader(env: &TestEnvironment) -> String {
    env.token(json!({ "permissions": ["Notes"] }))
}

/// The record types and verdicts that are on disk for a decision at this moment.
fn read_records(env: &TestEnvironment, id: &str) -> Vec<(String, String)> {
    let records = env.audit_records().into_iter().filter(|record| record["id"] == id);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    records.map(|record| (text(&record["record"]), text(&record["verdict"]))).collect()
}

fn verify(arguments: &[&str], path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["audit", "verify", "--format", "json"]).args(arguments).arg(path).output().unwrap()
}

/// The report of `audit verify` on a folder, which must be intact.
pub(super) fn verify_intact(folder: &Path) -> Value {
    let output = verify(&[], folder);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    report
}

/// The settings with the audit in a folder of its own, so that the folder can be verified.
fn with_audit_folder(env: &TestEnvironment, settings: Settings) -> (Settings, std::path::PathBuf) {
    let folder = env.path("audit");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("audit.jsonl");
    (settings.with("/audit/to", json!(file)), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lossless_decision_is_on_disk_before_the_upstream_or_the_client_sees_it() {
    let (env, upstream) = set().await;
    let gateway = env.serve(&settings(&env, &upstream, "lossless")).await;
    let mut client = Client::connect(gateway.address()).await;
    let token = reader(&env);
    for _ in 0..20 {
        let answer = client.get("/t1/notes", &token).await;
        assert_eq!(answer.status, 200);
        assert!(!read_records(&env, answer.header("x-seen-decision").unwrap()).is_empty());
    }
    assert_eq!(upstream.requests().len(), 20);
    assert!(upstream.requests().iter().all(|(_, on_disk)| *on_disk), "{:?}", upstream.requests());
    for (method, path, token, status) in [
        ("POST", "/t1/notes", token.as_str(), 403),
        ("GET", "/t2/notes", &token, 403),
        ("GET", "/t1/notes", "", 401),
        ("GET", "/t1/notes", "nonsense", 401),
        ("GET", "/nowhere", &token, 404),
        ("DELETE", "/t1/notes", &token, 405),
        ("GET", "/t1//notes", &token, 400),
    ] {
        let answer = client.send(method, path, token, &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        let found = read_records(&env, answer.decision().unwrap());
        assert_eq!(found.first(), Some(&("decision".to_owned(), "refuse".to_owned())), "{method} {path}");
        client = Client::connect(gateway.address()).await;
    }
    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    assert_eq!(client.send("OPTIONS", "/t1/notes", "", &preflight, "").await.status, 204);
    let is_preflight_decision = |record: &Value| record["record"] == "decision" && record["verdict"] == "preflight";
    assert!(env.audit_records().iter().any(is_preflight_decision), "the preflight's answer too");
    let outcomes = async || {
        let records = env.audit_records();
        (records.iter().filter(|record| record["record"] == "outcome").count() == 28).then_some(())
    };
    within(PATIENCE, "each decision has an outcome", outcomes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_says_how_its_decisions_are_kept_and_else_the_api_does() {
    for (mode, plain) in [("fast", &["exchange"][..]), ("lossless", &["decision", "outcome"][..])] {
        let (env, upstream) = set().await;
        let settings = settings(&env, &upstream, mode).with("/apis/noah/method-overrides", json!("evaluate"));
        let gateway = env.serve(&settings).await;
        let token = reader(&env);
        let (kept, fast) = (&["decision", "outcome"][..], &["exchange"][..]);
        let put = [("x-http-method-override", "PUT")];
        for (method, path, headers, expected) in [
            ("GET", "/t1/notes", &[][..], plain),
            ("GET", "/t1/fast", &[], fast),
            ("HEAD", "/t1/kept", &[], kept),
            ("GET", "/t1/kept", &[], kept),
            ("POST", "/t1/kept", &[], fast),
            // An additional operation is recorded in the mode of its own route.
            ("POST", "/t1/kept", &put, kept),
            ("DELETE", "/t1/kept", &[], plain),
            ("GET", "/nowhere", &[], plain),
        ] {
            let mut client = Client::connect(gateway.address()).await;
            let answer = client.send(method, path, &token, headers, "").await;
            let id = answer.header("x-seen-decision").or(answer.decision()).unwrap().to_owned();
            within(PATIENCE, "its records", async || (read_records(&env, &id).len() == expected.len()).then_some(()))
                .await;
            let found = read_records(&env, &id);
            assert_eq!(found.iter().map(|(sort, _)| sort.as_str()).collect::<Vec<_>>(), expected, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_changes_a_decision_is_recorded_in_a_second_one_before_the_client_sees_it() {
    let (env, upstream) = set().await;
    let gateway = env.serve(&settings(&env, &upstream, "lossless")).await;
    let answer = Client::connect(gateway.address()).await.get("/t1/images", &reader(&env)).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("wrong-type")));
    let id = answer.decision().unwrap();
    let is_preflight_decision: Vec<_> =
        read_records(&env, id).into_iter().filter(|(sort, _)| sort == "decision").collect();
    assert_eq!(
        is_preflight_decision.iter().map(|(_, verdict)| verdict.as_str()).collect::<Vec<_>>(),
        ["permit", "refuse"]
    );
    within(PATIENCE, "the outcome", async || {
        read_records(&env, id).contains(&("outcome".into(), "refuse".into())).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_decision_that_an_upstream_or_a_client_has_seen_and_the_chain_continues() {
    let (env, upstream) = set().await;
    let (settings, folder) = with_audit_folder(&env, settings(&env, &upstream, "lossless"));
    let token = reader(&env);
    let mut known: Vec<String> = Vec::new();
    for round in 0..3 {
        let mut gateway = env.serve(&settings).await;
        let address = gateway.address();
        let clients: Vec<_> = (0..8)
            .map(|at| {
                let token = token.clone();
                tokio::spawn(async move {
                    let mut ids = Vec::new();
                    let mut client = Client::connect(address).await;
                    let path = if at % 2 == 0 { "/t1/notes" } else { "/t2/notes" };
                    while let Ok(answer) = client.try_send("GET", path, &token, &[], "").await {
                        let id = answer.header("x-seen-decision").or(answer.decision());
                        ids.push(id.expect("an id").to_owned());
                    }
                    ids
                })
            })
            .collect();
        let enough = (round + 1) * 40;
        within(PATIENCE, "load", async || (upstream.requests().len() >= enough).then_some(())).await;
        gateway.signal("KILL");
        gateway.wait_for_exit(PATIENCE).await;
        for client in clients {
            known.extend(client.await.unwrap());
        }
        known.extend(upstream.requests().into_iter().map(|(id, _)| id));
        known.sort();
        known.dedup();
        let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
        let decided: std::collections::BTreeSet<&str> = text
            .lines()
            .filter(|line| line.starts_with("{\"record\":\"decision\""))
            .filter_map(|line| line.split("\"id\":\"").nth(1)?.get(..32))
            .collect();
        let lost: Vec<&String> = known.iter().filter(|id| !decided.contains(id.as_str())).collect();
        assert_eq!(lost, [""; 0], "of {} that were seen", known.len());
        verify_intact(&folder);
    }
    assert!(known.len() >= 120, "{}", known.len());
    let report = verify_intact(&folder);
    assert_eq!((&report["first_segment"], &report["last_segment"]), (&json!(1), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_finished_under_load_lose_nothing_and_verify() {
    let (env, upstream) = set().await;
    let (settings, folder) = with_audit_folder(&env, settings(&env, &upstream, "lossless"));
    let settings = settings.with("/audit/rotate", json!({ "size": "64KiB" }));
    let mut gateway = env.serve(&settings).await;
    let token = reader(&env);
    let clients: Vec<_> = (0..6)
        .map(|at| {
            let (token, address) = (token.clone(), gateway.address());
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let path = if at % 2 == 0 { "/t1/notes" } else { "/t1/fast" };
                for _ in 0..80 {
                    assert_eq!(client.get(path, &token).await.status, 200);
                }
            })
        })
        .collect();
    for _ in 0..5 {
        // Renames the live file in between, as logrotate does.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let aside = folder.join(format!("audit.jsonl.{}", std::fs::read_dir(&folder).unwrap().count()));
        std::fs::rename(folder.join("audit.jsonl"), aside).ok();
        gateway.signal("HUP");
        // A folder that changes during verification is verified as of one moment.
        verify_intact(&folder);
    }
    for client in clients {
        client.await.unwrap();
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
    let report = verify_intact(&folder);
    assert!(report["files"].as_array().unwrap().len() > 5, "{report:#}");
    std::fs::write(folder.join("audit-000000.jsonl.gz"), "packed").unwrap();
    assert_eq!(verify_intact(&folder)["skipped"].as_array().unwrap().len(), 1);
    let expected = json!([240, 240, 240, 0, 0]);
    let fields = ["decisions", "outcomes", "exchanges", "without_outcome", "lost"];
    assert_eq!(Value::from(fields.map(|field| report[field].clone()).to_vec()), expected, "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_file_is_found_by_the_command_with_its_line() {
    let (env, upstream) = set().await;
    let (settings, folder) = with_audit_folder(&env, settings(&env, &upstream, "lossless"));
    let mut gateway = env.serve(&settings).await;
    let mut client = Client::connect(gateway.address()).await;
    for _ in 0..10 {
        client.get("/t1/notes", &reader(&env)).await;
    }
    gateway.signal("TERM");
    gateway.wait_for_exit(PATIENCE).await;
    let path = folder.join("audit.jsonl");
    let kept = verify_intact(&folder)["chain"].as_str().unwrap().to_owned();
    assert_eq!(verify(&["--expect", &kept], &folder).status.code(), Some(0));
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();

    std::fs::write(
        &path,
        text.replacen("hospital/", "", 1).replacen("\"caller\":\"test/someone\"", "\"caller\":null", 1),
    )
    .unwrap();
    let output = verify(&[], &folder);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["faults"][0]["fault"], "altered");
    assert_eq!(report["faults"][0]["place"], format!("{}:2", path.display()));

    // The end record and the last outcome.
    std::fs::write(&path, lines[..lines.len() - 2].join("\n") + "\n").unwrap();
    assert_eq!(
        verify_intact(&folder)["ended"],
        false,
        "a chain alone does not know whether it was cut off or its process killed"
    );
    let output = verify(&["--expect", &kept, "--list"], &folder);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["faults"][0]["fault"]), (Some(1), &json!("cut-off")));
    assert_eq!(report["open"].as_array().unwrap().len(), 1);
    assert_eq!(verify(&["--expect", "abc"], &folder).status.code(), Some(2));
    assert_eq!(verify(&[], &folder.join("nowhere")).status.code(), Some(1));
}

/// Asserts how a gateway reports that it cannot write its audit.
async fn assert_reports_failure(gateway: &Gateway, refuses: bool) {
    let ready = gateway.admin("/ready").await;
    assert_eq!(ready.status, if refuses { 503 } else { 200 }, "{}", ready.text());
    assert_eq!(
        (&ready.json()["audit"]["state"], &ready.json()["audit"]["refuses"]),
        (&json!("failing"), &json!(refuses))
    );
    assert_eq!(gateway.metric("portcullis_audit_writing").await, 0.0);
    assert!(gateway.metric("portcullis_audit_failed_total").await > 0.0);
}
