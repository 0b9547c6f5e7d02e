//! Prints test results as JSON.

use serde_json::{Value, json};

use crate::decision::cases::{CaseStatus, CellCoverage, RuleEvidence};
use crate::document::report;

use super::results::{CaseReport, TestResult};

pub(super) fn results_json(results: &[TestResult]) -> Value {
    let passed: usize = results.iter().map(TestResult::count_passed).sum();
    let failed: usize = results.iter().map(TestResult::count_failed).sum();
    let all: usize = results.iter().map(|result| result.cases.len()).sum();
    json!({
        "cases": all,
        "passed": passed,
        "failed": failed,
        "not_tried": all - passed - failed,
        "policies": results.iter().map(policy_json).collect::<Vec<_>>(),
    })
}

fn policy_json(result: &TestResult) -> Value {
    json!({
        "policy": result.path,
        "cases": result.cases.iter().map(|case| case_json(case, result)).collect::<Vec<_>>(),
        "findings": report::json(&result.findings, &result.sources),
        "coverage": {
            "cells": result.coverage.cells.iter().map(cell_json).collect::<Vec<_>>(),
            "rules": result.coverage.rules.iter().map(rule_json).collect::<Vec<_>>(),
            "decisions": result.coverage.decisions,
        },
    })
}

fn case_json(case: &CaseReport, result: &TestResult) -> Value {
    let location = result.sources.locate(case.span);
    let (message, help) = match &case.status {
        CaseStatus::Failed(finding) => (Some(&finding.message), finding.help.as_ref()),
        CaseStatus::Passed | CaseStatus::NotTried => (None, None),
    };
    json!({
        "title": case.title,
        "file": location.map(|location| location.file),
        "line": location.map(|location| location.line),
        "column": location.map(|location| location.column),
        "result": case.status.name(),
        "message": message,
        "help": help,
        "proves": case.proves,
        "decision": case.decision,
    })
}

fn cell_json(coverage: &CellCoverage) -> Value {
    json!({ "cell": coverage.cell.to_string(), "permitted": coverage.permitted, "refused": coverage.refused })
}

fn rule_json(evidence: &RuleEvidence) -> Value {
    json!({ "rule": evidence.rule, "permits": evidence.permits, "refusals": evidence.refusals })
}
