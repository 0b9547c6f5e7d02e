//! The cases beside each policy, asked of a live gateway over sockets: what the cases say is what the wire shows.

use std::collections::BTreeMap;

use portcullis::decision::cases::{self, Case, Expectation};
use portcullis::decision::query::{RequestQuery, decide_query};
use portcullis::decision::{NoTrace, Phase, Reason};
use portcullis::document::{Findings, Sources};
use portcullis::identity::SecretDigest;
use portcullis::policy::{self, Snapshot};
use portcullis::vocabulary::{Assignment, Subject, SubjectKind, Timestamp};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::support::now;
use crate::wire::client::{ask, bearer, request};
use crate::wire::origin::Origin;
use crate::wire::scene::Scene;

/// What the upstream answers, and nobody who is refused reads.
const ANSWER: &str = "an answer of the upstream";

/// The secret of all API keys here.
const SECRET: &str = "a-secret-that-all-keys-of-this-test-share";

/// Book: a policy with its cases and their callers.
struct Book {
    policy: Snapshot,
    text: String,
    cases: Vec<Case>,
    callers: BTreeMap<String, Subject>,
}

impl Book {
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

    /// The gateway with this policy as it stands, for API keys or for tokens: where one API believed both, the ids under
    /// `users:` would have to say which is meant.
    fn serve(&self, by_key: bool) -> Scene {
        // The type that the caller asks for is the type of the answer.
        let origin = Origin::answering(|seen| {
            let kind = seen.header("accept").unwrap_or("application/json".to_owned());
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len())
                .into()
        });
        let plan = Scene::of(origin, &self.text);
        if !by_key {
            let services = json!({ "claim": "kind", "values": ["service"] });
            return plan.with("/issuers/test/service-apps", services).start();
        }
        let keys: Map<_, _> = self.callers.values().filter(|caller| is_bound(caller)).map(key).collect();
        plan.with("/issuers", json!({}))
            .with("/api-keys/keys", json!({ "file": "keys.yaml", "basic": true }))
            .file("keys.yaml", json!({ "version": 1, "keys": keys }).to_string())
            .start()
    }

    /// Why a case cannot be asked over a socket.
    fn left_out(&self, case: &Case) -> Option<&'static str> {
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

    /// The path as it is forwarded with its query, and whether the answer would have to be masked.
    fn stated(&self, case: &Case) -> (String, bool) {
        let subject = &self.callers[&*case.caller];
        let asked =
            RequestQuery { subject, method: &case.method, target: &case.target, host: None, phase: Phase::Request };
        decide_query(&self.policy, asked, Timestamp(now()), &mut NoTrace, |road, _| {
            let query = case.target.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
            let path = match (road.request, road.route_match) {
                (Ok(request), Ok(placed)) => placed.printed(&request.path),
                _ => String::new(),
            };
            let is_masked = road.decision.verdict.as_ref().is_ok_and(|permit| permit.masks().count() > 0);
            (path + &query, is_masked)
        })
    }

    /// What must come of a case.
    fn expected(&self, case: &Case) -> Came {
        let (target, is_masked) = self.stated(case);
        let reason = match &case.expected {
            Expectation::Refuse(reason) => &reason.text,
            Expectation::Permit { masks, .. } if masks.as_ref().map_or(is_masked, |masks| !masks.is_empty()) => {
                "cannot-mask"
            }
            Expectation::Permit { .. } => "granted",
        };
        let code = reason.split(':').next().unwrap_or_default();
        let (_, status, _) = Reason::TABLE.into_iter().find(|(known, ..)| *known == code).unwrap();
        // The type of an answer is known by asking only.
        let reaches = reason == "granted" || reason == "wrong-type";
        let reached = if reaches { vec![format!("{} {target}", case.method)] } else { Vec::new() };
        Came { status, said: if status == 200 { ANSWER } else { reason }.to_owned(), reached }
    }

    /// What comes of a case.
    fn found(&self, case: &Case, scene: &Scene) -> Came {
        let mut headers = presented(&self.callers[&*case.caller], scene);
        headers.extend(case.answered_as.as_ref().map(|kind| format!("Accept: {kind}")));
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let before = scene.origin.count();
        let answer = ask(scene.at(), request(&format!("{} {}", case.method, case.target), &headers, b""));
        let got = scene.origin.seen().split_off(before);
        let reached = got.iter().map(|seen| format!("{} {}", seen.method(), seen.target())).collect();
        let said = match (answer.status, &*case.method) {
            // An answer to HEAD has no body: what it would have said stands in the audit.
            (200, "HEAD") => ANSWER.to_owned(),
            (200, _) => answer.text(),
            (_, "HEAD") => {
                let record = scene.record(answer.header("x-portcullis-decision").unwrap());
                record["reason"].as_str().unwrap().to_owned()
            }
            _ => answer.reason(),
        };
        Came { status: answer.status, said, reached }
    }

    /// Asks all cases that can be asked, which are at least `least`.
    fn ask_all(&self, least: usize) {
        let (mut asked, mut left_out, mut wrong) = (0, BTreeMap::<_, usize>::new(), Vec::new());
        for by_key in [false, true] {
            let cases = self.cases.iter().filter(|case| is_bound(&self.callers[&*case.caller]) == by_key);
            let mut scene = None;
            for case in cases {
                if let Some(why) = self.left_out(case) {
                    *left_out.entry(why).or_default() += 1;
                    continue;
                }
                let scene = scene.get_or_insert_with(|| self.serve(by_key));
                let (expected, found) = (self.expected(case), self.found(case, scene));
                asked += 1;
                if expected != found {
                    wrong.push(format!("{}: expected {expected:?}, found {found:?}", case.title()));
                }
            }
        }
        println!("{}: {asked} of {} cases asked; left out: {left_out:?}", self.policy.model.name, self.cases.len());
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(asked >= least, "only {asked} cases were asked");
        assert_eq!(asked + left_out.values().sum::<usize>(), self.cases.len());
    }
}

/// Came: what came of a request, for the caller and for the upstream.
#[derive(Debug, PartialEq)]
struct Came {
    status: u16,
    /// The upstream's answer, or the reason of a refusal.
    said: String,
    /// The requests that reached the upstream.
    reached: Vec<String>,
}

/// Whether a role of the caller is bound to scopes: a token cannot say that, an API key can.
fn is_bound(caller: &Subject) -> bool {
    caller.roles.iter().any(|role| !role.scope.is_empty())
}

/// The entry of an API key that says who this is.
fn key(caller: &Subject) -> (String, Value) {
    let role = |role: &Assignment| {
        let scope: Map<_, _> = role.scope.iter().map(|(name, values)| (name.to_string(), json!(values))).collect();
        if scope.is_empty() { json!(role.role) } else { json!({ &*role.role: scope }) }
    };
    let entry = json!({
        "digest": SecretDigest::of(SECRET.as_bytes()).to_string(),
        "kind": caller.kind.word(),
        "tenants": caller.tenants,
        "groups": caller.groups,
        "roles": caller.roles.iter().map(role).collect::<Vec<_>>(),
        "permissions": caller.permissions,
    });
    (caller.id.as_ref().unwrap().name.to_string(), entry)
}

/// The header lines that say who this is.
fn presented(caller: &Subject, scene: &Scene) -> Vec<String> {
    if caller.kind == SubjectKind::Anonymous {
        return Vec::new();
    }
    let id = &caller.id.as_ref().unwrap().name;
    if is_bound(caller) {
        let pair = STANDARD.encode(format!("{id}:{SECRET}"));
        return vec![format!("Authorization: Basic {pair}")];
    }
    let mut claims = caller.claims.clone();
    let own = json!({
        "sub": id,
        "kind": caller.kind.word(),
        "client_id": caller.client,
        "tenants": caller.tenants,
        "groups": caller.groups,
        "roles": caller.roles.iter().map(|role| &role.role).collect::<Vec<_>>(),
        "permissions": caller.permissions,
    });
    claims.extend(own.as_object().unwrap().clone());
    vec![bearer(&scene.stage.token(Value::Object(claims)))]
}

#[test]
fn the_cases_of_noah_es_hold_on_the_wire() {
    Book::open("noah-es").ask_all(92);
}

#[test]
fn the_cases_of_the_hid_integration_service_hold_on_the_wire() {
    Book::open("hid-integration-service").ask_all(145);
}

#[test]
fn the_cases_of_carestream_hold_on_the_wire() {
    Book::open("carestream").ask_all(95);
}

#[test]
fn the_cases_of_proknow_hold_on_the_wire() {
    Book::open("proknow").ask_all(121);
}

#[test]
fn the_cases_of_pathology_hold_on_the_wire() {
    Book::open("pathology").ask_all(87);
}
