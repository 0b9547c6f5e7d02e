//! Tests of policy edits.

use super::PolicyEdit;
use crate::document::Sources;
use crate::policy::outline::PolicyOutline;
use crate::vocabulary::Subject;

const POLICY: &str = "\
version: 1
name: p
routes: { /a: { GET: { need: read A, when: \"now < timestamp('2001-01-01T00:00:00Z')\" } } }
resources: [A]
permissions: { Look: { A: R }, Edit: { A: U } }
groups: { Staff: { permissions: [Look], without: [Edit] } }
roles: { Editor: { permissions: [Edit] } }
users:
  kim: { without: [Look] }
  pat: { permissions: [Look] }
";

fn outline() -> PolicyOutline {
    let mut sources = Sources::default();
    sources.add("p.yaml", POLICY);
    PolicyOutline::read(&sources)
}

#[test]
fn an_edit_of_the_policy_applies_to_the_given_user() {
    let keeps = PolicyEdit::RestoreToUser { user: "kim".into(), row: "Look".into() };
    let assigned = PolicyEdit::AssignRole { user: "kim".into(), role: "Editor".into(), scope: Vec::new() };
    let amended = outline().apply_edits(&[keeps, assigned], Some("kim")).unwrap();
    let kim = amended.entitlements.users().iter().next().unwrap();
    assert_eq!((amended.entitlements.users().count(), kim.without.len(), kim.roles.unwrap().len()), (1, 0, 1));
    let gets = PolicyEdit::RestoreToGroup { group: "Staff".into(), row: "Edit".into() };
    let amended = outline().apply_edits(&[gets], None).unwrap();
    assert!(amended.model.groups[0].without.is_empty());
    assert_eq!(amended.entitlements.users().count(), 0);
}

#[test]
fn an_edit_that_would_not_load_is_none() {
    let gets = PolicyEdit::GrantToUser { user: "kim".into(), row: "Look".into() };
    assert!(outline().apply_edits(&[gets], Some("kim")).is_none(), "given and taken away in one entry");
    let nobody = PolicyEdit::GrantToGroup { group: "Nobody".into(), row: "Look".into() };
    assert!(outline().apply_edits(&[nobody], None).is_none());
}

#[test]
fn a_satisfied_condition_holds_everywhere() {
    let text = "now < timestamp('2001-01-01T00:00:00Z')";
    let amended = outline().apply_edits(&[PolicyEdit::SatisfyCondition { condition: text.into() }], None).unwrap();
    assert_eq!(amended.model.conditions.iter().map(|known| known.text()).collect::<Vec<_>>(), ["true"]);
}

#[test]
fn an_edit_of_claims_changes_the_caller() {
    let mut subject: Subject = serde_json::from_str(r#"{"roles":["A"],"groups":["x","y"]}"#).unwrap();
    let scope = vec![("tenant".into(), "t1".into())];
    PolicyEdit::ClaimRole { role: "B".into(), scope, alone: false }.apply_to(&mut subject);
    assert_eq!(subject.roles.len(), 2);
    let alone = PolicyEdit::ClaimRole { role: "C".into(), scope: Vec::new(), alone: true };
    alone.apply_to(&mut subject);
    PolicyEdit::ClaimGroup { group: "z".into() }.apply_to(&mut subject);
    assert_eq!((subject.roles.len(), &*subject.groups), (1, &["z".into()][..]));
    assert_eq!(alone.to_string(), "let the caller's credential claim the role `C` and no other");
    assert!(!alone.changes_policy());
}
