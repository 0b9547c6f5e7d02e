//! CellIndex: every cell that a route or a row names, numbered at first use.

use std::collections::HashMap;

use crate::document::Findings;
use crate::policy::source::Spanned;
use crate::vocabulary::{Cell, CellId, Operation};

use super::names::DefinedNames;

/// CellIndex: the cells by number, numbered at first use.
pub(super) struct CellIndex<'n> {
    pub(super) resources: &'n DefinedNames<'n>,
    pub(super) cells: Vec<Cell>,
    pub(super) known: HashMap<Cell, CellId>,
}

impl CellIndex<'_> {
    pub(super) fn cell(
        &mut self,
        operation: &Operation,
        resource: &Spanned,
        findings: &mut Findings,
    ) -> Option<CellId> {
        self.resources.resolve(resource, findings)?;
        let cell = Cell { operation: operation.clone(), resource: resource.text.clone() };
        if let Some(known) = self.known.get(&cell) {
            return Some(*known);
        }
        let id = CellId(u32::try_from(self.cells.len()).ok()?);
        self.known.insert(cell.clone(), id);
        self.cells.push(cell);
        Some(id)
    }
}
