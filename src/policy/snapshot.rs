//! Snapshot: an immutable, compiled policy.

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
    /// The version of the policy.
    pub version: PolicyVersion,
    /// The validated policy, which resolves the ids below to names.
    pub model: Model,
    /// The routes, which match method and path to an access.
    pub routes: RouteTable,
    /// The rows that have each cell.
    pub grants: Grants,
    /// The rows that subjects hold.
    pub entitlements: EntitlementTable,
    /// The rows that each gate closes.
    pub gates: Box<[Box<[u64]>]>,
    /// The feature gates that each profile opens, one bit each.
    pub features: Box<[u64]>,
    /// The field sets in the responses of each cell, one bit each.
    pub masks: Box<[u64]>,
    /// For each cell, whether refusals about it are forwarded.
    pub(super) shadowed: Box<[bool]>,
    /// The reason code of each gate: `gate:app-connection`.
    pub(super) gate_codes: Box<[Box<str>]>,
}

/// PolicyVersion: identifies one version of a policy.
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

    /// The gate with that index.
    pub fn gate(&self, at: usize) -> Option<&Gate> {
        self.model.gates.get(at)
    }

    /// The reason code of the gate with that index.
    pub fn gate_code(&self, at: usize) -> Option<&str> {
        self.gate_codes.get(at).map(|code| &**code)
    }

    /// Whether refusals about this cell are forwarded; without a cell, whether all refusals are.
    pub fn is_shadowed(&self, cell: Option<CellId>) -> bool {
        match cell.and_then(|cell| usize::try_from(cell.0).ok()) {
            Some(at) => self.shadowed.get(at).copied().unwrap_or(false),
            None => self.model.shadow == Shadow::All,
        }
    }

    /// The cell that a refusal for lack of these cells reports: the first enforced cell, else the first.
    ///
    /// A missing cell in shadow mode must not cause a request to be forwarded that also lacks an enforced cell.
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
