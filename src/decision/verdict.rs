//! Decision: permit or refusal; only this layer makes a permit.

use crate::policy::RowId;
use crate::vocabulary::{CellId, RouteId};

use super::Reason;

/// Decision: the answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The permission to forward, or the refusal.
    pub verdict: Result<Permit, Refusal>,
    /// Why.
    pub reason: Reason,
    /// The needed cell that it turned on: the first one that lacked, else the first.
    pub cell: Option<CellId>,
    /// The row that gave the first needed cell.
    pub granted_by: Option<RowId>,
}

/// Permit: the permission to forward one request; nobody but [`super::decide`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    route: RouteId,
    asks: Vec<u8>,
}

impl Permit {
    /// The route that it is for.
    pub fn route(&self) -> RouteId {
        self.route
    }

    /// The gates whose approval this request asks for, by their place in the file: an obligation of the edge.
    pub fn asks(&self) -> &[u8] {
        &self.asks
    }
}

/// Refusal: no permission to forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status that the caller sees.
    pub status: u16,
}

impl Decision {
    /// Whether the request may be forwarded.
    pub fn is_permit(&self) -> bool {
        self.verdict.is_ok()
    }

    pub(super) fn permit(
        reason: Reason,
        route: RouteId,
        cell: Option<CellId>,
        granted_by: Option<RowId>,
        asks: Vec<u8>,
    ) -> Self {
        Self { verdict: Ok(Permit { route, asks }), reason, cell, granted_by }
    }

    /// A refusal about no cell in particular.
    pub fn refuse(reason: Reason) -> Self {
        Self::refuse_at(reason, None)
    }

    pub(super) fn refuse_at(reason: Reason, cell: Option<CellId>) -> Self {
        // A reason that permits cannot refuse: whatever called this in error is answered 403.
        let status = if reason.is_permit() { 403 } else { reason.status() };
        Self { verdict: Err(Refusal { status }), reason, cell, granted_by: None }
    }
}
