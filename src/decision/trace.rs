//! Trace: how `explain` watches the one `decide`; it cannot disagree with what it watches.

use crate::policy::RowId;
use crate::vocabulary::{CellId, Scope};

use super::Reason;

/// TraceStep: something that happened on the way to a decision.
#[derive(Debug)]
pub enum TraceStep<'a> {
    /// The scope of the request was found.
    Scope(&'a Scope<'a>),
    /// A needed cell is given by a row.
    Granted {
        /// The cell.
        cell: CellId,
        /// The first row that gives it.
        row: RowId,
    },
    /// A needed cell is not given.
    Lacking {
        /// The cell.
        cell: CellId,
        /// How far the best row came.
        reason: Reason,
    },
}

/// Trace: is shown the steps of a decision.
pub trait Trace {
    /// Sees one step.
    fn see(&mut self, step: TraceStep<'_>);
}

/// UsageTrace: a witness that keeps which row gave which cell, up to a bound, without an allocation.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsageTrace {
    pairs: [Option<(CellId, RowId)>; Self::MOST],
    count: usize,
}

impl UsageTrace {
    /// So many are kept; a route that needs more cells is not heard of.
    const MOST: usize = 16;

    /// The cells and the first rows that gave them.
    pub fn iter(&self) -> impl Iterator<Item = (CellId, RowId)> {
        self.pairs.iter().flatten().copied()
    }
}

impl Trace for UsageTrace {
    fn see(&mut self, step: TraceStep<'_>) {
        if let TraceStep::Granted { cell, row } = step
            && let Some(slot) = self.pairs.get_mut(self.count)
        {
            *slot = Some((cell, row));
            self.count += 1;
        }
    }
}

/// NoTrace: a witness that compiles to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    fn see(&mut self, _: TraceStep<'_>) {}
}
