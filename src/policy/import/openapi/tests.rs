//! Tests of whole documents: from a vendor's text to a policy that loads.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::document::Severity;
use crate::policy;
use crate::property::{CASES, hold};

const CLINIC: &str = include_str!("../../../../tests/data/import/clinic-openapi.yaml");

fn options() -> OpenapiOptions {
    OpenapiOptions::default()
}

fn import_text(text: &str, options: &OpenapiOptions) -> ImportResult {
    let mut sources = Sources::default();
    let file = sources.add("api.yaml", text);
    import(&sources, file, options)
}

/// The messages of an import's findings; `!` marks an error.
fn messages(imported: &ImportResult) -> Vec<String> {
    let mark = |finding: &&Finding| if finding.severity == crate::document::Severity::Error { "!" } else { "" };
    imported.findings.sorted().iter().map(|finding| format!("{}{}", mark(finding), finding.message)).collect()
}

/// The policy of an import, after a check that it loads with notes only and permits no caller anything.
fn policy_of(imported: &ImportResult) -> String {
    let text = imported.policy.clone().unwrap_or_else(|| panic!("{:?}", imported.findings));
    let mut sources = Sources::default();
    sources.add("imported.yaml", &text);
    let loaded = policy::load(&sources, None);
    let snapshot = loaded.snapshot.unwrap_or_else(|| panic!("{:?}\n{text}", loaded.findings));
    assert!(snapshot.model.rows.is_empty() && snapshot.model.everyone.is_empty(), "{text}");
    let opens = |method: &policy::route::Method| !matches!(method.cells, crate::vocabulary::Cells::All(_));
    assert!(!snapshot.model.routes.iter().flat_map(|route| &route.methods).any(opens), "{text}");
    text
}

/// The lines of a document's routes, without alignment.
fn lines(document: &Json) -> Vec<String> {
    let imported = import_text(&document.to_string(), &options());
    routes_of(&policy_of(&imported))
}

fn routes_of(policy: &str) -> Vec<String> {
    let routes = policy.lines().skip_while(|line| *line != "routes:").skip(1).take_while(|line| !line.is_empty());
    routes.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn with_paths(paths: Json) -> Json {
    json!({ "openapi": "3.1.0", "info": { "title": "It", "version": "1" }, "paths": paths })
}

#[test]
fn every_path_and_method_of_the_clinic_becomes_a_line() {
    let imported = import_text(CLINIC, &options());
    let policy = policy_of(&imported);
    let routes = routes_of(&policy);
    for line in [
        "GET: read Settings # guessed; public?",
        "POST: read Patients # guessed: search",
        "POST: merge Patients # guessed: merge",
        "PATCH: update Notes # guessed",
        "# OPTIONS: a preflight is answered by `cors:`",
        "/api/v2/appointments/{appointmentId}:",
        "DELETE: delete Appointments # guessed",
        "/api/v2/settings/users/{user-name}: # /api/v2/settings/users/{user.name} in the document",
        "DELETE: delete Settings # guessed; deprecated",
    ] {
        assert!(routes.contains(&line.to_owned()), "{line} not in {routes:#?}");
    }
    assert!(!policy.contains("HEAD"), "{policy}");
    assert!(policy.contains("\nname: clinic\n"), "{policy}");
    assert_eq!(imported.understood, ["`api.yaml`: 15 routes with 27 methods on 5 resources, base path `/api/v2`"]);
    assert_eq!(
        messages(&imported),
        [
            "OPTIONS left out: preflights are for `cors:`",
            "`x-required-permission` is not read: permissions belong in rows and roles (in 2 places)",
            "!left out: the route `/api/v2/invoices/{invoiceId}.csv`: `{invoiceId}.csv` mixes text and a parameter",
        ]
    );
}

#[test]
fn the_base_path_is_the_nearest_server_or_the_one_that_is_asked_for() {
    let mut document = with_paths(json!({
        "/a": { "get": {} },
        "/b": { "servers": [{ "url": "/near" }], "get": {}, "put": { "servers": [{ "url": "/nearest" }] } },
    }));
    document["servers"] = json!([{ "url": "https://api.example/far/" }]);
    let found: Vec<String> = lines(&document).into_iter().filter(|line| line.starts_with('/')).collect();
    assert_eq!(found, ["/far/a:", "/near/b:", "/nearest/b:"]);
    let based = import_text(&document.to_string(), &OpenapiOptions { base: Some("/api/".into()), ..options() });
    let found: Vec<String> = routes_of(&policy_of(&based)).into_iter().filter(|line| line.starts_with('/')).collect();
    assert_eq!(found, ["/api/a:", "/api/b:"]);
    let swagger = json!({ "swagger": "2.0", "basePath": "/v1", "paths": { "/a": { "get": {} } } });
    assert_eq!(lines(&swagger), ["/v1/a:", "GET: read a # guessed"]);
}

#[test]
fn an_operation_without_security_is_asked_about_and_never_public() {
    let mut document = with_paths(json!({
        "/a": { "get": { "security": [] }, "put": { "security": [{ "key": [] }] }, "post": { "security": [{}, { "key": [] }] }, "delete": {} },
    }));
    let cells = ["GET: read a # guessed; public?", "PUT: update a # guessed", "POST: create a # guessed; public?"];
    assert_eq!(lines(&document)[1..4], cells);
    assert_eq!(lines(&document)[4], "DELETE: delete a # guessed");
    document["security"] = json!([]);
    assert_eq!(lines(&document)[4], "DELETE: delete a # guessed; public?");
}

#[test]
fn paths_that_match_the_same_requests_are_found_and_the_first_counts() {
    let document =
        with_paths(json!({ "/a/{id}": { "get": {} }, "/a/{name}": { "put": {} }, "/A/{id}": { "put": {} } }));
    let imported = import_text(&document.to_string(), &options());
    assert_eq!(
        messages(&imported),
        [
            "!left out: `/a/{name}` and `/a/{id}` match the same requests",
            "!left out: `/A/{id}` and `/a/{id}` match the same requests"
        ]
    );
    let policy = policy_of(&imported);
    assert!(policy.contains("# left out: PUT /a/{name} (`/a/{name}` and"), "{policy}");
}

#[test]
fn two_paths_that_are_one_to_some_servers_do_not_stand_beside_each_other() {
    let document = with_paths(json!({
        "/f/{id}": { "get": {} }, "/f/{id}/": { "get": {} }, "/g": { "get": {} }, "/g.json": { "get": {} },
        "/h/{path+}": { "get": {} }, "/h/{id}/x": { "get": {} },
    }));
    let imported = import_text(&document.to_string(), &options());
    assert_eq!(
        messages(&imported),
        [
            "!left out: `/f/{id}/` and `/f/{id}` are one path to some servers",
            "!left out: `/g.json` and `/g` are one path to some servers"
        ]
    );
    assert!(policy_of(&imported).contains("/h/{*path}"), "a parameter may stand beside the rest of a path");
}

#[test]
fn references_are_followed_within_the_document_and_no_further() {
    let mut document = with_paths(json!({
        "/a": { "$ref": "#/paths/~1b~1%7Bid%7D" },
        "/b/{id}": { "get": { "tags": ["Bs"] } },
        "/c": { "$ref": "#/x-shared/0", "put": {} },
        "/d": { "$ref": "other.yaml#/d", "get": {} },
        "/e": { "$ref": "#/nowhere", "get": {} },
        "/f": { "$ref": "#/paths/~1g", "get": {} },
        "/g": { "$ref": "#/paths/~1f" },
        "/h": { "$ref": 1 , "get": {} },
    }));
    document["x-shared"] = json!([{ "get": {} }]);
    let imported = import_text(&document.to_string(), &options());
    let routes = routes_of(&policy_of(&imported));
    assert_eq!(routes[..2], ["/a:", "GET: read Bs # guessed"]);
    assert_eq!(routes[4..7], ["/c:", "PUT: update c # guessed", "GET: read c # guessed"]);
    let messages = messages(&imported).join("\n");
    for expected in ["is in another document", "`#/nowhere` is nowhere", "leads in a circle"] {
        assert!(messages.contains(expected), "{messages}");
    }
}

#[test]
fn head_alone_cannot_be_a_route_and_trace_never_is() {
    let document = with_paths(json!({ "/a": { "head": {} }, "/b": { "trace": {}, "get": {}, "head": {} } }));
    let imported = import_text(&document.to_string(), &options());
    assert_eq!(
        routes_of(&policy_of(&imported)),
        [
            "# /a:",
            "# HEAD: decided as GET, which is not listed here",
            "/b:",
            "# TRACE: never forwarded",
            "GET: read b # guessed"
        ]
    );
    assert!(messages(&imported)[0].starts_with("!`HEAD /a` is decided as GET"), "{:?}", messages(&imported));
}

#[test]
fn resources_that_differ_only_in_case_are_one() {
    let document = with_paths(json!({ "/patients": { "get": { "tags": ["Patients"] }, "post": {} } }));
    assert_eq!(lines(&document)[1..], ["GET: read Patients # guessed", "POST: create Patients # guessed"]);
}

#[test]
fn only_the_tags_that_are_asked_for_are_taken() {
    let imported = import_text(CLINIC, &OpenapiOptions { tags: vec!["Notes".into()], ..options() });
    assert_eq!(routes_of(&policy_of(&imported)).len(), 7);
    assert_eq!(imported.understood[1], "25 operations without a selected tag left out");
    let none = import_text(CLINIC, &OpenapiOptions { tags: vec!["notes".into()], ..options() });
    assert!(none.policy.is_none() && none.findings.has_errors());
}

#[test]
fn a_scope_is_a_parameter_of_some_route() {
    let document = with_paths(json!({ "/{tenant}/a/{site}": { "get": {} } })).to_string();
    let good = import_text(&document, &OpenapiOptions { scopes: vec!["tenant".into(), "site".into()], ..options() });
    let policy = policy_of(&good);
    assert!(policy.contains("scopes:\n  tenant: caller") && policy.contains("  site: grant"), "{policy}");
    let bad = import_text(&document, &OpenapiOptions { scopes: vec!["tenent".into()], ..options() });
    let finding = bad.findings.sorted()[0].clone();
    assert_eq!(finding.help.as_deref(), Some("did you mean `tenant`?"), "{finding:?}");
}

#[test]
fn what_is_no_openapi_document_is_said_to_be_none() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for (text, why) in [
        ("", "the file is empty"),
        ("just text", "this is no OpenAPI document"),
        ("[1, 2]", "this is no OpenAPI document"),
        ("openapi: 4.0", "version `4.0` of the document's format is not read"),
        ("swagger: '1.2'", "version `1.2` of the document's format is not read"),
        ("openapi: 3.0.0", "the document has no `paths`"),
        ("openapi: 3.0.0\npaths: [1]", "`paths` is a map, not a list"),
        ("openapi: 3.0.0\npaths: {}", "nothing in `api.yaml` can be a route"),
        ("openapi: 3.0.0\npaths: { /a: { get: [] } }", "`GET /a` is a map, not a list"),
        ("openapi: 3.0.0\npaths: { /a: 7 }", "`/a` has no method that is read"),
        ("{\"openapi\": \"3.0.0\", \"paths\": {", "this is neither YAML nor JSON"),
        (&*deep, "values are nested too deeply"),
    ] {
        let imported = import_text(text, &options());
        assert!(imported.policy.is_none(), "{text}");
        assert!(messages(&imported).iter().any(|messages| messages.contains(why)), "{text}: {:?}", messages(&imported));
    }
}

#[test]
fn nothing_that_a_document_says_becomes_a_line_of_its_own() {
    let evil = "x\neveryone: [All]\nusers:\n  root: { permissions: [All] }\n#";
    let document = json!({
        "openapi": "3.0.0",
        "info": { "title": evil, "version": evil },
        "paths": {
            format!("/a/{{{evil}}}"): { "get": { "tags": [evil], "x-permission\neveryone: [All]": 1 } },
            format!("/{evil}"): { "get": {} },
            "/b": { "post": {}, "get": { "tags": ["no"] }, "put": { "tags": ["a: b # c"] } },
        },
    });
    let policy = policy_of(&import_text(&document.to_string(), &options()));
    assert!(!policy.lines().any(|line| line.starts_with("everyone") || line.starts_with("users")), "{policy}");
}

#[test]
fn whatever_can_be_a_route_loads() {
    hold(
        CASES,
        (
            prop::collection::vec(
                ("(/([a-zA-Z0-9._~-]{1,4}|\\{[a-z.:*+ -]{0,4}\\}|[^/]{0,3})){1,4}", "\\PC{0,6}", 0..6_usize),
                1..8,
            ),
            "(/[a-z{}]{0,3}){0,2}",
        ),
        |(paths, base)| {
            let mut document = with_paths(json!({}));
            document["servers"] = json!([{ "url": base }]);
            for (path, tag, method) in paths {
                let tags = if tag.is_empty() { json!([]) } else { json!([tag]) };
                document["paths"][path][["get", "put", "post", "delete", "head", "options"][method]] =
                    json!({ "tags": tags });
            }
            let imported = import_text(&document.to_string(), &options());
            if let Some(policy) = &imported.policy {
                let mut sources = Sources::default();
                sources.add("imported.yaml", policy);
                let loaded = crate::policy::load(&sources, None);
                // `/a/` beside a catch-all is one path to some servers, which only the whole policy shows.
                let confused = |finding: &&Finding| {
                    finding.code != FindingCode::Unreachable && finding.severity == Severity::Error
                };
                let errors: Vec<_> = loaded.findings.sorted().into_iter().filter(confused).collect();
                prop_assert!(errors.is_empty(), "{errors:?}\n{policy}");
            }
            Ok(())
        },
    );
}
