//! Tests of the store without HTTP.

use serde_json::{Map, Value, json};

use super::{Store, StoreError};

fn key(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn store_with(paths: &[&str]) -> Store {
    let mut store = Store::default();
    for path in paths {
        let (collection, id) = path.rsplit_once('/').unwrap();
        store.create(&key(collection), object(json!({ "id": id, "was": path }))).unwrap();
    }
    store
}

#[test]
fn a_list_holds_the_items_without_their_children() {
    let store = store_with(&["t1/patients/p1", "t1/patients/p1/sessions/s1", "t1/patients/p2", "t2/patients/p3"]);
    assert_eq!(store.list(&key("t1/patients")).unwrap().len(), 2);
    assert_eq!(store.list(&key("t1/patients/p1/sessions")).unwrap().len(), 1);
    assert_eq!(store.list(&key("t1/patients/p2/sessions")).unwrap().len(), 0);
    assert_eq!(store.list(&key("t1/patients/p3/sessions")), None);
}

#[test]
fn removing_a_record_removes_its_children_and_frees_its_bytes() {
    let mut store = store_with(&["t1/patients/p1", "t1/patients/p1/sessions/s1"]);
    assert!(store.remove(&key("t1/patients/p1")));
    assert!(!store.remove(&key("t1/patients/p1")));
    assert_eq!((store.records.len(), store.bytes), (0, 0));
}

#[test]
fn a_neighbour_whose_id_begins_alike_is_not_removed() {
    let mut store = store_with(&["t1/patients/p1", "t1/patients/p10"]);
    store.remove(&key("t1/patients/p1"));
    assert!(store.record(&key("t1/patients/p10")).is_some());
}

#[test]
fn a_merge_moves_the_children_of_a_patient_and_keeps_both_records_with_equal_ids() {
    let mut store = store_with(&[
        "t1/patients/p1",
        "t1/patients/p1/sessions/s1",
        "t1/patients/p2",
        "t1/patients/p2/sessions/s1",
        "t1/patients/p2/sessions/s1/actions/a1",
        "t1/patients/p2/setups/x",
    ]);
    let before = store.records.len();
    store.merge("t1", "p2", "p1").unwrap();
    assert_eq!(store.records.len(), before - 1);
    assert!(store.record(&key("t1/patients/p2")).is_none());
    assert!(store.record(&key("t1/patients/p1/setups/x")).is_some());
    let sessions: Vec<Value> = store
        .list(&key("t1/patients/p1/sessions"))
        .unwrap()
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    assert_eq!(sessions.len(), 2);
    let moved = sessions.iter().find(|session| session["was"] == "t1/patients/p2/sessions/s1").unwrap();
    assert_ne!(moved["id"], "s1");
    let actions = format!("t1/patients/p1/sessions/{}/actions", moved["id"].as_str().unwrap());
    assert_eq!(store.list(&key(&actions)).unwrap().len(), 1);
}

#[test]
fn a_merge_moves_group_assignments_once() {
    let mut store = store_with(&[
        "t1/patients/p1",
        "t1/patients/p2",
        "t1/patientgroups/g1",
        "t1/patientgroups/g1/patients/p2",
        "t1/patientgroups/g2",
        "t1/patientgroups/g2/patients/p1",
        "t1/patientgroups/g2/patients/p2",
    ]);
    store.merge("t1", "p2", "p1").unwrap();
    for group in ["g1", "g2"] {
        let members = store.list(&key(&format!("t1/patientgroups/{group}/patients"))).unwrap();
        assert_eq!(members.len(), 1, "{group}");
        assert!(members[0].contains(r#""id":"p1""#), "{group}");
    }
}

#[test]
fn a_merge_needs_two_patients_of_the_same_tenant() {
    let mut store = store_with(&["t1/patients/p1", "t2/patients/p2"]);
    for (from, into) in [("p1", "p1"), ("p2", "p1"), ("p1", "p2")] {
        assert_eq!(store.merge("t1", from, into), Err(StoreError::Missing), "{from} into {into}");
    }
    assert_eq!(store.records.len(), 2);
}

#[test]
fn a_full_store_takes_changes_but_nothing_new() {
    let mut store = store_with(&["t1/patients/p1"]);
    store.limit = 1;
    assert_eq!(store.create(&key("t1/patients"), Map::new()), Err(StoreError::Full));
    assert!(store.put(&key("t1/patients/p1"), Map::new()).is_ok());
    store.remove(&key("t1/patients/p1"));
    assert!(store.create(&key("t1/patients"), Map::new()).is_ok());
}

#[test]
fn the_bytes_of_all_records_are_bounded() {
    let mut store = Store::default();
    let megabyte = object(json!({ "note": "x".repeat(1024 * 1024 - 100) }));
    let stored = (0..100).take_while(|_| store.create(&key("t1/notes"), megabyte.clone()).is_ok()).count();
    assert_eq!(stored, 64);
    assert!(store.bytes <= super::MAX_BYTES);
}
