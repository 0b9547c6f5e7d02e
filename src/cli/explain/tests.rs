//! Tests of explanations, as exact text and as exact JSON.

use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::tests::{NOAH, file, portcullis};

fn explain(policy: &str, subject: &str, method: &str, target: &str) -> Value {
    let (exit, out, err) = portcullis(&["explain", policy, "--as", subject, method, target, "--format", "json"]);
    assert!(matches!(exit, Exit::Done | Exit::Refused), "{err}");
    let explanation: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(explanation["decision"] == "permit", exit == Exit::Done);
    explanation
}

#[test]
fn a_refusal_by_a_gate_is_explained_step_by_step() {
    let caller = r#"{"id":"u1","client":"app-9","tenant":"t1","roles":["Level 2","offline_access","Levl 1"]}"#;
    let (exit, out, err) = portcullis(&["explain", NOAH, "--as", caller, "GET", "/t1/API/patients/p%31"]);
    assert_eq!((exit, err.as_str()), (Exit::Refused, ""));
    let without_version: Vec<&str> = out.lines().filter(|line| !line.starts_with("policy ")).collect();
    let expected = "\
refuse    gate:app-connection, answered 403
          a gate is closed; the code names it after the colon
request   GET /t1/API/patients/p%31
path      /t1/api/Patients/p1
route     /{tenant}/api/Patients/{patient}  (policies/noah-es.yaml:63:5)
scope     tenant: t1
caller    user, id u1, client app-9, of t1
          not listed under `users:`
roles     Level 2
ignored   role `offline_access`: the policy has no such role
          role `Levl 1`: the policy has no such role; did you mean `Level 1`?
holds     Non-connected
          None
          Use Patient and Session Features
needs     read Patients: gate:app-connection
            Use Patient and Session Features: gate:app-connection  (policies/noah-es.yaml:275:3)
              the role `Level 2` gives it  (policies/noah-es.yaml:402:9)
              the gate `app-connection` is closed, by approval  (policies/noah-es.yaml:378:3)
            Delete Patient Demographic and Action Data: not-granted  (policies/noah-es.yaml:302:3)
              nothing gives it
              the gate `app-connection` is closed, by approval  (policies/noah-es.yaml:378:3)
            Import Export Noah Native Formats: not-granted  (policies/noah-es.yaml:331:3)
              nothing gives it
              the gate `app-connection` is closed, by approval  (policies/noah-es.yaml:378:3)
            Merge Patient Records: not-granted  (policies/noah-es.yaml:348:3)
              nothing gives it
              the gate `app-connection` is closed, by approval  (policies/noah-es.yaml:378:3)
gates     app-connection is closed for client: app-9, tenant: t1
help      the caller asks for the approval by: create App Connection, update App Connection
changes   add `{ client: app-9, tenant: t1 }` to `granted` of the gate `app-connection`  (policies/noah-es.yaml:378:3)";
    assert_eq!(without_version.join("\n"), expected);
}

#[test]
fn a_permit_names_the_permission_and_the_way_it_is_held() {
    let caller =
        r#"{"permissions":["Merge Patient Records"],"client":"app-1","tenant":"t1","approved":["app-connection"]}"#;
    let explanation = explain(NOAH, caller, "POST", "/t1/api/Patients/Merge");
    let expected = json!({
        "decision": "permit", "reason": "granted", "detail": null, "status": null,
        "canonical_path": "/t1/api/Patients/Merge", "route": "/{tenant}/api/Patients/Merge",
        "place": "policies/noah-es.yaml:61:5", "resource": "Patients", "operation": "merge",
        "granted_by": "Merge Patient Records", "scope": { "tenant": "t1" }, "across": [], "when": null,
        "needs": [{
            "answered_as": null, "operation": "merge", "resource": "Patients", "verdict": "granted",
            "granted_by": "Merge Patient Records", "reason": null,
            "rows": [{
                "permission": "Merge Patient Records", "place": "policies/noah-es.yaml:348:3", "result": "usable",
                "words": [{
                    "level": "claim", "gives": true, "counts": true, "text": "the caller claims it", "place": null,
                }],
                "gates": [{
                    "gate": "app-connection", "open": true, "text": "by approval",
                    "place": "policies/noah-es.yaml:378:3",
                }],
            }],
        }],
        "masks": [], "asks": [], "changes": [],
        "gates": [{ "gate": "app-connection", "open": true, "keys": { "client": "app-1", "tenant": "t1" } }],
        "help": [],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(explanation[key], *value, "{key}");
    }
    let caller = json!({
        "kind": "user", "id": null, "client": "app-1", "tenants": ["t1"], "listed": null,
        "listed_at": null, "group": null, "roles": [],
        "permissions": ["Merge Patient Records"], "approved": ["app-connection"], "ignored": [],
        "holds": ["Non-connected", "None", "Merge Patient Records"],
    });
    assert_eq!(explanation["caller"], caller);
}

#[test]
fn every_refusal_says_what_would_help() {
    let member = r#"{"client":"app-1","tenant":"t1","roles":["Level 2"]}"#;
    let keyless = r#"{"client":"app-1","tenants":["t1","t2"],"roles":["Level 2"]}"#;
    let table = [
        (member, "GET", "/t1/api/Settings", "not-granted", 403, "no permission of the policy has `read Settings`"),
        (member, "GET", "/t2/api/Patients", "not-a-member", 403, "the caller belongs to `t1` only"),
        (member, "GET", "/t1/api/Pateints", "no-route", 404, "`/{tenant}/api/Patients` comes near"),
        (member, "GET", "/elsewhere", "no-route", 404, "no template covers the path"),
        (member, "PATCH", "/t1/api/Patients", "no-method", 405, "the route lists GET, POST"),
        (keyless, "GET", "/rtm", "gate:app-connection", 403, "is for a tenant, and this request has none"),
        (r#"{"kind":"anonymous"}"#, "GET", "/t1/api/Patients", "unauthenticated", 401, "without a credential"),
    ];
    for (subject, method, target, reason, status, help) in table {
        let explanation = explain(NOAH, subject, method, target);
        assert_eq!(explanation["reason"], reason, "{method} {target}");
        assert_eq!(explanation["status"], status, "{method} {target}");
        let found = explanation["help"].as_array().unwrap().iter().any(|found| found.as_str().unwrap().contains(help));
        assert!(found, "{method} {target}: {help}\n{explanation:#}");
    }
}

#[test]
fn a_path_that_cannot_be_read_says_why_and_has_no_route() {
    let explanation = explain(NOAH, "{}", "GET", "/t1/api/..%2fPatients");
    assert_eq!(explanation["reason"], "bad-request");
    assert_eq!(explanation["detail"], "dot-segment");
    assert_eq!(explanation["status"], 400);
    assert_eq!(
        [&explanation["canonical_path"], &explanation["route"], &explanation["caller"]["holds"]],
        [&Value::Null; 3]
    );
}

#[test]
fn an_absolute_target_needs_its_host() {
    let args = ["explain", NOAH, "GET", "http://noah.example/t1/api/Patients", "--format", "json"];
    let reason = |args: &[&str]| serde_json::from_str::<Value>(&portcullis(args).1).unwrap()["reason"].clone();
    assert_eq!(reason(&args), "bad-request");
    assert_eq!(reason(&[&args[..], &["--host", "noah.example"]].concat()), "unauthenticated");
}

#[test]
fn entitlements_from_the_policy_are_distinguished_from_claims() {
    let noah = std::fs::read_to_string(NOAH).unwrap();
    let (_folder, path) = file(
        "noah.yaml",
        &format!(
            "{noah}\nusers:\n  nurse: {{ without: [Delete Patient Demographic and Action Data] }}\n  \
             bound: {{ roles: [Level 2: {{ tenant: t2 }}], tenants: [t1, t2] }}\n  \
             own: {{ roles: [], permissions: [Use Patient and Session Features] }}\n"
        ),
    );
    let caller = |id: &str| {
        format!(
            r#"{{"id":"{id}","client":"app-1","tenant":"t1","approved":["app-connection"],"roles":["Level 1"],"permissions":["Merge Patient Records"]}}"#
        )
    };
    let word = |explanation: &Value, level: &str| {
        let words = explanation["needs"][0]["rows"].as_array().unwrap().iter();
        let words = words.flat_map(|row| row["words"].as_array().unwrap().iter());
        let mut texts =
            words.filter(|word| word["level"] == level).map(|word| word["text"].as_str().unwrap().to_owned());
        texts.next().unwrap_or_else(|| panic!("{explanation:#}"))
    };
    let nurse = explain(&path, &caller("nurse"), "DELETE", "/t1/api/Patients/p1");
    assert_eq!(nurse["reason"], "taken-away");
    assert_eq!(word(&nurse, "user"), "the user entry `nurse` takes it away");
    assert_eq!(nurse["caller"]["listed"], "nurse");
    let row = "take `Delete Patient Demographic and Action Data` out of `without` of the user `nurse`";
    assert_eq!(nurse["changes"][0]["steps"][0]["text"], row);
    let reads = explain(&path, &caller("nurse"), "GET", "/t1/api/Patients/p1");
    assert_eq!(word(&reads, "role"), "the role `Level 1` gives it");

    let bound = explain(&path, &caller("bound"), "GET", "/t1/api/Patients/p1");
    assert_eq!(bound["reason"], "out-of-scope");
    let elsewhere =
        "the role `Level 2` of the user entry `bound` (tenant: t2) gives it, which is not the request's scope";
    assert_eq!(word(&bound, "role"), elsewhere);
    assert_eq!(bound["caller"]["ignored"][0]["why"], "the user entry `bound` replaces it");
    assert_eq!(bound["caller"]["permissions"], json!([]));
    let there = explain(&path, &caller("bound"), "GET", "/t2/api/Patients/p1");
    assert_eq!(word(&there, "role"), "the role `Level 2` of the user entry `bound` (tenant: t2) gives it");

    let own = explain(&path, &caller("own"), "GET", "/t1/api/Patients/p1");
    assert_eq!(word(&own, "user"), "the user entry `own` gives it");
    let everyone = explain(&path, &caller("own"), "POST", "/t1/api/AppConnection");
    assert_eq!(word(&everyone, "everyone"), "everyone is given it");
}

#[test]
fn service_apps_are_permitted_as_the_policy_configures() {
    let service = r#"{"kind":"service","client":"app-1","tenant":"t1"}"#;
    let all = explain(NOAH, service, "GET", "/t1/api/Settings");
    assert_eq!((&all["reason"], &all["granted_by"]), (&"service-app".into(), &Value::Null));
    assert_eq!((&all["needs"][0]["verdict"], &all["needs"][0]["rows"]), (&"granted".into(), &json!([])));
    let noah =
        std::fs::read_to_string(NOAH).unwrap().replace("service-apps: all  ", "service-apps: every-permission  ");
    let (_folder, path) = file("noah.yaml", &noah);
    let every = explain(&path, service, "GET", "/t1/api/Patients");
    assert_eq!(every["reason"], "granted");
    let word = &every["needs"][0]["rows"][0]["words"][0]["text"];
    assert_eq!(*word, "`service-apps: every-permission` gives it");
    assert_eq!(every["caller"]["holds"].as_array().unwrap().len(), 18);
}

#[test]
fn the_first_denied_cell_is_named_and_later_cells_are_not_evaluated() {
    let (_folder, path) = file(
        "three.yaml",
        "version: 1\nname: three\nroutes:\n  /x: { GET: [read A, read B, read C] }\nresources: [A, B, C]\n\
         permissions:\n  Row A: { A: R }\n  Row B: { B: R }\n  Row C: { C: R }\n",
    );
    let explanation = explain(&path, r#"{"permissions":["Row A","Row C"]}"#, "GET", "/x");
    let verdicts: Vec<&Value> = explanation["needs"].as_array().unwrap().iter().map(|need| &need["verdict"]).collect();
    assert_eq!(verdicts, ["granted", "lacking", "not-judged"]);
    assert_eq!((&explanation["resource"], &explanation["needs"][1]["reason"]), (&"B".into(), &"not-granted".into()));
}

#[test]
fn explain_and_decide_say_the_same_of_every_route_and_caller() {
    let callers = [
        "null",
        r#"{"client":"app-1","tenant":"t1","roles":["Level 2"]}"#,
        r#"{"client":"app-9","tenant":"t1","roles":["BDM"]}"#,
        r#"{"kind":"service","tenant":"t2"}"#,
    ];
    let targets = ["/t1/api/Patients/p1", "/t1/api/Settings", "/rtm", "/t1/api/ExternalEvents", "/t1//api", "/none"];
    let mut requests = String::new();
    let mut explained = Vec::new();
    for caller in callers {
        for (method, target) in
            ["GET", "POST", "DELETE", "HEAD"].iter().flat_map(|method| targets.map(|target| (method, target)))
        {
            requests.push_str(&format!("{{\"as\":{caller},\"method\":\"{method}\",\"path\":\"{target}\"}}\n"));
            let subject = if caller == "null" { r#"{"kind":"anonymous"}"# } else { caller };
            let explanation = explain(NOAH, subject, method, target);
            let keys = ["decision", "reason", "resource", "operation"];
            explained.push(keys.map(|key| explanation[key].clone()));
        }
    }
    let (_folder, path) = file("requests.jsonl", &requests);
    let (exit, out, _) = portcullis(&["decide", NOAH, "--requests", &path]);
    assert_eq!(exit, Exit::Done);
    let decided: Vec<[Value; 4]> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|answer| ["decision", "reason", "resource", "operation"].map(|key| answer[key].clone()))
        .collect();
    assert_eq!(decided, explained);
    assert!(decided.iter().any(|answer| answer[0] == "permit") && decided.iter().any(|answer| answer[0] == "refuse"));
}

#[test]
fn control_characters_of_a_claim_never_reach_the_terminal() {
    let (_, out, _) = portcullis(&["explain", NOAH, "--as", r#"{"roles":["\u001b[2J\nroles Level 1"]}"#, "GET", "/"]);
    assert!(!out.contains('\u{1b}'), "{out}");
    assert!(out.contains(r"role `\u{1b}[2J\nroles Level 1`"), "{out}");
}

const CARESTREAM: &str = "policies/carestream.yaml";
const HID: &str = "policies/hid-integration-service.yaml";
const PATHOLOGY: &str = "policies/pathology.yaml";
const PROKNOW: &str = "policies/proknow.yaml";

fn page(args: &[&str]) -> String {
    portcullis(&[&["explain"], args].concat()).1
}

#[test]
fn every_level_has_its_line() {
    let out = page(&[CARESTREAM, "--as", r#"{"id":"smith"}"#, "POST", "/api/studies/1/print"]);
    let at = |line: &str| {
        let text = std::fs::read_to_string(CARESTREAM).unwrap();
        text.lines().position(|known| known.trim_start().starts_with(line)).unwrap() + 1
    };
    let (everyone, without, user) = (at("everyone:"), at("without: [Print Images]"), at("smith:"));
    for expected in [
        format!("    everyone is given it  (policies/carestream.yaml:{everyone}:"),
        format!("    the group `Technologists` takes it away  (policies/carestream.yaml:{without}:"),
        format!("    the user entry `smith` gives it  (policies/carestream.yaml:{user}:"),
        format!(
            "group     Technologists with the profile `Full Client`, by the user entry  (policies/carestream.yaml:{user}:"
        ),
    ] {
        assert!(out.contains(&expected), "{expected}\n{out}");
    }
}

#[test]
fn what_the_profile_lacks_is_shown_as_closed_by_the_feature() {
    let (_folder, path) = file(
        "web.yaml",
        &std::fs::read_to_string(CARESTREAM).unwrap().replace("profile: Reading Client", "profile: Web Client"),
    );
    let target = "/dicomweb/studies/1/series/2/mpr";
    let explanation = explain(&path, r#"{"id":"u","group":"Clinicians"}"#, "GET", target);
    assert_eq!(explanation["reason"], "gate:mpr");
    let row = &explanation["needs"][0]["rows"][0];
    assert_eq!((&row["result"], &row["gates"][0]["open"]), (&"gate:mpr".into(), &false.into()));
    let text = row["gates"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("by feature: the profile `Web Client` does not list it ("), "{text}");
    let change = explanation["changes"][0]["steps"][0]["text"].as_str().unwrap();
    assert!(change.starts_with("let the caller's credential claim the group `"), "{change}");
}

#[test]
fn claims_that_do_not_count_say_why() {
    let caller = r#"{"id":"u","roles":["TenantRegistrator","PacsAdministrator"]}"#;
    let explanation = explain(HID, caller, "GET", "/ais/v1/tenant/t1/pacs/p7");
    let why: Vec<&str> =
        explanation["caller"]["ignored"].as_array().unwrap().iter().map(|one| one["why"].as_str().unwrap()).collect();
    assert_eq!(
        why,
        [
            "only the policy assigns it: list the user under `users:`",
            "it is assigned within a `tenant`, and the claim names none"
        ]
    );
    let groups = explain(CARESTREAM, r#"{"groups":["Radiologists","Clinicians"]}"#, "GET", "/dicomweb/studies");
    assert_eq!(groups["reason"], "no-group");
    assert_eq!(groups["caller"]["ignored"][0]["why"], "the caller claims more than one group");
}

#[test]
fn the_verdict_of_a_role_includes_inclusion_and_scope() {
    let caller = r#"{"id":"u","roles":[{"TenantAdministrator":{"tenant":"t1"}}]}"#;
    let out = page(&[HID, "--as", caller, "GET", "/ais/v1/tenant/t1/pacs/p7"]);
    let word = "    the role `TenantAdministrator` (tenant: t1) gives it, through `PacsAdministrator`  (policies/hid-";
    assert!(out.contains(word), "{out}");
    let bound = page(&[PROKNOW, "--as", r#"{"roles":["Physician"]}"#, "GET", "/api/workspaces/w3/patients"]);
    let word = "the role `Physician` gives it, within (workspace: w1), which is not the request's scope  (policies/";
    assert!(bound.contains(word), "{bound}");
}

#[test]
fn an_answers_media_type_is_judged_where_it_is_stated() {
    let caller = r#"{"permissions":["Image View"]}"#;
    let asked = [PATHOLOGY, "--as", caller, "GET", "/entries/e1"];
    assert!(page(&asked).starts_with("permit    granted\n"));
    assert!(page(&asked).contains("read Files if answered as otherwise: not-granted\n"), "{}", page(&asked));
    let pdf = page(&[&asked[..], &["--answered-as", "application/pdf"]].concat());
    assert!(pdf.starts_with("refuse    wrong-type, answered 403\n"), "{pdf}");
    let image = page(&[&asked[..], &["--answered-as", "image/png"]].concat());
    assert!(image.starts_with("permit    granted\n"), "{image}");
}

#[test]
fn the_obligations_of_a_permit_are_listed() {
    let masked = page(&[PROKNOW, "--as", r#"{"roles":["Physicist"]}"#, "GET", "/api/workspaces/w2/patients"]);
    assert!(masked.contains("\nmasks     PHI\n"), "{masked}");
    let asks = page(&[NOAH, "--as", r#"{"client":"app-9","tenant":"t1"}"#, "POST", "/t1/api/AppConnection"]);
    assert!(asks.contains("\nasks      app-connection\n"), "{asks}");
}
