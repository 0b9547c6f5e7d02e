//! One spelling: whatever bytes are sent, the upstream receives the canonical path of a permitted resource, or nothing.

mod dialects;
mod path_variants;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::json;

use crate::wire::client::{Answer, Client, ask, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::Testbed;
use path_variants::{detours, is_below, is_canonical, lenient_interpretations, spellings_of};

#[test]
fn under_aspnet_no_spelling_of_a_refused_resource_arrives() {
    let testbed = Testbed::noah(Origin::start()).start();
    let token = testbed.bearer(&["Level 2"]);
    let refused = ["/t1/api/TenantConfiguration", "/t2/api/Patients", "/t1/api/Settings"];
    for path in refused {
        let plain = send(testbed.at(), path, &token);
        assert_eq!(plain.status, 403, "{path} is refused to begin with");
    }
    let mut spellings = BTreeSet::new();
    for path in refused {
        spellings.extend(spellings_of(path));
    }
    spellings.extend(detours("/t1/api/Patients", "TenantConfiguration", 1));
    spellings.extend(detours("/t1/api/Patients/p1", "TenantConfiguration", 2));
    spellings.extend(detours("/t1/api/Patients", "t2/api/Patients", 3));
    try_all(&testbed, &token, &spellings, &refused, |path| {
        // Of the paths that a clinician may read, these have the shapes that the spellings above can take.
        is_below(path, "/t1/api/Patients") || is_below(path, "/t1/api/Users")
    });
}

#[test]
fn under_aspnet_a_permitted_resource_arrives_in_one_spelling() {
    let testbed = Testbed::noah(Origin::start()).start();
    let token = testbed.bearer(&["Level 2"]);
    let mut spellings = spellings_of("/t1/api/Patients");
    spellings.extend(spellings_of("/t1/api/Patients/p1"));
    let arrived = try_all(&testbed, &token, &spellings, &[], |path| is_below(path, "/t1/api/Patients"));
    assert!(arrived > 50, "{arrived} spellings of a permitted path were let through");
}

#[test]
fn under_strict_no_spelling_of_a_refused_resource_arrives() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let refused = ["/t1/Secrets", "/t1/Secrets/s", "/t2/things", "/closed"];
    for path in refused {
        assert_eq!(send(testbed.at(), path, &token).status, 403, "{path} is refused to begin with");
    }
    let mut spellings = BTreeSet::new();
    for path in refused {
        spellings.extend(spellings_of(path));
    }
    spellings.extend(detours("/t1/things", "Secrets", 1));
    spellings.extend(detours("/t1/files/a", "Secrets/s", 2));
    spellings.extend(detours("/t1/files", "Secrets/s", 1));
    spellings.extend(detours("/open", "t1/Secrets", 1));
    try_all(&testbed, &token, &spellings, &refused, |path| {
        is_below(path, "/t1/things") || is_below(path, "/t1/files") || path == "/open"
    });
}

#[test]
fn under_strict_a_permitted_resource_arrives_in_one_spelling() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let mut spellings = spellings_of("/t1/things");
    spellings.extend(spellings_of("/t1/things/Ab"));
    let arrived = try_all(&testbed, &token, &spellings, &[], |path| is_below(path, "/t1/things"));
    assert!(arrived > 20, "{arrived} spellings of a permitted path were let through");
    for other in ["/t1/Things", "/t1/THINGS", "/t1/things/", "/t1/thing%73/"] {
        let answer = send(testbed.at(), other, &token);
        assert!(matches!(answer.status, 400 | 404), "{other}: {}", answer.status);
    }
}

#[test]
fn an_encoded_slash_passes_in_the_one_parameter_that_allows_it() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let answer = send(testbed.at(), "/t1/files/a%2fb", &token);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(testbed.origin.last().target(), "/t1/files/a%2Fb");
    for refused in ["/t1/things/a%2fb", "/t1/files/a%2f%2fb", "/t1/files/a%2f..%2fb", "/t1/files/%2e%2e%2fb"] {
        assert_eq!(send(testbed.at(), refused, &token).status, 400, "{refused}");
    }
    for nowhere in ["/t1%2ffiles/a", "/t1/files%2Fa", "/%2ft1/files/a"] {
        let status = send(testbed.at(), nowhere, &token).status;
        assert!(matches!(status, 400 | 404), "{nowhere}: {status}");
    }
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn a_path_that_two_templates_would_share_without_case_is_refused_under_strict() {
    let literal = "/{tenant}/things/Archive: { GET: nobody }\n  /{tenant}/things/{thing}:";
    let testbed = Testbed::strict(Origin::start()).policy("/{tenant}/things/{thing}:", literal).start();
    let token = testbed.bearer(&["user"]);
    assert_eq!(send(testbed.at(), "/t1/things/Archive", &token).status, 403);
    for twin in ["archive", "ARCHIVE", "%61rchive", "Archive.json", "archive.x"] {
        let answer = send(testbed.at(), &format!("/t1/things/{twin}"), &token);
        assert_eq!(answer.status, 400, "{twin}");
    }
    assert_eq!(send(testbed.at(), "/t1/things/archives", &token).status, 200);
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn a_path_that_two_apis_could_claim_is_refused() {
    let testbed = Testbed::strict(Origin::start());
    let origin = Origin::start();
    let second = json!({ "match": { "path": "/inner" }, "policy": "inner.yaml", "upstream": { "url": format!("http://{}", origin.address()) } });
    let inner = "version: 1\nname: inner\ndialect: aspnet\nroutes:\n  /inner/{x}: { GET: nobody }\nresources: []\npermissions: {}\n";
    let outer = "/{tenant}/{x}/{y}: { GET: read Things }\n  /{tenant}/{x}: { GET: public }\n  /{tenant}/things:";
    let testbed =
        testbed.policy("/{tenant}/things:", outer).file("inner.yaml", inner).with("/apis/inner", second).start();
    let token = testbed.bearer(&["user"]);
    assert_eq!(send(testbed.at(), "/other/a", &token).status, 200);
    assert_eq!(send(testbed.at(), "/inner/a", &token).status, 403, "the inner API refuses everybody");
    let before = testbed.origin.count();
    for spelling in [
        "/Inner/a",
        "/INNER/a",
        "/%69nner/a",
        "/i%6Ener/a",
        "/inner%2fa",
        "/inner%2Fa/b",
        "/inner;x/a",
        "/inner/;/a",
        "//inner/a",
        "/./inner/a",
        "/x/../inner/a",
        "/inner\\a",
        "/%2finner/a",
        "/inner%20/a",
        "/inner./a",
        "/inner%00/a",
        "/inner%09/a",
    ] {
        let answer = send(testbed.at(), spelling, &token);
        if answer.status != 200 {
            assert!(matches!(answer.status, 400 | 403 | 404), "{spelling}: {}", answer.status);
            continue;
        }
        // The outer API may have such a path of its own, if no server takes it for the inner API's path.
        let target = testbed.origin.last().target();
        assert!(
            !lenient_interpretations(&target).iter().any(|read| read.starts_with("inner/")),
            "{spelling} arrived as {target}"
        );
    }
    assert_eq!(origin.count(), 0);
    assert!(testbed.origin.count() <= before + 2);
    // An absolute target names the same path, and belongs to the same API.
    let target = format!("http://{}/inner/a", testbed.at());
    let answer =
        ask(testbed.at(), format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", testbed.at()));
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(answer.reason(), "unauthenticated");
}

#[test]
fn a_path_that_is_not_utf_8_is_refused() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for path in ["/t1/things/%ff", "/t1/things/%c0%af", "/t1/things/%ed%a0%80", "/t1/things/a%C3", "/%fe"] {
        let answer = send(testbed.at(), path, &token);
        assert_eq!((answer.status, answer.reason().as_str()), (400, "bad-request"), "{path}");
    }
    assert_eq!(send(testbed.at(), "/t1/things/%c3%a4", &token).status, 200);
    assert_eq!(testbed.origin.last().target(), "/t1/things/%C3%A4");
    assert_eq!(testbed.origin.count(), 1);
}

#[test]
fn an_absolute_target_names_the_host() {
    let testbed = Testbed::strict(Origin::start()).start();
    let (token, at) = (testbed.bearer(&["user"]), testbed.at());
    for (target, status) in [
        (format!("http://{at}/t1/things"), 200),
        (format!("HTTP://{at}/t1/things"), 200),
        ("http://other.example/t1/things".to_owned(), 400),
        (format!("http://{at}@other.example/t1/things"), 400),
        (format!("http://other.example@{at}/t1/things"), 400),
        (format!("ftp://{at}/t1/things"), 400),
        ("t1/things".to_owned(), 400),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {at}\r\n{token}\r\nConnection: close\r\n\r\n");
        let answer = ask(at, head);
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
    }
    assert_eq!(testbed.origin.count(), 2);
    assert!(testbed.origin.requests().iter().all(|received| received.target() == "/t1/things"));
}

#[test]
fn unreserved_characters_that_arrive_encoded_are_decoded() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9').chain("-_~".chars()) {
        let answer = send(testbed.at(), &format!("/t1/things/a%{:02x}b", u32::from(letter)), &token);
        assert_eq!(answer.status, 200, "{letter}: {}", answer.text());
        assert_eq!(testbed.origin.last().target(), format!("/t1/things/a{letter}b"));
    }
    assert_eq!(send(testbed.at(), "/t1/things/a%2eb", &token).status, 400, "an encoded dot is refused");
}

#[test]
fn a_letter_that_folds_into_ascii_is_refused_where_case_may_not_count() {
    for (dialect, status) in [("strict", 400), ("iis", 400), ("express", 400), ("spring", 400), ("wsgi", 200)] {
        let testbed =
            Testbed::strict(Origin::start()).policy("dialect: strict", &format!("dialect: {dialect}")).start();
        let token = testbed.bearer(&["user"]);
        for letter in ["%C5%BF", "%E2%84%AA", "%C4%B1", "%C4%B0"] {
            let answer = send(testbed.at(), &format!("/t1/things/{letter}"), &token);
            assert_eq!(answer.status, status, "{letter} {dialect}");
        }
        assert_eq!(send(testbed.at(), "/t1/thing%C5%BF", &token).status, if status == 400 { 400 } else { 404 });
    }
}

#[test]
fn what_is_decided_is_what_is_logged_and_what_is_forwarded() {
    for (dialect, sent, one) in [
        ("strict", "/t1/thing%73/A%20%62", "/t1/things/A%20b"),
        ("express", "/t1/THINGS/A%20%62/", "/t1/things/A%20b"),
        ("iis", "/t1/Things/McDuff/", "/t1/things/McDuff"),
        ("wsgi", "/t1/things/a;%62", "/t1/things/a;b"),
    ] {
        let testbed =
            Testbed::strict(Origin::start()).policy("dialect: strict", &format!("dialect: {dialect}")).start();
        let token = testbed.bearer(&["user"]);
        assert_eq!(send(testbed.at(), sent, &token).status, 200, "{sent}");
        let received = testbed.origin.last();
        assert_eq!(received.target(), one, "{sent}");
        let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
        assert_eq!(record["path"], one, "{record}");
        assert_eq!(record["route"], "/{tenant}/things/{thing}", "{record}");
    }
}

#[test]
fn the_method_has_one_spelling_too() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for method in ["get", "Get", "GETX", "TRACE", "PATCH", "PROPFIND", "LOCK"] {
        let answer =
            Client::connect(testbed.at()).send(request(&format!("{method} /t1/things"), &[&token], b"")).answer();
        assert!(matches!(answer.status, 400 | 405), "{method}: {}", answer.status);
    }
    assert_eq!(testbed.origin.count(), 0);
}

/// Sends every spelling and counts those that arrive, each as a `canonical` path and never as a `refused` one.
fn try_all(
    testbed: &Testbed,
    token: &str,
    spellings: &BTreeSet<String>,
    refused: &[&str],
    canonical: impl Fn(&str) -> bool,
) -> usize {
    assert!(spellings.len() > 300, "only {} spellings", spellings.len());
    let forbidden: BTreeSet<String> = refused.iter().flat_map(|path| lenient_interpretations(path)).collect();
    let before = testbed.origin.count();
    let (mut client, mut passed) = (Client::connect(testbed.at()), before);
    for spelling in spellings {
        let bytes = request(&format!("GET {spelling}"), &[token], b"");
        let answer = match client.send(&bytes).try_answer(false) {
            Some(answer) => answer,
            None => {
                client = Client::connect(testbed.at());
                client.send(&bytes).try_answer(false).unwrap_or_else(|| panic!("no answer to {spelling:?}"))
            }
        };
        let received = testbed.origin.requests();
        if answer.status != 200 {
            assert!(matches!(answer.status, 400 | 403 | 404), "{spelling:?}: {}", answer.status);
            assert_eq!(received.len(), passed, "{spelling:?} was refused and arrived");
            continue;
        }
        passed += 1;
        assert_eq!(received.len(), passed, "{spelling:?} was answered and did not arrive");
        let target = received[passed - 1].target();
        let path = target.split('?').next().unwrap().to_owned();
        assert!(canonical(&path), "{spelling:?} arrived as {target:?}");
        assert!(is_canonical(&path), "{spelling:?} arrived as {target:?}");
        let reached: Vec<String> = lenient_interpretations(&path).intersection(&forbidden).cloned().collect();
        assert!(reached.is_empty(), "{spelling:?} arrived as {target:?}, which some server reads as {reached:?}");
    }
    passed - before
}

fn send(at: SocketAddr, path: &str, token: &str) -> Answer {
    Client::connect(at).send(request(&format!("GET {path}"), &[token], b"")).answer()
}
