//! Sends the cases beside each policy to a live gateway over sockets, and compares the results with the cases.

use std::collections::BTreeMap;

use portcullis::decision::cases::{self, Case, Expectation};
use portcullis::decision::query::{RequestQuery, decide_query};
use portcullis::decision::{NoTrace, Phase, Reason};
use portcullis::document::{Findings, Sources};
use portcullis::identity::SecretDigest;
use portcullis::policy::{self, Snapshot};
use portcullis::vocabulary::{Assignment, Subject, SubjectKind, Timestamp};

use serde_json::{Map, Value, json};

use crate::support::now;
use crate::wire::client::{ask, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;

use callers::{authorization, is_bound, key};

#[path = "../shared/callers.rs"]
mod callers;

/// The upstream's answer, which a refused caller never reads.
const ANSWER: &str = "an answer of the upstream";

/// PolicyCases: a policy with its cases and their callers.
struct PolicyCases {
    policy: Snapshot,
    text: String,
    cases: Vec<Case>,
    callers: BTreeMap<String, Subject>,
}

impl PolicyCases {
    fn open(name: &str) -> Self {
        let read = |file: &str| {
            let path = format!("{}/policies/{file}", env!("CARGO_MANIFEST_DIR"));
            let (text, mut sources) = (std::fs::read_to_string(&path).unwrap(), Sources::default());
            sources.add(path, &text);
            (sources, text)
        };
        let (sources, text) = read(&format!("{name}.yaml"));
        let policy = policy::load(&sources, None).snapshot.unwrap();
        let (sources, written) = read(&format!("{name}.cases.yaml"));
        let mut all: Value = serde_yaml::from_str(&written).unwrap();
        let callers = serde_json::from_value(all["callers"].take()).unwrap();
        let mut findings = Findings::default();
        let suite = cases::read_suite(&sources, 0, &mut findings).unwrap();
        assert!(!findings.has_errors());
        Self { policy, text, cases: suite.cases, callers }
    }

    /// The gateway with this policy unchanged, for API keys or for tokens. With both in one API, the ids under `users:`
    /// would have to name their source.
    fn serve(&self, by_key: bool) -> Testbed {
        // The upstream answers with the media type that the caller asks for.
        let origin = Origin::with_responder(|received| {
            let kind = received.header("accept").unwrap_or("application/json".to_owned());
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len())
                .into()
        });
        let builder = Testbed::of(origin, &self.text);
        if !by_key {
            let services = json!({ "claim": "kind", "values": ["service"] });
            return builder.with("/issuers/test/service-apps", services).start();
        }
        let keys: Map<_, _> = self.callers.values().filter(|caller| is_bound(caller)).map(key).collect();
        builder
            .with("/issuers", json!({}))
            .with("/api-keys/keys", json!({ "file": "keys.yaml", "basic": true }))
            .file("keys.yaml", json!({ "version": 1, "keys": keys }).to_string())
            .start()
    }

    /// The reason why a case cannot be sent over a socket, if there is one.
    fn reason_to_skip(&self, case: &Case) -> Option<&'static str> {
        let caller = &self.callers[&*case.caller];
        if case.variant.is_some() {
            Some("asks another policy")
        } else if case.at.is_some() {
            Some("asks at another moment")
        } else if !caller.approved.is_empty() {
            Some("the caller states an approval")
        } else if is_bound(caller) && !caller.claims.is_empty() {
            Some("the caller has a bound role and claims")
        } else {
            None
        }
    }

    /// The path with its query as it is forwarded, and whether the answer would have to be masked.
    fn forwarded_path(&self, case: &Case) -> (String, bool) {
        let subject = &self.callers[&*case.caller];
        let tested =
            RequestQuery { subject, method: &case.method, target: &case.target, host: None, phase: Phase::Request };
        decide_query(&self.policy, tested, Timestamp(now()), &mut NoTrace, |road, _| {
            let query = case.target.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
            let path = match (road.request, road.route_match) {
                (Ok(request), Ok(placed)) => placed.forwarded_path(&request.path),
                _ => String::new(),
            };
            let is_masked = road.decision.verdict.as_ref().is_ok_and(|permit| permit.masks().count() > 0);
            (path + &query, is_masked)
        })
    }

    /// The expected outcome of a case.
    fn expected(&self, case: &Case) -> CaseOutcome {
        let (target, is_masked) = self.forwarded_path(case);
        let reason = match &case.expected {
            Expectation::Refuse(reason) => &reason.text,
            Expectation::Permit { masks, .. } if masks.as_ref().map_or(is_masked, |masks| !masks.is_empty()) => {
                "cannot-mask"
            }
            Expectation::Permit { .. } => "granted",
        };
        let code = reason.split(':').next().unwrap_or_default();
        let (_, status, _) = Reason::TABLE.into_iter().find(|(known, ..)| *known == code).unwrap();
        // The media type of an answer is only known after the upstream was asked.
        let reaches = reason == "granted" || reason == "wrong-type";
        let forwarded = if reaches { vec![format!("{} {target}", case.method)] } else { Vec::new() };
        CaseOutcome { status, reason: if status == 200 { ANSWER } else { reason }.to_owned(), forwarded }
    }

    /// The actual outcome of a case.
    fn run_case(&self, case: &Case, testbed: &Testbed) -> CaseOutcome {
        let credential = authorization(&self.callers[&*case.caller], |claims| testbed.env.token(claims));
        let mut headers: Vec<String> = credential.iter().map(|value| format!("Authorization: {value}")).collect();
        headers.extend(case.answered_as.as_ref().map(|kind| format!("Accept: {kind}")));
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let before = testbed.origin.count();
        let answer = ask(testbed.at(), request(&format!("{} {}", case.method, case.target), &headers, b""));
        let got = testbed.origin.requests().split_off(before);
        let forwarded = got.iter().map(|received| format!("{} {}", received.method(), received.target())).collect();
        let reason = match (answer.status, &*case.method) {
            // An answer to HEAD has no body: the audit holds the reason instead.
            (200, "HEAD") => ANSWER.to_owned(),
            (200, _) => answer.text(),
            (_, "HEAD") => {
                let record = testbed.record(answer.header("x-portcullis-decision").unwrap());
                record["reason"].as_str().unwrap().to_owned()
            }
            _ => answer.reason(),
        };
        CaseOutcome { status: answer.status, reason, forwarded }
    }

    /// Runs all cases that can be sent, and asserts that there are at least `least`.
    fn ask_all(&self, least: usize) {
        let (mut tested, mut left_out, mut wrong) = (0, BTreeMap::<_, usize>::new(), Vec::new());
        for by_key in [false, true] {
            let cases = self.cases.iter().filter(|case| is_bound(&self.callers[&*case.caller]) == by_key);
            let mut testbed = None;
            for case in cases {
                if let Some(why) = self.reason_to_skip(case) {
                    *left_out.entry(why).or_default() += 1;
                    continue;
                }
                let testbed = testbed.get_or_insert_with(|| self.serve(by_key));
                let (expected, found) = (self.expected(case), self.run_case(case, testbed));
                tested += 1;
                if expected != found {
                    wrong.push(format!("{}: expected {expected:?}, found {found:?}", case.title()));
                }
            }
        }
        println!("{}: {tested} of {} cases asked; left out: {left_out:?}", self.policy.model.name, self.cases.len());
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(tested >= least, "only {tested} cases were asked");
        assert_eq!(tested + left_out.values().sum::<usize>(), self.cases.len());
    }
}

/// CaseOutcome: the result of a request for the caller and for the upstream.
#[derive(Debug, PartialEq)]
struct CaseOutcome {
    status: u16,
    /// The upstream's answer, or the reason of a refusal.
    reason: String,
    /// The requests that reached the upstream.
    forwarded: Vec<String>,
}

#[test]
fn the_cases_of_noah_es_hold_on_the_wire() {
    PolicyCases::open("noah-es").ask_all(92);
}

#[test]
fn the_cases_of_the_hid_integration_service_hold_on_the_wire() {
    PolicyCases::open("hid-integration-service").ask_all(145);
}

#[test]
fn the_cases_of_carestream_hold_on_the_wire() {
    PolicyCases::open("carestream").ask_all(95);
}

#[test]
fn the_cases_of_proknow_hold_on_the_wire() {
    PolicyCases::open("proknow").ask_all(121);
}

#[test]
fn the_cases_of_pathology_hold_on_the_wire() {
    PolicyCases::open("pathology").ask_all(87);
}
