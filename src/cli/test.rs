//! `test`: the cases that stand beside policies, tried.

mod human;
mod json;
mod junit;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::decision::cases::{self, Case, CaseCoverage, CaseStatus, Suite, TrialContext, files};
use crate::document::{Finding, Findings, Sources, Span, report};
use crate::policy;
use crate::reload::cases as beside;
use crate::reload::file;

use super::exit::{CommandError, Exit, print};

pub(super) const EXAMPLE: &str = "\
Example: portcullis test policies/noah-es.yaml policies/proknow.yaml --format junit > cases.xml

The cases of `NAME.yaml` stand beside it in `NAME.cases.yaml`; those of the folder `NAME` there or in the folder, as \
`*.cases.yaml`. Ends with 1 where a case fails or cannot be read.";

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Policies: each a file, or a folder of files that make up one policy
    #[arg(value_name = "POLICY", required = true, value_hint = clap::ValueHint::AnyPath)]
    policies: Vec<PathBuf>,
    /// The cases, where they stand elsewhere than beside the policy
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    cases: Option<PathBuf>,
    /// Only cases that name this: a caller, a path, a reason, a rule, a decision's number or a note
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Also the cells that no case permits or refuses, and what proves each rule
    #[arg(long)]
    coverage: bool,
    /// How the results are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What fails, with the lines in question, and the totals
    Human,
    /// One object
    Json,
    /// JUnit's XML, for build servers
    Junit,
}

/// TestResult: what came of the cases of one policy.
struct TestResult {
    path: String,
    sources: Sources,
    findings: Findings,
    results: Vec<CaseReport>,
    coverage: CaseCoverage,
    took: Duration,
}

/// CaseReport: one case as reports show it.
struct CaseReport {
    title: String,
    place: Span,
    proves: Vec<Box<str>>,
    decision: Option<u64>,
    ended: CaseStatus,
}

pub(super) fn run(args: &TestArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    if args.cases.is_some() && args.policies.len() > 1 {
        return Err(CommandError::usage("`--cases` names the cases of one policy: name one POLICY"));
    }
    let tested: Vec<TestResult> = args.policies.iter().map(|path| test(path, args)).collect();
    let is_wanted = |tested: &TestResult| !tested.results.is_empty() || tested.findings.has_errors();
    if let Some(only) = args.only.as_deref().filter(|_| !tested.iter().any(is_wanted)) {
        return Err(CommandError::usage(format!("no case names `{only}`")));
    }
    let text = match args.format {
        Format::Human => human::text(&tested, args.coverage, args.only.is_some()),
        Format::Json => format!("{:#}\n", json::object(&tested)),
        Format::Junit => junit::xml(&tested),
    };
    let failed = tested.iter().any(|tested| tested.findings.has_errors());
    print(out, &text, if failed { Exit::Findings } else { Exit::Done })
}

fn test(path: &Path, args: &TestArgs) -> TestResult {
    let began = Instant::now();
    let mut tested = TestResult {
        path: path.display().to_string(),
        sources: Sources::default(),
        findings: Findings::default(),
        results: Vec::new(),
        coverage: CaseCoverage::default(),
        took: Duration::ZERO,
    };
    if let Err(finding) = try_all(path, args, &mut tested) {
        tested.findings.push(finding);
    }
    tested.took = began.elapsed();
    tested
}

fn try_all(path: &Path, args: &TestArgs, tested: &mut TestResult) -> Result<(), Finding> {
    tested.sources = file::read(path)?;
    let loaded = policy::load(&tested.sources, None);
    let Some(policy) = loaded.snapshot else {
        tested.findings.extend(loaded.findings);
        return Ok(());
    };
    let before = beside::count_sources(&tested.sources);
    match &args.cases {
        Some(file) => beside::read_file(file, &mut tested.sources)?,
        None => beside::append_sources(&mut tested.sources, &beside::read(path)?),
    }
    if beside::count_sources(&tested.sources) == before {
        return Err(beside::missing_finding(path));
    }
    tested.coverage = CaseCoverage::of(&policy);
    let suites: Vec<Suite> = files(&tested.sources, before)
        .filter_map(|file| cases::read(&tested.sources, file, &mut tested.findings))
        .collect();
    let wanted = |case: &Case| args.only.as_deref().is_none_or(|only| case.mentions(only));
    let bench = TrialContext {
        policy: &policy,
        sources: &tested.sources,
        files: before,
        issuers: None,
        path: &tested.path,
        now: beside::now(),
    };
    let mut progress = Progress::new(&tested.path);
    for suite in &suites {
        let tried =
            cases::run(suite, &bench, &wanted, &mut tested.coverage, &mut tested.findings, &mut || progress.step());
        tested.results.extend(tried.into_iter().map(|tried| CaseReport {
            title: tried.case.title(),
            place: tried.case.span,
            proves: tried.case.proves.clone(),
            decision: tried.case.decision,
            ended: tried.ended,
        }));
    }
    progress.end();
    Ok(())
}

/// Progress: a line on the terminal that says how far a long run has come; nothing where nobody looks on.
struct Progress<'a> {
    path: &'a str,
    done: usize,
    told: Instant,
    shown: bool,
    looked_at: bool,
}

impl<'a> Progress<'a> {
    fn new(path: &'a str) -> Self {
        Self { path, done: 0, told: Instant::now(), shown: false, looked_at: std::io::stderr().is_terminal() }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.looked_at && self.told.elapsed() > Duration::from_secs(1) {
            self.told = Instant::now();
            self.shown = true;
            // Where nobody reads the error stream nobody misses it.
            let _ = write!(std::io::stderr(), "\r{}: {} tried", self.path, self.done);
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

impl TestResult {
    fn count(&self, wanted: fn(&CaseStatus) -> bool) -> usize {
        self.results.iter().filter(|outcome| wanted(&outcome.ended)).count()
    }

    fn passed(&self) -> usize {
        self.count(|ended| matches!(ended, CaseStatus::Passed))
    }

    fn failed(&self) -> usize {
        self.count(|ended| matches!(ended, CaseStatus::Failed(_)))
    }

    /// The findings that stop the run of a case, apart from those that say how one failed.
    fn errors(&self) -> Vec<String> {
        let failed = |finding: &Finding| {
            self.results.iter().any(|outcome| matches!(&outcome.ended, CaseStatus::Failed(known) if known == finding))
        };
        let errors = self
            .findings
            .sorted()
            .into_iter()
            .filter(|finding| finding.severity == crate::document::Severity::Error && !failed(finding));
        errors.map(|finding| report::line(finding, &self.sources)).collect()
    }
}

#[cfg(test)]
mod tests;
