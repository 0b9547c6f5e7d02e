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

/// Silent: the witness of the proxy, which compiles to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Witness for Silent {
    fn see(&mut self, _: Step<'_>) {}
}
