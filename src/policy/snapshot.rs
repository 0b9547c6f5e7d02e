//! Snapshot: a policy ready to decide; it never changes.

use crate::vocabulary::{Cell, CellId, RouteId};

use super::condition::Condition;
use super::entitlements::EntitlementTable;
use super::grants::Grants;
use super::ids::{ConditionId, RowId};
use super::model::{Gate, Model, Row, Shadow};
use super::routes::RouteTable;

/// Snapshot: one version of a policy, compiled.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which version this is.
    pub version: PolicyVersion,
    /// The policy as meant: names for everything below.
    pub model: Model,
    /// Method and path to access.
    pub routes: RouteTable,
    /// Which rows have a cell.
    pub grants: Grants,
    /// Which rows a subject holds.
    pub entitlements: EntitlementTable,
    /// For each gate the rows that it closes.
    pub gates: Box<[Box<[u64]>]>,
    /// For each profile the feature gates that it opens, a bit each.
    pub features: Box<[u64]>,
    /// For each cell the field sets that stand in its answers, a bit each.
    pub masks: Box<[u64]>,
    /// For each cell whether refusals about it forward.
    pub(super) shadowed: Box<[bool]>,
    /// For each gate the code of refusing by it: `gate:app-connection`.
    pub(super) gate_codes: Box<[Box<str>]>,
}

/// PolicyVersion: what tells one version of a policy from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyVersion {
    /// The policy's name.
    pub name: Box<str>,
    /// The first sixteen hexadecimal digits of the SHA-256 of its files.
    pub hash: Box<str>,
}

impl Snapshot {
    /// The cell with that id.
    pub fn cell(&self, id: CellId) -> Option<&Cell> {
        self.model.cells.get(usize::try_from(id.0).ok()?)
    }

    /// The row with that id.
    pub fn row(&self, id: RowId) -> Option<&Row> {
        self.model.rows.get(usize::try_from(id.0).ok()?)
    }

    /// The gate with that place in the file.
    pub fn gate(&self, at: usize) -> Option<&Gate> {
        self.model.gates.get(at)
    }

    /// The reason code of the gate with that place in the file.
    pub fn gate_code(&self, at: usize) -> Option<&str> {
        self.gate_codes.get(at).map(|code| &**code)
    }

    /// Whether refusals about this cell forward; without a cell, whether all refusals do.
    pub fn is_shadowed(&self, cell: Option<CellId>) -> bool {
        match cell.and_then(|cell| usize::try_from(cell.0).ok()) {
            Some(at) => self.shadowed.get(at).copied().unwrap_or(false),
            None => self.model.shadow == Shadow::All,
        }
    }

    /// The cell that a refusal for want of these cells is about: the first one whose refusals do not forward, else the
    /// first. What is enforced is not given away beside something that is only watched.
    pub fn reported_cell(&self, cells: impl IntoIterator<Item = CellId>) -> Option<CellId> {
        let mut cells = cells.into_iter();
        let first = cells.next()?;
        if self.model.shadow == Shadow::Off || self.model.shadow == Shadow::All {
            return Some(first);
        }
        let enforced = |cell: &CellId| !self.is_shadowed(Some(*cell));
        Some(if enforced(&first) { first } else { cells.find(enforced).unwrap_or(first) })
    }

    /// The condition with that id.
    pub fn condition(&self, id: ConditionId) -> Option<&Condition> {
        self.model.conditions.get(usize::try_from(id.0).ok()?)
    }

    /// The template of a route.
    pub fn template(&self, id: RouteId) -> Option<&str> {
        self.routes.route(id).map(|route| route.template.text())
    }
}
