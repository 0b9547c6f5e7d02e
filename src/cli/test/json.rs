//! Results for programs.

use serde_json::{Value, json};

use crate::decision::cases::{CaseStatus, CellCoverage, RuleEvidence};
use crate::document::report;

use super::{CaseReport, TestResult};

pub(super) fn object(tested: &[TestResult]) -> Value {
    let passed: usize = tested.iter().map(TestResult::passed).sum();
    let failed: usize = tested.iter().map(TestResult::failed).sum();
    let all: usize = tested.iter().map(|tested| tested.results.len()).sum();
    json!({
        "cases": all,
        "passed": passed,
        "failed": failed,
        "not_tried": all - passed - failed,
        "policies": tested.iter().map(policy).collect::<Vec<_>>(),
    })
}

fn policy(tested: &TestResult) -> Value {
    json!({
        "policy": tested.path,
        "cases": tested.results.iter().map(|outcome| case(outcome, tested)).collect::<Vec<_>>(),
        "findings": report::json(&tested.findings, &tested.sources),
        "coverage": {
            "cells": tested.coverage.cells.iter().map(cell).collect::<Vec<_>>(),
            "rules": tested.coverage.rules.iter().map(rule).collect::<Vec<_>>(),
            "decisions": tested.coverage.decisions,
        },
    })
}

fn case(outcome: &CaseReport, tested: &TestResult) -> Value {
    let at = tested.sources.locate(outcome.place);
    let (message, help) = match &outcome.ended {
        CaseStatus::Failed(finding) => (Some(&finding.message), finding.help.as_ref()),
        CaseStatus::Passed | CaseStatus::NotTried => (None, None),
    };
    json!({
        "title": outcome.title,
        "file": at.map(|at| at.file),
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
        "result": outcome.ended.name(),
        "message": message,
        "help": help,
        "proves": outcome.proves,
        "decision": outcome.decision,
    })
}

fn cell(covered: &CellCoverage) -> Value {
    json!({ "cell": covered.cell.to_string(), "permitted": covered.permitted, "refused": covered.refused })
}

fn rule(proof: &RuleEvidence) -> Value {
    json!({ "rule": proof.rule, "permits": proof.permits, "refusals": proof.refusals })
}
