//! Explanations, word for word and key for key.

use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::tests::{NOAH, file, portcullis};

fn explain(policy: &str, subject: &str, method: &str, target: &str) -> Value {
    let (exit, out, err) = portcullis(&["explain", policy, "--as", subject, method, target, "--format", "json"]);
    assert!(matches!(exit, Exit::Done | Exit::Refused), "{err}");
    let account: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(account["decision"] == "permit", exit == Exit::Done);
    account
}

#[test]
fn a_refusal_by_a_gate_tells_the_whole_way() {
    let caller = r#"{"id":"u1","client":"app-9","tenant":"t1","roles":["Level 2","offline_access","Levl 1"]}"#;
    let (exit, out, err) = portcullis(&["explain", NOAH, "--as", caller, "GET", "/t1/API/patients/p%31"]);
    assert_eq!((exit, err.as_str()), (Exit::Refused, ""));
    let without_version: Vec<&str> = out.lines().filter(|line| !line.starts_with("policy ")).collect();
    let expected = "\
refuse    gate:app-connection, answered 403
          a gate is closed; the code names it behind the colon
request   GET /t1/API/patients/p%31
path      /t1/api/Patients/p1
route     /{tenant}/api/Patients/{patient}  (policies/noah-es.yaml:62:3)
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
gates     app-connection is closed for client: app-9, tenant: t1
help      add `{ client: app-9, tenant: t1 }` to `granted:` of the gate `app-connection`
          the caller asks for the approval by: create App Connection, update App Connection";
    assert_eq!(without_version.join("\n"), expected);
}

#[test]
fn a_permit_names_the_row_and_through_what_it_is_held() {
    let caller =
        r#"{"permissions":["Merge Patient Records"],"client":"app-1","tenant":"t1","approved":["app-connection"]}"#;
    let account = explain(NOAH, caller, "POST", "/t1/api/Patients/Merge");
    let expected = json!({
        "decision": "permit", "reason": "granted", "detail": null, "status": null,
        "canonical_path": "/t1/api/Patients/Merge", "route": "/{tenant}/api/Patients/Merge",
        "place": "policies/noah-es.yaml:60:3", "resource": "Patients", "operation": "merge",
        "granted_by": "Merge Patient Records", "scope": { "tenant": "t1" },
        "needs": [{
            "operation": "merge", "resource": "Patients", "verdict": "granted",
            "granted_by": "Merge Patient Records", "through": ["a claimed permission"], "reason": null,
        }],
        "gates": [{ "gate": "app-connection", "open": true, "keys": { "client": "app-1", "tenant": "t1" } }],
        "help": [],
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(account[key], *value, "{key}");
    }
    let caller = json!({
        "kind": "user", "id": null, "client": "app-1", "tenants": ["t1"], "listed": null, "roles": [],
        "permissions": ["Merge Patient Records"], "approved": ["app-connection"], "ignored": [],
        "holds": ["Non-connected", "None", "Merge Patient Records"],
    });
    assert_eq!(account["caller"], caller);
}

#[test]
fn every_refusal_says_what_would_help() {
    let member = r#"{"client":"app-1","tenant":"t1","roles":["Level 2"]}"#;
    let keyless = r#"{"client":"app-1","tenants":["t1","t2"],"roles":["Level 2"]}"#;
    let table = [
        (
            member,
            "DELETE",
            "/t1/api/Patients/p1",
            "not-granted",
            403,
            "roles that hold one of them: `Level 1`, `Technical Administrator`, `BDM`",
        ),
        (
            member,
            "DELETE",
            "/t1/api/Patients/p1",
            "not-granted",
            403,
            "permissions that have `delete Patients`: `Delete Patient Demographic and Action Data`",
        ),
        (member, "GET", "/t1/api/Settings", "not-granted", 403, "no permission of the policy has `read Settings`"),
        (member, "GET", "/t2/api/Patients", "not-a-member", 403, "the caller belongs to `t1` only"),
        (member, "GET", "/t1/api/Pateints", "no-route", 404, "`/{tenant}/api/Patients` comes near"),
        (member, "GET", "/elsewhere", "no-route", 404, "no template covers the path"),
        (member, "PATCH", "/t1/api/Patients", "no-method", 405, "the route lists GET, POST"),
        (keyless, "GET", "/rtm", "gate:app-connection", 403, "is for a tenant, and this request has none"),
        (r#"{"kind":"anonymous"}"#, "GET", "/t1/api/Patients", "unauthenticated", 401, "without a credential"),
    ];
    for (subject, method, target, reason, status, help) in table {
        let account = explain(NOAH, subject, method, target);
        assert_eq!(account["reason"], reason, "{method} {target}");
        assert_eq!(account["status"], status, "{method} {target}");
        let said = account["help"].as_array().unwrap().iter().any(|said| said.as_str().unwrap().contains(help));
        assert!(said, "{method} {target}: {help}\n{account:#}");
    }
}

#[test]
fn a_path_that_cannot_be_read_says_why_and_has_no_route() {
    let account = explain(NOAH, "{}", "GET", "/t1/api/..%2fPatients");
    assert_eq!(account["reason"], "bad-request");
    assert_eq!(account["detail"], "dot-segment");
    assert_eq!(account["status"], 400);
    assert_eq!([&account["canonical_path"], &account["route"], &account["caller"]["holds"]], [&Value::Null; 3]);
}

#[test]
fn an_absolute_target_needs_its_host() {
    let args = ["explain", NOAH, "GET", "http://noah.example/t1/api/Patients", "--format", "json"];
    let reason = |args: &[&str]| serde_json::from_str::<Value>(&portcullis(args).1).unwrap()["reason"].clone();
    assert_eq!(reason(&args), "bad-request");
    assert_eq!(reason(&[&args[..], &["--host", "noah.example"]].concat()), "unauthenticated");
}

#[test]
fn what_the_policy_says_of_a_user_is_told_apart_from_the_tokens_word() {
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
    let nurse = explain(&path, &caller("nurse"), "DELETE", "/t1/api/Patients/p1");
    assert_eq!(nurse["reason"], "taken-away");
    assert_eq!(nurse["help"][0], "the user entry `nurse` is `without` `Delete Patient Demographic and Action Data`");
    assert_eq!(nurse["caller"]["listed"], "nurse");
    let reads = explain(&path, &caller("nurse"), "GET", "/t1/api/Patients/p1");
    assert_eq!(reads["needs"][0]["through"], json!(["role `Level 1`"]));

    let bound = explain(&path, &caller("bound"), "GET", "/t1/api/Patients/p1");
    assert_eq!(bound["reason"], "out-of-scope");
    assert_eq!(bound["help"][0], "role `Level 2 (tenant: t2)` of the user entry `bound` gives it elsewhere");
    assert_eq!(bound["caller"]["ignored"][0]["why"], "the user entry `bound` replaces it");
    assert_eq!(bound["caller"]["permissions"], json!([]));
    let there = explain(&path, &caller("bound"), "GET", "/t2/api/Patients/p1");
    assert_eq!(there["needs"][0]["through"], json!(["role `Level 2` of the user entry `bound`"]));

    let own = explain(&path, &caller("own"), "GET", "/t1/api/Patients/p1");
    assert_eq!(own["needs"][0]["through"], json!(["the permissions of the user entry `own`"]));
    let everyone = explain(&path, &caller("own"), "POST", "/t1/api/AppConnection");
    assert_eq!(everyone["needs"][0]["through"], json!(["everyone"]));
}

#[test]
fn service_apps_pass_by_the_policys_word_about_them() {
    let service = r#"{"kind":"service","client":"app-1","tenant":"t1"}"#;
    let all = explain(NOAH, service, "GET", "/t1/api/Settings");
    assert_eq!((&all["reason"], &all["granted_by"]), (&"service-app".into(), &Value::Null));
    assert_eq!(all["needs"][0]["through"], json!(["`service-apps: all`"]));
    let noah =
        std::fs::read_to_string(NOAH).unwrap().replace("service-apps: all  ", "service-apps: every-permission  ");
    let (_folder, path) = file("noah.yaml", &noah);
    let every = explain(&path, service, "GET", "/t1/api/Patients");
    assert_eq!(every["reason"], "granted");
    assert_eq!(every["needs"][0]["through"], json!(["`service-apps: every-permission`"]));
    assert_eq!(every["caller"]["holds"].as_array().unwrap().len(), 18);
}

#[test]
fn of_several_cells_the_first_that_lacks_is_named_and_the_rest_is_not_judged() {
    let (_folder, path) = file(
        "three.yaml",
        "version: 1\nname: three\nroutes:\n  /x: { GET: [read A, read B, read C] }\nresources: [A, B, C]\n\
         permissions:\n  Row A: { A: R }\n  Row B: { B: R }\n  Row C: { C: R }\n",
    );
    let account = explain(&path, r#"{"permissions":["Row A","Row C"]}"#, "GET", "/x");
    let verdicts: Vec<&Value> = account["needs"].as_array().unwrap().iter().map(|need| &need["verdict"]).collect();
    assert_eq!(verdicts, ["granted", "lacking", "not-judged"]);
    assert_eq!((&account["resource"], &account["needs"][1]["reason"]), (&"B".into(), &"not-granted".into()));
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
            let account = explain(NOAH, subject, method, target);
            let keys = ["decision", "reason", "resource", "operation"];
            explained.push(keys.map(|key| account[key].clone()));
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
