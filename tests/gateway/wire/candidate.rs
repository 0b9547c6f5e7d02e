//! A candidate policy beside the live one: it evaluates every request, is reported, and decides nothing.

use serde_json::{Value, json};

use super::client::{ask, request};
use super::origin::Origin;
use super::testbed::{STRICT, Testbed, TestbedBuilder, until};

fn compared(next: &str) -> TestbedBuilder {
    Testbed::strict(Origin::start()).with("api/candidate", json!("next.yaml")).file("next.yaml", next)
}

fn report(testbed: &Testbed) -> Value {
    testbed.wait(testbed.gateway.admin("/apis/noah/candidate")).json()
}

/// `change operation resource live candidate count` of each difference.
fn differences(testbed: &Testbed) -> Vec<String> {
    let report = report(testbed);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = report["differences"].as_array().unwrap().iter().map(|one| {
        let words = ["change", "operation", "resource", "live", "candidate"].map(|name| text(&one[name]));
        format!("{} {}", words.join(" "), one["count"])
    });
    lines.collect()
}

fn get(testbed: &Testbed, line: &str, headers: &[&str]) -> u16 {
    ask(testbed.at(), request(line, headers, b"")).status
}

#[test]
fn differences_of_the_candidate_are_reported_and_the_live_policy_decides() {
    let next = STRICT
        .replace("Use: { Things: CRU }", "Use: { Things: R, Secrets: R }")
        .replace("/closed: { GET: nobody }", "/closed: { GET: read Things }")
        .replace("routes:\n", "routes:\n  /fresh/{thing}: { GET: read Things }\n");
    let testbed = compared(&next).start();
    let user = testbed.bearer(&["user"]);
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
        assert_eq!(get(&testbed, line, &[&user]), status, "{line}");
    }
    assert_eq!(get(&testbed, "GET /closed", &[]), 401);
    assert_eq!(testbed.origin.count(), 4);
    let expected = [
        "would-refuse update Things granted not-granted 2",
        "would-permit read Secrets not-granted granted 1",
        "would-permit read Things no-route granted 1",
        "would-permit read Things nobody granted 1",
        "would-refuse create Things granted not-granted 1",
    ];
    until("all are compared", || report(&testbed)["compared"] == 9);
    let mut found = differences(&testbed);
    found[1..].sort();
    assert_eq!(found, expected);
    let report = report(&testbed);
    let examples = &report["differences"][0]["examples"];
    assert_eq!(*examples, json!([{ "method": "PUT", "route": "/{tenant}/things/{thing}" }]));
    assert_eq!(report["candidate"]["name"], json!("wire"));
    let sample = "portcullis_candidate_differences_total{api=\"noah\",change=\"would-refuse\",operation=\"update\",reason=\"not-granted\",resource=\"Things\"}";
    assert_eq!(testbed.wait(testbed.gateway.metric(sample)), 2.0);
    let logged = testbed.gateway.log_lines("the candidate decides differently");
    assert!(logged.len() >= 5, "{logged:#?}");
    let text = format!("{report} {logged:?} {}", testbed.wait(testbed.gateway.admin("/metrics")).text());
    assert!(!text.contains("private-"), "a value is told: {text}");
    assert_eq!(testbed.wait(testbed.gateway.admin("/ready")).json()["apis"][0]["candidate"]["refused"], Value::Null);
}

#[test]
fn a_broken_or_missing_candidate_is_reported_and_changes_nothing() {
    let testbed = Testbed::strict(Origin::start()).with("api/candidate", json!("next.yaml")).start();
    let user = testbed.bearer(&["user"]);
    let candidate = || testbed.wait(testbed.gateway.admin("/ready")).json()["apis"][0]["candidate"].clone();
    assert!(candidate()["policy"].is_null() && candidate()["refused"]["findings"].is_array(), "{}", candidate());
    assert_eq!(get(&testbed, "GET /t1/things", &[&user]), 200);
    assert_eq!(testbed.gateway.log_lines("candidate refused, nothing is compared").len(), 1);

    // The file may appear later, and is compared from then on.
    testbed.env.write("next.yaml", &STRICT.replace("Use: { Things: CRU }", "Use: { Things: CU }"));
    until("the candidate is loaded", || !candidate()["policy"].is_null());
    assert_eq!(get(&testbed, "GET /t1/things", &[&user]), 200);
    until("it is compared", || differences(&testbed) == ["would-refuse read Things granted not-granted 1"]);

    // With a broken file, the last valid candidate is still compared.
    testbed.env.write("next.yaml", "version: 1\nnome: x\n");
    until("the broken one is told", || !candidate()["refused"].is_null());
    assert_eq!(get(&testbed, "GET /t1/things", &[&user]), 200);
    until("the last good one is still compared", || report(&testbed)["differences"][0]["count"] == 2);
    assert_eq!(testbed.wait(testbed.gateway.metric("portcullis_policy_refused{api=\"noah\"}")), 0.0);

    // A new version of either policy restarts the counts.
    testbed.edit_policy("remover: { permissions: [Remove] }", "remover: { permissions: [Remove, Use] }");
    assert_eq!((report(&testbed)["compared"].clone(), differences(&testbed).len()), (json!(0), 0));
}

#[test]
fn a_candidate_of_another_dialect_with_another_token_parameter_reads_for_itself() {
    let next =
        STRICT.replace("dialect: strict", "dialect: aspnet").replace("token-from: access_token", "token-from: t");
    let testbed = compared(&next).start();
    let token = testbed.token(&["user"]);
    assert_eq!(get(&testbed, "GET /t1/things/a;b", &[&super::client::bearer(&token)]), 400);
    until("the other dialect permits", || differences(&testbed) == ["would-permit read Things bad-request granted 1"]);
    assert_eq!(get(&testbed, &format!("GET /socket?access_token={token}"), &[]), 200);
    assert_eq!(get(&testbed, &format!("GET /socket?t={token}"), &[]), 401);
    until("both are compared", || report(&testbed)["compared"] == 3);
    let mut found = differences(&testbed);
    found.sort();
    let expected = [
        "would-permit read Things bad-request granted 1",
        "would-permit read Things unauthenticated granted 1",
        "would-refuse read Things granted unauthenticated 1",
    ];
    assert_eq!(found, expected);
    assert!(!testbed.has_written(&token));
}

#[test]
fn an_api_without_a_candidate_tells_none() {
    let testbed = Testbed::strict(Origin::start()).start();
    assert_eq!(testbed.wait(testbed.gateway.admin("/apis/noah/candidate")).status, 404);
    assert_eq!(testbed.wait(testbed.gateway.admin("/ready")).json()["apis"][0].get("candidate"), None);
}
