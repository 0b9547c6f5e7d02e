//! TestResult: the results of the cases of one policy, as every output format reads them.

use std::time::Duration;

use crate::decision::cases::{CaseCoverage, CaseStatus};
use crate::document::{Finding, Findings, Severity, Sources, Span, report};

/// TestResult: the results of the cases of one policy.
pub(super) struct TestResult {
    pub(super) path: String,
    pub(super) sources: Sources,
    pub(super) findings: Findings,
    pub(super) cases: Vec<CaseReport>,
    pub(super) coverage: CaseCoverage,
    pub(super) duration: Duration,
}

/// CaseReport: the result of one case.
pub(super) struct CaseReport {
    pub(super) title: String,
    pub(super) span: Span,
    pub(super) proves: Vec<Box<str>>,
    pub(super) decision: Option<u64>,
    pub(super) status: CaseStatus,
}

impl TestResult {
    /// A result without any cases yet.
    pub(super) fn new(path: String) -> Self {
        Self {
            path,
            sources: Sources::default(),
            findings: Findings::default(),
            cases: Vec::new(),
            coverage: CaseCoverage::default(),
            duration: Duration::ZERO,
        }
    }

    pub(super) fn count_passed(&self) -> usize {
        self.count(|status| matches!(status, CaseStatus::Passed))
    }

    pub(super) fn count_failed(&self) -> usize {
        self.count(|status| matches!(status, CaseStatus::Failed(_)))
    }

    /// The findings that prevent the run of a case, without those that describe the failure of a case.
    pub(super) fn errors(&self) -> Vec<String> {
        let is_failure = |finding: &Finding| {
            self.cases.iter().any(|case| matches!(&case.status, CaseStatus::Failed(failure) if failure == finding))
        };
        let findings = self.findings.sorted().into_iter();
        let errors = findings.filter(|finding| finding.severity == Severity::Error && !is_failure(finding));
        errors.map(|finding| report::line(finding, &self.sources)).collect()
    }

    fn count(&self, matches: fn(&CaseStatus) -> bool) -> usize {
        self.cases.iter().filter(|case| matches(&case.status)).count()
    }
}
