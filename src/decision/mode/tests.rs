//! What shadow mode lets pass, and what never passes.

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
    assert_eq!(applied.reason, reason, "the reason stays");
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
fn a_shadowed_policy_forwards_all_that_can_be_read_in_one_way() {
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

/// What a user with the one role `r` is told, and the cell that it turns on.
fn asked(rest: &str, path: &str, content_type: Option<&str>) -> (bool, Reason, Option<String>) {
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
    let phase = content_type.map_or(crate::decision::Phase::Request, |of| crate::decision::Phase::Answer(Some(of)));
    let asked =
        crate::decision::query::RequestQuery { subject: &subject, method: "GET", target: path, host: None, phase };
    let now = crate::vocabulary::Timestamp(0);
    crate::decision::query::answer(&policy, asked, now, &mut crate::decision::NoTrace, |road, _| {
        let applied = apply(road.decision.clone(), &policy);
        let cell = applied.cell.and_then(|cell| policy.cell(cell)).map(ToString::to_string);
        (applied.is_permit(), applied.reason, cell)
    })
}

#[test]
fn a_watched_cell_hides_none_that_is_enforced() {
    let nothing = "roles: { r: { permissions: [] } }\nshadow: [A]\n";
    let lacking = |cell: &str| Some(cell.to_owned());
    // Both lack: the one that is enforced counts, though it stands behind.
    assert_eq!(asked(nothing, "/both", None), (false, Reason::NotGranted, lacking("read B")));
    assert_eq!(asked(nothing, "/t1/both", None), (false, Reason::NotAMember, lacking("read B")));
    assert_eq!(asked(nothing, "/typed", None), (false, Reason::NotGranted, lacking("read B")));
    // Only what is watched lacks.
    let only_b = "roles: { r: { permissions: [B] } }\nshadow: [A]\n";
    assert_eq!(asked(only_b, "/both", None), (true, Reason::NotGranted, lacking("read A")));
    // All of it is watched: the first counts, as without shadow.
    for shadow in ["all", "[A, B]"] {
        let both = format!("roles: {{ r: {{ permissions: [] }} }}\nshadow: {shadow}\n");
        assert_eq!(asked(&both, "/both", None), (true, Reason::NotGranted, lacking("read A")));
    }
}

#[test]
fn an_answer_is_held_back_for_the_cell_that_lacks_and_not_for_the_one_that_was_granted() {
    let only_a = "roles: { r: { permissions: [A] } }\n";
    let told = |shadow: &str| asked(&format!("{only_a}shadow: {shadow}\n"), "/typed", Some("image/png"));
    assert_eq!(told("[A]"), (false, Reason::WrongType, Some("read B".to_owned())));
    assert_eq!(told("[B]"), (true, Reason::WrongType, Some("read B".to_owned())));
    assert!(asked(&format!("{only_a}shadow: [A]\n"), "/typed", Some("text/plain")).0);
}
