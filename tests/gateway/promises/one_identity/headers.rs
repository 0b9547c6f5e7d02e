//! Identity headers: an upstream that folds header names as CGI does reads only the gateway's values.

use std::collections::HashMap;

use serde_json::json;

use crate::wire::client::{Client, ask, request};
use crate::wire::origin::{Origin, ReceivedRequest};
use crate::wire::testbed::Testbed;

const NAMES: [&str; 4] = ["X-Portcullis-Subject", "X-Portcullis-Roles", "X-Portcullis-Tenant", "X-Portcullis-Decision"];

/// All aliases of `name` with other separators and other cases: each separator alone, and each case.
fn aliases(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('-').collect();
    let cased: [fn(&str) -> String; 3] = [str::to_owned, str::to_ascii_lowercase, str::to_ascii_uppercase];
    let mut found = Vec::new();
    for first in ['-', '_', '.'] {
        for second in ['-', '_', '.'] {
            let spelt = format!("{}{first}{}{second}{}", parts[0], parts[1], parts[2]);
            found.extend(cased.iter().map(|case| case(&spelt)));
        }
    }
    found
}

/// The environment of a CGI program: values by upper-case names, repeated fields joined as servers join them.
fn environment(received: &ReceivedRequest) -> HashMap<String, String> {
    let mut found: HashMap<String, String> = HashMap::new();
    for (name, value) in received.fields() {
        let name = name.to_ascii_uppercase().replace(['-', '.', ' '], "_");
        let all = found.entry(name).or_default();
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(&value);
    }
    found
}

/// Asserts that the upstream reads the gateway's values about alice and none of the client's.
fn assert_only_gateway_identity(received: &ReceivedRequest, context: &str) {
    let environment = environment(received);
    let read = |name: &str| environment.get(name).map(String::as_str);
    assert_eq!(read("X_PORTCULLIS_SUBJECT"), Some("test/alice"), "{context}");
    assert_eq!(read("X_PORTCULLIS_ROLES"), Some("user"), "{context}");
    assert_eq!(read("X_PORTCULLIS_TENANT"), Some("t1"), "{context}");
    assert_eq!(read("X_PORTCULLIS_DECISION").map(str::len), Some(32), "{context}");
    assert!(!received.text().contains("mallory"), "{context}: {}", received.text());
}

#[test]
fn no_alias_of_an_identity_header_reaches_an_upstream_that_folds_names() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for name in NAMES {
        let aliases = aliases(name);
        assert_eq!(aliases.len(), 27);
        for alias in &aliases {
            let spoofed = format!("{alias}: mallory");
            // Alone, twice, and in front of the credential.
            for headers in [vec![&token, &spoofed], vec![&spoofed, &token, &spoofed]] {
                let headers: Vec<&str> = headers.into_iter().map(String::as_str).collect();
                assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200, "{alias}");
                assert_only_gateway_identity(&testbed.origin.last(), alias);
            }
        }
        let all: Vec<String> = aliases.iter().map(|alias| format!("{alias}: mallory")).collect();
        let headers: Vec<&str> = std::iter::once(&token).chain(&all).map(String::as_str).collect();
        assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
        assert_only_gateway_identity(&testbed.origin.last(), "all at once");
    }
}

#[test]
fn aliases_are_dropped_though_the_settings_let_odd_names_pass() {
    let passed = json!(["x_other", "x.other"]);
    let testbed = Testbed::strict(Origin::start()).with("api/pass-headers", passed).start();
    let token = testbed.bearer(&["user"]);
    let headers = [token.as_str(), "x_other: yes", "x.other: yes", "x_portcullis_subject: mallory"];
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    assert_only_gateway_identity(&received, "pass-headers");
    assert_eq!(environment(&received).get("X_OTHER").map(String::as_str), Some("yes, yes"));
}

#[test]
fn a_nomination_takes_no_identity_header_away() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for name in NAMES {
        for alias in aliases(name) {
            let headers = [token.as_str(), &format!("Connection: {alias}"), &format!("{alias}: mallory")];
            let before = testbed.origin.count();
            let answer = ask(testbed.at(), request("GET /t1/things", &headers, b""));
            // Refused, or forwarded with all of the gateway's identity headers: never without them.
            if answer.status == 400 {
                assert_eq!(testbed.origin.count(), before, "{alias}");
            } else {
                assert_only_gateway_identity(&testbed.origin.last(), &alias);
            }
        }
    }
}

#[test]
fn a_trailer_is_no_identity_header() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    for name in NAMES {
        for alias in aliases(name) {
            let before = testbed.origin.count();
            let head = format!(
                "POST /t1/things HTTP/1.1\r\nHost: noah.test\r\n{token}\r\nTE: trailers\r\nTrailer: {alias}\r\n\
                 Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{alias}: mallory\r\n\r\n"
            );
            let answer = Client::connect(testbed.at()).send(head).try_answer(false);
            if testbed.origin.count() > before {
                let received = testbed.origin.last();
                assert_only_gateway_identity(&received, &alias);
                assert!(!String::from_utf8_lossy(&received.raw_body).contains("mallory"), "{alias}");
            } else {
                assert!(answer.is_none_or(|answer| answer.status >= 400), "{alias}");
            }
        }
    }
}
