//! The WebSocket client `ws` at the SignalR hubs, with the token where browsers put it: in the query.

use serde_json::{Value, json};

use super::process::{finish, node};
use crate::support::{Gateway, Stage, now};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/noah-es.yaml");

/// What came of a step of `websocket.js`.
fn step(name: &str, gateway: &Gateway, target: &str, header_token: Option<&str>) -> Value {
    let mut command = node("websocket.js");
    command.arg(name).arg(format!("ws://{}{target}", gateway.address()));
    command.env_remove("TOKEN");
    command.envs(header_token.map(|token| ("TOKEN", token)));
    let finished = finish(&mut command);
    assert!(finished.success, "{finished:?}");
    finished.json()
}

fn clinician(stage: &Stage) -> String {
    stage.token(json!({ "roles": ["Level 2"] }))
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pings_and_close_codes_pass_in_both_directions() {
    let stage = Stage::set().await;
    let gateway = stage.serve(&stage.settings(POLICY)).await;
    let token = clinician(&stage);
    for (target, header) in [
        (format!("/rtm?access_token={token}"), None),
        // ASP.NET ignores case in the names of parameters.
        (format!("/rtm?Access_Token={token}"), None),
        (format!("/clientrtm?id=7&access_token={token}"), None),
        ("/rtm".to_owned(), Some(token.as_str())),
    ] {
        let said = step("talk", &gateway, &target, header);
        assert_eq!(
            said,
            json!({
                "text": { "binary": false, "same": true },
                "bytes": { "binary": true, "same": true },
                "empty": { "binary": false, "same": true },
                "pong": "are you there",
                "close": { "code": 4001, "reason": "enough" },
            })
        );
    }
    let said = step("shout", &gateway, &format!("/rtm?access_token={token}"), None);
    assert_eq!(said["code"], 1009, "the upstream says that it was too big: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_query_is_written_nowhere() {
    let stage = Stage::set().await;
    let gateway = stage.serve(&stage.settings(POLICY).with("/log/level", json!("debug"))).await;
    let token = clinician(&stage);
    step("talk", &gateway, &format!("/rtm?access_token={token}"), None);
    step("talk", &gateway, &format!("/clientrtm?id=7&ACCESS_TOKEN={token}"), None);
    step("refused", &gateway, &format!("/t1/api/Patients?access_token={token}"), None);
    let signature = token.rsplit('.').next().unwrap();
    let written = gateway.lines().join("\n") + &std::fs::read_to_string(stage.path("audit.jsonl")).unwrap();
    assert!(!written.contains(signature), "{written}");
    for seen in stage.upstream.journal().requests() {
        assert!(!format!("{seen:?}").contains(signature), "query tokens are not forwarded: {seen:?}");
    }
    assert_eq!(stage.upstream.journal().last().unwrap().target, "/clientrtm?id=7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_without_a_good_token_is_never_opened() {
    let stage = Stage::set().await;
    let gateway = stage.serve(&stage.settings(POLICY)).await;
    let good = clinician(&stage);
    let expired = stage.token(json!({ "roles": ["Level 2"], "exp": now() - 60 }));
    let unconnected = stage.token(json!({ "roles": ["Level 2"], "client_id": "app-2" }));
    let two_tenants = stage.token(json!({ "roles": ["Level 2"], "tenants": ["t1", "t2"] }));
    for (status, target) in [
        (401, "/rtm".to_owned()),
        (401, "/rtm?access_token=".to_owned()),
        (401, format!("/rtm?access_token={expired}")),
        (401, format!("/rtm?access_token={good}x")),
        (401, format!("/rtm?access_token={good}&access_token={good}")),
        (401, format!("/rtm?access_token={expired}&Access_Token={good}")),
        (403, format!("/rtm?access_token={unconnected}")),
        (403, format!("/rtm?access_token={two_tenants}")),
        // There is a GET, but no WebSocket, and no token in the query.
        (401, format!("/t1/api/Patients?access_token={good}")),
    ] {
        let said = step("refused", &gateway, &target, None);
        assert_eq!(said["status"], status, "{target}: {said}");
        assert_eq!(said["type"], "application/problem+json", "{target}: {said}");
    }
    let said = step("refused", &gateway, "/t1/api/Patients", Some(&good));
    assert_eq!(said["type"], "application/problem+json", "no WebSocket where the route names none: {said}");
    assert_eq!(stage.upstream.journal().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_ends_with_its_token() {
    let stage = Stage::set().await;
    let gateway = stage.serve(&stage.settings(POLICY).with("/issuers/test/leeway", json!("0s"))).await;
    let token = stage.token(json!({ "roles": ["Level 2"], "exp": now() + 5 }));
    let said = step("chatter", &gateway, &format!("/rtm?access_token={token}"), None);
    assert!(said["echoes"].as_u64().unwrap() > 5, "it was open: {said}");
    // `exp` is a whole second, and a token counts until that one is over.
    assert!(said["seconds"].as_f64().unwrap() < 7.0, "{said}");
}
