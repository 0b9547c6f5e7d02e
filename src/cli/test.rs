//! `test`: runs the cases beside policies.

mod human;
mod json;
mod junit;
mod progress;
mod results;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::decision::cases::{self, Case, CaseCoverage, Suite, TrialContext, case_files};
use crate::document::Finding;
use crate::policy;
use crate::reload::cases as beside;
use crate::reload::file;

use super::exit::{CommandError, Exit, print};
use progress::Progress;
use results::{CaseReport, TestResult};

pub(super) const EXAMPLE: &str = "\
Example: portcullis test policies/noah-es.yaml policies/proknow.yaml --format junit > cases.xml

The cases of `NAME.yaml` are beside it in `NAME.cases.yaml`; those of the folder `NAME` are there or in the folder, as \
`*.cases.yaml`. Ends with 1 where a case fails or cannot be read.";

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Policies: each a file, or a folder of files that make up one policy
    #[arg(value_name = "POLICY", required = true, value_hint = clap::ValueHint::AnyPath)]
    policies: Vec<PathBuf>,
    /// The cases, where they are not beside the policy
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    cases: Option<PathBuf>,
    /// Only cases that name this: a caller, a path, a reason, a rule, a decision's number or a note
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Also print the cells that no case permits or refuses, and the cases that prove each rule
    #[arg(long)]
    coverage: bool,
    /// How the results are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The failures, with their source lines, and the totals
    Human,
    /// One object
    Json,
    /// JUnit's XML, for build servers
    Junit,
}

pub(super) fn run(args: &TestArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    if args.cases.is_some() && args.policies.len() > 1 {
        return Err(CommandError::usage("`--cases` names the cases of one policy: name one POLICY"));
    }
    let results: Vec<TestResult> = args.policies.iter().map(|path| test_policy(path, args)).collect();
    let is_selected = |result: &TestResult| !result.cases.is_empty() || result.findings.has_errors();
    if let Some(only) = args.only.as_deref().filter(|_| !results.iter().any(is_selected)) {
        return Err(CommandError::usage(format!("no case names `{only}`")));
    }
    let text = match args.format {
        Format::Human => human::print_results(&results, args.coverage, args.only.is_some()),
        Format::Json => format!("{:#}\n", json::results_json(&results)),
        Format::Junit => junit::results_xml(&results),
    };
    let failed = results.iter().any(|result| result.findings.has_errors());
    print(out, &text, if failed { Exit::Findings } else { Exit::Done })
}

fn test_policy(path: &Path, args: &TestArgs) -> TestResult {
    let start = Instant::now();
    let mut result = TestResult::new(path.display().to_string());
    if let Err(finding) = run_cases(path, args, &mut result) {
        result.findings.push(finding);
    }
    result.duration = start.elapsed();
    result
}

/// Runs the cases of the policy at `path` and adds their results and findings.
fn run_cases(path: &Path, args: &TestArgs, result: &mut TestResult) -> Result<(), Finding> {
    result.sources = file::read(path)?;
    let loaded = policy::load(&result.sources, None);
    let Some(policy) = loaded.snapshot else {
        result.findings.extend(loaded.findings);
        return Ok(());
    };
    let policy_files = beside::count_sources(&result.sources);
    match &args.cases {
        Some(file) => beside::read_file(file, &mut result.sources)?,
        None => beside::append_sources(&mut result.sources, &beside::read(path)?),
    }
    if beside::count_sources(&result.sources) == policy_files {
        return Err(beside::missing_finding(path));
    }
    result.coverage = CaseCoverage::of(&policy);
    let suites: Vec<Suite> = case_files(&result.sources, policy_files)
        .filter_map(|file| cases::read_suite(&result.sources, file, &mut result.findings))
        .collect();
    let is_selected = |case: &Case| args.only.as_deref().is_none_or(|only| case.mentions(only));
    let context = TrialContext {
        policy: &policy,
        sources: &result.sources,
        files: policy_files,
        issuers: None,
        path: &result.path,
        now: beside::now(),
    };
    let mut progress = Progress::new(&result.path);
    for suite in &suites {
        let trials =
            cases::run_suite(suite, &context, &is_selected, &mut result.coverage, &mut result.findings, &mut || {
                progress.step()
            });
        result.cases.extend(trials.into_iter().map(|trial| CaseReport {
            title: trial.case.title(),
            span: trial.case.span,
            proves: trial.case.proves.clone(),
            decision: trial.case.decision,
            status: trial.status,
        }));
    }
    progress.end();
    Ok(())
}

#[cfg(test)]
mod tests;
