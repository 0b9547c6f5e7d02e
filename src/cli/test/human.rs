//! Results to read: what fails, and a line for each policy.

use crate::decision::cases::CellCoverage;
use crate::document::{Findings, Severity, report};

use super::TestResult;

/// `partly` leaves out notes, which are about all cases.
pub(super) fn text(tested: &[TestResult], coverage: bool, partly: bool) -> String {
    let mut out = String::new();
    for tested in tested {
        let mut shown = Findings::default();
        let wanted = tested.findings.iter().filter(|finding| !partly || finding.severity == Severity::Error);
        wanted.for_each(|finding| shown.push(finding.clone()));
        if !shown.is_empty() {
            out.push_str(&report::human(&shown, &tested.sources));
            out.push('\n');
        }
        if coverage {
            table(&mut out, tested);
        }
    }
    tested.iter().for_each(|tested| total(&mut out, tested));
    out
}

fn total(out: &mut String, tested: &TestResult) {
    let all = tested.results.len();
    let (permitted, refused) = tested.coverage.counts();
    let lost = match (tested.failed(), all - tested.passed() - tested.failed()) {
        (0, 0) if tested.findings.has_errors() => ", but there are errors".to_owned(),
        (0, 0) => String::new(),
        (failed, 0) => format!(", {failed} failed"),
        (failed, untried) => format!(", {failed} failed, {untried} not tried"),
    };
    out.push_str(&format!(
        "{}: {} of {all} cases passed{lost}; of {} cells {permitted} permitted and {refused} refused at least once\n",
        tested.path,
        tested.passed(),
        tested.coverage.cells.len(),
    ));
}

fn table(out: &mut String, tested: &TestResult) {
    let coverage = &tested.coverage;
    let mut lines = |title: &str, wanted: fn(&CellCoverage) -> bool| {
        let cells: Vec<String> =
            coverage.cells.iter().filter(|one| wanted(one)).map(|one| one.cell.to_string()).collect();
        if !cells.is_empty() {
            out.push_str(&format!("{title}\n"));
            cells.iter().for_each(|cell| out.push_str(&format!("  {cell}\n")));
        }
    };
    lines("never tried", |one| one.permitted == 0 && one.refused == 0);
    lines("never permitted", |one| one.permitted == 0 && one.refused > 0);
    lines("never refused", |one| one.permitted > 0 && one.refused == 0);
    if !coverage.rules.is_empty() {
        out.push_str("rules (permits, refusals)\n");
    }
    for proof in &coverage.rules {
        out.push_str(&format!("  {:<6} {:>3} {:>3}\n", proof.rule, proof.permits, proof.refusals));
    }
    if !coverage.decisions.is_empty() {
        let numbers: Vec<String> = coverage.decisions.iter().map(ToString::to_string).collect();
        out.push_str(&format!("decisions\n  {}\n", numbers.join(" ")));
    }
    out.push('\n');
}
