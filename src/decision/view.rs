//! MatrixView: what one caller may in a scope, cell by cell, by the judge that also judges requests.

use crate::policy::RowId;
use crate::policy::grants::rows_of;
use crate::policy::model::GateOpener;
use crate::vocabulary::CellId;

use super::{EvaluationContext, Evaluator, Precheck, Reason};

/// MatrixView: every cell of a policy, as a caller finds it in a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatrixView {
    /// The cells that are open, each with the row that opens it; none for a service app with full grants.
    pub open: Vec<(CellId, Option<RowId>)>,
    /// The gates that alone keep some cells closed, by their places in the file, and how many cells.
    pub closed: Vec<(usize, usize)>,
    /// The same of gates by feature: for the caller there are no such cells.
    pub hidden: Vec<(usize, usize)>,
    /// For each field set whether it is seen.
    pub fields: Vec<bool>,
    /// Why nothing is open, where that does not depend on the rows.
    pub nothing: Option<Reason>,
}

impl MatrixView {
    /// What the caller in this seat may.
    pub fn of(seat: &EvaluationContext<'_>) -> Self {
        let model = &seat.policy.model;
        let cells = (0..).zip(&model.cells).map(|(at, _)| CellId(at));
        match seat.ruling() {
            Precheck::Everything => Self {
                open: cells.map(|cell| (cell, None)).collect(),
                fields: vec![true; model.fields.len()],
                ..Self::default()
            },
            Precheck::Nothing(reason) => {
                Self { nothing: Some(reason), fields: vec![false; model.fields.len()], ..Self::default() }
            }
            Precheck::Rows(judge) => {
                let mut view = Self::default();
                for cell in cells {
                    match judge.cell(cell) {
                        Ok(row) => view.open.push((cell, Some(row))),
                        Err(Reason::Gate(_)) => view.close(seat, &judge, cell),
                        Err(_) => {}
                    }
                }
                // Fields are seen by what is held here, not somewhere.
                let here = EvaluationContext { across: 0, ..*seat };
                let Precheck::Rows(judge) = here.ruling() else { return view };
                view.fields =
                    model.fields.iter().map(|set| set.read.is_some_and(|read| judge.cell(read).is_ok())).collect();
                view
            }
        }
    }

    /// Counts a cell for the gate that the caller would have to pass: one by feature counts before all others.
    fn close(&mut self, seat: &EvaluationContext<'_>, judge: &Evaluator<'_>, cell: CellId) {
        let held = rows_of(seat.policy.grants.rows_with(cell)).map(|row| judge.row(row)).filter(|row| row.held);
        let by_feature = |at: usize| matches!(seat.policy.gate(at).map(|gate| &gate.by), Some(GateOpener::Feature));
        let first = |closed: u64, feature: bool| (0..64).find(|at| closed >> at & 1 == 1 && by_feature(*at) == feature);
        let rows: Vec<u64> = held.map(|row| row.closed).collect();
        // Where some row lacks no feature, the features are not what keeps the cell closed.
        let (list, gate) = match rows.iter().find(|closed| first(**closed, true).is_none()) {
            Some(closed) => (&mut self.closed, first(*closed, false)),
            None => (&mut self.hidden, rows.first().and_then(|closed| first(*closed, true))),
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
