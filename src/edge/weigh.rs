//! The word of one policy about one request: its method, the methods that overrides ask for, upgrades and masks.

use std::net::IpAddr;

use crate::decision::{ApprovalSet, Decision, Phase, Question, Reason, Trace, decide_traced, mode};
use crate::identity::IdentityError;
use crate::policy::{NoMatch, RouteMatch, Snapshot, access_of};
use crate::request::CanonicalPath;
use crate::vocabulary::{CellId, RequestFacts, Subject, Timestamp};

/// Inquiry: one request as a policy is asked about it.
#[derive(Clone, Copy)]
pub(super) struct Inquiry<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a CanonicalPath<'a>,
    pub(super) query: Option<&'a str>,
    /// Its place among the routes of the policy that is asked.
    pub(super) placed: &'a Result<RouteMatch<'a>, NoMatch>,
    pub(super) subject: Result<&'a Subject, IdentityError>,
    pub(super) address: Option<IpAddr>,
    pub(super) websocket: bool,
    /// How far the exchange has come.
    pub(super) stage: Phase<'a>,
    pub(super) approvals: &'a ApprovalSet,
    pub(super) now: Timestamp,
}

/// What `policy` says: the heaviest word about all that is asked, as its mode lets it stand.
pub(super) fn evaluate_inquiry<W: Trace>(
    asked: &Inquiry<'_>,
    overrides: &[String],
    policy: &Snapshot,
    uses: &mut W,
) -> Decision {
    let decision = decide_inquiry(asked, policy, uses);
    let unmasked = decision.verdict.as_ref().is_ok_and(|permit| permit.masks().next().is_some());
    let decision = evaluate_overrides(decision, asked, overrides, policy, uses);
    let cell = || policy.telling(asked.placed.iter().flat_map(|placed| placed.access.cells.ids()));
    let decision = stricter(decision, || unmasked.then(|| refused(Reason::CannotMask, cell(), policy)));
    let opens = asked.placed.as_ref().is_ok_and(|placed| placed.method.websocket);
    stricter(decision, || (asked.websocket && !opens).then(|| refused(Reason::NoUpgrade, cell(), policy)))
}

/// The heaviest of `decision` and what `policy` says of each method that the request asks for besides its own.
pub(super) fn evaluate_overrides<W: Trace>(
    decision: Decision,
    asked: &Inquiry<'_>,
    overrides: &[String],
    policy: &Snapshot,
    uses: &mut W,
) -> Decision {
    overrides.iter().fold(decision, |decision, method| {
        stricter(decision, || {
            let placed = policy.routes.place(method, asked.path, asked.query);
            // The answer is judged as one to the method that was sent: of another one every type must be permitted,
            // and none may have to be masked.
            let stage = Phase::Answer(None);
            let decision = decide_inquiry(&Inquiry { method, placed: &placed, stage, ..*asked }, policy, uses);
            let unmasked = decision.verdict.as_ref().is_ok_and(|permit| permit.masks().next().is_some());
            let cell = decision.cell;
            Some(stricter(decision, || unmasked.then(|| refused(Reason::CannotMask, cell, policy))))
        })
    })
}

/// A refusal for want of `cell`, as the mode of `policy` lets it stand.
pub(super) fn refused(reason: Reason, cell: Option<CellId>, policy: &Snapshot) -> Decision {
    mode::apply(Decision { cell, ..Decision::refuse(reason) }, policy)
}

fn decide_inquiry<W: Trace>(asked: &Inquiry<'_>, policy: &Snapshot, uses: &mut W) -> Decision {
    // Conditions see the path that is forwarded, however the client spelt it.
    let printed = asked.placed.as_ref().ok().filter(|_| !policy.model.conditions.is_empty());
    let printed = printed.map(|placed| placed.printed(asked.path));
    let path = printed.as_deref().unwrap_or(asked.path.as_str());
    let facts = RequestFacts { method: asked.method, path, address: asked.address };
    let question = Question { access: access_of(asked.placed), subject: asked.subject, facts, stage: asked.stage };
    mode::apply(decide_traced(question, policy, asked.approvals, asked.now, uses), policy)
}

/// The second decision where it is a refusal and the first is none, or where it stops what the first lets pass.
fn stricter(first: Decision, second: impl FnOnce() -> Option<Decision>) -> Decision {
    if !first.is_permit() {
        return first;
    }
    match second() {
        Some(second) if !second.is_permit() || (second.is_shadowed() && !first.is_shadowed()) => second,
        _ => first,
    }
}
