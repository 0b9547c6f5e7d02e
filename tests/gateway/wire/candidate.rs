//! A candidate policy beside the live one: it is asked about every request, told of, and decides nothing.

use serde_json::{Value, json};

use super::client::{ask, request};
use super::origin::Origin;
use super::scene::{Plan, STRICT, Scene, until};

fn compared(next: &str) -> Plan {
    Scene::strict(Origin::start()).with("api/candidate", json!("next.yaml")).file("next.yaml", next)
}

fn report(scene: &Scene) -> Value {
    scene.wait(scene.gateway.admin("/apis/noah/candidate")).json()
}

/// `change operation resource live candidate count` of each difference.
fn differences(scene: &Scene) -> Vec<String> {
    let report = report(scene);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = report["differences"].as_array().unwrap().iter().map(|one| {
        let words = ["change", "operation", "resource", "live", "candidate"].map(|name| text(&one[name]));
        format!("{} {}", words.join(" "), one["count"])
    });
    lines.collect()
}

fn get(scene: &Scene, line: &str, headers: &[&str]) -> u16 {
    ask(scene.at(), request(line, headers, b"")).status
}

#[test]
fn where_the_candidate_decides_otherwise_is_told_and_the_live_policy_decides() {
    let next = STRICT
        .replace("Use: { Things: CRU }", "Use: { Things: R, Secrets: R }")
        .replace("/closed: { GET: nobody }", "/closed: { GET: read Things }")
        .replace("routes:\n", "routes:\n  /fresh/{thing}: { GET: read Things }\n");
    let scene = compared(&next).start();
    let user = scene.bearer(&["user"]);
    for (line, status) in [
        ("GET /t1/things", 200),
        ("PUT /t1/things/private-a", 200),
        ("PUT /t1/things/private-b?key=private-c", 200),
        ("POST /t1/things", 200),
        ("GET /t1/Secrets", 403),
        ("GET /closed", 403),
        ("GET /fresh/private-d", 404),
        ("DELETE /t1/things/a", 403),
        ("GET /t1/../x", 400),
    ] {
        assert_eq!(get(&scene, line, &[&user]), status, "{line}");
    }
    assert_eq!(get(&scene, "GET /closed", &[]), 401);
    assert_eq!(scene.origin.count(), 4);
    let expected = [
        "would-refuse update Things granted not-granted 2",
        "would-permit read Secrets not-granted granted 1",
        "would-permit read Things no-route granted 1",
        "would-permit read Things nobody granted 1",
        "would-refuse create Things granted not-granted 1",
    ];
    until("all are compared", || report(&scene)["compared"] == 9);
    let mut found = differences(&scene);
    found[1..].sort();
    assert_eq!(found, expected);
    let report = report(&scene);
    let examples = &report["differences"][0]["examples"];
    assert_eq!(*examples, json!([{ "method": "PUT", "route": "/{tenant}/things/{thing}" }]));
    assert_eq!(report["candidate"]["name"], json!("wire"));
    let sample = "portcullis_candidate_differences_total{api=\"noah\",change=\"would-refuse\",operation=\"update\",reason=\"not-granted\",resource=\"Things\"}";
    assert_eq!(scene.wait(scene.gateway.metric(sample)), 2.0);
    let logged = scene.gateway.logged("the candidate decides differently");
    assert!(logged.len() >= 5, "{logged:#?}");
    let text = format!("{report} {logged:?} {}", scene.wait(scene.gateway.admin("/metrics")).text());
    assert!(!text.contains("private-"), "a value is told: {text}");
    assert_eq!(scene.wait(scene.gateway.admin("/ready")).json()["apis"][0]["candidate"]["refused"], Value::Null);
}

#[test]
fn a_broken_or_missing_candidate_is_told_and_touches_nothing() {
    let scene = Scene::strict(Origin::start()).with("api/candidate", json!("next.yaml")).start();
    let user = scene.bearer(&["user"]);
    let candidate = || scene.wait(scene.gateway.admin("/ready")).json()["apis"][0]["candidate"].clone();
    assert!(candidate()["policy"].is_null() && candidate()["refused"]["findings"].is_array(), "{}", candidate());
    assert_eq!(get(&scene, "GET /t1/things", &[&user]), 200);
    assert_eq!(scene.gateway.logged("candidate refused, nothing is compared").len(), 1);

    // It may come later, and is then compared.
    scene.stage.write("next.yaml", &STRICT.replace("Use: { Things: CRU }", "Use: { Things: CU }"));
    until("the candidate is loaded", || !candidate()["policy"].is_null());
    assert_eq!(get(&scene, "GET /t1/things", &[&user]), 200);
    until("it is compared", || differences(&scene) == ["would-refuse read Things granted not-granted 1"]);

    // A broken one leaves the last good one compared.
    scene.stage.write("next.yaml", "version: 1\nnome: x\n");
    until("the broken one is told", || !candidate()["refused"].is_null());
    assert_eq!(get(&scene, "GET /t1/things", &[&user]), 200);
    until("the last good one is still compared", || report(&scene)["differences"][0]["count"] == 2);
    assert_eq!(scene.wait(scene.gateway.metric("portcullis_policy_refused{api=\"noah\"}")), 0.0);

    // A new version of either begins anew.
    scene.edit_policy("remover: { permissions: [Remove] }", "remover: { permissions: [Remove, Use] }");
    assert_eq!((report(&scene)["compared"].clone(), differences(&scene).len()), (json!(0), 0));
}

#[test]
fn a_candidate_of_another_dialect_with_another_token_parameter_reads_for_itself() {
    let next =
        STRICT.replace("dialect: strict", "dialect: aspnet").replace("token-from: access_token", "token-from: t");
    let scene = compared(&next).start();
    let token = scene.token(&["user"]);
    assert_eq!(get(&scene, "GET /t1/things/a;b", &[&super::client::bearer(&token)]), 400);
    until("the other dialect permits", || differences(&scene) == ["would-permit read Things bad-request granted 1"]);
    assert_eq!(get(&scene, &format!("GET /socket?access_token={token}"), &[]), 200);
    assert_eq!(get(&scene, &format!("GET /socket?t={token}"), &[]), 401);
    until("both are compared", || report(&scene)["compared"] == 3);
    let mut found = differences(&scene);
    found.sort();
    let expected = [
        "would-permit read Things bad-request granted 1",
        "would-permit read Things unauthenticated granted 1",
        "would-refuse read Things granted unauthenticated 1",
    ];
    assert_eq!(found, expected);
    assert!(!scene.has_written(&token));
}

#[test]
fn an_api_without_a_candidate_tells_none() {
    let scene = Scene::strict(Origin::start()).start();
    assert_eq!(scene.wait(scene.gateway.admin("/apis/noah/candidate")).status, 404);
    assert_eq!(scene.wait(scene.gateway.admin("/ready")).json()["apis"][0].get("candidate"), None);
}
