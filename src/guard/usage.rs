//! Usage: what an exchange adds to the coverage of its policy and to the comparison with the candidate.

use std::time::SystemTime;

use crate::audit::DecisionId;
use crate::decision::Reason;
use crate::metrics::comparison::{PolicyDecision, RequestSample};

use super::judgement::Judgement;

/// Counts the grants that an ended exchange used, the cell that it lacked, and how the candidate decides.
///
/// Nothing here waits. No value of the request is kept or logged.
pub(super) fn record_usage(judgement: &Judgement, id: DecisionId, time: SystemTime, method: &str) {
    let Judgement::Decided(governed, evaluation) = judgement else { return };
    let (api, policy, decision) = (governed.api(), governed.policy(), evaluation.decision());
    let route = governed.route().and_then(|route| policy.template(route));
    let tally = api.coverage.tally();
    // A request that began under another version of the policy would count for other rows.
    if tally.is_of(policy) {
        if decision.reason.is_permit() {
            tally.mark_used(evaluation.usage());
        } else if !matches!(decision.reason, Reason::BadRequest(_)) {
            tally.count_refusal(decision.cell);
        }
        if let (true, Some(plan)) = (evaluation.is_unmapped(), evaluation.plan()) {
            tally.count_unmapped(method, plan.path(), time);
        }
        if decision.is_shadowed() && tally.admit_sample(decision.cell, time) {
            let cell = decision.cell.and_then(|cell| policy.cell(cell));
            tracing::warn!(
                api = %api.name,
                decision = %id,
                reason = decision.reason.full_code(Some(policy)),
                operation = cell.map_or("", |cell| cell.operation.name()),
                resource = cell.map_or("", |cell| &*cell.resource),
                method,
                route,
                "shadow mode has forwarded what would be refused"
            );
        }
    }
    if let (Some(comparison), Some((candidate, decided))) = (&api.comparison, evaluation.candidate()) {
        let permitted = decided.verdict.as_ref().ok().and_then(|permit| permit.route());
        let other = || candidate.template(permitted?);
        let request = RequestSample { id, time, method, route: route.or_else(other) };
        let live = PolicyDecision { policy, decision };
        comparison.observe(live, PolicyDecision { policy: candidate, decision: decided }, request);
    }
}
