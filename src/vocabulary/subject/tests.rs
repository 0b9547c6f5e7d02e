//! Tests of the JSON form of a subject.

use super::{Assignment, Subject, SubjectId, SubjectKind};

fn read(json: &str) -> Result<Subject, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn tenant_and_group_may_stand_alone() {
    let subject = read(r#"{"tenant":"t1","group":"g","client":"app-1","roles":["Level 2"]}"#).unwrap();
    assert_eq!(subject.kind, SubjectKind::User);
    assert_eq!(subject.tenants, ["t1".into()]);
    assert_eq!(subject.groups, ["g".into()]);
    assert_eq!(subject.roles, [Assignment::unbound("Level 2")]);
}

#[test]
fn a_role_may_be_bound_to_a_scope() {
    let subject = read(r#"{"roles":[{"PacsAdministrator":{"tenant":"t1","pacs":["p7","p8"]}}]}"#).unwrap();
    let scope = vec![("pacs".into(), vec!["p7".into(), "p8".into()]), ("tenant".into(), vec!["t1".into()])];
    assert_eq!(subject.roles, [Assignment { role: "PacsAdministrator".into(), scope }]);
}

#[test]
fn unknown_keys_and_doubled_keys_are_refused() {
    assert!(read(r#"{"rolles":[]}"#).unwrap_err().contains("rolles"));
    assert!(read(r#"{"tenant":"a","tenants":["b"]}"#).is_err());
    assert!(read(r#"{"kind":"robot"}"#).is_err());
}

#[test]
fn an_id_splits_at_its_first_slash() {
    assert_eq!(SubjectId::parse("hospital/a/b").to_string(), "hospital/a/b");
    assert_eq!(&*SubjectId::parse("hospital/a/b").name, "a/b");
    assert_eq!(&*SubjectId::parse("smith").source, "");
}
