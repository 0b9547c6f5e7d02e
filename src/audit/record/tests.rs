//! Tests of audit records against the exact lines.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::audit::{DecisionId, Verdict};
use crate::vocabulary::Subject;
use crate::vocabulary::subject::{Proof, SubjectId, SubjectKind};

pub(crate) fn clinician() -> Subject {
    Subject {
        kind: SubjectKind::User,
        id: Some(SubjectId::parse("hospital/alice")),
        client: Some("app-1".into()),
        tenants: vec!["t1".into(), "t2".into()],
        proof: Proof::Token,
        ..Subject::anonymous()
    }
}

pub(crate) fn permitted(subject: &Subject) -> Outcome<'_> {
    Outcome {
        id: DecisionId(0xfeed_0000_0000_0001_0000_0000_0000_002a),
        time: UNIX_EPOCH + Duration::from_millis(1_767_225_600_007),
        api: Some("noah"),
        policy: Some(("noah-es", "5d41402a")),
        peer: Some(([127, 0, 0, 1], 40_000).into()),
        client_address: Some([192, 0, 2, 9].into()),
        subject: Some(subject),
        method: "POST",
        route: Some("/{tenant}/api/Patients/Merge"),
        path: Some("/t1/api/Patients/Merge"),
        cell: Some(("merge", "Patients")),
        scope: &[("tenant", "t1")],
        verdict: Verdict::Permit,
        reason: "granted",
        detail: None,
        granted_by: Some("Merge Patient Records"),
        status: Some(200),
        upstream_status: Some(200),
        received: 17,
        sent: 4096,
        duration: Duration::from_micros(12_345),
        decision: Duration::from_nanos(7_900),
        upstream: Some(Duration::from_micros(9_000)),
        failure: None,
    }
}

pub(crate) fn refused() -> Outcome<'static> {
    Outcome {
        id: DecisionId(7),
        time: UNIX_EPOCH,
        api: None,
        policy: None,
        peer: None,
        client_address: None,
        subject: None,
        method: "",
        route: None,
        path: None,
        cell: None,
        scope: &[],
        verdict: Verdict::Refuse,
        reason: "bad-spelling",
        detail: Some("dot-segment"),
        granted_by: None,
        status: None,
        upstream_status: None,
        received: 0,
        sent: 0,
        duration: Duration::ZERO,
        decision: Duration::ZERO,
        upstream: None,
        failure: Some("client-gone"),
    }
}

fn line(outcome: &Outcome<'_>) -> String {
    line_of(RecordKind::Exchange, outcome)
}

fn line_of(kind: RecordKind, outcome: &Outcome<'_>) -> String {
    let mut line = Vec::new();
    assert!(append_record(&mut line, kind, outcome));
    String::from_utf8(line).unwrap()
}

#[test]
fn a_permit_is_this_line() {
    let expected = concat!(
        r#"{"record":"exchange","time":"2026-01-01T00:00:00.007Z","id":"feed000000000001000000000000002a","policy":"noah-es","#,
        r#""policy_hash":"5d41402a","api":"noah","peer":"127.0.0.1:40000","client_address":"192.0.2.9","#,
        r#""caller":"hospital/alice","caller_kind":"user","client":"app-1","proof":"token","method":"POST","#,
        r#""route":"/{tenant}/api/Patients/Merge","path":"/t1/api/Patients/Merge","resource":"Patients","#,
        r#""operation":"merge","scope":{"tenant":"t1"},"verdict":"permit","reason":"granted","detail":null,"#,
        r#""granted_by":"Merge Patient Records","status":200,"upstream_status":200,"bytes_in":17,"bytes_out":4096,"#,
        r#""duration_us":12345,"decision_us":7,"upstream_us":9000,"failure":null}"#,
        "\n"
    );
    assert_eq!(line(&permitted(&clinician())), expected);
}

#[test]
fn a_refusal_that_knows_nothing_has_every_field_all_the_same() {
    let expected = concat!(
        r#"{"record":"exchange","time":"1970-01-01T00:00:00.000Z","id":"00000000000000000000000000000007","policy":null,"#,
        r#""policy_hash":null,"api":null,"peer":null,"client_address":null,"caller":null,"caller_kind":null,"#,
        r#""client":null,"proof":null,"method":"","route":null,"path":null,"resource":null,"operation":null,"#,
        r#""scope":{},"verdict":"refuse","reason":"bad-spelling","detail":"dot-segment","granted_by":null,"#,
        r#""status":null,"upstream_status":null,"bytes_in":0,"bytes_out":0,"duration_us":0,"decision_us":0,"#,
        r#""upstream_us":null,"failure":"client-gone"}"#,
        "\n"
    );
    assert_eq!(line(&refused()), expected);
}

#[test]
fn quotes_and_control_characters_cannot_end_a_field_or_a_line() {
    let forged = "/t1/\",\"verdict\":\"permit\"}\r\n{\\\u{0}\u{1b}[2J\u{2028}é";
    let mut subject = clinician();
    subject.id = Some(SubjectId { source: "hospital".into(), name: "a\n\"b".into() });
    let mut outcome = permitted(&subject);
    outcome.path = Some(forged);
    let scope = [("tenant", "t\n1")];
    outcome.scope = &scope;
    let line = line(&outcome);
    assert_eq!(line.matches('\n').count(), 1);
    assert!(line.ends_with("}\n"));
    assert!(line.bytes().all(|byte| byte >= b' ' || byte == b'\n'));
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["path"], forged);
    assert_eq!(read["caller"], "hospital/a\n\"b");
    assert_eq!(read["scope"]["tenant"], "t\n1");
    assert_eq!(read.as_object().unwrap().len(), 30);
}

#[test]
fn tenants_claims_and_roles_of_the_caller_are_not_written() {
    let mut subject = clinician();
    subject.claims.insert("email".into(), "alice@example.test".into());
    let line = line(&permitted(&subject));
    assert!(!line.contains("t2") && !line.contains("email"), "{line}");
}

#[test]
fn a_decision_and_its_outcome_are_the_exchange_in_two_lines() {
    let caller = clinician();
    let whole: serde_json::Value = serde_json::from_str(&line(&permitted(&caller))).unwrap();
    let [decision, outcome] = [RecordKind::Decision, RecordKind::Outcome]
        .map(|kind| serde_json::from_str::<serde_json::Value>(&line_of(kind, &permitted(&caller))).unwrap());
    assert_eq!((&decision["record"], &outcome["record"]), (&"decision".into(), &"outcome".into()));
    for (name, value) in whole.as_object().unwrap().iter().filter(|(name, _)| *name != "record") {
        let known: Vec<_> = [&decision, &outcome].into_iter().filter_map(|half| half.get(name)).collect();
        let both = ["time", "id", "verdict", "reason", "detail"].contains(&name.as_str());
        assert_eq!(known, vec![value; if both { 2 } else { 1 }], "{name}");
    }
    assert_eq!(decision.as_object().unwrap().keys().next_back().unwrap(), "granted_by");
    assert_eq!(outcome["id"], "feed000000000001000000000000002a");
}
