//! Stated questions: a caller, a method and a target as text, decided on the road that the proxy takes.

use crate::policy::ConditionId;
use crate::policy::condition_context::ConditionContext;
use crate::policy::{NoMatch, RouteMatch, Snapshot};
use crate::request::{CanonicalRequest, OverrideMode, RawRequest, RejectedRequest, read};
use crate::vocabulary::{RequestFacts, Scope, Subject, Timestamp};

use super::{ApprovalSet, Decision, EvaluationContext, Phase, Precheck, Question, Trace, decide_traced, scope_of};

/// RequestQuery: one question, as it was written.
#[derive(Debug, Clone, Copy)]
pub struct RequestQuery<'a> {
    /// Who asks.
    pub subject: &'a Subject,
    /// The method.
    pub method: &'a str,
    /// The request target: a path with its query, or an absolute URI.
    pub target: &'a str,
    /// The `Host`, where the target is absolute.
    pub host: Option<&'a str>,
    /// How far the exchange has come.
    pub phase: Phase<'a>,
}

/// QueryTrace: what became of a question on its way to the decision.
pub struct QueryTrace<'a> {
    /// The request in its one spelling, or why it has none.
    pub request: Result<&'a CanonicalRequest<'a>, RejectedRequest>,
    /// Its place, or why it has none.
    pub placed: Result<&'a RouteMatch<'a>, NoMatch>,
    /// The decision.
    pub decision: &'a Decision,
    /// The approvals that were asked.
    pub approvals: &'a ApprovalSet,
    /// The moment of the request.
    pub now: Timestamp,
    /// What conditions could know besides; the path as it is forwarded, where a route covers it.
    pub facts: RequestFacts<'a>,
}

impl QueryTrace<'_> {
    /// Shows `then` the scope of the question and the judge of it, to be asked about single rows; `None` where the
    /// decision fell before.
    pub fn judged<T>(
        &self,
        policy: &Snapshot,
        subject: &Subject,
        then: impl FnOnce(&EvaluationContext<'_>, Precheck<'_>) -> T,
    ) -> Option<T> {
        let access = &self.placed.ok()?.access;
        let entitlements = policy.entitlements.for_subject(subject);
        let scope = scope_of(access, &entitlements, policy)?;
        let holds = |condition: ConditionId| self.holds(condition, policy, subject, &scope);
        let (approvals, now, across) = (self.approvals, self.now, access.across);
        let seat =
            EvaluationContext { policy, approvals, now, subject, entitlements, scope: &scope, across, holds: &holds };
        Some(then(&seat, seat.ruling()))
    }

    /// Whether a condition holds for this question.
    pub fn holds(&self, condition: ConditionId, policy: &Snapshot, subject: &Subject, scope: &Scope<'_>) -> bool {
        let entitlements = &policy.entitlements.for_subject(subject);
        let at = ConditionContext { now: self.now, subject, facts: self.facts, scope, entitlements, policy };
        policy.condition(condition).is_some_and(|condition| condition.holds(&at.variables()))
    }
}

/// Decides a question and hands the whole road to `then`; nothing but [`decide_watched`] finds the verdict.
pub fn answer<W: Trace, T>(
    policy: &Snapshot,
    asked: RequestQuery<'_>,
    now: Timestamp,
    witness: &mut W,
    then: impl FnOnce(&QueryTrace<'_>, &W) -> T,
) -> T {
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest {
        method: asked.method,
        target: asked.target.as_bytes(),
        host: asked.host.map(str::as_bytes),
        headers: &headers,
    };
    let request = read(&raw, policy.model.dialect, OverrideMode::Reject);
    let request = request.as_ref().map_err(|rejected| *rejected);
    let placed = request.map_err(NoMatch::Rejected);
    let placed = placed.and_then(|request| policy.routes.match_route(request.method, &request.path, request.query));
    let placed = placed.as_ref().map_err(|unplaced| *unplaced);
    // Conditions see the path that is forwarded, however the question spells it.
    let forwarded = placed.ok().zip(request.ok()).map(|(placed, request)| placed.forwarded_path(&request.path));
    let read = request.map_or("", |request| request.path.as_str());
    let facts = RequestFacts { method: asked.method, path: forwarded.as_deref().unwrap_or(read), address: None };
    let access = placed.map(|placed| &placed.access);
    let question = Question { access, subject: Ok(asked.subject), facts, phase: asked.phase };
    // No store here: what stands in for it is the policy's `granted:` and the caller's `approved`.
    let approvals = ApprovalSet::default();
    let decision = decide_traced(question, policy, &approvals, now, witness);
    then(&QueryTrace { request, placed, decision: &decision, approvals: &approvals, now, facts }, witness)
}
