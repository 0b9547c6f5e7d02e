//! Trial: decides each case like any other query and compares the decision with the expected one.

use std::collections::BTreeMap;

use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{Decision, NoTrace, Phase, Reason};
use crate::document::{self, Finding, FindingCode, Findings, Node, Span};
use crate::policy::Snapshot;
use crate::vocabulary::{Subject, SubjectKind};

use super::caller::{CaseCaller, caller_json};
use super::case::{Case, Expectation};
use super::context::TrialContext;
use super::coverage::CaseCoverage;
use super::name::SpannedName;
use super::suite::Suite;

/// CaseResult: one case and its status.
#[derive(Debug)]
pub struct CaseResult<'s> {
    /// The case.
    pub case: &'s Case,
    /// Its status.
    pub status: CaseStatus,
}

/// CaseStatus: the result of trying a case.
#[derive(Debug)]
pub enum CaseStatus {
    /// The decision is the expected one.
    Passed,
    /// The decision is another one; the finding is also among those of the run.
    Failed(Finding),
    /// The case could not be tried, because it or its variant uses undefined names; the findings of the run name them.
    NotTried,
}

/// Tries the `wanted` cases of `suite` and calls `progress` after each step.
pub fn run_suite<'s>(
    suite: &'s Suite,
    context: &TrialContext<'_>,
    wanted: &dyn Fn(&Case) -> bool,
    coverage: &mut CaseCoverage,
    findings: &mut Findings,
    progress: &mut dyn FnMut(),
) -> Vec<CaseResult<'s>> {
    let cases: Vec<&Case> = suite.cases.iter().filter(|case| wanted(case)).collect();
    let variants = load_variants(suite, &cases, context, findings, progress);
    let known_gate = |name: &str| {
        let all = variants.values().flatten().chain([context.policy]);
        all.into_iter().any(|policy| policy.model.gates.iter().any(|gate| *gate.name == *name))
    };
    for caller in suite.callers.iter().filter(|caller| cases.iter().any(|case| case.caller == caller.name)) {
        for gate in caller.approved.iter().filter(|gate| !known_gate(&gate.text)) {
            findings.push(unknown_name("gate", gate, context.policy.model.gates.iter().map(|gate| &*gate.name)));
        }
    }
    let mut results = Vec::with_capacity(cases.len());
    for case in cases {
        let policy = match &case.variant {
            Some(variant) => variants.get(variant).and_then(Option::as_ref),
            None => Some(context.policy),
        };
        let caller = suite.callers.iter().find(|caller| caller.name == case.caller);
        let status = match (policy, caller) {
            (Some(policy), Some(caller)) => try_case(case, caller, policy, context, coverage, findings),
            _ => CaseStatus::NotTried,
        };
        results.push(CaseResult { case, status });
        progress();
    }
    results
}

/// Loads the policy in each variant that a case uses; `None` if a variant does not load.
fn load_variants(
    suite: &Suite,
    cases: &[&Case],
    context: &TrialContext<'_>,
    findings: &mut Findings,
    progress: &mut dyn FnMut(),
) -> BTreeMap<Box<str>, Option<Snapshot>> {
    let used = |name: &str| cases.iter().any(|case| case.variant.as_deref() == Some(name));
    let variants: Vec<_> = suite.variants.iter().filter(|variant| used(&variant.name)).collect();
    if variants.is_empty() {
        return BTreeMap::new();
    }
    // The policy has been loaded, so the findings of its sources are already known.
    let trees: Vec<Node> = (0..context.files)
        .filter_map(|file| document::parse(context.sources, file, &mut Findings::default()))
        .collect();
    let loaded = variants.into_iter().map(|variant| {
        let snapshot = variant.load_snapshot(context, &trees, findings);
        progress();
        (variant.name.clone(), snapshot)
    });
    loaded.collect()
}

fn try_case(
    case: &Case,
    caller: &CaseCaller,
    policy: &Snapshot,
    context: &TrialContext<'_>,
    coverage: &mut CaseCoverage,
    findings: &mut Findings,
) -> CaseStatus {
    let unknown = unknown_names(case, policy);
    if !unknown.is_empty() {
        findings.extend(unknown);
        return CaseStatus::NotTried;
    }
    let phase = case.answered_as.as_deref().map_or(Phase::Request, |content_type| Phase::Response(Some(content_type)));
    let query =
        RequestQuery { subject: &caller.subject, method: &case.method, target: &case.target, host: None, phase };
    let now = case.at.unwrap_or(context.now);
    let failure = decide_query(policy, query, now, &mut NoTrace, |trace, _| {
        let failure = describe_difference(&case.expected, trace.decision, policy);
        if failure.is_none() {
            let access = trace.route_match.ok().map(|found| &found.access);
            coverage.count_case(case, trace.decision, access, phase, policy);
        }
        failure
    });
    let Some(failure) = failure else { return CaseStatus::Passed };
    let request = format!("`{}`: `{} {}`", case.caller, case.method, case.target);
    let finding = Finding::error(FindingCode::CaseFailed, Some(case.span), format!("{request} {failure}"));
    let finding = finding.help(explain_command(case, &caller.subject, context));
    findings.push(finding.clone());
    CaseStatus::Failed(finding)
}

/// The findings for names in a case that its policy does not define.
fn unknown_names(case: &Case, policy: &Snapshot) -> Findings {
    let mut findings = Findings::default();
    let rows: Vec<&str> = policy.model.rows.iter().map(|row| &*row.name).collect();
    let sets: Vec<&str> = policy.model.fields.iter().map(|set| &*set.name).collect();
    let gates: Vec<&str> = policy.model.gates.iter().map(|gate| &*gate.name).collect();
    let mut check = |kind: &str, names: &[SpannedName], known: &[&str]| {
        for name in names.iter().filter(|name| !known.contains(&&*name.text)) {
            findings.push(unknown_name(kind, name, known.iter().copied()));
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

fn unknown_name<'a>(kind: &str, name: &SpannedName, known: impl Iterator<Item = &'a str>) -> Finding {
    let message = format!("no {kind} of the policy is called `{}`", name.text);
    Finding::error(FindingCode::UnknownName, Some(name.span), message).suggest(&name.text, known)
}

/// Describes how the decision differs from the expected one; `None` if it does not.
fn describe_difference(expected: &Expectation, decision: &Decision, policy: &Snapshot) -> Option<String> {
    let reason = decision.reason.full_code(Some(policy));
    let cell = decision.cell.and_then(|cell| policy.cell(cell));
    let about = cell.map(|cell| format!(" because of `{cell}`")).unwrap_or_default();
    match (expected, &decision.verdict) {
        (Expectation::Refuse(wanted), Err(_)) => (*wanted.text != *reason)
            .then(|| format!("should be refused as `{}`, but is refused as `{reason}`{about}", wanted.text)),
        (Expectation::Refuse(wanted), Ok(_)) => Some(format!(
            "should be refused as `{}`, but is permitted {}",
            wanted.text,
            describe_grant(decision, policy)
        )),
        (Expectation::Permit { .. }, Err(_)) => {
            Some(format!("should be permitted, but is refused as `{reason}`{about}"))
        }
        (Expectation::Permit { by, masks, asks }, Ok(permit)) => {
            let row = decision.granted_by.and_then(|row| policy.row(row)).map(|row| &*row.name);
            if let Some(by) = by.as_ref().filter(|by| row != Some(&by.text)) {
                let found = describe_grant(decision, policy);
                return Some(format!("should be permitted by `{}`, but is permitted {found}", by.text));
            }
            let masks_found =
                permit.masks().filter_map(|at| policy.model.fields.get(at)).map(|set| &*set.name).collect();
            let asks_found = permit.asks().filter_map(|at| policy.gate(at)).map(|gate| &*gate.name).collect();
            describe_names_difference(("mask", "masks"), masks.as_deref(), masks_found)
                .or_else(|| describe_names_difference(("ask for", "asks for"), asks.as_deref(), asks_found))
        }
    }
}

/// Describes how two sets of names differ, with a verb such as `mask` and `masks`; `None` if they are equal.
fn describe_names_difference(
    (verb, inflected): (&str, &str),
    wanted: Option<&[SpannedName]>,
    mut found: Vec<&str>,
) -> Option<String> {
    let mut wanted: Vec<&str> = wanted?.iter().map(|name| &*name.text).collect();
    wanted.sort_unstable();
    wanted.dedup();
    found.sort_unstable();
    let list = |names: &[&str]| match names {
        [] => "nothing".to_owned(),
        names => format!("`{}`", names.join("`, `")),
    };
    (wanted != found).then(|| format!("should {verb} {}, but {inflected} {}", list(&wanted), list(&found)))
}

/// Describes what permits; the text follows `permitted`.
fn describe_grant(decision: &Decision, policy: &Snapshot) -> String {
    match (decision.reason, decision.granted_by.and_then(|row| policy.row(row))) {
        (_, Some(row)) => format!("by `{}`", row.name),
        (Reason::Public, None) => "because the route is public".to_owned(),
        (Reason::ServiceApp, None) => "because it is a service app".to_owned(),
        _ => "without a permission".to_owned(),
    }
}

/// The command that explains the decision.
fn explain_command(case: &Case, subject: &Subject, context: &TrialContext<'_>) -> String {
    let anonymous = subject.kind == SubjectKind::Anonymous;
    let caller = if anonymous { String::new() } else { format!(" --as {}", shell_quoted(&caller_json(subject))) };
    let command = format!(
        "portcullis explain {}{caller} {} {}",
        shell_quoted(context.path),
        shell_quoted(&case.method),
        shell_quoted(&case.target)
    );
    match &case.variant {
        Some(variant) => format!("`{command}` explains it without the variant `{variant}`"),
        None => format!("`{command}`"),
    }
}

/// Quotes an argument for a shell.
fn shell_quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

impl CaseStatus {
    /// The name of the status in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::NotTried => "not tried",
        }
    }
}

impl CaseResult<'_> {
    /// The span of the case.
    pub fn span(&self) -> Span {
        self.case.span
    }
}
