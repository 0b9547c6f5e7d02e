//! Which refusals shadow mode forwards, and which never forward.

use crate::document::Sources;
use crate::policy::{self, Snapshot};
use crate::request::RejectedRequest;
use crate::vocabulary::CellId;

use super::*;

const BASE: &str = "version: 1\nname: p\nresources: [A, B]\nroutes: { /a: { GET: read A }, /b: { GET: read B } }\n\
    permissions: { One: { A: R, B: R } }\n";

fn load(shadow: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add("p.yaml", &format!("{BASE}{shadow}"));
    policy::load(&sources, None).snapshot.unwrap()
}

fn forwards(policy: &Snapshot, reason: Reason, cell: Option<u32>) -> bool {
    let decision = Decision { cell: cell.map(CellId), ..Decision::refuse(reason) };
    let applied = apply(decision, policy);
    assert_eq!(applied.reason, reason, "the reason is kept");
    assert_eq!(applied.is_permit(), applied.is_shadowed());
    applied.is_permit()
}

#[test]
fn an_enforced_policy_forwards_no_refusal() {
    let enforced = load("");
    for cell in [None, Some(0), Some(1)] {
        assert!(!forwards(&enforced, Reason::NotGranted, cell));
    }
}

#[test]
fn a_shadowed_resource_forwards_its_own_refusals_only() {
    let part = load("shadow: [A]\n");
    assert!(forwards(&part, Reason::NotGranted, Some(0)));
    assert!(!forwards(&part, Reason::NotGranted, Some(1)));
    assert!(!forwards(&part, Reason::NoRoute, None));
    assert!(!forwards(&part, Reason::Unauthenticated(None), None));
}

#[test]
fn a_shadowed_policy_forwards_every_refusal_that_is_not_protective() {
    let all = load("shadow: all\n");
    for reason in [Reason::NotGranted, Reason::NoRoute, Reason::NoMethod, Reason::Unauthenticated(None), Reason::Nobody]
    {
        assert!(forwards(&all, reason, None), "{reason:?}");
    }
    for reason in
        [Reason::BadRequest(RejectedRequest::DotSegment), Reason::NoPolicy, Reason::NoApi, Reason::TooManyFailures]
    {
        assert!(!forwards(&all, reason, None), "{reason:?}");
    }
}

/// The decision for a user with the one role `r`: whether it forwards, its reason and its cell.
fn decide_as_r(rest: &str, path: &str, content_type: Option<&str>) -> (bool, Reason, Option<String>) {
    let mut sources = Sources::default();
    let text = "version: 1\nname: p\nresources: [A, B]\nscopes: { tenant: caller }\npermissions: { A: { A: R }, B: { B: R } }\n\
        routes:\n  /both: { GET: [read A, read B] }\n  /{tenant}/both: { GET: [read A, read B] }\n\
        \x20 /typed: { GET: { by-type: { image/png: read B, otherwise: read A } } }\n";
    sources.add("p.yaml", &format!("{text}{rest}"));
    let policy = policy::load(&sources, None).snapshot.unwrap();
    let subject = crate::vocabulary::Subject {
        kind: crate::vocabulary::SubjectKind::User,
        roles: vec![crate::vocabulary::Assignment { role: "r".into(), scope: Vec::new() }],
        ..Default::default()
    };
    let phase = content_type.map_or(crate::decision::Phase::Request, |of| crate::decision::Phase::Response(Some(of)));
    let query =
        crate::decision::query::RequestQuery { subject: &subject, method: "GET", target: path, host: None, phase };
    let now = crate::vocabulary::Timestamp(0);
    crate::decision::query::decide_query(&policy, query, now, &mut crate::decision::NoTrace, |trace, _| {
        let applied = apply(trace.decision.clone(), &policy);
        let cell = applied.cell.and_then(|cell| policy.cell(cell)).map(ToString::to_string);
        (applied.is_permit(), applied.reason, cell)
    })
}

#[test]
fn a_shadowed_cell_hides_no_enforced_one() {
    let nothing = "roles: { r: { permissions: [] } }\nshadow: [A]\n";
    let missing = |cell: &str| Some(cell.to_owned());
    // Both cells are missing: the enforced one decides, although it comes second.
    assert_eq!(decide_as_r(nothing, "/both", None), (false, Reason::NotGranted, missing("read B")));
    assert_eq!(decide_as_r(nothing, "/t1/both", None), (false, Reason::NotAMember, missing("read B")));
    assert_eq!(decide_as_r(nothing, "/typed", None), (false, Reason::NotGranted, missing("read B")));
    // Only the shadowed cell is missing.
    let only_b = "roles: { r: { permissions: [B] } }\nshadow: [A]\n";
    assert_eq!(decide_as_r(only_b, "/both", None), (true, Reason::NotGranted, missing("read A")));
    // Every cell is shadowed: the first one decides, as without shadow mode.
    for shadow in ["all", "[A, B]"] {
        let both = format!("roles: {{ r: {{ permissions: [] }} }}\nshadow: {shadow}\n");
        assert_eq!(decide_as_r(&both, "/both", None), (true, Reason::NotGranted, missing("read A")));
    }
}

#[test]
fn a_refused_response_names_the_missing_cell_and_not_the_granted_one() {
    let only_a = "roles: { r: { permissions: [A] } }\n";
    let decide = |shadow: &str| decide_as_r(&format!("{only_a}shadow: {shadow}\n"), "/typed", Some("image/png"));
    assert_eq!(decide("[A]"), (false, Reason::WrongType, Some("read B".to_owned())));
    assert_eq!(decide("[B]"), (true, Reason::WrongType, Some("read B".to_owned())));
    assert!(decide_as_r(&format!("{only_a}shadow: [A]\n"), "/typed", Some("text/plain")).0);
}
