//! The audit chain of processes that take over from one another with one settings file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::audit::verify_intact;
use super::*;

/// Asserts that each decision which an upstream has received is in the audit once, with its outcome, and no other one
/// is.
pub(super) fn assert_complete(env: &TestEnvironment, backends: [&Backend; 2]) {
    let report = verify_intact(env.folder.path());
    assert_eq!((&report["not_ended"], &report["ended"]), (&json!([]), &json!(true)), "{report:#}");
    assert_eq!((&report["without_outcome"], &report["without_decision"]), (&json!(0), &json!(0)), "{report:#}");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in records(env) {
        if let Some(id) = record["id"].as_str() {
            found.entry(id.to_owned()).or_default().push(record["record"].as_str().unwrap().to_owned());
        }
    }
    let received: Vec<Vec<u8>> = backends.iter().flat_map(|backend| backend.requests()).collect();
    assert_eq!(found.len(), received.len());
    for head in received {
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let id = head.lines().find_map(|line| line.strip_prefix("x-portcullis-decision: ")).unwrap();
        let records = found.get(id).unwrap_or_else(|| panic!("{id} is in no file"));
        assert!(records == &["exchange"] || records == &["decision", "outcome"], "{id}: {records:?}");
    }
}

/// The lines of all audit files.
fn records(env: &TestEnvironment) -> Vec<Value> {
    let names = std::fs::read_dir(env.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    // The live file comes last.
    files.sort_by_key(|path| (path.ends_with("audit.jsonl"), path.clone()));
    let texts: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A running gateway with an open WebSocket.
async fn with_open_websocket(env: &TestEnvironment, settings: &Settings) -> (Gateway, RawConnection) {
    let echo = echo_upstream().await;
    let settings = settings.clone().with("/apis/noah/upstream/url", json!(format!("http://{echo}")));
    let gateway = env.serve(&settings).await;
    let socket = open(env, &gateway).await;
    (gateway, socket)
}

async fn open(env: &TestEnvironment, gateway: &Gateway) -> RawConnection {
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut socket = RawConnection::connect(gateway.address()).await;
    websocket(&mut socket, &token).await;
    socket
}

async fn take_over(env: &TestEnvironment, old: &Gateway) -> Gateway {
    let next = upgrade(&env.path("gateway.yaml"));
    old.signal("QUIT");
    next.wait_until_listening().await;
    within(PATIENCE, "the old one drains", async || (!old.log_lines("draining").is_empty()).then_some(())).await;
    next
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_write_three_files_of_one_chain_at_once() {
    let (env, settings) = environment().await;
    let (mut first, one) = with_open_websocket(&env, &settings).await;
    let mut second = take_over(&env, &first).await;
    let two = open(&env, &second).await;
    let mut third = take_over(&env, &second).await;
    let three = open(&env, &third).await;
    let report = verify_intact(env.folder.path());
    assert_eq!((&report["first_segment"], &report["last_segment"]), (&json!(1), &json!(3)), "{report:#}");
    assert_eq!(report["not_ended"].as_array().unwrap().len(), 2, "both drain: {report:#}");
    drop((one, two, three));
    third.signal("TERM");
    for gateway in [&mut first, &mut second, &mut third] {
        assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
    }
    let report = verify_intact(env.folder.path());
    assert_eq!((&report["not_ended"], &report["ended"]), (&json!([]), &json!(true)), "{report:#}");
    let whole = report["exchanges"].as_u64().unwrap() + report["outcomes"].as_u64().unwrap();
    assert_eq!((whole, &report["without_outcome"]), (3, &json!(0)), "each told of its WebSocket's end: {report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_process_that_is_killed_while_it_drains_is_reported() {
    let (env, settings) = environment().await;
    let (mut old, socket) = with_open_websocket(&env, &settings).await;
    let mut next = take_over(&env, &old).await;
    old.signal("KILL");
    old.wait_for_exit(PATIENCE).await;
    drop(socket);
    next.signal("TERM");
    assert_eq!(next.wait_for_exit(PATIENCE).await.code(), Some(0));
    let report = verify_intact(env.folder.path());
    assert_eq!(report["not_ended"][0]["segment"], 1, "{report:#}");
    assert_eq!((report["not_ended"].as_array().unwrap().len(), &report["ended"]), (1, &json!(true)), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_process_that_fails_gives_the_audit_back() {
    let (env, settings) = environment().await;
    let mut old = env.serve(&settings).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy =
        json!([{ "address": "127.0.0.1:0", "name": "plain" }, { "address": taken.local_addr().unwrap().to_string() }]);
    let path = env.write("next.yaml", &settings.with("/listeners", busy).text());
    let mut next = upgrade(&path);
    old.signal("QUIT");
    assert_eq!(next.wait_for_exit(Duration::from_secs(40)).await.code(), Some(1));
    // The new process got as far as the live file; the old process appends after the records written there.
    within(PATIENCE, "the old one has the live file", async || {
        records(&env).iter().any(|record| record["why"] == "reopened").then_some(())
    })
    .await;
    assert_eq!(Client::connect(old.address()).await.get("/t1/notes", "").await.status, 401);
    within(PATIENCE, "it is audited", async || (env.audit_records().len() == 1).then_some(())).await;
    old.signal("TERM");
    assert_eq!(old.wait_for_exit(PATIENCE).await.code(), Some(0));
    let report = verify_intact(env.folder.path());
    assert_eq!((&report["not_ended"], &report["last_segment"]), (&json!([]), &json!(3)), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_without_a_file_goes_over_too() {
    for target in ["stdout", "nowhere"] {
        let (env, settings) = environment().await;
        let settings = settings.with("/audit/to", json!(target));
        let mut old = env.serve(&settings).await;
        let next = upgrade(&env.path("gateway.yaml"));
        old.signal("QUIT");
        next.wait_until_listening().await;
        assert_eq!(old.wait_for_exit(PATIENCE).await.code(), Some(0), "{target}");
        assert_eq!(Client::connect(next.address()).await.get("/t1/notes", "").await.status, 401, "{target}");
    }
}
