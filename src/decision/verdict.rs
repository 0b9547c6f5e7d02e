//! Decision: a permit or a refusal; only this layer makes a permit.

use crate::policy::RowId;
use crate::vocabulary::{CellId, MediaRange, MediaTypeCells, RouteId, media};

use super::Reason;

/// Decision: the result for one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The permission to forward, or the refusal.
    pub verdict: Result<Permit, Refusal>,
    /// The reason.
    pub reason: Reason,
    /// The needed cell that decided: the first one that is missing, else the first one.
    pub cell: Option<CellId>,
    /// The row that grants the first needed cell.
    pub granted_by: Option<RowId>,
}

/// Permit: the permission to forward one request; only [`super::decide()`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    route: Option<RouteId>,
    obligations: Obligations,
}

/// Obligations: what the gateway must do with a request that it forwards, as bit sets to avoid allocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Obligations {
    /// The gates whose approval the request asks for.
    pub(super) asks: u64,
    /// The field sets to mask in the response.
    pub(super) masks: u64,
    /// The permitted candidates of a route by type; 0 if the route is not by type, or if all are permitted.
    pub(super) candidates: u64,
}

impl Permit {
    /// The route of the request; `None` if shadow mode forwards a request that no route covers.
    pub fn route(&self) -> Option<RouteId> {
        self.route
    }

    /// The gates whose approval this request asks for, by their positions in the policy.
    pub fn asks(&self) -> impl Iterator<Item = usize> + use<> {
        bit_positions(self.obligations.asks)
    }

    /// The field sets to mask in the response, by their positions in the policy.
    pub fn masks(&self) -> impl Iterator<Item = usize> + use<> {
        bit_positions(self.obligations.masks)
    }

    /// The permitted candidates of a route by type, one bit each.
    pub(super) fn candidates(&self) -> u64 {
        self.obligations.candidates
    }

    /// Whether the caller may receive a response of this `Content-Type`.
    ///
    /// `None` is a response with no such field or with several. `candidates` are those of the permit's route.
    pub fn admits(&self, candidates: &[MediaTypeCells], content_type: Option<&str>) -> bool {
        let (wanted, usable) = (select_candidates(candidates, content_type), self.obligations.candidates);
        usable == 0 || (wanted != 0 && wanted & !usable == 0)
    }

    /// The cells that the caller would need to receive a response of this `Content-Type`, and does not have.
    pub fn missing_cells(
        &self,
        candidates: &[MediaTypeCells],
        content_type: Option<&str>,
    ) -> impl Iterator<Item = CellId> {
        missing_cells(candidates, select_candidates(candidates, content_type), self.obligations.candidates)
    }
}

/// The cells of the candidates that are wanted and not usable; of all candidates if none is wanted.
pub(super) fn missing_cells(candidates: &[MediaTypeCells], wanted: u64, usable: u64) -> impl Iterator<Item = CellId> {
    let missing = if wanted == 0 { u64::MAX } else { wanted & !usable };
    let missing = candidates.iter().enumerate().take(64).filter(move |(at, _)| missing >> at & 1 == 1);
    missing.flat_map(|(_, candidate)| candidate.cells.iter().copied())
}

/// The candidates that a response must satisfy, one bit each.
///
/// This is the candidate whose range is closest to the media type. It is every candidate if the response has no single
/// valid media type, and no candidate if no range matches.
pub(super) fn select_candidates(candidates: &[MediaTypeCells], content_type: Option<&str>) -> u64 {
    let candidates = || candidates.iter().enumerate().take(64);
    let all = || candidates().fold(0, |all, (at, _)| all | 1 << at);
    let Some(essence) = content_type.and_then(media::essence) else {
        return all();
    };
    let specificity = |candidate: &MediaTypeCells| candidate.range.specificity(&essence);
    let closest = candidates().filter(|(_, one)| specificity(one) > 0).max_by_key(|(_, one)| specificity(one));
    match closest {
        // Each part has its own type, and a client may request a multipart response (RFC 9110, section 15.3.7.2).
        Some((_, one)) if one.range == MediaRange::Otherwise && essence.starts_with("multipart/") => all(),
        closest => closest.map_or(0, |(at, _)| 1 << at),
    }
}

fn bit_positions(bits: u64) -> impl Iterator<Item = usize> + use<> {
    (0..64).filter(move |at| bits >> at & 1 == 1)
}

/// Refusal: no permission to forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status code of the response to the caller.
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

    /// The same decision, but with a permit, because the policy is in shadow mode.
    pub(super) fn forward_in_shadow(self) -> Self {
        let permit = Permit { route: None, obligations: Obligations::default() };
        Self { verdict: Ok(permit), ..self }
    }

    /// Whether this is a refusal that forwards because of shadow mode.
    pub fn is_shadowed(&self) -> bool {
        self.verdict.is_ok() && !self.reason.is_permit()
    }

    /// A refusal that is not about a particular cell.
    pub fn refuse(reason: Reason) -> Self {
        Self::refuse_for_cell(reason, None)
    }

    pub(super) fn refuse_for_cell(reason: Reason, cell: Option<CellId>) -> Self {
        // A reason that permits cannot refuse: a caller that passes one by mistake gets a 403.
        let status = if reason.is_permit() { 403 } else { reason.status() };
        Self { verdict: Err(Refusal { status }), reason, cell, granted_by: None }
    }
}
