//! The decision of one policy on one request: its method, method overrides, the upgrade and the masks combined.

use std::net::IpAddr;

use crate::decision::{ApprovalSet, Decision, Phase, Question, Reason, Trace, decide_traced, mode};
use crate::identity::IdentityError;
use crate::policy::{NoMatch, RouteMatch, Snapshot, access_of};
use crate::request::CanonicalPath;
use crate::vocabulary::{CellId, RequestFacts, Subject, Timestamp};

/// Inquiry: one request as one policy is asked about it.
#[derive(Clone, Copy)]
pub(super) struct Inquiry<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a CanonicalPath<'a>,
    pub(super) query: Option<&'a str>,
    /// The route of the request in the policy that is asked.
    pub(super) route: &'a Result<RouteMatch<'a>, NoMatch>,
    pub(super) subject: Result<&'a Subject, IdentityError>,
    pub(super) address: Option<IpAddr>,
    /// Whether the request asks for a WebSocket.
    pub(super) websocket: bool,
    pub(super) phase: Phase<'a>,
    pub(super) approvals: &'a ApprovalSet,
    pub(super) now: Timestamp,
}

/// Decides on the request and on each method in `overrides`; the result is the strictest decision of all.
///
/// The mode of `policy` (enforcing or shadow) is applied to each.
pub(super) fn evaluate_inquiry<T: Trace>(
    inquiry: &Inquiry<'_>,
    overrides: &[String],
    policy: &Snapshot,
    trace: &mut T,
) -> Decision {
    let decision = decide_inquiry(inquiry, policy, trace);
    let needs_mask = has_mask(&decision);
    let decision = evaluate_overrides(decision, inquiry, overrides, policy, trace);
    let cell = || policy.reported_cell(inquiry.route.iter().flat_map(|route| route.access.cells.ids()));
    let decision = stricter(decision, || needs_mask.then(|| refused(Reason::CannotMask, cell(), policy)));
    let opens = inquiry.route.as_ref().is_ok_and(|route| route.method.websocket);
    stricter(decision, || (inquiry.websocket && !opens).then(|| refused(Reason::NoUpgrade, cell(), policy)))
}

/// The strictest of `decision` and the decisions on each method in `overrides`.
pub(super) fn evaluate_overrides<T: Trace>(
    decision: Decision,
    inquiry: &Inquiry<'_>,
    overrides: &[String],
    policy: &Snapshot,
    trace: &mut T,
) -> Decision {
    overrides.iter().fold(decision, |decision, method| {
        stricter(decision, || {
            let route = policy.routes.match_route(method, inquiry.path, inquiry.query);
            // The response is judged as one to the method that was sent. Of another method, every media type must be
            // permitted, and none may need a mask.
            let phase = Phase::Response(None);
            let decision = decide_inquiry(&Inquiry { method, route: &route, phase, ..*inquiry }, policy, trace);
            let (needs_mask, cell) = (has_mask(&decision), decision.cell);
            Some(stricter(decision, || needs_mask.then(|| refused(Reason::CannotMask, cell, policy))))
        })
    })
}

/// A refusal about `cell`, with the mode of `policy` applied.
pub(super) fn refused(reason: Reason, cell: Option<CellId>, policy: &Snapshot) -> Decision {
    mode::apply(Decision { cell, ..Decision::refuse(reason) }, policy)
}

fn decide_inquiry<T: Trace>(inquiry: &Inquiry<'_>, policy: &Snapshot, trace: &mut T) -> Decision {
    // Conditions read the path that is forwarded, not the client's spelling.
    let printed = inquiry.route.as_ref().ok().filter(|_| !policy.model.conditions.is_empty());
    let printed = printed.map(|route| route.forwarded_path(inquiry.path));
    let path = printed.as_deref().unwrap_or(inquiry.path.as_str());
    let facts = RequestFacts { method: inquiry.method, path, address: inquiry.address };
    let (access, phase) = (access_of(inquiry.route), inquiry.phase);
    let question = Question { access, subject: inquiry.subject, facts, phase };
    mode::apply(decide_traced(question, policy, inquiry.approvals, inquiry.now, trace), policy)
}

fn has_mask(decision: &Decision) -> bool {
    decision.verdict.as_ref().is_ok_and(|permit| permit.masks().next().is_some())
}

/// The second decision where only it refuses, or where only it would refuse without shadow mode; else the first.
fn stricter(first: Decision, second: impl FnOnce() -> Option<Decision>) -> Decision {
    if !first.is_permit() {
        return first;
    }
    match second() {
        Some(second) if !second.is_permit() || (second.is_shadowed() && !first.is_shadowed()) => second,
        _ => first,
    }
}
