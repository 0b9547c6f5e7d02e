//! Clock: the system clock jumps hours ahead and back under a running gateway, through Debian's `faketime`.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Client, Gateway, PATIENCE, Settings, TestEnvironment, now, within};
use crate::wire::client::{Client as WireClient, bearer, request};
use crate::wire::origin::Origin;
use crate::wire::websocket::{HANDSHAKE, echoed, hub_origin};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/noah-es.yaml");
const PATIENTS: &str = "/t1/api/Patients";
const HOURS: u64 = 7200;

/// The library of Debian's package, in the folder named after the machine's architecture.
fn library() -> String {
    let here = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    assert!(Path::new(&here).exists(), "{here} is missing: tests/run installs faketime");
    here
}

/// A gateway whose clock the file `clock` shifts, at first by nothing; the monotonic clock runs evenly, as on a real
/// machine.
async fn start_with_shifted_clock(env: &TestEnvironment, settings: &Settings) -> Gateway {
    let clock = env.write("clock", "+0");
    let config = env.write("gateway.yaml", &settings.text());
    let gateway = Gateway::spawn_with(&config, |command| {
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", clock);
        // Files keep the modification times of the disk.
        for name in ["FAKETIME_NO_CACHE", "DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
            command.env(name, "1");
        }
    });
    gateway.wait_until_listening().await;
    gateway.wait_until_ready().await;
    gateway
}

/// The settings of a hospital's gateway, with every period as short as possible.
fn settings(env: &TestEnvironment) -> Settings {
    env.settings(POLICY)
        .with("/issuers/test/keys", json!({ "discovery": true, "refresh": "1s" }))
        .with("/audit/rotate", json!({ "age": "1s" }))
}

/// A token that is issued at `from` and expires at `to`.
fn token(env: &TestEnvironment, from: u64, to: u64) -> String {
    env.token(json!({ "roles": ["Level 2"], "iat": from, "nbf": from, "exp": to }))
}

fn socket(gateway: &Gateway, token: &str) -> WireClient {
    let mut connection = WireClient::connect(gateway.address());
    let authorization = bearer(token);
    let mut headers = vec![authorization.as_str()];
    headers.extend(HANDSHAKE);
    connection.send(request("GET /rtm", &headers, b""));
    assert_eq!(connection.head().expect("the gateway answers").status, 101);
    assert_eq!(echoed(&mut connection, "open").as_deref(), Some("open"));
    connection
}

/// The settings with a WebSocket hub behind an API of its own.
fn with_hub(settings: Settings, hub: &Origin) -> Settings {
    let settings = settings.api("hub", POLICY, hub.address());
    settings.with("/apis/hub/match", json!({ "path": "/rtm" }))
}

/// The number of finished audit files.
fn finished(env: &TestEnvironment) -> usize {
    let entries = std::fs::read_dir(env.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    entries.filter(|name| name.to_string_lossy().starts_with("audit-")).count()
}

/// Asserts that every periodic task still happens, and soon.
async fn assert_still_works(env: &TestEnvironment, gateway: &Gateway, good: &str) {
    let asked = env.issuer.key_set_requests();
    within(PATIENCE, "keys are fetched", async || (env.issuer.key_set_requests() > asked + 4).then_some(())).await;
    let files = finished(env);
    let mut client = Client::connect(gateway.address()).await;
    within(PATIENCE, "an audit file is finished", async || {
        assert_eq!(client.get(PATIENTS, good).await.status, 200);
        (finished(env) > files).then_some(())
    })
    .await;
}

/// Asserts that the gateway exits cleanly, never panicked, and left a complete audit.
async fn assert_clean_exit(env: &TestEnvironment, mut gateway: Gateway) {
    gateway.signal("TERM");
    assert_eq!(gateway.wait_for_exit(PATIENCE).await.code(), Some(0));
    let lines = gateway.lines();
    assert!(!lines.iter().any(|line| line.contains("panicked")), "{lines:#?}");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = verify.args(["audit", "verify"]).arg(env.folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_ends_tokens_and_nothing_else() {
    let env = TestEnvironment::set().await;
    let hub = hub_origin();
    let gateway = start_with_shifted_clock(&env, &with_hub(settings(&env), &hub)).await;
    let (begun, mut client) = (now(), Client::connect(gateway.address()).await);
    let (short, long) = (token(&env, begun, begun + 3600), token(&env, begun, begun + 2 * HOURS));
    for token in [&short, &long, &short] {
        assert_eq!(client.get(PATIENTS, token).await.status, 200);
    }
    let (mut ends, mut stays) = (socket(&gateway, &short), socket(&gateway, &long));

    env.write("clock", "+2h");
    // Over the same connection, although the token is cached.
    let answer = client.get(PATIENTS, &short).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("unauthenticated")));
    assert_eq!(client.get(PATIENTS, &long).await.status, 200);
    let new = token(&env, begun + HOURS, begun + HOURS + 3600);
    assert_eq!(client.get(PATIENTS, &new).await.status, 200);
    within(PATIENCE, "the socket ends with its token", async || echoed(&mut ends, "more").is_none().then_some(()))
        .await;
    assert_eq!(echoed(&mut stays, "more").as_deref(), Some("more"));
    assert_still_works(&env, &gateway, &new).await;
    assert_eq!(echoed(&mut stays, "still").as_deref(), Some("still"));
    drop((ends, stays, client));
    assert_clean_exit(&env, gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_lets_no_token_live_longer_and_holds_nothing_up() {
    let env = TestEnvironment::set().await;
    let hub = hub_origin();
    let gateway = start_with_shifted_clock(&env, &with_hub(settings(&env), &hub)).await;
    let (begun, mut client) = (now(), Client::connect(gateway.address()).await);
    let known = token(&env, begun, begun + 3600);
    assert_eq!(client.get(PATIENTS, &known).await.status, 200);
    let mut open = socket(&gateway, &known);

    env.write("clock", "-2h");
    // The token is now issued in the future and refused, cached or not.
    for token in [&known, &token(&env, begun + 1, begun + 3600)] {
        let answer = client.get(PATIENTS, token).await;
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("unauthenticated")));
    }
    assert_eq!(echoed(&mut open, "more").as_deref(), Some("more"), "a jump cuts nobody");
    let old = token(&env, begun - HOURS, begun - HOURS + 3600);
    assert_eq!(client.get(PATIENTS, &old).await.status, 200);
    assert_still_works(&env, &gateway, &old).await;
    // The issuer's next key is fetched for its first token.
    env.issuer.rotate().unwrap();
    let new = token(&env, begun - HOURS, begun - HOURS + 3600);
    within(PATIENCE, "the new key is known", async || (client.get(PATIENTS, &new).await.status == 200).then_some(()))
        .await;

    env.write("clock", "+0");
    assert_eq!(client.get(PATIENTS, &new).await.status, 401, "its time is over again");
    assert_eq!(client.get(PATIENTS, &known).await.status, 200, "and that of this one has come");
    assert_eq!(echoed(&mut open, "still").as_deref(), Some("still"));
    drop((open, client));
    assert_clean_exit(&env, gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_failed_too_often_waits_for_no_clock_to_catch_up() {
    let env = TestEnvironment::set().await;
    let gateway = start_with_shifted_clock(&env, &settings(&env).with("/limits/failed-credentials", json!(3))).await;
    let begun = now();
    let mut client = Client::connect(gateway.address()).await;
    let mut guesses = 0..;
    for (clock, shift) in [("+0", 0), ("-2h", -7200), ("+2h", 7200), ("+0", 0)] {
        env.write("clock", clock);
        let from = begun.checked_add_signed(shift).unwrap();
        // A jump starts a new minute. After the jump back, the count of the earlier minute is also forgotten.
        let good = token(&env, from, from + 3600);
        assert_eq!(client.get(PATIENTS, &good).await.status, 200, "{clock}");
        within(PATIENCE, clock, async || {
            let claims = json!({ "iat": from, "exp": from + 3600, "jti": guesses.next() });
            let mut guess = env.token(claims);
            let forged = if guess.ends_with("AAAA") { "BBBB" } else { "AAAA" };
            guess.replace_range(guess.len() - 8..guess.len() - 4, forged);
            let status = client.get(PATIENTS, &guess).await.status;
            assert!(matches!(status, 401 | 429), "{clock}: {status}");
            (status == 429).then_some(())
        })
        .await;
    }
    assert_clean_exit(&env, gateway).await;
}
