//! Witness: how `explain` watches the one `decide`; it cannot disagree with what it watches.

use crate::policy::RowId;
use crate::vocabulary::{CellId, Scope};

use super::Reason;

/// Step: something that happened on the way to a decision.
#[derive(Debug)]
pub enum Step<'a> {
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

/// Witness: is shown the steps of a decision.
pub trait Witness {
    /// Sees one step.
    fn see(&mut self, step: Step<'_>);
}

/// Uses: a witness that keeps which row gave which cell, up to a bound, without an allocation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Uses {
    pairs: [Option<(CellId, RowId)>; Self::MOST],
    count: usize,
}

impl Uses {
    /// So many are kept; a route that needs more cells is not heard of.
    const MOST: usize = 16;

    /// The cells and the first rows that gave them.
    pub fn iter(&self) -> impl Iterator<Item = (CellId, RowId)> {
        self.pairs.iter().flatten().copied()
    }
}

impl Witness for Uses {
    fn see(&mut self, step: Step<'_>) {
        if let Step::Granted { cell, row } = step
            && let Some(slot) = self.pairs.get_mut(self.count)
        {
            *slot = Some((cell, row));
            self.count += 1;
        }
    }
}

/// Silent: a witness that compiles to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Witness for Silent {
    fn see(&mut self, _: Step<'_>) {}
}
