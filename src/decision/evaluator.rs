//! Evaluator: the last steps of a decision, about cells: which rows are usable, and why there is none.

use std::cell::Cell;

use crate::policy::RowId;
use crate::policy::entitlements::{RowBits, bounds_match};
use crate::policy::model::{Gate, GateOpener};
use crate::vocabulary::{CellId, MediaTypeCells, RouteId};

use super::approval::ApprovalKeys;
use super::context::EvaluationContext;
use super::verdict::{Obligations, chosen, lacking};
use super::{Decision, Phase, Reason, Trace, TraceStep};

/// Evaluator: says which rows a caller may use in a scope, and what these open.
pub struct Evaluator<'a> {
    seat: EvaluationContext<'a>,
    every_row: bool,
    /// Gates that were asked, and those of them that are open: a bit each, a policy has at most 64.
    gates: Cell<(u64, u64)>,
}

/// RowStatus: how far one row comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowStatus {
    /// Whether the formula gives it.
    pub held: bool,
    /// Whether it is given in this scope before anything is taken away.
    pub given: bool,
    /// Whether it would be given in this scope if the condition of an assignment held.
    pub conditional: bool,
    /// Whether some role or claim gives it, in this scope or another.
    pub anywhere: bool,
    /// The closed gates that close it, held or not: a bit each.
    pub closed: u64,
}

impl RowStatus {
    /// Whether it opens its cells.
    pub fn is_usable(&self) -> bool {
        self.held && self.closed == 0
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(seat: EvaluationContext<'a>, every_row: bool) -> Self {
        Self { seat, every_row, gates: Cell::new((0, 0)) }
    }

    /// The row that opens one cell.
    ///
    /// # Errors
    /// Why none does.
    pub fn cell(&self, cell: CellId) -> Result<RowId, Reason> {
        self.usable_row(cell).ok_or_else(|| self.why(cell))
    }

    /// How far one row comes.
    pub fn row(&self, row: RowId) -> RowStatus {
        let Ok(word) = usize::try_from(row.0 / 64) else { return RowStatus::default() };
        let bit = 1 << (row.0 % 64);
        let found = self.held(word);
        RowStatus {
            held: found.held & bit != 0,
            given: found.granted & bit != 0,
            conditional: found.granted_conditionally & bit != 0,
            anywhere: found.granted_anywhere & bit != 0,
            closed: self.closing(word, bit).fold(0, |gates, (at, _)| gates | 1 << at),
        }
    }

    /// Whether every row is the caller's, whatever is said of single ones.
    pub fn has_every_row(&self) -> bool {
        self.every_row
    }

    /// The decision about a route that needs every cell of a list.
    pub(super) fn all<W: Trace>(&self, needed: &[CellId], route: RouteId, witness: &mut W) -> Decision {
        let granted_by = match self.granting(needed, witness) {
            Ok(row) => row,
            Err(refusal) => return refusal,
        };
        self.permit(route, granted_by, &mut needed.iter().copied(), 0)
    }

    /// The decision about a route whose answer's media type says what it needs.
    pub(super) fn by_type<W: Trace>(
        &self,
        candidates: &[MediaTypeCells],
        route: RouteId,
        phase: Phase<'_>,
        witness: &mut W,
    ) -> Decision {
        let (mut usable, mut granted_by, mut first_refusal) = (0_u64, [None; 64], None);
        for (at, candidate) in candidates.iter().enumerate().take(64) {
            match self.granting(&candidate.cells, witness) {
                Ok(row) => {
                    usable |= 1 << at;
                    if let Some(slot) = granted_by.get_mut(at) {
                        *slot = row;
                    }
                }
                Err(refusal) => first_refusal = Some(self.heavier(first_refusal, refusal)),
            }
        }
        if usable == 0 {
            return first_refusal.unwrap_or_else(|| Decision::refuse(Reason::NotGranted));
        }
        let counted = match phase {
            Phase::Request => usable,
            Phase::Answer(content_type) => {
                let wanted = chosen(candidates, content_type);
                if wanted == 0 || wanted & !usable != 0 {
                    let lacking = self.seat.policy.reported_cell(lacking(candidates, wanted, usable));
                    return Decision::refuse_at(Reason::WrongType, lacking);
                }
                wanted
            }
        };
        let within = candidates.iter().enumerate().take(64).filter(|(at, _)| counted >> at & 1 == 1);
        let first = usize::try_from(counted.trailing_zeros()).ok();
        let granted_by = first.and_then(|at| granted_by.get(at).copied()).flatten();
        self.permit(route, granted_by, &mut within.flat_map(|(_, candidate)| candidate.cells.iter().copied()), usable)
    }

    /// The row that grants the first of the needed cells, if all are granted.
    fn granting<W: Trace>(&self, needed: &[CellId], witness: &mut W) -> Result<Option<RowId>, Decision> {
        let (mut granted_by, mut refusal) = (None, None);
        for &cell in needed {
            match self.cell(cell) {
                Ok(row) => {
                    witness.see(TraceStep::Granted { cell, row });
                    granted_by = granted_by.or(Some(row));
                }
                Err(reason) => {
                    witness.see(TraceStep::Lacking { cell, reason });
                    let lacking = Decision::refuse_at(reason, Some(cell));
                    // A cell that is only watched hides none behind it that is enforced.
                    if self.seat.policy.is_shadowed(None) || !self.seat.policy.is_shadowed(Some(cell)) {
                        return Err(lacking);
                    }
                    refusal = refusal.or(Some(lacking));
                }
            }
        }
        refusal.map_or(Ok(granted_by), Err)
    }

    /// Of two refusals the first, unless that one would forward and the second would not.
    fn heavier(&self, first: Option<Decision>, second: Decision) -> Decision {
        first
            .filter(|first| !self.seat.policy.is_shadowed(first.cell) || self.seat.policy.is_shadowed(second.cell))
            .unwrap_or(second)
    }

    fn permit(
        &self,
        route: RouteId,
        granted_by: Option<RowId>,
        needed: &mut dyn Iterator<Item = CellId>,
        usable: u64,
    ) -> Decision {
        let (mut first, mut masks, mut asks) = (None, 0, 0);
        for cell in needed {
            first = first.or(Some(cell));
            masks |= usize::try_from(cell.0).ok().and_then(|at| self.seat.policy.masks.get(at)).copied().unwrap_or(0);
            for (at, gate) in self.seat.policy.model.gates.iter().enumerate().take(64) {
                let asked = gate.approval().is_some_and(|approval| approval.asked_by.contains(&cell));
                asks |= u64::from(asked) << at;
            }
        }
        // Who may read the set sees its fields: here, not somewhere. Across scopes the upstream decides which answers
        // there are, but it cannot mask those of a scope in which the caller may not see the fields.
        let here = Self::new(EvaluationContext { across: 0, ..self.seat }, self.every_row);
        for (at, set) in self.seat.policy.model.fields.iter().enumerate().take(64) {
            if masks >> at & 1 == 1 && set.read.is_some_and(|read| here.usable_row(read).is_some()) {
                masks &= !(1 << at);
            }
        }
        let obligations = Obligations { asks, masks, candidates: usable };
        Decision::permit(Reason::Granted, route, first, granted_by, obligations)
    }

    /// The first row, in the policy's order, that is held, has the cell and has all its gates open.
    fn usable_row(&self, cell: CellId) -> Option<RowId> {
        let words = self.seat.policy.grants.rows_with(cell).iter().enumerate().filter(|(_, has)| **has != 0);
        words.into_iter().find_map(|(word, has)| {
            let held = self.held(word).held & has;
            first_row(word, held & !self.closed(word, held))
        })
    }

    fn held(&self, word: usize) -> RowBits {
        if self.every_row {
            let all = self.seat.policy.entitlements.all_rows().get(word).copied().unwrap_or(0);
            return RowBits { held: all, granted: all, granted_conditionally: all, granted_anywhere: all };
        }
        self.seat.entitlements.row_bits(word, self.seat.scope, self.seat.across)
    }

    /// Which of the rows `held` some closed gate closes.
    fn closed(&self, word: usize, held: u64) -> u64 {
        self.closing(word, held).fold(0, |closed, (_, rows)| closed | rows)
    }

    /// The closed gates that close one of the rows `held`, in the order of the file, with these rows.
    fn closing(&self, word: usize, held: u64) -> impl Iterator<Item = (usize, u64)> {
        let gates = self.seat.policy.gates.iter().enumerate();
        let here = gates.map(move |(at, rows)| (at, rows.get(word).copied().unwrap_or(0) & held));
        here.filter(|(at, rows)| *rows != 0 && !self.is_open(*at))
    }

    /// Whether the gate with this place in the file is open; each is asked once.
    pub fn is_open(&self, at: usize) -> bool {
        let (asked, open) = self.gates.get();
        if asked >> at & 1 == 1 {
            return open >> at & 1 == 1;
        }
        let is_open = self.seat.policy.gate(at).is_some_and(|gate| self.opens(at, gate));
        self.gates.set((asked | 1 << at, open | u64::from(is_open) << at));
        is_open
    }

    fn opens(&self, at: usize, gate: &Gate) -> bool {
        match &gate.by {
            GateOpener::Approval(approval) => {
                let keys = ApprovalKeys { subject: self.seat.subject, scope: self.seat.scope };
                self.seat.approvals.opens(&gate.name, approval, &keys, self.seat.now)
            }
            GateOpener::Condition(condition) => (self.seat.holds)(*condition),
            GateOpener::Feature => self.has_feature(at),
        }
    }

    /// Whether a profile that applies, by the caller's group or within the scope, lists the feature.
    fn has_feature(&self, at: usize) -> bool {
        let model = &self.seat.policy.model;
        // A service app that holds every row is asked for no group, and so has none.
        let group = self.seat.entitlements.group().filter(|_| !self.every_row);
        let group = group.and_then(|group| model.groups.get(usize::try_from(group).ok()?));
        let own = group.and_then(|group| group.profile).and_then(|profile| usize::try_from(profile).ok());
        let mut profiles = model.profiles.iter().zip(&self.seat.policy.features).enumerate();
        profiles.any(|(number, (profile, features))| {
            let applies = || {
                let mut within = profile.within.iter();
                own == Some(number) || within.any(|within| bounds_match(within, self.seat.scope, self.seat.across))
            };
            features >> at & 1 == 1 && applies()
        })
    }

    /// How far the best row that has the cell came.
    fn why(&self, cell: CellId) -> Reason {
        let mut best = Reason::NotGranted;
        let words = self.seat.policy.grants.rows_with(cell).iter().enumerate().filter(|(_, has)| **has != 0);
        for (word, &has) in words {
            let found = self.held(word);
            let reason = if has & found.held != 0 {
                // Held but not usable.
                self.closing(word, has & found.held)
                    .next()
                    .map(|(at, _)| Reason::Gate(u8::try_from(at).unwrap_or(u8::MAX)))
            } else if has & found.granted != 0 {
                Some(Reason::TakenAway)
            } else if has & found.granted_conditionally != 0 {
                Some(Reason::Condition)
            } else if has & found.granted_anywhere != 0 {
                Some(Reason::OutOfScope)
            } else {
                None
            };
            best = reason.map_or(best, |reason| best.further(reason));
        }
        best
    }
}

fn first_row(word: usize, set: u64) -> Option<RowId> {
    let at =
        (set != 0).then(|| u64::try_from(word).ok())??.checked_mul(64)?.checked_add(u64::from(set.trailing_zeros()))?;
    u32::try_from(at).ok().map(RowId)
}
