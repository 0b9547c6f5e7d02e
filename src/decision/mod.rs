//! The answer: one pure function, used by the proxy, by `explain`, by `decide` and by every test.

pub mod approval;
pub mod cases;
pub mod diff;
mod evaluator;
pub mod mode;
pub mod reason;
pub mod remediation;
pub mod context;
pub mod query;
pub mod verdict;
pub mod view;
pub mod who;
pub mod trace;

pub use approval::ApprovalSet;
pub use context::{EvaluationContext, Precheck};
pub use evaluator::{Evaluator, RowStatus};
pub use reason::Reason;
pub use trace::{NoTrace, Trace, TraceStep, UsageTrace};
pub use verdict::{Decision, Permit, Refusal};

use crate::identity::IdentityError;
use crate::policy::ConditionId;
use crate::policy::condition_context::ConditionContext;
use crate::policy::entitlements::Entitlements;
use crate::policy::{NoMatch, Snapshot};
use crate::request::RejectedRequest;
use crate::vocabulary::{Access, Cells, RequestFacts, Scope, Subject, SubjectKind, Timestamp, access::MAX_SCOPES};

use verdict::Obligations;

/// Question: who asks for what; failures to find out are part of it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the request would do, or why that is not known.
    pub access: Result<&'a Access<'a>, NoMatch>,
    /// Who asks, or why that is not known.
    pub subject: Result<&'a Subject, IdentityError>,
    /// What conditions may know besides.
    pub facts: RequestFacts<'a>,
    /// How far the exchange has come.
    pub phase: Phase<'a>,
}

/// Phase: how far the exchange has come; an answer may say more about what was asked for than the request did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase<'a> {
    /// Nothing was forwarded yet.
    #[default]
    Request,
    /// The upstream has answered with this `Content-Type`, or with none, or with several.
    Answer(Option<&'a str>),
}

/// Decides. The same arguments give the same answer; doubt is a refusal.
///
/// `now` is the moment of the request: conditions and approvals that expire are judged by it.
pub fn decide(question: Question<'_>, policy: &Snapshot, approvals: &ApprovalSet, now: Timestamp) -> Decision {
    decide_traced(question, policy, approvals, now, &mut NoTrace)
}

/// [`decide`], watched: `witness` is shown each step, and cannot change any.
pub fn decide_traced<W: Trace>(
    question: Question<'_>,
    policy: &Snapshot,
    approvals: &ApprovalSet,
    now: Timestamp,
    witness: &mut W,
) -> Decision {
    let Question { access, subject, facts, phase } = question;
    if let Err(NoMatch::Rejected(rejected)) = access
        && !depends_on_routes(rejected)
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
        let at = ConditionContext { now, subject, facts, scope, entitlements: &entitlements, policy };
        policy.condition(condition).is_some_and(|condition| condition.holds(&at.variables()))
    };
    let Some(method) = policy.routes.method(access.route, access.method) else {
        return Decision::refuse(Reason::NoMethod);
    };
    if method.when.is_some_and(|when| !holds(when, &access.scope)) {
        return Decision::refuse_at(Reason::Condition, first);
    }
    let Some(scope) = scope_of(access, &entitlements, policy) else {
        return Decision::refuse_at(Reason::NotAMember, first);
    };
    witness.see(TraceStep::Scope(&scope));
    let holds = |condition| holds(condition, &scope);
    let seat = EvaluationContext {
        policy,
        approvals,
        now,
        subject,
        entitlements,
        scope: &scope,
        across: access.across,
        holds: &holds,
    };
    let judge = match seat.ruling() {
        Precheck::Everything => {
            return Decision::permit(Reason::ServiceApp, access.route, first, None, Obligations::default());
        }
        Precheck::Nothing(reason) => return Decision::refuse_at(reason, first),
        Precheck::Rows(judge) => judge,
    };
    match access.cells {
        Cells::All(needed) => judge.all(needed, access.route, witness),
        Cells::ByType(candidates) => judge.by_type(candidates, access.route, phase, witness),
        // Both are decided above; doubt is a refusal.
        Cells::Public | Cells::Nobody => Decision::refuse(Reason::Nobody),
    }
}

/// Whether such a rejection says something about the routes: whoever proved nothing must not learn of them.
fn depends_on_routes(rejected: RejectedRequest) -> bool {
    matches!(rejected, RejectedRequest::AmbiguousPath | RejectedRequest::EncodedSlash | RejectedRequest::AmbiguousScope)
}

/// The scope that a request is decided in: the caller's only tenant where the route has none; `None` where the
/// route names a tenant that is not one of the caller's.
pub fn scope_of<'a>(access: &'a Access<'_>, entitlements: &Entitlements<'a>, policy: &Snapshot) -> Option<Scope<'a>> {
    let mut scope: Scope<'a> = Default::default();
    for ((slot, value), declared) in scope.iter_mut().zip(&access.scope).zip(&policy.model.scopes) {
        *slot = value.as_deref().map(Into::into);
        if !declared.caller {
            continue;
        }
        match (&slot, entitlements.tenants()) {
            (Some(value), tenants) if !tenants.iter().any(|tenant| **tenant == **value) => return None,
            (None, [only]) => *slot = Some((&**only).into()),
            _ => {}
        }
    }
    Some(scope)
}

const _: () = assert!(MAX_SCOPES <= 8, "`across` holds a bit for each scope");

#[cfg(test)]
mod tests;
