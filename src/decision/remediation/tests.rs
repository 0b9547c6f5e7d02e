//! Remediations: each one permits the request, and none is larger than necessary.

use super::{Remediation, find_remediations};
use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{NoTrace, Phase};
use crate::document::{Sources, report};
use crate::policy::{self, outline::PolicyOutline};
use crate::vocabulary::{Subject, Timestamp};

fn remediations(text: &str, subject: &str, method: &str, target: &str) -> Vec<Remediation> {
    let mut sources = Sources::default();
    sources.add("p.yaml", text);
    let loaded = policy::load(&sources, None);
    let policy = loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)));
    let subject: Subject = serde_json::from_str(subject).unwrap();
    let query = RequestQuery { subject: &subject, method, target, host: None, phase: Phase::Request };
    let outline = PolicyOutline::read(&sources);
    let found = find_remediations(&outline, &policy, query, Timestamp(0));
    // All changes together permit the request; without any one of them it is refused.
    for remediation in &found {
        for left_out in (0..remediation.changes.len()).map(Some).chain([None]) {
            let mut changes = remediation.changes.clone();
            left_out.map(|at| changes.remove(at));
            let user = policy.entitlements.for_subject(&subject).entry().map(|entry| entry.id()).or(subject.id.clone());
            let Some(amended) = outline.apply_edits(&changes, user.map(|id| id.to_string()).as_deref()) else {
                continue;
            };
            let mut caller = subject.clone();
            changes.iter().for_each(|change| change.apply_to(&mut caller));
            let query = RequestQuery { subject: &caller, ..query };
            let permits =
                decide_query(&amended, query, Timestamp(0), &mut NoTrace, |trace, _| trace.decision.is_permit());
            assert_eq!(permits, left_out.is_none(), "{changes:?}");
        }
    }
    assert!(found.windows(2).all(|pair| pair[0].opens <= pair[1].opens), "{found:#?}");
    found
}

/// The changes of each remediation, joined in one line.
fn change_lines(found: &[Remediation]) -> Vec<String> {
    let one =
        |remediation: &Remediation| remediation.changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    found.iter().map(one).collect()
}

const NOAH: &str = include_str!("../../../policies/noah-es.yaml");
const CARESTREAM: &str = include_str!("../../../policies/carestream.yaml");
const HID: &str = include_str!("../../../policies/hid-integration-service.yaml");
const PROKNOW: &str = include_str!("../../../policies/proknow.yaml");

#[test]
fn a_missing_row_behind_a_closed_gate_is_one_remediation() {
    let caller = r#"{"id":"u1","client":"app-9","tenant":"t1","roles":["Level 2"]}"#;
    let one = change_lines(&remediations(NOAH, caller, "GET", "/t1/api/Patients/p1"));
    assert_eq!(one[0], "add `{ client: app-9, tenant: t1 }` to `granted` of the gate `app-connection`");
    let two = change_lines(&remediations(NOAH, caller, "DELETE", "/t1/api/Patients/p1"));
    assert!(two[0].starts_with("give `Delete Patient Demographic and Action Data` to the user `u1`; add `"), "{two:?}");
    assert!((1..=5).contains(&two.len()));
}

#[test]
fn what_was_taken_away_is_left_or_given_nearer() {
    let text = format!("{CARESTREAM}  nurse: {{ group: Technologists, without: [MPR] }}\n");
    let print = change_lines(&remediations(&text, r#"{"id":"nurse"}"#, "POST", "/api/studies/1/print"));
    assert_eq!(print[0], "give `Print Images` to the user `nurse`");
    assert!(
        print.contains(&"take `Print Images` out of `without` of the group `Technologists`".to_owned()),
        "{print:?}"
    );
}

#[test]
fn a_caller_without_a_group_or_with_two_roles_is_put_where_it_may() {
    let no_group = change_lines(&remediations(CARESTREAM, r#"{"id":"u"}"#, "GET", "/dicomweb/studies"));
    assert!(no_group.iter().all(|line| line.contains("claim the group")), "{no_group:?}");
    let two =
        change_lines(&remediations(PROKNOW, r#"{"id":"u","roles":["Guest","Physician"]}"#, "GET", "/api/workspaces"));
    assert_eq!(two[0], "let the caller's credential claim the role `Guest` and no other");
}

#[test]
fn a_role_is_given_in_the_scope_of_the_request() {
    let caller = r#"{"id":"u","roles":[{"PacsAdministrator":{"tenant":"t1","pacs":"p7"}}]}"#;
    let lines = change_lines(&remediations(HID, caller, "GET", "/ais/v1/tenant/t2/pacs/p7"));
    let role = "let the caller's credential claim the role `PacsAdministrator` in tenant `t2` and pacs `p7`";
    assert!(lines.iter().any(|line| line == role), "{lines:?}");
}

#[test]
fn conditions_are_named_by_their_text() {
    let text = "version: 1\nname: p\nroutes: { /a: { GET: { need: read A, when: \"caller.client == 'x'\" } } }\n\
                resources: [A]\npermissions: { Look: { A: R } }\neveryone: [Look]\n\
                gates: { step-up: { by: condition, permissions: [Look], when: \"caller.claims.acr == 'mfa'\" } }\n";
    let lines = change_lines(&remediations(text, "{}", "GET", "/a"));
    let both = "the condition `caller.client == 'x'` would have to hold; \
                the condition `caller.claims.acr == 'mfa'` would have to hold";
    assert_eq!(lines, [both]);
}

#[test]
fn a_missing_route_or_an_unreachable_cell_has_no_remediation() {
    assert!(remediations(NOAH, r#"{"tenant":"t1"}"#, "DELETE", "/t1/api/Nowhere").is_empty());
    assert!(
        remediations(
            NOAH,
            r#"{"id":"u","client":"app-1","tenant":"t1","roles":["Level 2"]}"#,
            "GET",
            "/t1/api/Settings"
        )
        .is_empty()
    );
}
