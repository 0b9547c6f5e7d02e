//! A policy changes while requests are served: as a whole, at once, and only if the new version loads.

use std::collections::HashMap;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Gateway, PATIENCE, TestEnvironment, within};

/// The promise is one second; the test allows five, so that a busy machine does not fail it.
const IN_TIME: Duration = Duration::from_secs(5);

const NOTES: &str = "/t1/notes";

/// A policy whose row `Notes` grants `letters` on notes.
fn policy(letters: &str) -> String {
    format!(
        "version: 1
name: notes
scopes: {{ tenant: caller }}
routes:
  /{{tenant}}/notes:
    GET: read Notes
    POST: create Notes
    PUT: update Notes
resources: [Notes]
permissions:
  Notes: {{ Notes: {letters} }}
"
    )
}

/// A policy that does not load: line 9 names a resource that line 10 does not.
fn broken() -> String {
    policy("RU").replace("update Notes", "update Nodes")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_file_judges_the_next_request_on_an_open_connection_within_a_second() {
    let (env, gateway, token) = notes("R").await;
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get(NOTES, &token).await.reason(), None);
    for (letters, expected) in [("C", Some("not-granted")), ("CR", None), ("U", Some("not-granted")), ("RU", None)] {
        env.write("policy.yaml", &policy(letters));
        until_reason(&mut client, &token, expected, IN_TIME).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_in_place_takes_effect_too() {
    let (env, gateway, token) = notes("R").await;
    let mut client = Client::connect(gateway.address()).await;
    std::fs::write(env.path("policy.yaml"), policy("C")).unwrap();
    until_reason(&mut client, &token, Some("not-granted"), IN_TIME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_and_is_reported_everywhere() {
    let (env, gateway, token) = notes("R").await;
    let before = live_hash(&gateway).await;
    assert_eq!(gateway.metric("portcullis_policy_refused{api=\"noah\"}").await, 0.0);
    let mut client = Client::connect(gateway.address()).await;

    let path = env.write("policy.yaml", &broken());
    let refused = refused(&gateway).await;

    assert_eq!(client.get(NOTES, &token).await.reason(), None);
    assert_eq!(live_hash(&gateway).await, before);
    let finding = &refused["findings"][0];
    assert_eq!((&finding["line"], &finding["column"]), (&json!(8), &json!(10)), "{finding}");
    assert!(finding["message"].as_str().unwrap().contains("Nodes"), "{finding}");
    // The last valid policy is live, so the gateway stays ready and reports the error.
    let ready = gateway.admin("/ready").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["apis"][0]["refused"]["findings"], refused["findings"]);
    let place = format!("{}:8:10: error[", path.file_name().unwrap().to_str().unwrap());
    let lines = gateway.lines();
    assert!(lines.iter().any(|line| line.contains(&place) && line.contains("Nodes")), "{place} not in {lines:#?}");
    until_metric(&gateway, "portcullis_policy_refused{api=\"noah\"}", 1.0).await;

    env.write("policy.yaml", &policy("C"));
    until_reason(&mut client, &token, Some("not-granted"), IN_TIME).await;
    until_metric(&gateway, "portcullis_policy_refused{api=\"noah\"}", 0.0).await;
    assert_eq!(gateway.admin("/policy").await.json()["apis"][0]["refused"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_file_changes_nothing() {
    let (env, gateway, token) = notes("R").await;
    let before = live_hash(&gateway).await;
    let mut client = Client::connect(gateway.address()).await;

    std::fs::remove_file(env.path("policy.yaml")).unwrap();
    refused(&gateway).await;

    assert_eq!(client.get(NOTES, &token).await.reason(), None);
    assert_eq!(live_hash(&gateway).await, before);
    assert_eq!(gateway.admin("/ready").await.status, 200);
    // The file may return with changes.
    env.write("policy.yaml", &policy("C"));
    until_reason(&mut client, &token, Some("not-granted"), 2 * IN_TIME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_replaced_by_a_symlink_swap_is_taken_whole() {
    let env = TestEnvironment::set().await;
    for (version, letters) in [("one", "R"), ("two", "C")] {
        let (head, tail) = policy(letters)
            .split_once("resources:")
            .map(|(head, tail)| (head.to_owned(), format!("resources:{tail}")))
            .unwrap();
        env.write(&format!("{version}/a.yaml"), &head);
        env.write(&format!("{version}/b.yaml"), &tail);
    }
    // The layout of a ConfigMap mounted by Kubernetes.
    symlink("one", env.path("..data")).unwrap();
    symlink("..data", env.path("policy")).unwrap();
    let gateway = env.serve(&env.settings("policy")).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get(NOTES, &token).await.reason(), None);

    symlink("two", env.path("..data_tmp")).unwrap();
    std::fs::rename(env.path("..data_tmp"), env.path("..data")).unwrap();

    // If the system does not report the change, the gateway checks the files once a second.
    until_reason(&mut client, &token, Some("not-granted"), 2 * IN_TIME).await;
    assert_eq!(gateway.admin("/policy").await.json()["apis"][0]["refused"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_signal_reloads() {
    let env = TestEnvironment::set().await;
    // The file has a second hard link in another folder: a change under that name is no event in the watched folder.
    // The gateway polls for it so rarely that only the signal can make it live.
    let other_name = env.write("elsewhere/notes.yaml", &policy("R"));
    std::fs::create_dir(env.path("policies")).unwrap();
    std::fs::hard_link(&other_name, env.path("policies/notes.yaml")).unwrap();
    let settings = env.settings("policies/notes.yaml").with("/reload/poll", json!("1h"));
    let gateway = env.serve(&settings).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    let mut client = Client::connect(gateway.address()).await;
    assert_eq!(client.get(NOTES, &token).await.reason(), None);

    std::fs::write(&other_name, policy("C")).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(client.get(NOTES, &token).await.reason(), None);
    gateway.signal("HUP");

    until_reason(&mut client, &token, Some("not-granted"), IN_TIME).await;
    assert!(gateway.exit_status().is_none());
}

/// ObservedAnswer: a response under load, and the live versions known around it.
struct ObservedAnswer {
    decision: String,
    method: &'static str,
    permitted: bool,
    /// The version that was live during the whole request, if no change fell into it: 0 or 1.
    settled: Option<u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_each_answer_is_explained_by_one_published_version() {
    const REQUESTS: usize = 10_000;
    const REWRITES: usize = 50;
    const CONNECTIONS: usize = 6;
    // They differ in one grant: create.
    let versions = [policy("CR"), policy("R")];
    let (env, gateway, token) = notes("CR").await;
    let first = live_hash(&gateway).await;

    // Twice the number of changes, plus one while a change is in progress.
    let change = Arc::new(AtomicU64::new(0));
    let (sent, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (token, address, change) = (token.clone(), gateway.address(), Arc::clone(&change));
            let (sent, done) = (Arc::clone(&sent), Arc::clone(&done));
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                let (mut answers, mut on_this) = (Vec::new(), 0);
                while !done.load(Ordering::SeqCst) || sent.load(Ordering::SeqCst) < REQUESTS {
                    let number = sent.fetch_add(1, Ordering::SeqCst);
                    let method = if number.is_multiple_of(4) { "GET" } else { "POST" };
                    // The gateway closes a connection after 10,000 requests; before that it must not.
                    if on_this == 5_000 {
                        (client, on_this) = (Client::connect(address).await, 0);
                    }
                    on_this += 1;
                    let before = change.load(Ordering::SeqCst);
                    let answer = client.send(method, NOTES, &token, &[], "").await;
                    let after = change.load(Ordering::SeqCst);
                    let reason = answer.reason();
                    assert!(matches!(reason.as_deref(), None | Some("not-granted")), "{answer:?}");
                    let decision = answer.decision().or_else(|| answer.header("x-seen-decision")).unwrap().to_owned();
                    let settled = (before == after && before.is_multiple_of(2)).then_some(before / 2 % 2);
                    answers.push(ObservedAnswer { decision, method, permitted: reason.is_none(), settled });
                    // A steady load, not the machine's maximum: the test is about which version answers.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                answers
            })
        })
        .collect();

    // Half of the files are broken; each is actually refused or actually live before the next one is written.
    let mut hashes = vec![first.clone()];
    for turn in 1..=REWRITES {
        if !turn.is_multiple_of(2) {
            // A comment makes each broken file different.
            env.write("policy.yaml", &format!("{}# {turn}\n", broken()));
            refused(&gateway).await;
            continue;
        }
        change.fetch_add(1, Ordering::SeqCst);
        let last = live_hash(&gateway).await;
        env.write("policy.yaml", &versions[turn / 2 % 2]);
        let next = within(PATIENCE, "the next version is live", async || {
            Some(live_hash(&gateway).await).filter(|hash| *hash != last)
        })
        .await;
        change.fetch_add(1, Ordering::SeqCst);
        hashes.push(next);
    }
    done.store(true, Ordering::SeqCst);

    let mut answers = Vec::new();
    for task in clients {
        answers.extend(task.await.unwrap());
    }
    assert!(answers.len() >= REQUESTS);
    let second = hashes[1].clone();
    assert_eq!(hashes.len(), 1 + REWRITES / 2);
    assert!(hashes.iter().enumerate().all(|(at, hash)| *hash == [&first, &second][at % 2].as_str()), "{hashes:?}");

    let records = within(PATIENCE, "an audit record of each answer", async || {
        Some(env.audit_records()).filter(|records| records.len() >= answers.len())
    })
    .await;
    assert_eq!(records.len(), answers.len());
    let records: HashMap<&str, &Value> =
        records.iter().map(|record| (record["id"].as_str().unwrap(), record)).collect();
    let mut counts: HashMap<(u64, bool), usize> = HashMap::new();
    for ObservedAnswer { decision, method, permitted, settled } in &answers {
        let record = records[decision.as_str()];
        let version = [&first, &second].iter().position(|hash| record["policy_hash"] == ***hash);
        let version = version.unwrap_or_else(|| panic!("no version explains {record}")) as u64;
        assert_eq!(*permitted, *method == "GET" || version == 0, "{record}");
        assert_eq!(record["verdict"], if *permitted { "permit" } else { "refuse" }, "{record}");
        // Once a version is shown as live, no later request is decided by the previous one.
        if let Some(settled) = settled {
            assert_eq!(version, *settled, "{record}");
        }
        *counts.entry((version, settled.is_some())).or_default() += 1;
    }
    // The test proves something only if each version decided a good part of the requests.
    for version in [0, 1] {
        assert!(counts.get(&(version, true)).is_some_and(|count| *count > answers.len() / 20), "{counts:?}");
    }
    assert_eq!(env.upstream.journal().total(), answers.iter().filter(|answers| answers.permitted).count() as u64);
    assert_eq!(gateway.metric("portcullis_audit_dropped_total").await, 0.0);
}

/// A gateway in front of notes, and the token of a caller who holds the row.
async fn notes(letters: &str) -> (TestEnvironment, Gateway, String) {
    let env = TestEnvironment::set().await;
    env.write("policy.yaml", &policy(letters));
    let gateway = env.serve(&env.settings("policy.yaml")).await;
    let token = env.token(json!({ "permissions": ["Notes"] }));
    (env, gateway, token)
}

async fn live_hash(gateway: &Gateway) -> String {
    gateway.admin("/policy").await.json()["apis"][0]["policy"]["hash"].as_str().unwrap().to_owned()
}

/// The refused reload in `/policy`, as soon as it is shown.
async fn refused(gateway: &Gateway) -> Value {
    within(PATIENCE, "the refused reload shows", async || {
        Some(gateway.admin("/policy").await.json()["apis"][0]["refused"].clone()).filter(|refused| !refused.is_null())
    })
    .await
}

async fn until_reason(client: &mut Client, token: &str, expected: Option<&str>, time: Duration) {
    let begun = Instant::now();
    within(time, "the new policy judges", async || {
        (client.get(NOTES, token).await.reason().as_deref() == expected).then_some(())
    })
    .await;
    assert!(begun.elapsed() < time);
}

async fn until_metric(gateway: &Gateway, name: &str, value: f64) {
    within(IN_TIME, name, async || (gateway.metric(name).await == value).then_some(())).await;
}
