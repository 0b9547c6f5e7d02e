//! Cases: what a policy must decide, written beside it and tried against it.

mod caller;
mod coverage;
mod suite;
mod trial;
mod variant;

pub use coverage::{CaseCoverage, CellCoverage, RuleEvidence};
pub use suite::{Case, Expectation, Suite, read_suite};
pub use trial::{CaseResult, CaseStatus, TrialContext, run_suite};

use crate::document::{Findings, Sources};

/// Tries every case of the sources behind the first `bench.files`; the findings say what fails, and what cannot be read.
pub fn check_cases(bench: &TrialContext<'_>) -> Findings {
    let mut findings = Findings::default();
    let mut coverage = CaseCoverage::of(bench.policy);
    for file in case_files(bench.sources, bench.files) {
        if let Some(suite) = read_suite(bench.sources, file, &mut findings) {
            run_suite(&suite, bench, &|_| true, &mut coverage, &mut findings, &mut || {});
        }
    }
    findings
}

/// The numbers of the sources behind the first `before`.
pub fn case_files(sources: &Sources, before: u32) -> impl Iterator<Item = u32> {
    sources.iter().map(|(file, _)| file).filter(move |file| *file >= before)
}

#[cfg(test)]
mod tests;
