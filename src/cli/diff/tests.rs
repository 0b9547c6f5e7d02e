//! Tests of `diff` over files, and of its exit codes.

use super::super::exit::Exit;
use super::super::tests::{file, portcullis};

const NOAH: &str = "policies/noah-es.yaml";

/// The path of a copy of the Noah ES policy in which `from` reads `to`.
fn changed(from: &str, to: &str) -> (tempfile::TempDir, String) {
    let text = std::fs::read_to_string(NOAH).unwrap();
    assert!(text.contains(from), "{from}");
    file("new.yaml", &text.replacen(from, to, 1))
}

#[test]
fn the_code_is_that_of_diff() {
    let (_one, closed) = changed("service-apps: all", "service-apps: every-permission");
    let (_other, broken) = file("broken.yaml", "version: 1\nrolles: {}\n");
    assert_eq!(portcullis(&["diff", NOAH, NOAH]).0, Exit::Done);
    assert_eq!(portcullis(&["diff", NOAH, &closed]).0, Exit::Findings);
    assert_eq!(portcullis(&["diff", NOAH, &broken]).0, Exit::Usage);
    assert_eq!(portcullis(&["diff", NOAH, "no-such-file.yaml"]).0, Exit::Usage);
    assert_eq!(portcullis(&["diff", "--quiet", NOAH, &closed]), (Exit::Findings, String::new(), String::new()));
    assert_eq!(portcullis(&["diff", "--only", "gained", "--quiet", NOAH, &closed]).0, Exit::Done);
    assert_eq!(portcullis(&["diff", "--only", "lost", "--quiet", NOAH, &closed]).0, Exit::Findings);
}

#[test]
fn text_names_who_and_what_and_a_request_that_shows_it() {
    let (_folder, closed) = changed("service-apps: all", "service-apps: every-permission");
    let (_, text, _) = portcullis(&["diff", NOAH, &closed]);
    assert!(text.contains("LOST (1)\n  SERVICE APPS: service-apps: all → every-permission\n      "), "{text}");
    assert!(text.contains("permit (service-app) → refuse ("), "{text}");
    let (_, json, _) = portcullis(&["diff", "--format", "json", NOAH, &closed]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["changes"][0]["who"], "service-apps");
    assert_eq!(json["changes"][0]["direction"], "lost");
    assert!(json["changes"][0]["example"]["as"].is_object(), "{json}");
}
