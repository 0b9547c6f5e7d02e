//! Queries: a caller, a method and a target as text, decided in the same steps as a request to the gateway.

use crate::policy::ConditionId;
use crate::policy::condition_context::ConditionContext;
use crate::policy::{NoMatch, RouteMatch, Snapshot};
use crate::request::{CanonicalRequest, OverrideMode, RawRequest, RejectedRequest, read};
use crate::vocabulary::{RequestFacts, Scope, Subject, Timestamp};

use super::{ApprovalSet, Decision, EvaluationContext, Phase, Precheck, Question, Trace, decide_traced, resolve_scope};

/// RequestQuery: one query, as it was written.
#[derive(Debug, Clone, Copy)]
pub struct RequestQuery<'a> {
    /// The caller.
    pub subject: &'a Subject,
    /// The method.
    pub method: &'a str,
    /// The request target: a path with its query, or an absolute URI.
    pub target: &'a str,
    /// The `Host` field, if the target is absolute.
    pub host: Option<&'a str>,
    /// The phase of the exchange.
    pub phase: Phase<'a>,
}

/// QueryTrace: the intermediate results of a query and its decision.
pub struct QueryTrace<'a> {
    /// The canonical request, or why the request was rejected.
    pub request: Result<&'a CanonicalRequest<'a>, RejectedRequest>,
    /// The route match, or why no route matches.
    pub route_match: Result<&'a RouteMatch<'a>, NoMatch>,
    /// The decision.
    pub decision: &'a Decision,
    /// The approvals that the decision used.
    pub approvals: &'a ApprovalSet,
    /// The time of the request.
    pub now: Timestamp,
    /// The facts that conditions could read; the path is the forwarded one if a route covers it.
    pub facts: RequestFacts<'a>,
}

impl QueryTrace<'_> {
    /// Calls `then` with the evaluation context and the precheck of the query, to evaluate single rows.
    ///
    /// Returns `None` if the query was decided before a scope was known.
    pub fn with_context<T>(
        &self,
        policy: &Snapshot,
        subject: &Subject,
        then: impl FnOnce(&EvaluationContext<'_>, Precheck<'_>) -> T,
    ) -> Option<T> {
        let access = &self.route_match.ok()?.access;
        let entitlements = policy.entitlements.for_subject(subject);
        let scope = resolve_scope(access, &entitlements, policy)?;
        let holds = |condition: ConditionId| self.condition_holds(condition, policy, subject, &scope);
        let (approvals, now, across) = (self.approvals, self.now, access.across);
        let context =
            EvaluationContext { policy, approvals, now, subject, entitlements, scope: &scope, across, holds: &holds };
        Some(then(&context, context.precheck()))
    }

    /// Whether a condition holds for this query.
    pub fn condition_holds(
        &self,
        condition: ConditionId,
        policy: &Snapshot,
        subject: &Subject,
        scope: &Scope<'_>,
    ) -> bool {
        let entitlements = &policy.entitlements.for_subject(subject);
        let context = ConditionContext { now: self.now, subject, facts: self.facts, scope, entitlements, policy };
        policy.condition(condition).is_some_and(|condition| condition.holds(&context.variables()))
    }
}

/// Decides a query with [`decide_traced`] and calls `then` with the intermediate results.
pub fn decide_query<T: Trace, R>(
    policy: &Snapshot,
    query: RequestQuery<'_>,
    now: Timestamp,
    trace: &mut T,
    then: impl FnOnce(&QueryTrace<'_>, &T) -> R,
) -> R {
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest {
        method: query.method,
        target: query.target.as_bytes(),
        host: query.host.map(str::as_bytes),
        headers: &headers,
    };
    let request = read(&raw, policy.model.dialect, OverrideMode::Reject);
    let request = request.as_ref().map_err(|rejected| *rejected);
    let route_match = request
        .map_err(NoMatch::Rejected)
        .and_then(|request| policy.routes.match_route(request.method, &request.path, request.query));
    let route_match = route_match.as_ref().map_err(|no_match| *no_match);
    // Conditions read the path that is forwarded, in whatever form the query gives it.
    let forwarded = route_match.ok().zip(request.ok()).map(|(found, request)| found.forwarded_path(&request.path));
    let canonical = request.map_or("", |request| request.path.as_str());
    let facts = RequestFacts { method: query.method, path: forwarded.as_deref().unwrap_or(canonical), address: None };
    let access = route_match.map(|found| &found.access);
    let question = Question { access, subject: Ok(query.subject), facts, phase: query.phase };
    // There is no approval store here: the policy's `granted:` and the caller's `approved` replace it.
    let approvals = ApprovalSet::default();
    let decision = decide_traced(question, policy, &approvals, now, trace);
    then(&QueryTrace { request, route_match, decision: &decision, approvals: &approvals, now, facts }, trace)
}
