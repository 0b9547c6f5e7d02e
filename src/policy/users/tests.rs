//! Tests of entries by id, and of the lists that they share.

use super::*;

fn user(id: &str, permissions: &[u32]) -> User {
    User {
        id: id.into(),
        group: None,
        roles: Some(Box::new([])),
        tenants: None,
        permissions: permissions.iter().map(|row| RowId(*row)).collect(),
        without: Box::new([]),
    }
}

fn found(users: &Users, id: &str) -> Option<Vec<u32>> {
    users.find(&SubjectId::parse(id)).map(|entry| entry.permissions.iter().map(|row| row.0).collect())
}

#[test]
fn an_entry_is_found_by_its_source_then_bare_then_alone() {
    let users =
        Users::build(vec![user("a/smith", &[1]), user("b/smith", &[2]), user("jones", &[3]), user("a/kim", &[4])]);
    assert_eq!(found(&users, "a/smith"), Some(vec![1]));
    assert_eq!(found(&users, "b/smith"), Some(vec![2]));
    assert_eq!(found(&users, "c/smith"), None);
    assert_eq!(found(&users, "smith"), None, "two sources know the name");
    assert_eq!(found(&users, "a/jones"), Some(vec![3]));
    assert_eq!(found(&users, "kim"), Some(vec![4]));
    assert_eq!(found(&users, "c/kim"), None);
    assert_eq!(found(&users, ""), None);
    assert_eq!(users.iter().count(), users.count());
}

#[test]
fn equal_lists_are_stored_once_and_in_order() {
    let many = (0..1_000).map(|at| user(&format!("u{at}"), &[7, 3])).collect();
    let users = Users::build(many);
    assert_eq!(found(&users, "u999"), Some(vec![3, 7]));
    assert_eq!(users.rows.len(), 2, "one list of two rows, and the empty one");
    assert!(size_of::<PackedUser>() <= 32);
}
