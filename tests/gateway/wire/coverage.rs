//! Coverage: the parts of the policy that requests use, and the requests without a route, as the admin listener shows
//! them.

use serde_json::{Value, json};

use super::client::{ask, request};
use super::origin::Origin;
use super::testbed::{Testbed, until};

fn report(testbed: &Testbed) -> Value {
    testbed.wait(testbed.gateway.admin("/apis/noah/coverage")).json()
}

fn never_used(testbed: &Testbed) -> Vec<String> {
    let report = report(testbed);
    let grants = report["never_used"].as_array().unwrap().iter();
    let mut lines: Vec<String> = grants
        .map(|grant| {
            assert!(grant["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{grant}");
            format!("{}: {} {}", grant["permission"], grant["operation"], grant["resource"]).replace('"', "")
        })
        .collect();
    lines.sort();
    lines
}

/// `method template count` of each template without a route.
fn unmapped(testbed: &Testbed) -> Vec<String> {
    let report = report(testbed);
    let entries = report["unmapped"].as_array().unwrap().iter();
    entries.map(|one| format!("{} {} {}", one["method"], one["template"], one["count"]).replace('"', "")).collect()
}

fn get(testbed: &Testbed, line: &str, headers: &[&str]) -> u16 {
    ask(testbed.at(), request(line, headers, b"")).status
}

#[test]
fn grants_are_listed_until_a_permit_uses_them_and_reloads_forget_nothing() {
    let testbed = Testbed::strict(Origin::start()).start();
    let all = testbed.bearer(&["user", "remover", "insider"]);
    let expected =
        ["Remove: delete Things", "See: read Secrets", "Use: create Things", "Use: read Things", "Use: update Things"];
    assert_eq!(never_used(&testbed), expected);
    assert_eq!(get(&testbed, "HEAD /t1/things", &[&all]), 200);
    assert_eq!(get(&testbed, "DELETE /t1/things/a", &[&all]), 200);
    // A refusal uses no grant.
    assert_eq!(get(&testbed, "PUT /t1/things/a", &[&testbed.bearer(&["insider"])]), 403);
    let left = ["See: read Secrets", "Use: create Things", "Use: update Things"];
    until("two are used", || never_used(&testbed) == left);
    let refused = json!([{ "operation": "update", "resource": "Things", "count": 1 }]);
    until("the refusal is counted", || report(&testbed)["refused"] == refused);
    let metric = |name: &str| testbed.wait(testbed.gateway.metric(&format!("portcullis_{name}{{api=\"noah\"}}")));
    assert_eq!((metric("grants"), metric("grants_never_used")), (5.0, 3.0));

    testbed.edit_policy("  See: { Secrets: R }", "  Extra: { Things: R }\n  See: { Secrets: R }");
    assert_eq!(never_used(&testbed)[0], "Extra: read Things");
    assert_eq!(never_used(&testbed)[1..], left);
    assert_eq!(report(&testbed)["refused"][0]["count"], 1);
}

#[test]
fn requests_without_a_route_are_listed_by_their_guessed_templates() {
    let testbed = Testbed::strict(Origin::start()).start();
    let user = testbed.bearer(&["user"]);
    for path in ["/t1/visits/17", "/t1/visits/18?name=private", "/t1/visits/6ba7b810-9dad-11d1-80b4-00c04fd430c8"] {
        assert_eq!(get(&testbed, &format!("GET {path}"), &[&user]), 404);
    }
    assert_eq!(get(&testbed, "PATCH /t1/things", &[&user]), 405);
    // An unauthenticated request adds nothing to the list, and neither does a request with a route.
    assert_eq!(get(&testbed, "GET /t1/guessed/17", &[]), 401);
    assert_eq!(get(&testbed, "DELETE /t1/things/a", &[&user]), 403);
    assert_eq!(get(&testbed, "GET /t1/../visits", &[&user]), 400);
    let expected = ["GET /{id}/visits/{id} 3", "PATCH /{id}/things 1"];
    until("both are listed", || unmapped(&testbed) == expected);
    assert!(!report(&testbed).to_string().contains("private"));

    testbed.edit_policy("routes:\n", "routes:\n  /{tenant}/visits/{visit}: { GET: read Things }\n");
    assert_eq!(unmapped(&testbed), ["PATCH /{id}/things 1"]);
    testbed.edit_policy("dialect: strict\n", "dialect: strict\nshadow: all\n");
    // In shadow mode the list includes the requests of all callers: a first policy is written from it.
    assert_eq!(get(&testbed, "GET /t1/guessed/17", &[]), 200);
    until("it is listed", || unmapped(&testbed).contains(&"GET /{id}/guessed/{id} 1".to_owned()));
}

#[test]
fn random_paths_take_no_more_room_than_the_list_has() {
    let testbed = Testbed::strict(Origin::start()).start();
    let user = testbed.bearer(&["user"]);
    let mut client = super::client::Client::connect(testbed.at());
    for number in 0..700_u32 {
        let word: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        client.send(request(&format!("GET /t1/x{word}"), &[&user], b""));
        assert_eq!(client.answer().status, 404);
    }
    until("the list is full", || report(&testbed)["unmapped_left_out"] == 200);
    assert_eq!(unmapped(&testbed).len(), 500);
    assert_eq!(testbed.wait(testbed.gateway.metric("portcullis_unmapped_templates{api=\"noah\"}")), 500.0);
    assert_eq!(get(&testbed, "GET /t1/things", &[&user]), 200);
}
