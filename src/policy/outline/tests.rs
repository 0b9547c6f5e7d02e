//! Tests of the spans of a policy's entries, by their lines.

use super::PolicyOutline;
use crate::document::{Sources, Span};

const POLICY: &str = "\
version: 1
name: p
scopes: { site: grant }
routes:
  /a: { GET: read A, PUT: update A }
resources: [A]
permissions:
  Look: { A: R }
  Edit: { A: U }
everyone: [Look]
gates:
  extra: { by: feature, permissions: [Edit] }
profiles:
  Full: { features: [extra] }
groups:
  Staff:
    profile: Full
    permissions: [Look]
    without: [Edit]
roles:
  Editor:
    permissions: [Edit]
    within: [{ site: s1, permissions: [Look] }]
  Chief:
    includes: [Editor]
users:
  kim:
    group: Staff
    roles:
      - Editor
      - Chief: { site: s1 }
    permissions: [Look]
    without: [Edit]
";

#[test]
fn every_entry_about_a_permission_is_found_with_its_line() {
    let mut sources = Sources::default();
    sources.add("p.yaml", POLICY);
    let outline = PolicyOutline::read(&sources);
    let line = |span: Option<Span>| span.and_then(|span| sources.locate(span)).map(|at| at.line);
    let table = [
        (outline.method("/a", "PUT"), Some(5)),
        (outline.method("/a", "DELETE"), None),
        (outline.row("Edit"), Some(9)),
        (outline.everyone("Look"), Some(10)),
        (outline.everyone("Edit"), None),
        (outline.gate("extra"), Some(12)),
        (outline.profile("Full"), Some(14)),
        (outline.profile_lists("Full", "extra"), Some(14)),
        (outline.group("Staff"), Some(16)),
        (outline.group_gives("Staff", "Look"), Some(18)),
        (outline.group_takes("Staff", "Edit"), Some(19)),
        (outline.role("Chief"), Some(24)),
        (outline.role_gives("Editor", "Edit", false), Some(22)),
        (outline.role_gives("Editor", "Look", true), Some(23)),
        (outline.role_gives("Editor", "Look", false), None),
        (outline.role_includes("Chief", "Editor"), Some(25)),
        (outline.user("kim"), Some(27)),
        (outline.user_group("kim"), Some(28)),
        (outline.user_role("kim", 1), Some(31)),
        (outline.user_gives("kim", "Look"), Some(32)),
        (outline.user_takes("kim", "Edit"), Some(33)),
        (outline.user("pat"), None),
    ];
    for (at, (span, expected)) in table.into_iter().enumerate() {
        assert_eq!(line(span), expected, "number {at}");
    }
    let (way, span) = outline.role_path("Chief", "Edit", false).unwrap();
    assert_eq!((way, line(Some(span))), (vec!["Chief", "Editor"], Some(22)));
    assert_eq!(outline.role_path("Chief", "Nothing", false), None);
}
