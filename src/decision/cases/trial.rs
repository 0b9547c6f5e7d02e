//! Trial: each case decided on the road of every stated question, and held against what it expects.

use std::collections::BTreeMap;

use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{Decision, NoTrace, Phase, Reason};
use crate::document::{Finding, FindingCode, Findings, Node, Sources, Span};
use crate::policy::Snapshot;
use crate::vocabulary::{Subject, Timestamp};

use super::caller::{CaseCaller, caller_json};
use super::coverage::CaseCoverage;
use super::suite::{Case, Expectation, SpannedName, Suite};

/// TrialContext: the policy that cases are tried against, and what is known around it.
#[derive(Debug, Clone, Copy)]
pub struct TrialContext<'a> {
    /// The policy.
    pub policy: &'a Snapshot,
    /// The policy's texts, and behind them those of the cases.
    pub sources: &'a Sources,
    /// How many of the texts are the policy's.
    pub files: u32,
    /// What [`crate::policy::load`] was told about sources of identity.
    pub issuers: Option<&'a [Box<str>]>,
    /// The path of the policy, as commands name it.
    pub path: &'a str,
    /// The moment of cases that state none.
    pub now: Timestamp,
}

/// CaseResult: one case, and how it ended.
#[derive(Debug)]
pub struct CaseResult<'s> {
    /// The case.
    pub case: &'s Case,
    /// How it ended.
    pub ended: CaseStatus,
}

/// CaseStatus: how a case ended.
#[derive(Debug)]
pub enum CaseStatus {
    /// As expected.
    Passed,
    /// In another way: the finding is among those of the run, too.
    Failed(Finding),
    /// It could not be tried: the case or its variant names what there is not, as a finding of the run says.
    NotTried,
}

/// Tries the cases of `suite` that are `wanted`; each step is told to `progress`.
pub fn run_suite<'s>(
    suite: &'s Suite,
    bench: &TrialContext<'_>,
    wanted: &dyn Fn(&Case) -> bool,
    coverage: &mut CaseCoverage,
    findings: &mut Findings,
    progress: &mut dyn FnMut(),
) -> Vec<CaseResult<'s>> {
    let cases: Vec<&Case> = suite.cases.iter().filter(|case| wanted(case)).collect();
    let variants = snapshots(suite, &cases, bench, findings, progress);
    let known_gate = |name: &str| {
        let all = variants.values().flatten().chain([bench.policy]);
        all.into_iter().any(|policy| policy.model.gates.iter().any(|gate| *gate.name == *name))
    };
    for caller in suite.callers.iter().filter(|caller| cases.iter().any(|case| case.caller == caller.name)) {
        for word in caller.approved.iter().filter(|word| !known_gate(&word.text)) {
            findings.push(unknown("gate", word, bench.policy.model.gates.iter().map(|gate| &*gate.name)));
        }
    }
    let mut tried = Vec::with_capacity(cases.len());
    for case in cases {
        let policy = match &case.variant {
            Some(variant) => variants.get(variant).and_then(Option::as_ref),
            None => Some(bench.policy),
        };
        let caller = suite.callers.iter().find(|caller| caller.name == case.caller);
        let ended = match (policy, caller) {
            (Some(policy), Some(caller)) => try_one(case, caller, policy, bench, coverage, findings),
            _ => CaseStatus::NotTried,
        };
        tried.push(CaseResult { case, ended });
        progress();
    }
    tried
}

/// The policy in each variant that some case is tried in; `None` where it is no policy.
fn snapshots(
    suite: &Suite,
    cases: &[&Case],
    bench: &TrialContext<'_>,
    findings: &mut Findings,
    progress: &mut dyn FnMut(),
) -> BTreeMap<Box<str>, Option<Snapshot>> {
    let used = |name: &str| cases.iter().any(|case| case.variant.as_deref() == Some(name));
    let variants: Vec<_> = suite.variants.iter().filter(|variant| used(&variant.name)).collect();
    if variants.is_empty() {
        return BTreeMap::new();
    }
    // The policy is loaded: its texts have no findings that would not be known.
    let trees: Vec<Node> = (0..bench.files)
        .filter_map(|file| crate::document::parse(bench.sources, file, &mut Findings::default()))
        .collect();
    let loaded = variants.into_iter().map(|variant| {
        let snapshot = variant.snapshot(bench, &trees, findings);
        progress();
        (variant.name.clone(), snapshot)
    });
    loaded.collect()
}

fn try_one(
    case: &Case,
    caller: &CaseCaller,
    policy: &Snapshot,
    bench: &TrialContext<'_>,
    coverage: &mut CaseCoverage,
    findings: &mut Findings,
) -> CaseStatus {
    let strange = strangers(case, policy);
    if !strange.is_empty() {
        findings.extend(strange);
        return CaseStatus::NotTried;
    }
    let phase = case.answered_as.as_deref().map_or(Phase::Request, |kind| Phase::Response(Some(kind)));
    let asked =
        RequestQuery { subject: &caller.subject, method: &case.method, target: &case.target, host: None, phase };
    let now = case.at.unwrap_or(bench.now);
    let wrong = decide_query(policy, asked, now, &mut NoTrace, |road, _| {
        let wrong = difference(&case.expected, road.decision, policy);
        if wrong.is_none() {
            let access = road.placed.ok().map(|placed| &placed.access);
            coverage.count(case, road.decision, access, phase, policy);
        }
        wrong
    });
    let Some(wrong) = wrong else { return CaseStatus::Passed };
    let who = format!("`{}`: `{} {}`", case.caller, case.method, case.target);
    let finding = Finding::error(FindingCode::CaseFailed, Some(case.span), format!("{who} {wrong}"));
    let finding = finding.help(command(case, &caller.subject, bench));
    findings.push(finding.clone());
    CaseStatus::Failed(finding)
}

/// What a case names that is not in its policy.
fn strangers(case: &Case, policy: &Snapshot) -> Findings {
    let mut findings = Findings::default();
    let rows: Vec<&str> = policy.model.rows.iter().map(|row| &*row.name).collect();
    let sets: Vec<&str> = policy.model.fields.iter().map(|set| &*set.name).collect();
    let gates: Vec<&str> = policy.model.gates.iter().map(|gate| &*gate.name).collect();
    let mut check = |sort: &str, words: &[SpannedName], known: &[&str]| {
        for word in words.iter().filter(|word| !known.contains(&&*word.text)) {
            findings.push(unknown(sort, word, known.iter().copied()));
        }
    };
    match &case.expected {
        Expectation::Permit { by, masks, asks } => {
            check("permission", by.as_slice(), &rows);
            check("field set", masks.as_deref().unwrap_or_default(), &sets);
            check("gate", asks.as_deref().unwrap_or_default(), &gates);
        }
        Expectation::Refuse(reason) => {
            let gate = reason.text.strip_prefix("gate:");
            let gate = gate.map(|gate| SpannedName { text: gate.into(), span: reason.span });
            check("gate", gate.as_slice(), &gates);
        }
    }
    findings
}

fn unknown<'a>(sort: &str, word: &SpannedName, known: impl Iterator<Item = &'a str>) -> Finding {
    let message = format!("no {sort} of the policy is called `{}`", word.text);
    Finding::error(FindingCode::UnknownName, Some(word.span), message).suggest(&word.text, known)
}

/// What was expected and what was found, where that is not the same.
fn difference(expected: &Expectation, decision: &Decision, policy: &Snapshot) -> Option<String> {
    let reason = decision.reason.full_code(Some(policy));
    let lacking = decision.cell.and_then(|cell| policy.cell(cell));
    let about = lacking.map(|cell| format!(" because of `{cell}`")).unwrap_or_default();
    match (expected, &decision.verdict) {
        (Expectation::Refuse(wanted), Err(_)) => (*wanted.text != *reason)
            .then(|| format!("should be refused as `{}`, but is refused as `{reason}`{about}", wanted.text)),
        (Expectation::Refuse(wanted), Ok(_)) => {
            Some(format!("should be refused as `{}`, but is permitted {}", wanted.text, through(decision, policy)))
        }
        (Expectation::Permit { .. }, Err(_)) => {
            Some(format!("should be permitted, but is refused as `{reason}`{about}"))
        }
        (Expectation::Permit { by, masks, asks }, Ok(permit)) => {
            let row = decision.granted_by.and_then(|row| policy.row(row)).map(|row| &*row.name);
            if let Some(by) = by.as_ref().filter(|by| row != Some(&by.text)) {
                let found = through(decision, policy);
                return Some(format!("should be permitted by `{}`, and is permitted {found}", by.text));
            }
            let masks_found =
                permit.masks().filter_map(|at| policy.model.fields.get(at)).map(|set| &*set.name).collect();
            let asks_found = permit.asks().filter_map(|at| policy.gate(at)).map(|gate| &*gate.name).collect();
            differs("have masked", masks.as_deref(), masks_found)
                .or_else(|| differs("ask for", asks.as_deref(), asks_found))
        }
    }
}

fn differs(what: &str, wanted: Option<&[SpannedName]>, mut found: Vec<&str>) -> Option<String> {
    let mut wanted: Vec<&str> = wanted?.iter().map(|word| &*word.text).collect();
    wanted.sort_unstable();
    wanted.dedup();
    found.sort_unstable();
    let told = |names: &[&str]| match names {
        [] => "nothing".to_owned(),
        names => format!("`{}`", names.join("`, `")),
    };
    (wanted != found).then(|| format!("should {what} {}, but that is {}", told(&wanted), told(&found)))
}

/// What permits, behind `permitted`.
fn through(decision: &Decision, policy: &Snapshot) -> String {
    match (decision.reason, decision.granted_by.and_then(|row| policy.row(row))) {
        (_, Some(row)) => format!("by `{}`", row.name),
        (Reason::Public, None) => "because the route is public".to_owned(),
        (Reason::ServiceApp, None) => "because it is a service app".to_owned(),
        _ => "without a permission".to_owned(),
    }
}

/// The command that shows the whole way of the decision.
fn command(case: &Case, subject: &Subject, bench: &TrialContext<'_>) -> String {
    let anonymous = subject.kind == crate::vocabulary::SubjectKind::Anonymous;
    let caller = if anonymous { String::new() } else { format!(" --as {}", quoted(&caller_json(subject))) };
    let command =
        format!("portcullis explain {}{caller} {} {}", quoted(bench.path), quoted(&case.method), quoted(&case.target));
    match &case.variant {
        Some(variant) => format!("`{command}` explains it without the variant `{variant}`"),
        None => format!("`{command}`"),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

impl CaseStatus {
    /// The word that reports use.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::NotTried => "not tried",
        }
    }
}

impl CaseResult<'_> {
    /// Where the case stands.
    pub fn span(&self) -> Span {
        self.case.span
    }
}
