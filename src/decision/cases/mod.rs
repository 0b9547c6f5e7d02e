//! Cases: the decisions that a policy is expected to make, written next to it and tried with it.

mod caller;
mod case;
mod context;
mod coverage;
mod name;
mod suite;
mod trial;
mod variant;

pub use case::{Case, Expectation};
pub use context::TrialContext;
pub use coverage::{CaseCoverage, CellCoverage, RuleEvidence};
pub use suite::{Suite, read_suite};
pub use trial::{CaseResult, CaseStatus, run_suite};

use crate::document::{Findings, Sources};

/// Tries every case of the sources after the first `context.files`.
///
/// The findings report the cases that fail and those that cannot be read.
pub fn check_cases(context: &TrialContext<'_>) -> Findings {
    let mut findings = Findings::default();
    let mut coverage = CaseCoverage::of(context.policy);
    for file in case_files(context.sources, context.files) {
        if let Some(suite) = read_suite(context.sources, file, &mut findings) {
            run_suite(&suite, context, &|_| true, &mut coverage, &mut findings, &mut || {});
        }
    }
    findings
}

/// The numbers of the sources after the first `policy_files`.
pub fn case_files(sources: &Sources, policy_files: u32) -> impl Iterator<Item = u32> {
    sources.iter().map(|(file, _)| file).filter(move |file| *file >= policy_files)
}

#[cfg(test)]
mod tests;
