//! Decisions of the Noah ES policy from the language's table, and properties of every decision.

use super::query::{RequestQuery, decide_query};
use super::{ApprovalSet, Decision, NoTrace, Phase, Question, Reason, decide};
use crate::document::{Sources, report};
use crate::policy::{self, Snapshot};
use crate::request::{OverrideMode, RawRequest, read};
use crate::vocabulary::{RequestFacts, Subject, Timestamp};

const NOAH: &str = include_str!("../../policies/noah-es.yaml");

fn load(text: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let loaded = policy::load(&sources, None);
    loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)))
}

/// Decides a request in the same steps as the gateway.
fn decide_request(policy: &Snapshot, subject: Option<&str>, method: &str, target: &str) -> Decision {
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest { method, target: target.as_bytes(), host: None, headers: &headers };
    let subject: Subject = subject.map_or_else(Subject::anonymous, |json| serde_json::from_str(json).unwrap());
    let request = read(&raw, policy.model.dialect, OverrideMode::Reject);
    let found = request.as_ref().map_err(|error| policy::NoMatch::Rejected(*error));
    let found = found.and_then(|request| policy.routes.match_route(request.method, &request.path, request.query));
    let access = found.as_ref().map(|found| &found.access).map_err(|no_match| *no_match);
    let facts = RequestFacts { method, ..RequestFacts::default() };
    let question = Question { access, subject: Ok(&subject), facts, phase: Phase::Request };
    decide(question, policy, &ApprovalSet::default(), Timestamp(0))
}

fn code(policy: &Snapshot, subject: &str, method: &str, target: &str) -> String {
    let subject = (!subject.is_empty()).then_some(subject);
    decide_request(policy, subject, method, target).reason.full_code(Some(policy)).to_owned()
}

const USE: &str = r#""permissions":["Use Patient and Session Features"]"#;
const EVERY: &str = r#""roles":["BDM"]"#;

/// A connected caller of tenant t1.
fn connected(rest: &str) -> String {
    format!(r#"{{"id":"u1","client":"app-1","tenant":"t1",{rest}}}"#)
}

#[test]
fn the_decisions_that_settle_arguments_about_noah() {
    let noah = load(NOAH);
    let merger = connected(r#""permissions":["Merge Patient Records"]"#);
    let user = connected(USE);
    let unconnected = format!(r#"{{"client":"app-9","tenant":"t1",{USE}}}"#);
    let service = r#"{"kind":"service","client":"app-9","tenant":"t1"}"#;
    let boss = connected(EVERY);
    let no_role = connected(r#""roles":[]"#);
    let two_tenants = format!(r#"{{"client":"app-1","tenants":["t1","t2"],{USE}}}"#);
    let unknown_role = connected(r#""roles":["Level 2","offline_access"]"#);
    let table = [
        ("3", &*merger, "GET", "/t1/api/Patients/p1", "granted"),
        ("3", &merger, "PUT", "/t1/api/Patients/p1", "not-granted"),
        ("4", &unconnected, "GET", "/t1/api/Patients/p1", "gate:app-connection"),
        ("5", &unconnected, "POST", "/t1/api/AppConnection", "granted"),
        ("6", &unconnected, "GET", "/t1/api/EventSubscriptions", "gate:app-connection"),
        ("6", &no_role, "GET", "/t1/api/EventSubscriptions", "granted"),
        ("7", &boss, "DELETE", "/t1/api/AppConnection", "no-method"),
        ("7", service, "DELETE", "/t1/api/AppConnection", "no-method"),
        ("8", &boss, "GET", "/t1/api/Settings", "not-granted"),
        ("8", service, "GET", "/t1/api/Settings", "service-app"),
        ("9", service, "GET", "/t2/api/Patients/p1", "not-a-member"),
        ("10", service, "GET", "/t1/api/Patients/p1", "service-app"),
        ("13", &user, "GET", "/T1/api/Patients/p1", "not-a-member"),
        ("14", &user, "GET", "/t1/API/patients/p1", "granted"),
        ("15", &user, "GET", "/t1/api/Patients/Merge", "no-method"),
        ("16", &user, "GET", "/t1/api/Patients/Merge/s1/action/a1", "granted"),
        ("17", &user, "HEAD", "/t1/api/Patients/p1", "granted"),
        ("17", &user, "HEAD", "/t1/api/Patients/Merge", "no-method"),
        ("18", "", "GET", "/nowhere", "unauthenticated"),
        ("18", &user, "GET", "/nowhere", "no-route"),
        ("19", &user, "GET", "/rtm", "granted"),
        ("19", &two_tenants, "GET", "/rtm", "gate:app-connection"),
        ("22", &unknown_role, "GET", "/t1/api/Patients/p1", "granted"),
        ("22", &unknown_role, "DELETE", "/t1/api/Patients/p1", "not-granted"),
        ("50", &user, "OPTIONS", "/t1/api/Patients", "no-method"),
        ("anonymous on a mapped route", "", "GET", "/t1/api/Patients", "unauthenticated"),
        ("unreadable, anonymous", "", "GET", "/t1/api/../Patients", "bad-request"),
    ];
    for (number, subject, method, target, expected) in table {
        assert_eq!(code(&noah, subject, method, target), expected, "{number}: {method} {target} by {subject}");
    }
}

#[test]
fn entry_of_a_user_in_the_policy_replaces_the_claims_of_the_token() {
    let noah = load(&format!(
        "{NOAH}\nusers:\n  nurse: {{ without: [Delete Patient Demographic and Action Data] }}\n  cut: {{ roles: [] }}\n  \
         svc: {{ roles: [Level 2] }}\n  bound: {{ roles: [Level 2: {{ tenant: t2 }}], tenants: [t1, t2] }}\n  \
         own: {{ roles: [], permissions: [Use Patient and Session Features] }}\n"
    ));
    let caller = |id: &str, rest: &str| {
        format!(r#"{{"id":"{id}","client":"app-1","tenant":"t1","approved":["app-connection"],{rest}}}"#)
    };
    let nurse = caller("nurse", r#""roles":["Level 1"]"#);
    let cut = caller("cut", r#""roles":["Level 2"],"permissions":["Merge Patient Records"]"#);
    let service = caller("svc", r#""kind":"service""#);
    let bound = caller("bound", r#""roles":["BDM"]"#);
    let own = caller("own", r#""roles":["BDM"]"#);
    let elsewhere = caller("hospital/nurse", r#""roles":["Level 1"]"#);
    let table = [
        ("1, 21", &nurse, "DELETE", "/t1/api/Patients/p1", "taken-away"),
        ("2", &nurse, "GET", "/t1/api/Patients/p1", "granted"),
        ("20", &cut, "GET", "/t1/api/Patients/p1", "not-granted"),
        ("20", &cut, "POST", "/t1/api/Patients/Merge", "not-granted"),
        ("12", &service, "DELETE", "/t1/api/Patients/p1", "not-granted"),
        ("12", &service, "GET", "/t1/api/Patients/p1", "granted"),
        ("bound to t2", &bound, "GET", "/t1/api/Patients/p1", "out-of-scope"),
        ("bound to t2", &bound, "GET", "/t2/api/Patients/p1", "granted"),
        ("own row", &own, "GET", "/t1/api/Patients/p1", "granted"),
        ("own row", &own, "DELETE", "/t1/api/Patients/p1", "not-granted"),
        ("a bare entry counts for the one source", &elsewhere, "DELETE", "/t1/api/Patients/p1", "taken-away"),
    ];
    for (number, subject, method, target, expected) in table {
        assert_eq!(code(&noah, subject, method, target), expected, "{number}: {method} {target} by {subject}");
    }
}

#[test]
fn service_apps_under_every_permission_hold_rows_and_pass_gates_like_users() {
    let noah = load(&NOAH.replace("service-apps: all  ", "service-apps: every-permission  "));
    let service = |client: &str| format!(r#"{{"kind":"service","client":"{client}","tenant":"t1"}}"#);
    assert_eq!(code(&noah, &service("app-9"), "GET", "/t1/api/Patients/p1"), "gate:app-connection");
    assert_eq!(code(&noah, &service("app-1"), "GET", "/t1/api/Patients/p1"), "granted");
    assert_eq!(code(&noah, &service("app-1"), "GET", "/t1/api/Settings"), "not-granted");
}

#[test]
fn nobody_stops_service_apps_too() {
    let noah = load(&NOAH.replace("    DELETE: delete Patients    ", "    DELETE: nobody    "));
    let service = r#"{"kind":"service","client":"app-9","tenant":"t1"}"#;
    assert_eq!(code(&noah, service, "DELETE", "/t1/api/Patients/p1"), "nobody");
}

#[test]
fn using_the_app_connection_asks_for_its_approval() {
    let noah = load(NOAH);
    let caller = format!(r#"{{"client":"app-9","tenant":"t1",{USE}}}"#);
    let permit = decide_request(&noah, Some(&caller), "POST", "/t1/api/AppConnection").verdict.unwrap();
    assert_eq!(permit.asks().collect::<Vec<_>>(), [0]);
    let read = decide_request(&noah, Some(&caller), "GET", "/t1/api/AppConnection").verdict.unwrap();
    assert_eq!(read.asks().count(), 0);
}

#[test]
fn noah_grants_139_of_2680_triples() {
    let noah = load(NOAH);
    let triples: usize = noah.model.rows.iter().map(|row| row.cells.len()).sum();
    assert_eq!(triples, 139);
    assert_eq!(noah.model.rows.iter().filter(|row| row.cells.is_empty()).count(), 8);
}

#[test]
fn conditions_of_a_query_read_the_path_that_is_forwarded() {
    let text = "version: 1\nname: p\ndialect: aspnet\nresources: [A]\npermissions: { One: { A: R } }\neveryone: [One]\n\
        routes:\n  /Burn: { GET: { need: read A, when: \"!request.path.endsWith('/Burn')\" } }\n";
    let policy = load(text);
    let subject: Subject = serde_json::from_str("{}").unwrap();
    for target in ["/Burn", "/burn", "/BURN/"] {
        let query = RequestQuery { subject: &subject, method: "GET", target, host: None, phase: Phase::Request };
        decide_query(&policy, query, Timestamp(0), &mut NoTrace, |trace, _| {
            assert_eq!((trace.decision.reason, trace.facts.path), (Reason::Condition, "/Burn"), "{target}");
        });
    }
}
