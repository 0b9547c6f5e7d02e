//! CaseCoverage: which cells, rules and decisions the cases have shown.

use crate::decision::verdict::select_candidates;
use crate::decision::{Decision, Phase};
use crate::policy::Snapshot;
use crate::vocabulary::{Access, Cell, CellId, Cells, MediaTypeCells};

use super::suite::Case;

/// CaseCoverage: what the cases that passed have shown.
#[derive(Debug, Clone, Default)]
pub struct CaseCoverage {
    /// The cells that routes of the policy need, in the order of the policy.
    pub cells: Vec<CellCoverage>,
    /// The rules that cases prove, in the order of the cases.
    pub rules: Vec<RuleEvidence>,
    /// The numbers of the decisions that cases show.
    pub decisions: std::collections::BTreeSet<u64>,
}

/// CellCoverage: how often a cell was permitted and refused.
#[derive(Debug, Clone)]
pub struct CellCoverage {
    /// The cell.
    pub cell: Cell,
    /// How many cases were permitted on a route that needs it.
    pub permitted: usize,
    /// How many cases were refused because of it.
    pub refused: usize,
}

/// RuleEvidence: by how many cases a rule is proved.
#[derive(Debug, Clone)]
pub struct RuleEvidence {
    /// The rule.
    pub rule: Box<str>,
    /// Cases that are permitted.
    pub permits: usize,
    /// Cases that are refused.
    pub refusals: usize,
}

impl CaseCoverage {
    /// Nothing shown yet of what the routes of `policy` need.
    pub fn of(policy: &Snapshot) -> Self {
        let methods = policy.routes.routes().iter().flat_map(|route| &route.methods);
        let mut ids: Vec<CellId> = methods.flat_map(|method| needed(&method.cells)).collect();
        ids.sort_unstable();
        ids.dedup();
        let cells = ids.into_iter().filter_map(|id| policy.cell(id));
        let cells = cells.map(|cell| CellCoverage { cell: cell.clone(), permitted: 0, refused: 0 });
        Self { cells: cells.collect(), ..Self::default() }
    }

    /// How many cells were permitted at least once, and how many refused.
    pub fn counts(&self) -> (usize, usize) {
        let count = |met: fn(&CellCoverage) -> bool| self.cells.iter().filter(|one| met(one)).count();
        (count(|one| one.permitted > 0), count(|one| one.refused > 0))
    }

    /// Counts a case that passed; `policy` is the variant that it was decided under.
    pub(super) fn count(
        &mut self,
        case: &Case,
        decision: &Decision,
        access: Option<&Access<'_>>,
        phase: Phase<'_>,
        policy: &Snapshot,
    ) {
        let permit = decision.is_permit();
        let shown: Vec<CellId> = match access.filter(|_| permit) {
            Some(access) => permitted(access.cells, decision, phase),
            None => decision.cell.into_iter().collect(),
        };
        for cell in shown.into_iter().filter_map(|id| policy.cell(id)) {
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

/// The cells that a permit is about.
fn permitted(cells: &Cells, decision: &Decision, phase: Phase<'_>) -> Vec<CellId> {
    let Cells::ByType(candidates) = cells else { return needed(cells).collect() };
    let counted = match (phase, &decision.verdict) {
        (Phase::Response(kind), _) => select_candidates(candidates, kind),
        (Phase::Request, Ok(permit)) => permit.candidates(),
        (Phase::Request, Err(_)) => 0,
    };
    let counted = candidates.iter().enumerate().take(64).filter(|(at, _)| counted >> at & 1 == 1);
    counted.flat_map(|(_, candidate)| candidate.cells.iter().copied()).collect()
}

fn needed(cells: &Cells) -> impl Iterator<Item = CellId> {
    let (all, candidates): (&[CellId], &[MediaTypeCells]) = match cells {
        Cells::All(needed) => (needed, &[]),
        Cells::ByType(candidates) => (&[], candidates),
        Cells::Public | Cells::Nobody => (&[], &[]),
    };
    all.iter().chain(candidates.iter().flat_map(|candidate| &candidate.cells)).copied()
}
