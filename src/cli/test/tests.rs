//! Tests of `test`: running cases and printing their results.

use std::fs;

use crate::cli::Exit;
use crate::cli::tests::{NOAH, file, portcullis};

const POLICY: &str = "\
version: 1
name: a
routes: { /patients: { GET: read Patients, POST: create Patients } }
resources: [Patients]
permissions: { Read: { Patients: R }, Write: { Patients: C } }
everyone: [Read]
";

const CASES: &str = "\
callers: { some <one> & \"all\": {} }
cases:
  - { as: some <one> & \"all\", permit: GET /patients, by: Read, proves: [R1], decision: 4 }
  - { as: some <one> & \"all\", refuse: POST /patients, reason: out-of-scope, note: fails }
";

fn beside(cases: &str) -> (tempfile::TempDir, String) {
    let (folder, path) = file("a.yaml", POLICY);
    fs::write(folder.path().join("a.cases.yaml"), cases).unwrap();
    (folder, path)
}

#[test]
fn the_cases_beside_a_policy_are_tried_and_counted() {
    let (exit, out, err) = portcullis(&["test", NOAH]);
    assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{out}");
    assert!(out.starts_with("policies/noah-es.yaml: "), "{out}");
    assert!(out.contains(" cases passed; of ") && out.lines().count() == 1, "{out}");
}

#[test]
fn a_case_that_fails_is_shown_where_it_stands() {
    let (_folder, path) = beside(CASES);
    let (exit, out, _) = portcullis(&["test", &path, "--coverage"]);
    assert_eq!(exit, Exit::Findings);
    for expected in [
        "error[case-failed]: `some <one> & \"all\"`: `POST /patients` should be refused as `out-of-scope`, \
         but is refused as `not-granted` because of `create Patients`\n",
        "a.cases.yaml:4:39\n",
        "^^^^^^^^^^^^^^\n",
        "  = help: `portcullis explain ",
        "never tried\n  create Patients\n",
        "never refused\n  read Patients\n",
        "rules (permits, refusals)\n  R1       1   0\n",
        "decisions\n  4\n",
        "a.yaml: 1 of 2 cases passed, 1 failed; of 2 cells 1 permitted and 0 refused at least once\n",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
}

#[test]
fn only_some_cases_are_tried_where_that_is_asked_for() {
    let (_folder, path) = beside(CASES);
    for only in ["R1", "GET", "Read", "4"] {
        let (exit, out, _) = portcullis(&["test", &path, "--only", only]);
        assert_eq!(exit, Exit::Done, "{only}\n{out}");
        assert!(out.contains("1 of 1 cases passed;"), "{out}");
    }
    assert_eq!(portcullis(&["test", &path, "--only", "fails"]).0, Exit::Findings);
    let (exit, _, err) = portcullis(&["test", &path, "--only", "nothing"]);
    assert_eq!((exit, err.as_str()), (Exit::Usage, "no case names `nothing`\n"));
}

#[test]
fn json_holds_every_case_with_its_place_and_result() {
    let (_folder, path) = beside(CASES);
    let (exit, out, _) = portcullis(&["test", &path, NOAH, "--format", "json"]);
    assert_eq!(exit, Exit::Findings);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["failed"], &json["not_tried"]), (&1.into(), &0.into()));
    let cases = &json["policies"][0]["cases"];
    assert_eq!(
        (&cases[0]["result"], &cases[0]["line"], &cases[0]["proves"][0]),
        (&"passed".into(), &3.into(), &"R1".into())
    );
    assert_eq!((&cases[1]["result"], &cases[1]["line"]), (&"failed".into(), &4.into()));
    assert!(cases[1]["message"].as_str().unwrap().contains("should be refused"));
    assert_eq!(json["policies"][0]["coverage"]["cells"][0]["cell"], "read Patients");
    assert_eq!(json["policies"][1]["policy"], NOAH);
}

#[test]
fn junit_counts_what_it_lists_and_escapes_what_xml_cannot_hold() {
    let (_folder, path) = beside(&CASES.replace("fails }", "fails }\n  - { as: nobody, permit: GET /patients }"));
    let (exit, out, _) = portcullis(&["test", &path, "--format", "junit"]);
    assert_eq!(exit, Exit::Findings);
    assert!(out.contains("tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\""), "{out}");
    assert!(out.contains("name=\"permit some &lt;one&gt; &amp; &quot;all&quot;: GET /patients\""), "{out}");
    assert_eq!(out.matches("<testcase ").count(), 3, "{out}");
    assert!(out.contains("<error message=\"") && out.contains("no caller is called `nobody`"), "{out}");
}

#[test]
fn a_folder_has_its_cases_beside_it_and_in_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("noah")).unwrap();
    fs::write(folder.path().join("noah/1.yaml"), POLICY).unwrap();
    let path = format!("{}/", folder.path().join("noah").display());
    let (exit, out, _) = portcullis(&["test", &path]);
    assert_eq!(exit, Exit::Findings);
    assert!(
        out.contains("error[unreadable]: no cases stand beside the policy") && out.contains("noah.cases.yaml`"),
        "{out}"
    );
    let case = "callers: { a: {} }\ncases:\n  - { as: a, permit: GET /patients }\n";
    fs::write(folder.path().join("noah.cases.yaml"), case).unwrap();
    fs::write(folder.path().join("noah/more.cases.yaml"), case).unwrap();
    let (exit, out, _) = portcullis(&["test", &path]);
    assert_eq!(exit, Exit::Done, "{out}");
    assert!(out.contains("2 of 2 cases passed;"), "{out}");
}

#[test]
fn cases_may_stand_elsewhere_and_no_policy_has_none() {
    let (_folder, path) = file("a.yaml", POLICY);
    let (_other, cases) = file("elsewhere.yaml", &CASES.replace("out-of-scope", "not-granted"));
    assert_eq!(portcullis(&["test", &path, "--cases", &cases]).0, Exit::Done);
    assert_eq!(portcullis(&["test", &path, NOAH, "--cases", &cases]).0, Exit::Usage);
    assert_eq!(portcullis(&["test", &path, "--cases", "no-such-file.yaml"]).0, Exit::Findings);
    assert_eq!(portcullis(&["test", "no-such-file.yaml"]).0, Exit::Findings);
    assert_eq!(portcullis(&["test"]).0, Exit::Usage);
}
