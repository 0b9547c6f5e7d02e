//! What is kept of an exchange beside its record: the grants that it used, what it lacked, and samples for the log.

use crate::decision::Reason;
use crate::metrics::comparison::{PolicyDecision, RequestSample};

use super::exchange::Exchange;

/// Counts an exchange that has ended. Nothing here waits, and nothing of the request's values is kept or logged.
pub(super) fn record_usage(exchange: &Exchange) {
    let (Some(api), Some(policy), Some(decision)) = (&exchange.api, &exchange.policy, &exchange.decision) else {
        return;
    };
    let route = exchange.route.and_then(|route| policy.template(route));
    let tally = api.coverage.tally();
    // A request that began under another version would be counted for other rows.
    if tally.is_of(policy) {
        if decision.reason.is_permit() {
            tally.used(&exchange.uses);
        } else if !matches!(decision.reason, Reason::BadRequest(_)) {
            tally.refused(decision.cell);
        }
        if let (true, Some(path)) = (exchange.unmapped, &exchange.path) {
            tally.unmapped(&exchange.method, path, exchange.time);
        }
        if decision.is_shadowed() && tally.samples(decision.cell, exchange.time) {
            let cell = decision.cell.and_then(|cell| policy.cell(cell));
            tracing::warn!(
                api = %api.name,
                decision = %exchange.id,
                reason = decision.reason.full_code(Some(policy)),
                operation = cell.map_or("", |cell| cell.operation.word()),
                resource = cell.map_or("", |cell| &*cell.resource),
                method = exchange.method,
                route,
                "shadow mode has forwarded what would be refused"
            );
        }
    }
    if let (Some(comparison), Some((candidate, word))) = (&api.comparison, &exchange.candidate) {
        let permitted = word.verdict.as_ref().ok().and_then(|permit| permit.route());
        let other = || candidate.template(permitted?);
        let request = RequestSample {
            id: exchange.id,
            time: exchange.time,
            method: &exchange.method,
            route: route.or_else(other),
        };
        comparison.observe(
            PolicyDecision { policy, decision },
            PolicyDecision { policy: candidate, decision: word },
            request,
        );
    }
}
