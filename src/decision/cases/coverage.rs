//! CaseCoverage: the cells, rules and decisions that passed cases cover.

use std::collections::BTreeSet;

use crate::decision::verdict::select_candidates;
use crate::decision::{Decision, Phase};
use crate::policy::Snapshot;
use crate::vocabulary::{Access, Cell, CellId, Cells, MediaTypeCells};

use super::case::Case;

/// CaseCoverage: the coverage of the cases that passed.
#[derive(Debug, Clone, Default)]
pub struct CaseCoverage {
    /// The cells that routes of the policy need, in the order of the policy.
    pub cells: Vec<CellCoverage>,
    /// The rules that the cases prove, in the order of the cases.
    pub rules: Vec<RuleEvidence>,
    /// The numbers of the decisions that the cases show.
    pub decisions: BTreeSet<u64>,
}

/// CellCoverage: the number of cases that cover a cell.
#[derive(Debug, Clone)]
pub struct CellCoverage {
    /// The cell.
    pub cell: Cell,
    /// The number of permitted cases on routes that need the cell.
    pub permitted: usize,
    /// The number of cases that were refused because of the cell.
    pub refused: usize,
}

/// RuleEvidence: the number of cases that prove a rule.
#[derive(Debug, Clone)]
pub struct RuleEvidence {
    /// The rule.
    pub rule: Box<str>,
    /// The number of permitted cases.
    pub permits: usize,
    /// The number of refused cases.
    pub refusals: usize,
}

impl CaseCoverage {
    /// Empty coverage of the cells that the routes of `policy` need.
    pub fn of(policy: &Snapshot) -> Self {
        let methods = policy.routes.routes().iter().flat_map(|route| &route.methods);
        let mut ids: Vec<CellId> = methods.flat_map(|method| needed_cells(&method.cells)).collect();
        ids.sort_unstable();
        ids.dedup();
        let cells = ids.into_iter().filter_map(|id| policy.cell(id));
        let cells = cells.map(|cell| CellCoverage { cell: cell.clone(), permitted: 0, refused: 0 });
        Self { cells: cells.collect(), ..Self::default() }
    }

    /// The numbers of cells with a permitted case and with a refused case.
    pub fn counts(&self) -> (usize, usize) {
        let count = |covered: fn(&CellCoverage) -> bool| self.cells.iter().filter(|one| covered(one)).count();
        (count(|one| one.permitted > 0), count(|one| one.refused > 0))
    }

    /// Counts a passed case; `policy` is the variant that decided it.
    pub(super) fn count_case(
        &mut self,
        case: &Case,
        decision: &Decision,
        access: Option<&Access<'_>>,
        phase: Phase<'_>,
        policy: &Snapshot,
    ) {
        let permit = decision.is_permit();
        let cells: Vec<CellId> = match access.filter(|_| permit) {
            Some(access) => permitted_cells(access.cells, decision, phase),
            None => decision.cell.into_iter().collect(),
        };
        for cell in cells.into_iter().filter_map(|id| policy.cell(id)) {
            if let Some(covered) = self.cells.iter_mut().find(|one| one.cell == *cell) {
                covered.permitted += usize::from(permit);
                covered.refused += usize::from(!permit);
            }
        }
        for rule in &case.proves {
            let at = self.rules.iter().position(|proof| proof.rule == *rule).unwrap_or_else(|| {
                self.rules.push(RuleEvidence { rule: rule.clone(), permits: 0, refusals: 0 });
                self.rules.len() - 1
            });
            if let Some(proof) = self.rules.get_mut(at) {
                proof.permits += usize::from(permit);
                proof.refusals += usize::from(!permit);
            }
        }
        self.decisions.extend(case.decision);
    }
}

/// The cells that a permit granted.
fn permitted_cells(cells: &Cells, decision: &Decision, phase: Phase<'_>) -> Vec<CellId> {
    let Cells::ByType(candidates) = cells else { return needed_cells(cells).collect() };
    let selected = match (phase, &decision.verdict) {
        (Phase::Response(content_type), _) => select_candidates(candidates, content_type),
        (Phase::Request, Ok(permit)) => permit.candidates(),
        (Phase::Request, Err(_)) => 0,
    };
    let selected = candidates.iter().enumerate().take(64).filter(|(at, _)| selected >> at & 1 == 1);
    selected.flat_map(|(_, candidate)| candidate.cells.iter().copied()).collect()
}

fn needed_cells(cells: &Cells) -> impl Iterator<Item = CellId> {
    let (all, candidates): (&[CellId], &[MediaTypeCells]) = match cells {
        Cells::All(needed) => (needed, &[]),
        Cells::ByType(candidates) => (&[], candidates),
        Cells::Public | Cells::Nobody => (&[], &[]),
    };
    all.iter().chain(candidates.iter().flat_map(|candidate| &candidate.cells)).copied()
}
