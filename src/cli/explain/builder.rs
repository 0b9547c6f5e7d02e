//! Builds the explanation of a decision from its trace.

use crate::decision::Reason;
use crate::decision::query::{QueryTrace, RequestQuery};
use crate::document::Sources;
use crate::policy::outline::PolicyOutline;
use crate::policy::{NoMatch, Snapshot};

use super::advice::suggest_help;
use super::caller::explain_caller;
use super::cells::{explain_cells, explain_gates};
use super::context::ExplanationContext;
use super::explanation::{ExplainedCondition, ExplainedVersion, Explanation};
use super::recorder::TraceRecorder;

/// The explanation of a decision whose steps `recorder` has recorded; its suggested changes are still empty.
pub(super) fn build_explanation(
    policy: &Snapshot,
    outline: &PolicyOutline,
    sources: &Sources,
    query: RequestQuery<'_>,
    trace: &QueryTrace<'_>,
    recorder: &TraceRecorder,
) -> Explanation {
    let decision = trace.decision;
    let matched = trace.route_match.ok();
    let route = match trace.route_match {
        Ok(matched) => Some(matched.route),
        Err(NoMatch::NoMethod(id)) => policy.routes.route(id),
        Err(_) => None,
    };
    let scope =
        recorder.scope.clone().or_else(|| matched.map(|matched| matched.access.scope.clone())).unwrap_or_default();
    let across = matched.map_or(0, |matched| matched.access.across);
    let path = trace.request.ok().map(|request| request.path.as_str());
    let context = ExplanationContext {
        policy,
        outline,
        sources,
        subject: query.subject,
        trace,
        decision,
        route,
        path,
        scope,
        across,
    };
    let cell = decision.cell.and_then(|cell| policy.cell(cell));
    let method =
        matched.zip(route).and_then(|(matched, route)| outline.method(route.template.text(), &matched.method.name));
    // Full grants of a service app depend neither on rows nor on gates.
    let evaluated = recorder.scope.is_some() && decision.reason != Reason::ServiceApp;
    let permit = decision.verdict.as_ref().ok();
    let field_set = |index: usize| policy.model.fields.get(index).map(|set| set.name.to_string());
    let gate = |index: usize| policy.gate(index).map(|gate| gate.name.to_string());
    Explanation {
        decision: if decision.is_permit() { "permit" } else { "refuse" },
        reason: decision.reason.full_code(Some(policy)).to_owned(),
        detail: decision.reason.detail(),
        status: decision.verdict.as_ref().err().map(|refusal| refusal.status),
        meaning: decision.reason.sentence(),
        policy: ExplainedVersion { name: policy.version.name.to_string(), hash: policy.version.hash.to_string() },
        method: query.method.to_owned(),
        target: query.target.to_owned(),
        // A matched path is forwarded in the policy's spelling, which the audit records also contain.
        canonical_path: context.path.map(|_| trace.facts.path.to_owned()),
        route: route.map(|route| route.template.text().to_owned()),
        place: context.locate(method.or_else(|| route.map(|route| route.span))),
        when: explain_condition(&context),
        resource: cell.map(|cell| cell.resource.to_string()),
        operation: cell.map(|cell| cell.operation.to_string()),
        granted_by: decision.granted_by.map(|row| context.row_name(row)),
        scope: context.scope_values(),
        across: context.across_names(),
        needs: explain_cells(&context, recorder),
        gates: if evaluated { explain_gates(&context) } else { Vec::new() },
        masks: permit.iter().flat_map(|permit| permit.masks()).filter_map(field_set).collect(),
        asks: permit.iter().flat_map(|permit| permit.asks()).filter_map(gate).collect(),
        caller: explain_caller(&context, evaluated),
        help: suggest_help(&context),
        changes: Vec::new(),
    }
}

/// The route's condition, and whether it holds.
fn explain_condition(context: &ExplanationContext<'_>) -> Option<ExplainedCondition> {
    let matched = context.trace.route_match.ok()?;
    let when = matched.method.when?;
    let holds = context.trace.condition_holds(when, context.policy, context.subject, &matched.access.scope);
    Some(ExplainedCondition { condition: context.policy.condition(when)?.text().to_owned(), holds })
}
