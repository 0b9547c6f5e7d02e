//! Tests of `who-can` as a command line.

use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::tests::{NOAH, file, portcullis};

fn who(policy: &str, method: &str, target: &str) -> (Exit, String) {
    let (exit, out, err) = portcullis(&["who-can", policy, method, target]);
    assert_eq!(err, "");
    (exit, out)
}

fn json_of(policy: &str, method: &str, target: &str) -> Value {
    serde_json::from_str(&portcullis(&["who-can", policy, method, target, "--format", "json"]).1).unwrap()
}

#[test]
fn roles_are_named_with_their_row_and_with_what_stands_before_it() {
    let (exit, out) = who(NOAH, "POST", "/t1/api/Patients/Merge");
    assert_eq!(exit, Exit::Done);
    let role = "every caller with the role `BDM`, through `Merge Patient Records`, once `app-connection` is open";
    assert!(out.contains(role), "{out}");
    assert!(out.contains("may       every service app that `users:` does not list\n"), "{out}");
    assert!(out.contains("scope     tenant: t1\nneeds     merge Patients\n"), "{out}");
}

#[test]
fn where_nobody_may_the_code_says_so() {
    assert_eq!(who(NOAH, "DELETE", "/t1/api/AppConnection").0, Exit::Refused);
    let (exit, out) = who("policies/proknow.yaml", "DELETE", "/api/roles/5c463a6c040068100c7f665acad17ac4");
    assert_eq!(exit, Exit::Refused);
    assert!(out.contains("may       nobody: nobody\n"), "{out}");
    let (exit, out) = who(NOAH, "GET", "/t1/api/..%2f");
    assert_eq!(exit, Exit::Refused);
    assert!(out.contains("may       nobody: bad-request (dot-segment)\n"), "{out}");
}

#[test]
fn groups_users_and_those_kept_out_have_their_lines() {
    let (_, out) = who("policies/carestream.yaml", "POST", "/api/studies/1/print");
    assert!(out.contains("every caller in the group `Radiologists`, through `Print Images`\n"), "{out}");
    assert!(out.contains("the user smith in the group `Technologists`, through `Print Images`\n"), "{out}");
    assert!(out.contains("kept out  every caller in the group `Technologists`: taken-away\n"), "{out}");
    let found = json_of("policies/pathology.yaml", "GET", "/entries/e1");
    assert_eq!(found["needs"][0]["answered_as"], "image/*");
}

#[test]
fn what_must_be_bound_is_said() {
    let (_, out) = who("policies/hid-integration-service.yaml", "GET", "/ais/v1/tenant/t1/pacs/p7");
    let role = "every caller with the role `PacsAdministrator` assigned in this tenant and pacs, through `PacsGet`\n";
    assert!(out.contains(role), "{out}");
    let (exit, out) = who("policies/proknow.yaml", "GET", "/api/organization/resolve");
    assert_eq!(exit, Exit::Done);
    assert!(out.contains("may       every caller, without a credential\n"), "{out}");
}

#[test]
fn a_hundred_thousand_users_are_a_few_lines() {
    let mut text = "version: 1\nname: p\nroutes: { /a: { GET: read A } }\nresources: [A]\n\
                    permissions: { Look: { A: R } }\nroles: { Reader: { permissions: [Look] }, Guest: {} }\nusers:\n"
        .to_owned();
    for at in 0..100_000 {
        text.push_str(&format!("  u{at}: {{ roles: [{}] }}\n", if at % 2 == 0 { "Reader" } else { "Guest" }));
    }
    let (_folder, path) = file("many.yaml", &text);
    let (exit, out, err) = portcullis(&["who-can", &path, "GET", "/a"]);
    assert_eq!((exit, err.as_str()), (Exit::Done, "evaluating 100000 users\n"));
    assert!(out.lines().count() < 10 && out.contains("u38 and 49980 more, through `Look`\n"), "{out}");
    let found = json_of(&path, "GET", "/a");
    assert_eq!(found["may"][1]["names"].as_array().unwrap().len(), 50_000);
    assert_eq!(found["may"][0]["names"], json!(["Reader"]));
}
