//! Decide: the one function that permits or refuses a request.

use crate::identity::IdentityError;
use crate::policy::{ConditionId, condition_context::ConditionContext};
use crate::policy::{NoMatch, Snapshot};
use crate::request::RejectedRequest;
use crate::vocabulary::{Access, Cells, Scope, SubjectKind, Timestamp};

use super::verdict::Obligations;
use super::{
    ApprovalSet, Decision, EvaluationContext, NoTrace, Precheck, Question, Reason, Trace, TraceStep, resolve_scope,
};

/// Decides a question. The same arguments always give the same decision; doubt is a refusal.
///
/// `now` is the time of the request. Conditions and the expiry of approvals are evaluated at this time.
pub fn decide(question: Question<'_>, policy: &Snapshot, approvals: &ApprovalSet, now: Timestamp) -> Decision {
    decide_traced(question, policy, approvals, now, &mut NoTrace)
}

/// Decides like [`decide()`] and reports each step to `trace`, which cannot change the decision.
pub fn decide_traced<T: Trace>(
    question: Question<'_>,
    policy: &Snapshot,
    approvals: &ApprovalSet,
    now: Timestamp,
    trace: &mut T,
) -> Decision {
    let Question { access, subject, facts, phase } = question;
    if let Err(NoMatch::Rejected(rejected)) = access
        && !reveals_routes(rejected)
    {
        return Decision::refuse(Reason::BadRequest(rejected));
    }
    let subject = match subject {
        Ok(subject) => subject,
        Err(IdentityError::KeysUnavailable) => return Decision::refuse(Reason::KeysUnavailable),
        Err(error) => return Decision::refuse(Reason::Unauthenticated(Some(error))),
    };
    if let Ok(Access { route, cells: Cells::Public, .. }) = access {
        return Decision::permit(Reason::Public, *route, None, None, Obligations::default());
    }
    if subject.kind == SubjectKind::Anonymous {
        return Decision::refuse(Reason::Unauthenticated(None));
    }
    let access = match access {
        Ok(access) => access,
        Err(NoMatch::Rejected(rejected)) => return Decision::refuse(Reason::BadRequest(rejected)),
        Err(NoMatch::NoRoute) => return Decision::refuse(Reason::NoRoute),
        Err(NoMatch::NoMethod(_)) => return Decision::refuse(Reason::NoMethod),
    };
    if *access.cells == Cells::Nobody {
        return Decision::refuse(Reason::Nobody);
    }
    let first = policy.reported_cell(access.cells.ids());
    let entitlements = policy.entitlements.for_subject(subject);
    let holds = |condition: ConditionId, scope: &Scope<'_>| {
        let context = ConditionContext { now, subject, facts, scope, entitlements: &entitlements, policy };
        policy.condition(condition).is_some_and(|condition| condition.holds(&context.variables()))
    };
    let Some(method) = policy.routes.method(access.route, access.method) else {
        return Decision::refuse(Reason::NoMethod);
    };
    if method.when.is_some_and(|when| !holds(when, &access.scope)) {
        return Decision::refuse_for_cell(Reason::Condition, first);
    }
    let Some(scope) = resolve_scope(access, &entitlements, policy) else {
        return Decision::refuse_for_cell(Reason::NotAMember, first);
    };
    trace.record(TraceStep::Scope(&scope));
    let holds = |condition| holds(condition, &scope);
    let context = EvaluationContext {
        policy,
        approvals,
        now,
        subject,
        entitlements,
        scope: &scope,
        across: access.across,
        holds: &holds,
    };
    let evaluator = match context.precheck() {
        Precheck::Everything => {
            return Decision::permit(Reason::ServiceApp, access.route, first, None, Obligations::default());
        }
        Precheck::Nothing(reason) => return Decision::refuse_for_cell(reason, first),
        Precheck::Rows(evaluator) => evaluator,
    };
    match access.cells {
        Cells::All(needed) => evaluator.decide_all(needed, access.route, trace),
        Cells::ByType(candidates) => evaluator.decide_by_type(candidates, access.route, phase, trace),
        // Both are decided above; doubt is a refusal.
        Cells::Public | Cells::Nobody => Decision::refuse(Reason::Nobody),
    }
}

/// Whether a rejection depends on the routes of the policy; unauthenticated callers must not learn these.
fn reveals_routes(rejected: RejectedRequest) -> bool {
    matches!(rejected, RejectedRequest::AmbiguousPath | RejectedRequest::EncodedSlash | RejectedRequest::AmbiguousScope)
}
