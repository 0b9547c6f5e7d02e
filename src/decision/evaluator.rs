//! Evaluator: the last steps of a decision, which find the usable rows for the needed cells or the reason for none.

use std::cell::Cell;

use crate::policy::RowId;
use crate::policy::entitlements::{RowBits, bounds_match};
use crate::policy::model::{Gate, GateOpener};
use crate::vocabulary::{CellId, MediaTypeCells, RouteId};

use super::approval::ApprovalKeys;
use super::verdict::{Obligations, missing_cells, select_candidates};
use super::{Decision, EvaluationContext, Phase, Reason, Trace, TraceStep};

/// Evaluator: evaluates rows and cells for one caller in one scope.
pub struct Evaluator<'a> {
    context: EvaluationContext<'a>,
    every_row: bool,
    /// The gates that were evaluated, and those of them that are open: one bit each, as a policy has at most 64.
    gates: Cell<(u64, u64)>,
}

/// RowStatus: the status of one row for the caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowStatus {
    /// Whether the caller holds the row: it is granted in this scope and not taken away.
    pub held: bool,
    /// Whether the row is granted in this scope, before `without` is applied.
    pub granted: bool,
    /// Whether the row would be granted in this scope if the condition of an assignment held.
    pub granted_conditionally: bool,
    /// Whether a role or claim grants the row in any scope.
    pub granted_anywhere: bool,
    /// The closed gates on the row, held or not, one bit each.
    pub closed_gates: u64,
}

impl RowStatus {
    /// Whether the row grants its cells.
    pub fn is_usable(&self) -> bool {
        self.held && self.closed_gates == 0
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(context: EvaluationContext<'a>, every_row: bool) -> Self {
        Self { context, every_row, gates: Cell::new((0, 0)) }
    }

    /// Finds the row that grants one cell.
    ///
    /// # Errors
    /// The reason why no row grants it.
    pub fn evaluate_cell(&self, cell: CellId) -> Result<RowId, Reason> {
        self.usable_row(cell).ok_or_else(|| self.refusal_reason(cell))
    }

    /// The status of one row.
    pub fn row_status(&self, row: RowId) -> RowStatus {
        let Ok(word) = usize::try_from(row.0 / 64) else { return RowStatus::default() };
        let bit = 1 << (row.0 % 64);
        let bits = self.row_bits(word);
        RowStatus {
            held: bits.held & bit != 0,
            granted: bits.granted & bit != 0,
            granted_conditionally: bits.granted_conditionally & bit != 0,
            granted_anywhere: bits.granted_anywhere & bit != 0,
            closed_gates: self.closed_gates(word, bit).fold(0, |gates, (at, _)| gates | 1 << at),
        }
    }

    /// Whether the caller holds every row, whatever the policy says of single rows.
    pub fn holds_every_row(&self) -> bool {
        self.every_row
    }

    /// Decides for a route that needs every cell of a list.
    pub(super) fn decide_all<T: Trace>(&self, needed: &[CellId], route: RouteId, trace: &mut T) -> Decision {
        let granted_by = match self.evaluate_cells(needed, trace) {
            Ok(row) => row,
            Err(refusal) => return refusal,
        };
        self.permit(route, granted_by, &mut needed.iter().copied(), 0)
    }

    /// Decides for a route whose needed cells depend on the media type of the response.
    pub(super) fn decide_by_type<T: Trace>(
        &self,
        candidates: &[MediaTypeCells],
        route: RouteId,
        phase: Phase<'_>,
        trace: &mut T,
    ) -> Decision {
        let (mut usable, mut granted_by, mut first_refusal) = (0_u64, [None; 64], None);
        for (at, candidate) in candidates.iter().enumerate().take(64) {
            match self.evaluate_cells(&candidate.cells, trace) {
                Ok(row) => {
                    usable |= 1 << at;
                    if let Some(slot) = granted_by.get_mut(at) {
                        *slot = row;
                    }
                }
                Err(refusal) => first_refusal = Some(self.stricter(first_refusal, refusal)),
            }
        }
        if usable == 0 {
            return first_refusal.unwrap_or_else(|| Decision::refuse(Reason::NotGranted));
        }
        let selected = match phase {
            Phase::Request => usable,
            Phase::Response(content_type) => {
                let wanted = select_candidates(candidates, content_type);
                if wanted == 0 || wanted & !usable != 0 {
                    let missing = self.context.policy.reported_cell(missing_cells(candidates, wanted, usable));
                    return Decision::refuse_for_cell(Reason::WrongType, missing);
                }
                wanted
            }
        };
        let within = candidates.iter().enumerate().take(64).filter(|(at, _)| selected >> at & 1 == 1);
        let first = usize::try_from(selected.trailing_zeros()).ok();
        let granted_by = first.and_then(|at| granted_by.get(at).copied()).flatten();
        self.permit(route, granted_by, &mut within.flat_map(|(_, candidate)| candidate.cells.iter().copied()), usable)
    }

    /// Evaluates each needed cell; if all are granted, returns the row that grants the first.
    fn evaluate_cells<T: Trace>(&self, needed: &[CellId], trace: &mut T) -> Result<Option<RowId>, Decision> {
        let (mut granted_by, mut first_refusal) = (None, None);
        for &cell in needed {
            match self.evaluate_cell(cell) {
                Ok(row) => {
                    trace.record(TraceStep::Granted { cell, row });
                    granted_by = granted_by.or(Some(row));
                }
                Err(reason) => {
                    trace.record(TraceStep::Missing { cell, reason });
                    let refusal = Decision::refuse_for_cell(reason, Some(cell));
                    // A shadowed cell must not hide a later cell that is enforced.
                    if self.context.policy.is_shadowed(None) || !self.context.policy.is_shadowed(Some(cell)) {
                        return Err(refusal);
                    }
                    first_refusal = first_refusal.or(Some(refusal));
                }
            }
        }
        first_refusal.map_or(Ok(granted_by), Err)
    }

    /// The first of two refusals, unless shadow mode would forward the first and not the second.
    fn stricter(&self, first: Option<Decision>, second: Decision) -> Decision {
        let policy = self.context.policy;
        first.filter(|first| !policy.is_shadowed(first.cell) || policy.is_shadowed(second.cell)).unwrap_or(second)
    }

    fn permit(
        &self,
        route: RouteId,
        granted_by: Option<RowId>,
        needed: &mut dyn Iterator<Item = CellId>,
        usable: u64,
    ) -> Decision {
        let policy = self.context.policy;
        let (mut first, mut masks, mut asks) = (None, 0, 0);
        for cell in needed {
            first = first.or(Some(cell));
            masks |= usize::try_from(cell.0).ok().and_then(|at| policy.masks.get(at)).copied().unwrap_or(0);
            for (at, gate) in policy.model.gates.iter().enumerate().take(64) {
                let requests = gate.approval().is_some_and(|approval| approval.asked_by.contains(&cell));
                asks |= u64::from(requests) << at;
            }
        }
        // A caller that may read a field set in this scope sees its fields. A grant in another scope does not count:
        // across scopes the upstream selects the records, but it cannot mask those of a scope without the grant.
        let here = Self::new(EvaluationContext { across: 0, ..self.context }, self.every_row);
        for (at, set) in policy.model.fields.iter().enumerate().take(64) {
            if masks >> at & 1 == 1 && set.read.is_some_and(|read| here.usable_row(read).is_some()) {
                masks &= !(1 << at);
            }
        }
        let obligations = Obligations { asks, masks, candidates: usable };
        Decision::permit(Reason::Granted, route, first, granted_by, obligations)
    }

    /// The first row, in the order of the policy, that the caller holds, that has the cell and whose gates are open.
    fn usable_row(&self, cell: CellId) -> Option<RowId> {
        let words = self.context.policy.grants.rows_with(cell).iter().enumerate().filter(|(_, has)| **has != 0);
        words.into_iter().find_map(|(word, has)| {
            let held = self.row_bits(word).held & has;
            first_row(word, held & !self.closed_rows(word, held))
        })
    }

    /// The rows of one word of the bit set, by status.
    fn row_bits(&self, word: usize) -> RowBits {
        if self.every_row {
            let all = self.context.policy.entitlements.all_rows().get(word).copied().unwrap_or(0);
            return RowBits { held: all, granted: all, granted_conditionally: all, granted_anywhere: all };
        }
        self.context.entitlements.row_bits(word, self.context.scope, self.context.across)
    }

    /// The rows among `held` that a closed gate closes.
    fn closed_rows(&self, word: usize, held: u64) -> u64 {
        self.closed_gates(word, held).fold(0, |closed, (_, rows)| closed | rows)
    }

    /// The closed gates on the rows `held`, in the order of the policy, each with the rows that it closes.
    fn closed_gates(&self, word: usize, held: u64) -> impl Iterator<Item = (usize, u64)> {
        let gates = self.context.policy.gates.iter().enumerate();
        let here = gates.map(move |(at, rows)| (at, rows.get(word).copied().unwrap_or(0) & held));
        here.filter(|(at, rows)| *rows != 0 && !self.is_gate_open(*at))
    }

    /// Whether the gate at this position in the policy is open; each gate is evaluated once.
    pub fn is_gate_open(&self, at: usize) -> bool {
        let (evaluated, open) = self.gates.get();
        if evaluated >> at & 1 == 1 {
            return open >> at & 1 == 1;
        }
        let is_open = self.context.policy.gate(at).is_some_and(|gate| self.evaluate_gate(at, gate));
        self.gates.set((evaluated | 1 << at, open | u64::from(is_open) << at));
        is_open
    }

    fn evaluate_gate(&self, at: usize, gate: &Gate) -> bool {
        match &gate.by {
            GateOpener::Approval(approval) => {
                let keys = ApprovalKeys { subject: self.context.subject, scope: self.context.scope };
                self.context.approvals.opens(&gate.name, approval, &keys, self.context.now)
            }
            GateOpener::Condition(condition) => (self.context.holds)(*condition),
            GateOpener::Feature => self.has_feature(at),
        }
    }

    /// Whether a profile lists the feature; it applies through the caller's group or within the scope.
    fn has_feature(&self, at: usize) -> bool {
        let model = &self.context.policy.model;
        // A service app that holds every row needs no group, so its group does not count.
        let group = self.context.entitlements.group().filter(|_| !self.every_row);
        let group = group.and_then(|group| model.groups.get(usize::try_from(group).ok()?));
        let own = group.and_then(|group| group.profile).and_then(|profile| usize::try_from(profile).ok());
        let mut profiles = model.profiles.iter().zip(&self.context.policy.features).enumerate();
        profiles.any(|(number, (profile, features))| {
            let applies = || {
                let mut within = profile.within.iter();
                own == Some(number)
                    || within.any(|within| bounds_match(within, self.context.scope, self.context.across))
            };
            features >> at & 1 == 1 && applies()
        })
    }

    /// The reason for the row that comes closest to granting the cell.
    fn refusal_reason(&self, cell: CellId) -> Reason {
        let mut closest = Reason::NotGranted;
        let words = self.context.policy.grants.rows_with(cell).iter().enumerate().filter(|(_, has)| **has != 0);
        for (word, &has) in words {
            let bits = self.row_bits(word);
            let reason = if has & bits.held != 0 {
                // The caller holds a row, but a gate closes it.
                self.closed_gates(word, has & bits.held)
                    .next()
                    .map(|(at, _)| Reason::Gate(u8::try_from(at).unwrap_or(u8::MAX)))
            } else if has & bits.granted != 0 {
                Some(Reason::TakenAway)
            } else if has & bits.granted_conditionally != 0 {
                Some(Reason::Condition)
            } else if has & bits.granted_anywhere != 0 {
                Some(Reason::OutOfScope)
            } else {
                None
            };
            closest = reason.map_or(closest, |reason| closest.closest_to_permit(reason));
        }
        closest
    }
}

fn first_row(word: usize, set: u64) -> Option<RowId> {
    let at =
        (set != 0).then(|| u64::try_from(word).ok())??.checked_mul(64)?.checked_add(u64::from(set.trailing_zeros()))?;
    u32::try_from(at).ok().map(RowId)
}
