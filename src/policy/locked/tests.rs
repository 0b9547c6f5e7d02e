//! Tests that locked roles and profiles cannot change.

use crate::document::{FindingCode, Sources, report};
use crate::policy::{Snapshot, load};

use super::changes;

const LIVE: &str = "\
version: 1
name: a
scopes: { site: grant }
resources: [Patients]
routes:
  /patients: { GET: read Patients, DELETE: delete Patients }
permissions:
  Read:   { Patients: R }
  Delete: { Patients: D }
gates:
  mpr: { by: feature, permissions: [Delete] }
roles:
  Reader: { permissions: [Read] }
  Admin:  { locked: true, includes: [Reader], within: [{ site: s1, permissions: [Delete] }] }
profiles:
  Full: { locked: true, features: [mpr], within: [{ site: [s1, s2] }] }
";

fn snapshot(text: &str) -> Snapshot {
    let mut sources = Sources::default();
    sources.add("a.yaml", text);
    let loaded = load(&sources, None);
    loaded.snapshot.unwrap_or_else(|| panic!("{}", report::human(&loaded.findings, &sources)))
}

/// The messages about `LIVE` with `from` replaced by `to`, each after its line.
fn changed(from: &str, to: &str) -> Vec<String> {
    assert!(LIVE.contains(from), "{from}");
    let text = LIVE.replace(from, to);
    let mut sources = Sources::default();
    sources.add("a.yaml", &text);
    let findings = changes(&snapshot(LIVE), &snapshot(&text));
    assert!(findings.iter().all(|finding| finding.code == FindingCode::Locked));
    let line = |finding: &crate::document::Finding| {
        let line = finding.span.and_then(|span| sources.locate(span)).map_or(0, |at| at.line);
        format!("{line}: {}", finding.message)
    };
    findings.sorted().into_iter().map(line).collect()
}

#[test]
fn unlocked_entries_may_change() {
    assert!(changed("name: a", "name: a").is_empty());
    assert!(changed("roles:\n", "roles:\n  Another: { permissions: [Delete] }\n").is_empty());
    assert!(changed("[s1, s2]", "[s2, s1]").is_empty(), "the order of values says nothing");
    assert!(changed("permissions:\n", "permissions:\n  Aardvark: { Patients: R }\n").is_empty(), "rows go by name");
    assert!(changed("gates:\n", "gates:\n  first: { by: feature, permissions: [Read] }\n").is_empty());
}

#[test]
fn no_part_of_a_locked_role_may_change() {
    let found = changed("within: [{ site: s1, permissions: [Delete] }]", "permissions: [Delete]");
    assert_eq!(
        found,
        [
            "14: the live policy locks the role `Admin`: the permission `Delete` (delete Patients) in { site: s1 } is missing \
          here; the permission `Delete` (delete Patients) is new here"
        ]
    );
    assert!(changed("site: s1,", "site: s2,")[0].contains("{ site: s2 } is new"));
    assert!(changed("locked: true, includes", "includes")[0].contains("the word `locked` is missing here"));
    assert!(
        changed("locked: true, includes", "locked: true, assign: policy-only, includes")[0].contains("policy-only")
    );
    assert!(changed("locked: true, includes", "locked: true, assign-within: [site], includes")[0].contains("`site`"));
    let gone = changed("  Admin:", "  Admins:");
    assert_eq!(gone, ["0: the live policy locks the role `Admin`, which is gone or renamed here"]);
}

#[test]
fn included_roles_are_part_of_a_locked_role() {
    let found = changed("Reader: { permissions: [Read] }", "Reader: { permissions: [Read, Delete] }");
    assert!(found[0].contains("`Admin`: the permission `Delete` (delete Patients) is new here"), "{found:?}");
    let found = changed("Read:   { Patients: R }", "Read:   { Patients: RD }");
    assert!(found[0].contains("`Read` (delete Patients, read Patients) is new here"), "{found:?}");
    let found = changed("includes: [Reader], within", "permissions: [Read], within");
    assert!(found[0].contains("the inclusion of `Reader` is missing here"), "{found:?}");
}

#[test]
fn no_part_of_a_locked_profile_may_change() {
    assert!(changed("features: [mpr], ", "")[0].contains("the feature `mpr` is missing here"));
    assert!(changed("[s1, s2]", "[s1, s2, s3]")[0].contains("in { site: s1 | s2 | s3 } is new here"));
    assert!(changed("  Full: { locked: true, ", "  Full: { ")[0].starts_with("16: the live policy locks the profile"));
    assert_eq!(changed("  Full:", "  Ful:").len(), 1);
}
