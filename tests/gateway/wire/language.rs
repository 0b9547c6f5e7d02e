//! Features of the policy language on the wire: response types, masks, query scopes and conditions.

use super::client::{Answer, ask, request};
use super::origin::Origin;
use super::testbed::{Testbed, TestbedBuilder};

const ROUTES: &str =
    "  /{tenant}/entries/{entry}: { GET: { by-type: { image/*: read Images, otherwise: read Things } }, POST: create Things }
  /{tenant}/people: { GET: read People, POST: create People }
  /{tenant}/lists?workspace={workspace}: { GET: read Lists, POST: create Lists }
  /{tenant}/Burner: { GET: { need: read Things, when: \"!request.path.endsWith('/Burner')\" } }
  /{tenant}/counters: { GET: { need: read Lists, across: [workspace], when: \"caller.claims.acr == 'mfa'\" } }
  /{tenant}/inbox";

fn testbed_with(origin: Origin) -> TestbedBuilder {
    Testbed::strict(origin)
        .policy("{ tenant: caller }", "{ tenant: caller, workspace: grant }")
        .policy("  /{tenant}/inbox", ROUTES)
        .policy("[Things, Secrets]", "[Things, Secrets, Images, People, Lists]\nfields: { PHI: { People: [$..name] } }")
        .policy("  See:", "  Look: { Images: R }\n  Meet: { People: CR }\n  PHI: { PHI: R }\n  List: { Lists: CR }\n  See:")
        .policy(
            "  insider:",
            "  viewer: { permissions: [Look] }\n  clerk: { permissions: [Meet] }\n  doctor: { permissions: [Meet, PHI] }\n  \
             lister: { within: [{ workspace: w1, permissions: [List] }] }\n  insider:",
        )
}

/// An origin that answers with the header lines that the request's path names, and a body with a secret.
fn typed_origin(types: &'static [&'static str]) -> Origin {
    Origin::with_responder(move |_| {
        let lines: String = types.iter().map(|kind| format!("Content-Type: {kind}\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 6\r\n\r\nsecret").into_bytes()
    })
}

fn get(testbed: &Testbed, line: &str, roles: &[&str]) -> Answer {
    ask(testbed.at(), request(line, &[&testbed.bearer(roles)], b""))
}

#[test]
fn an_answer_of_a_type_that_the_caller_may_not_read_is_refused_before_its_first_byte() {
    let table: [(&'static [&'static str], &[&str], u16); 11] = [
        (&["image/png"], &["viewer"], 200),
        (&["Image/PNG; a=b"], &["viewer"], 200),
        (&["application/pdf"], &["viewer"], 403),
        (&["application/pdf"], &["user"], 200),
        (&["image/png"], &["user"], 403),
        (&[], &["viewer"], 403),
        (&["image/png", "application/pdf"], &["viewer"], 403),
        (&["image/png, application/pdf"], &["viewer"], 403),
        (&[], &["viewer", "user"], 200),
        (&["multipart/byteranges; boundary=x"], &["user"], 403),
        (&["multipart/byteranges; boundary=x"], &["viewer", "user"], 200),
    ];
    for (types, roles, status) in table {
        let testbed = testbed_with(typed_origin(types)).start();
        let answer = get(&testbed, "GET /t1/entries/e1", roles);
        assert_eq!(answer.status, status, "{types:?} {roles:?}: {}", answer.text());
        if status == 403 {
            assert_eq!(answer.reason(), "wrong-type");
            assert!(!answer.text().contains("secret"));
            let record = testbed.record(answer.header("x-portcullis-decision").unwrap());
            assert_eq!((record["reason"].as_str(), record["verdict"].as_str()), (Some("wrong-type"), Some("refuse")));
            assert_eq!(record["upstream_status"], 200);
        } else {
            assert_eq!(answer.text(), "secret");
        }
        assert_eq!(testbed.origin.count(), 1, "the type is known by asking only");
    }
}

#[test]
fn a_caller_without_any_type_of_a_typed_route_is_refused_without_asking_the_upstream() {
    let testbed = testbed_with(typed_origin(&["image/png"])).start();
    assert_eq!(get(&testbed, "GET /t1/entries/e1", &["insider"]).reason(), "not-granted");
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn an_answer_that_would_have_to_be_masked_is_not_asked_for() {
    let testbed = testbed_with(Origin::start()).start();
    assert_eq!(get(&testbed, "GET /t1/people", &["clerk"]).reason(), "cannot-mask");
    assert_eq!(testbed.origin.count(), 0);
    assert_eq!(get(&testbed, "GET /t1/people", &["doctor"]).status, 200);
}

#[test]
fn a_scope_in_the_query_is_read_as_every_server_reads_it() {
    let testbed = testbed_with(Origin::start()).start();
    let table = [
        ("GET /t1/lists?workspace=w1", 200, ""),
        ("GET /t1/lists?a=b&work%73pace=w%31", 200, ""),
        ("GET /t1/lists?workspace=w3", 403, "out-of-scope"),
        ("GET /t1/lists", 403, "out-of-scope"),
        ("GET /t1/lists?workspace=w1&workspace=w3", 400, "bad-request"),
        ("GET /t1/lists?workspace=w1&Workspace=w3", 400, "bad-request"),
        ("GET /t1/lists?workspace[]=w1", 400, "bad-request"),
        ("GET /t1/lists?workspace=w1;x=y", 400, "bad-request"),
        ("GET /t1/lists?workspace=w1&%u0077orkspace=w3", 400, "bad-request"),
        (&format!("GET /t1/lists?{}workspace=w1", "a&".repeat(256)), 400, "bad-request"),
    ];
    for (line, status, reason) in table {
        let answer = get(&testbed, line, &["lister"]);
        assert_eq!(answer.status, status, "{line}: {}", answer.text());
        if status != 200 {
            assert_eq!(answer.reason(), reason, "{line}");
        }
    }
    let stranger = ask(testbed.at(), request("GET /t1/lists?workspace=w1&workspace=w3", &[], b""));
    assert_eq!(stranger.reason(), "unauthenticated", "routes are not told to strangers");
}

#[test]
fn a_scope_in_the_query_occurs_nowhere_else() {
    let testbed = testbed_with(Origin::start()).start();
    let token = testbed.bearer(&["lister"]);
    let ask_with = |field: &str, body: &[u8]| {
        ask(testbed.at(), request("GET /t1/lists?workspace=w1", &[&token, field], body)).status
    };
    for cookie in ["workspace=w3", "a=b; Workspace[]=w3"] {
        assert_eq!(ask_with(&format!("Cookie: {cookie}"), b""), 400, "{cookie}");
    }
    assert_eq!(ask_with("Accept: */*", b"workspace=w3"), 400);
    assert_eq!(testbed.origin.count(), 0);
    assert_eq!(ask_with("Cookie: a=b; workspaces=w3", b""), 200);
}

#[test]
fn a_condition_reads_the_claims_of_the_token() {
    let testbed = testbed_with(Origin::start()).start();
    let ask_with = |claims: serde_json::Value| {
        let mut all = serde_json::json!({ "sub": "alice", "roles": ["lister"] });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let bearer = super::client::bearer(&testbed.env.token(all));
        ask(testbed.at(), request("GET /t1/counters", &[&bearer], b""))
    };
    assert_eq!(ask_with(serde_json::json!({ "acr": "mfa" })).status, 200);
    assert_eq!(ask_with(serde_json::json!({ "acr": "pwd" })).reason(), "condition");
    assert_eq!(ask_with(serde_json::json!({})).reason(), "condition");
}

#[test]
fn a_policy_in_shadow_mode_breaks_nothing_but_what_cannot_be_read() {
    let testbed = testbed_with(Origin::start()).policy("routes:", "shadow: all\nroutes:").start();
    for line in ["GET /t1/people", "GET /t2/things", "GET /nowhere?x=1", "PATCH /t1/things", "GET /closed"] {
        assert_eq!(get(&testbed, line, &["insider"]).status, 200, "{line}");
        assert_eq!(ask(testbed.at(), request(line, &[], b"")).status, 200, "{line} without a credential");
    }
    assert_eq!(testbed.origin.count(), 10);
    assert_eq!(get(&testbed, "GET /t1/../people", &["insider"]).status, 400);
    testbed.edit_policy("shadow: all\n", "");
    assert_eq!(get(&testbed, "GET /t1/people", &["insider"]).reason(), "not-granted");
}

#[test]
fn an_override_cannot_shed_the_type_or_the_mask_of_the_method_it_asks_for() {
    let evaluate = serde_json::json!("evaluate");
    let testbed = testbed_with(typed_origin(&["image/png"])).with("api/method-overrides", evaluate).start();
    let send = |line: &str, roles: &[&str]| {
        let headers = [&*testbed.bearer(roles), "X-HTTP-Method-Override: GET"];
        ask(testbed.at(), request(line, &headers, b""))
    };
    assert_eq!(send("POST /t1/entries/e1", &["user"]).reason(), "wrong-type");
    assert_eq!(send("POST /t1/people", &["clerk"]).reason(), "cannot-mask");
    assert_eq!(testbed.origin.count(), 0, "neither is asked for");
    assert_eq!(send("POST /t1/entries/e1", &["user", "viewer"]).status, 200);
    assert_eq!(send("POST /t1/people", &["doctor"]).status, 200);
}

#[test]
fn a_form_does_not_overrule_the_scope_of_the_query() {
    let testbed = testbed_with(Origin::start()).start();
    let send = |kind: &str, body: &str| {
        let headers = [&*testbed.bearer(&["lister"]), &format!("Content-Type: {kind}")];
        ask(testbed.at(), request("POST /t1/lists?workspace=w1", &headers, body.as_bytes()))
    };
    let form = "application/x-www-form-urlencoded";
    for body in ["workspace=w3", "a=b&Workspace=w3", "work%73pace[]=w3"] {
        assert_eq!(send(form, body).reason(), "bad-request", "{body}");
    }
    let part = "--x\r\nContent-Disposition: form-data; name=workspace\r\n\r\nw3\r\n--x--\r\n";
    assert_eq!(send("multipart/form-data; boundary=x", part).reason(), "bad-request");
    assert_eq!(testbed.origin.count(), 0);
    assert_eq!(send(form, "name=new").status, 200);
    assert_eq!(send("application/json", r#"{"workspace":"w3"}"#).status, 200, "that is the upstream's to read");
}

#[test]
fn a_condition_sees_the_path_that_is_forwarded() {
    let testbed = testbed_with(Origin::start()).policy("dialect: strict", "dialect: aspnet").start();
    for line in ["GET /t1/Burner", "GET /t1/burner", "GET /t1/BURNER"] {
        assert_eq!(get(&testbed, line, &["user"]).reason(), "condition", "{line}");
    }
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn the_upstream_gets_exactly_the_roles_that_apply_in_the_scope() {
    let users = "users:\n  alice:\n    roles:\n      - user\n      - lister: { workspace: w1 }\n      \
                 - remover: { when: \"now < timestamp('2020-01-01T00:00:00Z')\" }\nroles:";
    let testbed = testbed_with(Origin::start()).policy("roles:\n", &format!("{users}\n")).start();
    assert_eq!(get(&testbed, "GET /t1/things", &[]).status, 200);
    assert_eq!(get(&testbed, "GET /t1/lists?workspace=w1", &[]).status, 200);
    let role_headers: Vec<String> =
        testbed.origin.requests().iter().map(|received| received.header("x-portcullis-roles").unwrap()).collect();
    assert_eq!(role_headers, ["user", "user,lister"]);
}
