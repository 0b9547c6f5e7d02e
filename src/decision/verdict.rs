//! Decision: permit or refusal; only this layer makes a permit.

use crate::policy::RowId;
use crate::vocabulary::{CellId, MediaRange, MediaTypeCells, RouteId, media};

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
    route: Option<RouteId>,
    obligations: Obligations,
}

/// Obligations: what the edge must do with a request that it forwards; a bit for each thing, so that nothing is
/// allocated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Obligations {
    pub(super) asks: u64,
    pub(super) masks: u64,
    /// The candidates of a route by type that may be answered; 0 where the route is none, or all may.
    pub(super) candidates: u64,
}

impl Permit {
    /// The route that it is for; `None` where shadow mode forwards what no route covers.
    pub fn route(&self) -> Option<RouteId> {
        self.route
    }

    /// The gates whose approval this request asks for, by their places in the file.
    pub fn asks(&self) -> impl Iterator<Item = usize> + use<> {
        places(self.obligations.asks)
    }

    /// The field sets that must be masked in the answer, by their places in the file.
    pub fn masks(&self) -> impl Iterator<Item = usize> + use<> {
        places(self.obligations.masks)
    }

    /// The candidates of a route by type that may be answered, a bit each.
    pub(super) fn candidates(&self) -> u64 {
        self.obligations.candidates
    }

    /// Whether an answer of this `Content-Type` may go to the caller; `None` is an answer without one, or with
    /// several. `candidates` are those of the permit's route.
    pub fn admits(&self, candidates: &[MediaTypeCells], content_type: Option<&str>) -> bool {
        let (wanted, usable) = (chosen(candidates, content_type), self.obligations.candidates);
        usable == 0 || (wanted != 0 && wanted & !usable == 0)
    }

    /// The cells of the candidates that keep such an answer from the caller.
    pub fn lacking(&self, candidates: &[MediaTypeCells], content_type: Option<&str>) -> impl Iterator<Item = CellId> {
        lacking(candidates, chosen(candidates, content_type), self.obligations.candidates)
    }
}

/// The cells of the candidates that are wanted and not usable; of all where no candidate is meant.
pub(super) fn lacking(candidates: &[MediaTypeCells], wanted: u64, usable: u64) -> impl Iterator<Item = CellId> {
    let counted = if wanted == 0 { u64::MAX } else { wanted & !usable };
    let counted = candidates.iter().enumerate().take(64).filter(move |(at, _)| counted >> at & 1 == 1);
    counted.flat_map(|(_, candidate)| candidate.cells.iter().copied())
}

/// The candidates that an answer must satisfy, a bit each: the closest to its media type; all of them where it has
/// no single valid one; none where no range means it.
pub(super) fn chosen(candidates: &[MediaTypeCells], content_type: Option<&str>) -> u64 {
    let candidates = || candidates.iter().enumerate().take(64);
    let all = || candidates().fold(0, |all, (at, _)| all | 1 << at);
    let Some(essence) = content_type.and_then(media::essence) else {
        return all();
    };
    let specificity = |candidate: &MediaTypeCells| candidate.range.specificity(&essence);
    let closest = candidates().filter(|(_, one)| specificity(one) > 0).max_by_key(|(_, one)| specificity(one));
    match closest {
        // Parts have types of their own, and a client may ask for an answer in parts (RFC 9110, section 15.3.7.2).
        Some((_, one)) if one.range == MediaRange::Otherwise && essence.starts_with("multipart/") => all(),
        closest => closest.map_or(0, |(at, _)| 1 << at),
    }
}

fn places(bits: u64) -> impl Iterator<Item = usize> + use<> {
    (0..64).filter(move |at| bits >> at & 1 == 1)
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
        obligations: Obligations,
    ) -> Self {
        Self { verdict: Ok(Permit { route: Some(route), obligations }), reason, cell, granted_by }
    }

    /// The same refusal, which forwards because the policy is in shadow mode.
    pub(super) fn forwarded_all_the_same(self) -> Self {
        let permit = Permit { route: None, obligations: Obligations::default() };
        Self { verdict: Ok(permit), ..self }
    }

    /// Whether it is a refusal that forwards.
    pub fn is_shadowed(&self) -> bool {
        self.verdict.is_ok() && !self.reason.is_permit()
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
