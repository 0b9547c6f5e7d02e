//! The WebSocket client `ws` at the SignalR hubs, with the token in the query, as browsers send it.

use serde_json::{Value, json};

use super::process::{finish, node};
use crate::support::{Gateway, TestEnvironment, now};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/noah-es.yaml");

/// The result of a step of `websocket.js`.
fn step(name: &str, gateway: &Gateway, target: &str, header_token: Option<&str>) -> Value {
    let mut command = node("websocket.js");
    command.arg(name).arg(format!("ws://{}{target}", gateway.address()));
    command.env_remove("TOKEN");
    command.envs(header_token.map(|token| ("TOKEN", token)));
    let finished = finish(&mut command);
    assert!(finished.success, "{finished:?}");
    finished.json()
}

fn clinician(env: &TestEnvironment) -> String {
    env.token(json!({ "roles": ["Level 2"] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pings_and_close_codes_pass_in_both_directions() {
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&env.settings(POLICY)).await;
    let token = clinician(&env);
    for (target, header) in [
        (format!("/rtm?access_token={token}"), None),
        // ASP.NET ignores case in parameter names.
        (format!("/rtm?Access_Token={token}"), None),
        (format!("/clientrtm?id=7&access_token={token}"), None),
        ("/rtm".to_owned(), Some(token.as_str())),
    ] {
        let result = step("talk", &gateway, &target, header);
        assert_eq!(
            result,
            json!({
                "text": { "binary": false, "same": true },
                "bytes": { "binary": true, "same": true },
                "empty": { "binary": false, "same": true },
                "pong": "are you there",
                "close": { "code": 4001, "reason": "enough" },
            })
        );
    }
    let result = step("shout", &gateway, &format!("/rtm?access_token={token}"), None);
    assert_eq!(result["code"], 1009, "the upstream says that it was too big: {result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_query_is_written_nowhere() {
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&env.settings(POLICY).with("/log/level", json!("debug"))).await;
    let token = clinician(&env);
    step("talk", &gateway, &format!("/rtm?access_token={token}"), None);
    step("talk", &gateway, &format!("/clientrtm?id=7&ACCESS_TOKEN={token}"), None);
    step("refused", &gateway, &format!("/t1/api/Patients?access_token={token}"), None);
    let signature = token.rsplit('.').next().unwrap();
    let written = gateway.lines().join("\n") + &std::fs::read_to_string(env.path("audit.jsonl")).unwrap();
    assert!(!written.contains(signature), "{written}");
    for received in env.upstream.journal().requests() {
        assert!(!format!("{received:?}").contains(signature), "query tokens are not forwarded: {received:?}");
    }
    assert_eq!(env.upstream.journal().last().unwrap().target, "/clientrtm?id=7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_without_a_good_token_is_never_opened() {
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&env.settings(POLICY)).await;
    let good = clinician(&env);
    let expired = env.token(json!({ "roles": ["Level 2"], "exp": now() - 60 }));
    let unconnected = env.token(json!({ "roles": ["Level 2"], "client_id": "app-2" }));
    let two_tenants = env.token(json!({ "roles": ["Level 2"], "tenants": ["t1", "t2"] }));
    for (status, target) in [
        (401, "/rtm".to_owned()),
        (401, "/rtm?access_token=".to_owned()),
        (401, format!("/rtm?access_token={expired}")),
        (401, format!("/rtm?access_token={good}x")),
        (401, format!("/rtm?access_token={good}&access_token={good}")),
        (401, format!("/rtm?access_token={expired}&Access_Token={good}")),
        (403, format!("/rtm?access_token={unconnected}")),
        (403, format!("/rtm?access_token={two_tenants}")),
        // The route has a GET, but no WebSocket, and takes no token from the query.
        (401, format!("/t1/api/Patients?access_token={good}")),
    ] {
        let result = step("refused", &gateway, &target, None);
        assert_eq!(result["status"], status, "{target}: {result}");
        assert_eq!(result["type"], "application/problem+json", "{target}: {result}");
    }
    let result = step("refused", &gateway, "/t1/api/Patients", Some(&good));
    assert_eq!(result["type"], "application/problem+json", "no WebSocket where the route names none: {result}");
    assert_eq!(env.upstream.journal().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_ends_with_its_token() {
    let env = TestEnvironment::set().await;
    let gateway = env.serve(&env.settings(POLICY).with("/issuers/test/leeway", json!("0s"))).await;
    let token = env.token(json!({ "roles": ["Level 2"], "exp": now() + 5 }));
    let result = step("chatter", &gateway, &format!("/rtm?access_token={token}"), None);
    assert!(result["echoes"].as_u64().unwrap() > 5, "it was open: {result}");
    // `exp` is a whole second, and a token is valid until the end of that second.
    assert!(result["seconds"].as_f64().unwrap() < 7.0, "{result}");
}
