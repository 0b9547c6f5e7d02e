//! Trace: observes the steps of a decision, for `explain` and for usage metrics.

use crate::policy::RowId;
use crate::vocabulary::{CellId, Scope};

use super::Reason;

/// TraceStep: one step of a decision.
#[derive(Debug)]
pub enum TraceStep<'a> {
    /// The scope of the request was resolved.
    Scope(&'a Scope<'a>),
    /// A row grants a needed cell.
    Granted {
        /// The cell.
        cell: CellId,
        /// The first row that grants it.
        row: RowId,
    },
    /// No row grants a needed cell.
    Missing {
        /// The cell.
        cell: CellId,
        /// Why the row that came closest does not grant it.
        reason: Reason,
    },
}

/// Trace: an observer that receives the steps of a decision and cannot change it.
pub trait Trace {
    /// Records one step.
    fn record(&mut self, step: TraceStep<'_>);
}

/// UsageTrace: a trace of which row granted which cell, bounded and without allocation.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsageTrace {
    pairs: [Option<(CellId, RowId)>; Self::CAPACITY],
    count: usize,
}

impl UsageTrace {
    /// The number of cells that are recorded; further cells of a route are ignored.
    const CAPACITY: usize = 16;

    /// The cells, each with the first row that granted it.
    pub fn iter(&self) -> impl Iterator<Item = (CellId, RowId)> {
        self.pairs.iter().flatten().copied()
    }
}

impl Trace for UsageTrace {
    fn record(&mut self, step: TraceStep<'_>) {
        if let TraceStep::Granted { cell, row } = step
            && let Some(slot) = self.pairs.get_mut(self.count)
        {
            *slot = Some((cell, row));
            self.count += 1;
        }
    }
}

/// NoTrace: a trace that ignores every step and compiles to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    fn record(&mut self, _: TraceStep<'_>) {}
}
