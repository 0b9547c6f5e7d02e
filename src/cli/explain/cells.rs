//! Explains the cells that a route needs, and the approval gates on their permissions.

use crate::decision::approval::ApprovalKeys;
use crate::decision::{Precheck, Reason, eligibility};
use crate::policy::RowId;
use crate::policy::grants::rows_of;
use crate::vocabulary::{CellId, Cells};

use super::context::ExplanationContext;
use super::explanation::{ExplainedCell, ExplainedGate};
use super::levels::{LevelEvaluator, RowExplanation};
use super::recorder::TraceRecorder;

/// Every needed cell; on a route by media type the cells of each candidate.
pub(super) fn explain_cells(context: &ExplanationContext<'_>, recorder: &TraceRecorder) -> Vec<ExplainedCell> {
    match context.trace.route_match.ok().map(|matched| matched.access.cells) {
        Some(Cells::All(needed)) => {
            needed.iter().filter_map(|cell| explain_cell(context, *cell, None, recorder)).collect()
        }
        Some(Cells::ByType(candidates)) => candidates
            .iter()
            .flat_map(|candidate| candidate.cells.iter().map(|cell| (*cell, candidate.range.to_string())))
            .filter_map(|(cell, range)| explain_cell(context, cell, Some(range), recorder))
            .collect(),
        _ => Vec::new(),
    }
}

/// The approval gates on permissions that have a needed cell, in the state that the decision found.
pub(super) fn explain_gates(context: &ExplanationContext<'_>) -> Vec<ExplainedGate> {
    let policy = context.policy;
    let keys = ApprovalKeys { subject: context.subject, scope: &context.scope };
    let cells = context.trace.route_match.ok().map(|matched| eligibility::cell_requirements(matched.access.cells));
    let cells = cells.unwrap_or_default().into_iter().flatten();
    let rows: Vec<RowId> = cells.flat_map(|cell| rows_of(policy.grants.rows_with(*cell))).collect();
    let closing = policy.model.gates.iter().filter(|gate| gate.closes.iter().any(|row| rows.contains(row)));
    let by_approval = closing.filter_map(|gate| gate.approval().map(|approval| (gate, approval)));
    by_approval
        .map(|(gate, approval)| ExplainedGate {
            gate: gate.name.to_string(),
            open: context.trace.approvals.opens(&gate.name, approval, &keys, context.trace.now),
            keys: approval.keys.iter().map(|key| (context.key_name(*key), context.key_value(*key).into())).collect(),
        })
        .collect()
}

fn explain_cell(
    context: &ExplanationContext<'_>,
    id: CellId,
    answered_as: Option<String>,
    recorder: &TraceRecorder,
) -> Option<ExplainedCell> {
    let (policy, decision) = (context.policy, context.decision);
    let cell = policy.cell(id)?;
    let row = recorder.granted.iter().find(|(granted, _)| *granted == id).map(|(_, row)| *row);
    let denial = recorder.denied.iter().find(|(denied, _)| *denied == id).map(|(_, reason)| *reason);
    let denial = denial.or_else(|| {
        let decided_here = !decision.is_permit() && row.is_none() && decision.cell == Some(id);
        decided_here.then_some(decision.reason)
    });
    let by_service_app = decision.reason == Reason::ServiceApp;
    Some(ExplainedCell {
        answered_as,
        operation: cell.operation.to_string(),
        resource: cell.resource.to_string(),
        verdict: match (row.is_some() || by_service_app, denial.is_some()) {
            (true, _) => "granted",
            (false, true) => "lacking",
            (false, false) => "not-judged",
        },
        granted_by: row.map(|row| context.row_name(row)),
        reason: denial.map(|reason| reason.full_code(Some(policy)).to_owned()),
        rows: explain_rows(context, id),
    })
}

/// Every permission that has the cell, as the evaluator of this request sees it.
fn explain_rows(context: &ExplanationContext<'_>, cell: CellId) -> Vec<RowExplanation> {
    let decided_before_scope = matches!(context.decision.reason, Reason::Nobody | Reason::Unauthenticated(_));
    if decided_before_scope {
        return Vec::new();
    }
    let rows = context.trace.with_context(context.policy, context.subject, |evaluation, precheck| match precheck {
        Precheck::Rows(evaluator) => {
            let levels = LevelEvaluator {
                context: evaluation,
                evaluator: &evaluator,
                outline: context.outline,
                sources: context.sources,
            };
            rows_of(context.policy.grants.rows_with(cell)).map(|row| levels.explain_row(row)).collect()
        }
        Precheck::Everything | Precheck::Nothing(_) => Vec::new(),
    });
    rows.unwrap_or_default()
}
