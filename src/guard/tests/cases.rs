//! The cases beside each policy, decided by the guard itself: the same as over HTTP, without a socket.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::decision::cases::{self, Case, Expectation};
use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{NoTrace, Phase};
use crate::document::{Findings, Sources};
use crate::guard::now;
use crate::identity::SecretDigest;
use crate::vocabulary::{Assignment, Subject, SubjectKind};

use super::setup::{Setup, arrival, headers};

use callers::{authorization, is_bound, key};

#[path = "../../../tests/shared/callers.rs"]
mod callers;

/// PolicyCases: a policy, its cases and their callers.
struct PolicyCases {
    policy: String,
    cases: Vec<Case>,
    callers: BTreeMap<String, Subject>,
}

impl PolicyCases {
    fn open(name: &str) -> Self {
        let path = |end: &str| format!("{}/policies/{name}{end}", env!("CARGO_MANIFEST_DIR"));
        let written = std::fs::read_to_string(path(".cases.yaml")).unwrap();
        let (mut sources, mut findings) = (Sources::default(), Findings::default());
        sources.add(path(".cases.yaml"), &written);
        let suite = cases::read_suite(&sources, 0, &mut findings).unwrap();
        assert!(!findings.has_errors());
        let mut all: Value = serde_yaml::from_str(&written).unwrap();
        let callers = serde_json::from_value(all["callers"].take()).unwrap();
        Self { policy: std::fs::read_to_string(path(".yaml")).unwrap(), cases: suite.cases, callers }
    }

    fn caller(&self, case: &Case) -> &Subject {
        &self.callers[&*case.caller]
    }

    /// Whether a request alone can ask the case: it names no variant, no other time and no stored approval.
    fn can_ask(&self, case: &Case) -> bool {
        let caller = self.caller(case);
        let named = is_bound(caller) && !caller.claims.is_empty();
        case.variant.is_none() && case.at.is_none() && caller.approved.is_empty() && !named
    }

    fn setup(&self, by_key: bool) -> Setup {
        if !by_key {
            return Setup::of_text(&self.policy);
        }
        let keys: Map<_, _> = self.callers.values().filter(|caller| is_bound(caller)).map(key).collect();
        Setup::with_keys(&self.policy, &json!({ "version": 1, "keys": keys }).to_string())
    }

    /// The reason that the case expects; `granted` stands for every permit.
    fn expected(&self, case: &Case, setup: &Setup) -> String {
        match &case.expected {
            Expectation::Refuse(reason) => reason.text.to_string(),
            Expectation::Permit { masks: Some(masks), .. } if !masks.is_empty() => "cannot-mask".to_owned(),
            Expectation::Permit { masks: None, .. } if self.is_masked(case, setup) => "cannot-mask".to_owned(),
            Expectation::Permit { .. } => "granted".to_owned(),
        }
    }

    fn is_masked(&self, case: &Case, setup: &Setup) -> bool {
        let policy = setup.api().policy.load().unwrap();
        let (subject, method, target) = (self.caller(case), &*case.method, &*case.target);
        let query = RequestQuery { subject, method, target, host: None, phase: Phase::Request };
        decide_query(&policy, query, now(), &mut NoTrace, |trace, _| {
            trace.decision.verdict.as_ref().is_ok_and(|permit| permit.masks().next().is_some())
        })
    }

    /// The reason with which the guard decides the case; `granted` stands for every permit.
    async fn found(&self, case: &Case, setup: &Setup) -> String {
        let credential = authorization(self.caller(case), |claims| setup.token(claims));
        let fields: Vec<(&str, &str)> = credential.iter().map(|value| ("authorization", value.as_str())).collect();
        let headers_in = headers(&fields);
        let mut exchange = setup.guard.open();
        setup.guard.judge(&arrival(&case.method, &case.target, &headers_in), &mut exchange).await;
        setup.guard.persist_decision(&mut exchange).await;
        if exchange.permit().is_some() {
            let kind = case.answered_as.as_deref().unwrap_or("application/json");
            exchange.judge_response(StatusCode::OK, &headers(&[("content-type", kind)]));
        }
        if exchange.permit().is_some() {
            return "granted".to_owned();
        }
        let reason = exchange.decision().unwrap().reason;
        reason.full_code(exchange.policy()).to_owned()
    }

    /// Asks all cases that a request alone can ask, which are at least `least`.
    async fn ask_all(&self, least: usize) {
        let (mut asked, mut wrong) = (0, Vec::new());
        for by_key in [false, true] {
            let setup = self.setup(by_key);
            let of_setup = self.cases.iter().filter(|case| is_bound(self.caller(case)) == by_key);
            for case in of_setup.filter(|case| self.can_ask(case)) {
                let (expected, found) = (self.expected(case, &setup), self.found(case, &setup).await);
                asked += 1;
                if expected != found {
                    wrong.push(format!("{}: expected {expected}, found {found}", case.title()));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(asked >= least, "only {asked} of {} cases were asked", self.cases.len());
    }
}

#[tokio::test]
async fn the_cases_of_noah_es_hold_in_the_guard() {
    PolicyCases::open("noah-es").ask_all(92).await;
}

#[tokio::test]
async fn the_cases_of_the_hid_integration_service_hold_in_the_guard() {
    PolicyCases::open("hid-integration-service").ask_all(145).await;
}

#[tokio::test]
async fn the_cases_of_carestream_hold_in_the_guard() {
    PolicyCases::open("carestream").ask_all(95).await;
}

#[tokio::test]
async fn the_cases_of_proknow_hold_in_the_guard() {
    PolicyCases::open("proknow").ask_all(121).await;
}

#[tokio::test]
async fn the_cases_of_pathology_hold_in_the_guard() {
    PolicyCases::open("pathology").ask_all(87).await;
}
