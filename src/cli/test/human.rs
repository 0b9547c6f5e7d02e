//! Prints test results as text: the failures, and a line for each policy.

use crate::decision::cases::CellCoverage;
use crate::document::{Findings, Severity, report};

use super::results::TestResult;

/// The results; with `partly`, without notes, which refer to all cases.
pub(super) fn print_results(results: &[TestResult], coverage: bool, partly: bool) -> String {
    let mut out = String::new();
    for result in results {
        let mut shown = Findings::default();
        let wanted = result.findings.iter().filter(|finding| !partly || finding.severity == Severity::Error);
        wanted.for_each(|finding| shown.push(finding.clone()));
        if !shown.is_empty() {
            out.push_str(&report::human(&shown, &result.sources));
            out.push('\n');
        }
        if coverage {
            print_coverage(&mut out, result);
        }
    }
    results.iter().for_each(|result| print_total(&mut out, result));
    out
}

fn print_total(out: &mut String, result: &TestResult) {
    let all = result.cases.len();
    let (permitted, refused) = result.coverage.counts();
    let not_passed = match (result.count_failed(), all - result.count_passed() - result.count_failed()) {
        (0, 0) if result.findings.has_errors() => ", but there are errors".to_owned(),
        (0, 0) => String::new(),
        (failed, 0) => format!(", {failed} failed"),
        (failed, untried) => format!(", {failed} failed, {untried} not tried"),
    };
    out.push_str(&format!(
        "{}: {} of {all} cases passed{not_passed}; of {} cells {permitted} permitted and {refused} refused at least once\n",
        result.path,
        result.count_passed(),
        result.coverage.cells.len(),
    ));
}

fn print_coverage(out: &mut String, result: &TestResult) {
    let coverage = &result.coverage;
    let mut lines = |title: &str, wanted: fn(&CellCoverage) -> bool| {
        let cells: Vec<String> =
            coverage.cells.iter().filter(|cell| wanted(cell)).map(|cell| cell.cell.to_string()).collect();
        if !cells.is_empty() {
            out.push_str(&format!("{title}\n"));
            cells.iter().for_each(|cell| out.push_str(&format!("  {cell}\n")));
        }
    };
    lines("never tried", |cell| cell.permitted == 0 && cell.refused == 0);
    lines("never permitted", |cell| cell.permitted == 0 && cell.refused > 0);
    lines("never refused", |cell| cell.permitted > 0 && cell.refused == 0);
    if !coverage.rules.is_empty() {
        out.push_str("rules (permits, refusals)\n");
    }
    for evidence in &coverage.rules {
        out.push_str(&format!("  {:<6} {:>3} {:>3}\n", evidence.rule, evidence.permits, evidence.refusals));
    }
    if !coverage.decisions.is_empty() {
        let numbers: Vec<String> = coverage.decisions.iter().map(ToString::to_string).collect();
        out.push_str(&format!("decisions\n  {}\n", numbers.join(" ")));
    }
    out.push('\n');
}
