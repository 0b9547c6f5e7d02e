//! MatrixView: what one caller may do in a scope, cell by cell, by the same evaluator as requests.

use crate::policy::RowId;
use crate::policy::grants::rows_of;
use crate::policy::model::GateOpener;
use crate::vocabulary::CellId;

use super::{EvaluationContext, Evaluator, Precheck, Reason};

/// MatrixView: the status of every cell of a policy for one caller in one scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatrixView {
    /// The permitted cells, each with the row that grants it; no row for a service app with full grants.
    pub open: Vec<(CellId, Option<RowId>)>,
    /// The gates that alone close some cells, by their positions in the policy, each with the number of cells.
    pub closed: Vec<(usize, usize)>,
    /// The same for gates by feature; the caller must not see these cells at all.
    pub hidden: Vec<(usize, usize)>,
    /// For each field set, whether the caller sees its fields.
    pub fields: Vec<bool>,
    /// Why no cell is permitted, if the rows do not matter.
    pub refusal: Option<Reason>,
}

impl MatrixView {
    /// The view of the caller in this context.
    pub fn of(context: &EvaluationContext<'_>) -> Self {
        let model = &context.policy.model;
        let cells = (0..).zip(&model.cells).map(|(at, _)| CellId(at));
        match context.precheck() {
            Precheck::Everything => Self {
                open: cells.map(|cell| (cell, None)).collect(),
                fields: vec![true; model.fields.len()],
                ..Self::default()
            },
            Precheck::Nothing(reason) => {
                Self { refusal: Some(reason), fields: vec![false; model.fields.len()], ..Self::default() }
            }
            Precheck::Rows(evaluator) => {
                let mut view = Self::default();
                for cell in cells {
                    match evaluator.evaluate_cell(cell) {
                        Ok(row) => view.open.push((cell, Some(row))),
                        Err(Reason::Gate(_)) => view.count_closed_cell(context, &evaluator, cell),
                        Err(_) => {}
                    }
                }
                // Only rows that the caller holds in this scope show fields.
                let here = EvaluationContext { across: 0, ..*context };
                let Precheck::Rows(evaluator) = here.precheck() else { return view };
                let sees = |read: CellId| evaluator.evaluate_cell(read).is_ok();
                view.fields = model.fields.iter().map(|set| set.read.is_some_and(sees)).collect();
                view
            }
        }
    }

    /// Counts a closed cell for the gate that the caller would have to pass; a gate by feature comes before all others.
    fn count_closed_cell(&mut self, context: &EvaluationContext<'_>, evaluator: &Evaluator<'_>, cell: CellId) {
        let rows = rows_of(context.policy.grants.rows_with(cell)).map(|row| evaluator.row_status(row));
        let by_feature = |at: usize| matches!(context.policy.gate(at).map(|gate| &gate.by), Some(GateOpener::Feature));
        let first = |closed: u64, feature: bool| (0..64).find(|at| closed >> at & 1 == 1 && by_feature(*at) == feature);
        let closed_gates: Vec<u64> = rows.filter(|row| row.held).map(|row| row.closed_gates).collect();
        // If some row needs no further feature, features do not close the cell.
        let (list, gate) = match closed_gates.iter().find(|closed| first(**closed, true).is_none()) {
            Some(closed) => (&mut self.closed, first(*closed, false)),
            None => (&mut self.hidden, closed_gates.first().and_then(|closed| first(*closed, true))),
        };
        let Some(gate) = gate else { return };
        match list.iter_mut().find(|(known, _)| *known == gate) {
            Some((_, count)) => *count += 1,
            None => list.push((gate, 1)),
        }
    }
}

#[cfg(test)]
mod tests;
