//! The cases of the five example policies pass, and cover the rules of the language's page.

use std::collections::{BTreeMap, BTreeSet};

use portcullis::decision::cases::{self, CaseCoverage, CaseStatus, RuleEvidence, TrialContext};
use portcullis::document::{Findings, Sources, report};
use portcullis::policy;
use portcullis::vocabulary::Timestamp;

const POLICIES: [&str; 5] = ["carestream", "hid-integration-service", "noah-es", "pathology", "proknow"];

/// Decisions that only requests over a socket can show: the spelling of a folded path at the upstream (14), and a
/// browser's preflight, which is answered without the policy (50). The parts that a decision can show, the permit and
/// the plain `OPTIONS`, are also cases.
const ON_THE_WIRE_TOO: [u64; 2] = [14, 50];

/// The rules that the page marks Y or L, by number.
const RULES: [(&str, &[&str]); 5] = [
    ("carestream", &["C1", "C2", "C3", "C5", "C6", "C7", "C8", "C9", "C11", "C13"]),
    ("hid-integration-service", &["H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "H10", "H12", "H13", "H14", "H15"]),
    ("noah-es", &["N1", "N2", "N3", "N5", "N6", "N7", "N8", "N10", "N11", "N12", "N13", "N14", "N15", "N16"]),
    ("pathology", &["F3", "F5", "F6", "F7", "F8", "F10", "F11", "F12", "F13", "F14", "F15"]),
    ("proknow", &["P1", "P2", "P3", "P5", "P6", "P7", "P8", "P9", "P10", "P13", "P14", "P16", "P17", "P19", "P20"]),
];

/// The rules among these that only concern the file or tools, so that no request can prove them: the exclusions of
/// `explain` and `matrix`, unique names, and roles in use.
const AT_LOAD_ONLY: [&str; 3] = ["C10", "P4", "P18"];

/// CaseRun: the result of the cases of one policy.
struct CaseRun {
    cases: usize,
    failed: Vec<String>,
    coverage: CaseCoverage,
}

fn run(name: &str) -> CaseRun {
    let mut sources = Sources::default();
    let file = |name: String| {
        let text = std::fs::read_to_string(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, text)
    };
    let (path, text) = file(format!("policies/{name}.yaml"));
    sources.add(path.as_str(), &text);
    let loaded = policy::load(&sources, None);
    let policy = loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)));
    let (beside, text) = file(format!("policies/{name}.cases.yaml"));
    let number = sources.add(beside, &text);

    let mut findings = Findings::default();
    let suite = cases::read_suite(&sources, number, &mut findings);
    let suite = suite.unwrap_or_else(|| panic!("{}", report::human(&findings, &sources)));
    let mut coverage = CaseCoverage::of(&policy);
    let now = Timestamp(1_795_000_000);
    let bench = TrialContext { policy: &policy, sources: &sources, files: 1, issuers: None, path: &path, now };
    let tried = cases::run_suite(&suite, &bench, &|_| true, &mut coverage, &mut findings, &mut || {});
    let passed = tried.iter().filter(|one| matches!(one.status, CaseStatus::Passed)).count();
    let mut failed: Vec<String> = findings.sorted().into_iter().map(|found| report::line(found, &sources)).collect();
    if passed != tried.len() && failed.is_empty() {
        failed.push(format!("{name}: only {passed} of {} cases passed", tried.len()));
    }
    CaseRun { cases: tried.len(), failed, coverage }
}

#[test]
fn every_case_of_the_five_policies_passes_and_is_needed() {
    let mut all = 0;
    let mut failed = Vec::new();
    for name in POLICIES {
        let run = run(name);
        all += run.cases;
        failed.extend(run.failed);
    }
    assert!(failed.is_empty(), "{} findings\n{}", failed.len(), failed.join("\n"));
    assert!(all > 550, "only {all} cases");
}

#[test]
fn all_fifty_decisions_stand_as_cases() {
    let shown: BTreeSet<u64> = POLICIES.iter().flat_map(|name| run(name).coverage.decisions).collect();
    let missing: Vec<u64> = (1..=50).filter(|number| !shown.contains(number)).collect();
    assert!(missing.is_empty(), "no case shows the decisions {missing:?}");
    assert!(ON_THE_WIRE_TOO.iter().all(|number| shown.contains(number)));
    assert!(shown.iter().all(|number| (1..=50).contains(number)), "the table has fifty rows: {shown:?}");
}

#[test]
fn every_rule_that_a_gateway_can_keep_is_proved_by_a_permit_and_by_a_refusal() {
    let mut lacking = Vec::new();
    for (name, rules) in RULES {
        let coverage = run(name).coverage;
        let proofs: BTreeMap<&str, &RuleEvidence> = coverage.rules.iter().map(|proof| (&*proof.rule, proof)).collect();
        for rule in rules {
            match proofs.get(rule) {
                Some(proof) if proof.permits > 0 && proof.refusals > 0 => {}
                Some(proof) => lacking.push(format!("{rule}: {} permits, {} refusals", proof.permits, proof.refusals)),
                None => lacking.push(format!("{rule}: nothing")),
            }
        }
        let stray: Vec<&&str> = proofs.keys().filter(|rule| AT_LOAD_ONLY.contains(*rule)).collect();
        assert!(stray.is_empty(), "{stray:?} can be proved after all: list them as rules");
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
}

/// The minimum numbers of cells, among those that routes need, that some case permits, and that some case refuses.
const TRIED: [(&str, usize, usize); 5] = [
    ("carestream", 46, 16),
    ("hid-integration-service", 60, 29),
    ("noah-es", 30, 22),
    ("pathology", 35, 31),
    ("proknow", 35, 29),
];

#[test]
fn the_cases_try_at_least_the_recorded_number_of_cells() {
    for (name, permitted, refused) in TRIED {
        let counts = run(name).coverage.counts();
        assert!(counts.0 >= permitted && counts.1 >= refused, "{name}: {counts:?}");
    }
}
