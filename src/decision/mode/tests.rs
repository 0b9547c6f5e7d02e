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
