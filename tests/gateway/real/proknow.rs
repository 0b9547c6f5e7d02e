//! ProKnow's own SDK through the gateway, with the published policy, API keys as HTTP Basic, and a stub upstream.

mod organization;

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::process::{JsonProcess, installed, script};
use crate::wire::testbed::{Testbed, until};
use organization::{ADMIN, PHI, organization};

const POLICY: &str = include_str!("../../../policies/proknow.yaml");
const PASSWORD: &str = "a password that callers never learn";

/// ProKnowTestbed: the gateway in front of the organization, and API keys for users of the SDK.
struct ProKnowTestbed {
    testbed: Testbed,
    secrets: Vec<String>,
}

impl ProKnowTestbed {
    fn open() -> Self {
        let testbed = Testbed::of(organization(), POLICY)
            .with("/issuers", json!({}))
            .with("/api-keys/machines", json!({ "file": "keys.yaml", "basic": true }))
            .with("api/credential", json!({ "basic": { "user": "portcullis", "password": { "file": "password" } } }))
            .file("keys.yaml", "version: 1\nkeys: {}\n")
            .file("password", PASSWORD)
            .start();
        Self { testbed, secrets: Vec::new() }
    }

    /// The output of `portcullis key`, after the gateway has reloaded the file.
    fn key(&self, arguments: &[&str]) -> String {
        let read = || {
            let name = r#"portcullis_reloads_total{api="",result="published",what="keys"}"#;
            self.testbed.wait(self.testbed.gateway.metric(name))
        };
        let before = read();
        let file = self.testbed.env.path("keys.yaml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        let output = command.args(["key", arguments[0], "--file"]).arg(file).args(&arguments[1..]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        until("the keys are read again", || read() > before);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// An SDK process of a user with a new key.
    fn start_user(&mut self, id: &str, rights: &[&str]) -> JsonProcess {
        let made = self.key(&[&["create", "--id", id], rights].concat());
        let secret = made.strip_prefix(&format!("{id}:")).unwrap().to_owned();
        self.secrets.push(secret.clone());
        self.sdk(id, &secret)
    }

    /// The SDK with this key.
    fn sdk(&self, id: &str, secret: &str) -> JsonProcess {
        let mut command = Command::new(installed("venv/bin/python"));
        command.arg(script("proknow.py")).arg(format!("http://{}", self.testbed.at()));
        command.env("KEY_ID", id).env("KEY_SECRET", secret);
        JsonProcess::start(command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "*"))
    }

    /// Makes the calls of a table in order. Each line holds the call with its arguments, its result (or the status and
    /// reason of its failure), and exactly the requests below `/api` that reach the upstream.
    fn calls(&self, id: &str, sdk: &mut JsonProcess, table: &str) {
        for line in table.lines().filter(|line| !line.trim().is_empty()) {
            let [call, must, requests] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("three cells: {line}")
            };
            let before = self.testbed.origin.count();
            let came = sdk.exchange(&call.split(' ').collect());
            let received = self.testbed.origin.requests().split_off(before);
            let got = received
                .iter()
                .map(|received| format!("{} {}", received.method(), received.target().replacen("/api", "", 1)));
            assert_eq!(got.collect::<Vec<_>>().join(", "), requests, "{id} {call}: {came}");
            for received in received {
                assert_eq!(received.header("x-portcullis-subject").unwrap(), format!("machines/{id}"));
            }
            let refused = must.split_once(' ').and_then(|(status, reason)| Some((status.parse::<u16>().ok()?, reason)));
            let Some((status, reason)) = refused else {
                assert_eq!(came["given"], serde_json::from_str::<Value>(must).unwrap(), "{id} {call}: {came}");
                continue;
            };
            assert_eq!((&came["error"], &came["status"]), (&json!("HttpError"), &json!(status)), "{id} {call}: {came}");
            let problem: Value = serde_json::from_str(came["body"].as_str().unwrap()).unwrap();
            assert_eq!(problem["type"], format!("urn:portcullis:reason:{reason}"), "{id} {call}");
            assert!(!PHI.iter().any(|phi| came.to_string().contains(phi)), "{id} {call}: {came}");
        }
    }

    /// All values of a header at the upstream.
    fn sent(&self, name: &str) -> Vec<String> {
        self.testbed.origin.requests().iter().filter_map(|received| received.header(name)).collect()
    }

    /// Asserts that the upstream saw only the gateway's credential, and that no secret was written.
    fn close(self) {
        let own = format!("Basic {}", STANDARD.encode(format!("portcullis:{PASSWORD}")));
        for received in self.testbed.origin.requests() {
            assert_eq!(received.all("authorization"), [own.as_str()]);
            assert!(
                !self.secrets.iter().any(|secret| received.text().contains(secret.as_str())),
                "{}",
                received.text()
            );
        }
        for secret in self.secrets.iter().map(String::as_str).chain([PASSWORD]) {
            assert!(!self.testbed.has_written(secret));
        }
    }
}

#[test]
fn an_admin_calls_what_the_policy_lists_and_does_not_edit_its_own_role() {
    let mut testbed = ProKnowTestbed::open();
    let mut ada = testbed.start_user("ada", &["--role", "Admin"]);
    let table = r#"
        session                    | "The gateway"            | GET /user
        lookup Clinic MRN-1        | ["Doe^Jane"]             | GET /workspaces, POST /workspaces/w1/patients/lookup
        patient w2 p1              | ["MRN-2","Roe^Richard"]  | GET /workspaces/w2/patients/p1
        admit Clinic MRN-3 Poe^Pat | "Poe^Pat"                | POST /workspaces/w1/patients
        rename w1 p1 Doe^Joan      | "Doe^Joan"               | GET /workspaces/w1/patients/p1, PUT /workspaces/w1/patients/p1
        discharge w1 p1            | null                     | DELETE /workspaces/w1/patients/p1
        describe w1 p1 plan        | "Boost"                  | GET /workspaces/w1/patients/p1, GET /workspaces/w1/plans/rp1
        members c1                 | ["p1","p2"]              | GET /collections/c1, GET /collections/c1/patients?workspace=w2, GET /collections/c1/patients?workspace=w2&next=2
        scatter c1                 | null                     | DELETE /collections/c1
        users                      | ["jo@clinic.example"]    | GET /users
        invite al@clinic.example   | "al@clinic.example"      | POST /users
        audit                      | 1                        | POST /audit/events/search
        role r1 Writers            | "Writers"                | GET /roles/r1, PATCH /roles/r1
        role ADMIN Root            | 403 nobody               | GET /roles/ADMIN
        role OTHERWISE Root        | 400 bad-request          |
        search Clinic              | 405 no-method            |
    "#;
    // The SDK's search route is not in the vendor's list, and so not in the policy: the path is matched as a patient.
    let table = table.replace("ADMIN", ADMIN).replace("OTHERWISE", &ADMIN.to_uppercase());
    testbed.calls("ada", &mut ada, &table);
    testbed.close();
}

#[test]
fn a_physicist_sees_names_and_writes_in_one_workspace_only() {
    let mut testbed = ProKnowTestbed::open();
    let mut jo = testbed.start_user("jo", &["--role", "Physicist"]);
    let table = r#"
        workspaces                   | ["Clinic","Research"] | GET /workspaces
        patient w1 p1                | ["MRN-1","Doe^Jane"]  | PATIENT
        patient w2 p1                | 403 cannot-mask       |
        lookup Clinic MRN-1          | ["Doe^Jane"]          | POST /workspaces/w1/patients/lookup
        lookup Research MRN-2        | 403 cannot-mask       |
        admit Clinic MRN-3 Poe^Pat   | "Poe^Pat"             | POST /workspaces/w1/patients
        admit Research MRN-3 Poe^Pat | 403 out-of-scope      |
        rename w1 p1 Doe^Joan        | "Doe^Joan"            | PATIENT, PUT /workspaces/w1/patients/p1
        discharge w1 p1              | 403 not-granted       |
        download w1 p1 plan          | "DICM of Doe^Jane"    | PATIENT, GET /workspaces/w1/plans/rp1, GET /workspaces/w1/plans/rp1/dicom
        analyse w1 p1                | 403 cannot-mask       | PATIENT, GET /workspaces/w1/doses/rd1
        contour w1 p1 Bladder        | "Bladder"             | PATIENT, GET SET, POST SET/draft, GET SET?version=draft, POST SET/draft/rois, DELETE SET/draft/lock/lock-1
        collections                  | ["Prostate"]          | GET /collections
        members c1                   | 403 cannot-mask       | GET /collections/c1
        collect Clinic c1 p1         | null                  | GET /collections/c1, PUT /collections/c1/workspaces/w1/patients
        collect Research c1 p1       | 403 out-of-scope      | GET /collections/c1
        measure Grade                | "Grade"               | POST /metrics/custom
        users                        | 403 not-granted       |
    "#;
    let table =
        table.replace("PATIENT", "GET /workspaces/w1/patients/p1").replace("SET", "/workspaces/w1/structuresets/rs1");
    testbed.calls("jo", &mut jo, &table);
    // The SDK's own header names its lock: it must be forwarded.
    assert_eq!(testbed.sent("proknow-lock"), ["lock-1"]);
    testbed.close();
}

#[test]
fn a_reader_writes_nothing_and_a_revoked_key_is_refused_at_the_next_call_of_the_session() {
    let mut testbed = ProKnowTestbed::open();
    let rights = ["--permission", "Read", "--permission", "View PHI", "--permission", "Download DICOM"];
    let mut kim = testbed.start_user("kim", &rights);
    let table = r#"
        patient w2 p1              | ["MRN-2","Roe^Richard"] | PATIENT
        describe w2 p1 dose        | "Dose"                  | PATIENT, GET /workspaces/w2/doses/rd1
        analyse w2 p1              | { "max": 61.5 }         | PATIENT, GET /workspaces/w2/doses/rd1, GET /doses/rd1/analysis/a1
        collections Research       | ["Prostate"]            | GET /workspaces, GET /collections?workspace=w2
        scorecards c1              | ["Constraints"]         | GET /collections/c1, GET /collections/c1/metrics/sets
        rename w2 p1 Roe^Rob       | 403 not-granted         | PATIENT
        admit Clinic MRN-3 Poe^Pat | 403 not-granted         |
        contour w2 p1 Bladder      | 403 not-granted         | PATIENT, GET /workspaces/w2/structuresets/rs1
        gather Lung w2             | 403 not-granted         |
        scatter c1                 | 403 not-granted         |
        measure Grade              | 403 not-granted         |
        audit                      | 403 not-granted         |
    "#;
    testbed.calls("kim", &mut kim, &table.replace("PATIENT", "GET /workspaces/w2/patients/p1"));
    assert_eq!(testbed.sent("proknow-key"), ["key-1"]);
    testbed.key(&["revoke", "--id", "kim"]);
    let table = "
        patient w2 p1 | 401 unauthenticated |
        session       | 401 unauthenticated |
    ";
    testbed.calls("kim", &mut kim, table);
    testbed.close();
}

#[test]
fn nothing_that_would_have_to_be_masked_reaches_a_researcher() {
    let mut testbed = ProKnowTestbed::open();
    let mut lee = testbed.start_user("lee", &["--role", "Researcher"]);
    let table = r#"
        workspaces                   | ["Clinic","Research"] | GET /workspaces
        metrics                      | ["Stage"]             | GET /metrics/custom
        patient w1 p1                | 403 cannot-mask       |
        lookup Research MRN-2        | 403 cannot-mask       |
        download w2 p1 plan          | 403 cannot-mask       |
        collections Research         | ["Prostate"]          | GET /collections?workspace=w2
        collections                  | 403 out-of-scope      |
        members c1                   | 403 cannot-mask       | GET /collections/c1
        scorecards c1                | ["Constraints"]       | GET /collections/c1, GET /collections/c1/metrics/sets
        gather Lung w2               | "Lung"                | POST /collections
        scatter c1                   | 403 not-granted       |
        admit Research MRN-3 Poe^Pat | 403 not-granted       |
        invite al@clinic.example     | 403 not-granted       |
    "#;
    testbed.calls("lee", &mut lee, table);
    testbed.close();
}

#[test]
fn a_key_without_a_role_and_a_guessed_key_are_refused() {
    let mut testbed = ProKnowTestbed::open();
    let mut nobody = testbed.start_user("new", &[]);
    let mut guess = testbed.sdk("new", "a-guess");
    for call in [
        "session",
        "workspaces",
        "lookup Clinic MRN-1",
        "patient w1 p1",
        "discharge w1 p1",
        "collections",
        "metrics",
        "users",
        "role r1 Root",
        "audit",
    ] {
        testbed.calls("new", &mut nobody, &format!("{call} | 403 not-one-role |"));
        testbed.calls("new", &mut guess, &format!("{call} | 401 unauthenticated |"));
    }
    assert_eq!(testbed.testbed.origin.count(), 0);
    testbed.close();
}
