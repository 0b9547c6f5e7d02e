//! Tests of the findings that `check` prints.

use crate::cli::Exit;
use crate::cli::tests::{NOAH, file, portcullis};

const BROKEN: &str = "\
version: 1
name: broken
rolles: {}
routes:
  /patients: { GET: read Patients, POST: create Patient }
resources: [Patients]
permissions:
  Readers: { Patients: R }
everyone: [Reader]
";

#[test]
fn all_findings_of_a_broken_policy_come_in_file_order_with_their_places() {
    let (_folder, path) = file("broken.yaml", BROKEN);
    let (exit, out, err) = portcullis(&["check", &path]);
    assert_eq!((exit, err.as_str()), (Exit::Findings, ""));
    let expected = ["broken.yaml:3:1\n", "broken.yaml:5:", "broken.yaml:9:12\n"];
    let found: Vec<usize> =
        expected.iter().map(|place| out.find(place).unwrap_or_else(|| panic!("{place}\n{out}"))).collect();
    assert!(found.is_sorted(), "{out}");
    for help in ["did you mean `roles`?", "did you mean `Patients`?", "did you mean `Readers`?"] {
        assert!(out.contains(help), "{help}\n{out}");
    }
    assert!(out.ends_with("\n\n3 errors, 0 notes\n"), "{out}");
}

#[test]
fn json_is_one_array_over_all_policies_and_the_summary_stays_beside_it() {
    let (_folder, path) = file("broken.yaml", BROKEN);
    let (exit, out, err) = portcullis(&["check", &path, NOAH, "--format", "json"]);
    assert_eq!((exit, err.as_str()), (Exit::Findings, "3 errors, 9 notes\n"));
    let findings: serde_json::Value = serde_json::from_str(&out).unwrap();
    let findings = findings.as_array().unwrap();
    assert_eq!(findings.len(), 12);
    assert_eq!(findings[0]["code"], "unknown-key");
    assert_eq!((&findings[0]["line"], &findings[0]["column"]), (&3.into(), &1.into()));
    assert_eq!(findings[11]["severity"], "note");
    assert_eq!(findings[11]["file"], NOAH);
}

#[test]
fn notes_never_fail() {
    let (exit, out, _) = portcullis(&["check", NOAH]);
    assert_eq!(exit, Exit::Done);
    assert!(out.contains("note[empty-row]"), "{out}");
    assert!(out.ends_with("0 errors, 9 notes\n"), "{out}");
}

#[test]
fn a_folder_is_one_policy_and_its_cases_are_no_part_of_it() {
    let (folder, _) = file("a.yaml", "version: 1\nname: two-files\nresources: [Patients]\n");
    std::fs::write(folder.path().join("b.yaml"), "permissions:\n  Readers: { Patients: R }\n").unwrap();
    std::fs::write(folder.path().join("b.cases.yaml"), "not: a policy\n").unwrap();
    let (exit, out, _) = portcullis(&["check", folder.path().to_str().unwrap()]);
    assert!(!out.contains("cases"), "{out}");
    assert!(!out.contains("unknown-name"), "{out}");
    assert_eq!(exit, Exit::Done, "{out}");
}

#[test]
fn what_the_live_policy_locks_is_held_against_the_new_one() {
    let policy = |rows: &str| {
        format!(
            "version: 1\nname: a\nresources: [Patients]\nroutes: {{ /p: {{ GET: read Patients }} }}\n\
             permissions: {{ Read: {{ Patients: R }} }}\nroles:\n  Admin: {{ locked: true, permissions: {rows} }}\n"
        )
    };
    let (_old_folder, old) = file("old.yaml", &policy("[Read]"));
    let (_new_folder, new) = file("new.yaml", &policy("[]"));
    let (exit, out, _) = portcullis(&["check", &new, "--against", &old]);
    assert_eq!(exit, Exit::Findings);
    assert!(out.contains("error[locked]: ") && out.contains("new.yaml:7:3\n"), "{out}");
    assert_eq!(portcullis(&["check", &old, "--against", &old]).0, Exit::Done);
    assert_eq!(portcullis(&["check", &old, &new, "--against", &old]).0, Exit::Usage);
    assert_eq!(portcullis(&["check", &old, "--against", "no-such-file.yaml"]).0, Exit::Findings);
}

#[test]
fn cases_that_must_pass_are_tried() {
    let policy = "version: 1\nname: a\ncases: must-pass\nresources: [Patients]\nroutes: { /p: { GET: read Patients } }\n\
                  permissions: { Read: { Patients: R } }\n";
    let (folder, path) = file("a.yaml", policy);
    let (exit, out, _) = portcullis(&["check", &path]);
    assert_eq!(exit, Exit::Findings);
    assert!(out.contains("no cases stand beside the policy"), "{out}");
    let cases =
        |reason: &str| format!("callers: {{ a: {{}} }}\ncases:\n  - {{ as: a, refuse: GET /p, reason: {reason} }}\n");
    std::fs::write(folder.path().join("a.cases.yaml"), cases("taken-away")).unwrap();
    let (exit, out, _) = portcullis(&["check", &path]);
    assert_eq!(exit, Exit::Findings);
    assert!(out.contains("error[case-failed]: ") && out.contains("a.cases.yaml:3:22\n"), "{out}");
    std::fs::write(folder.path().join("a.cases.yaml"), cases("not-granted")).unwrap();
    assert_eq!(portcullis(&["check", &path]).0, Exit::Done);
}
