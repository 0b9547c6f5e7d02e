//! Tests of paths and their resources.

use super::ResourcePath;

fn key(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

#[test]
fn collections_and_items_alternate_at_any_depth() {
    assert_eq!(ResourcePath::of("/t1/api/Patients"), ResourcePath::Collection(key(&["t1", "patients"])));
    assert_eq!(ResourcePath::of("/t1/api/Patients/p1"), ResourcePath::Item(key(&["t1", "patients", "p1"])));
    let deep = key(&["t1", "patients", "p1", "sessions", "s1", "notes"]);
    assert_eq!(ResourcePath::of("/t1/api/Patients/p1/Sessions/s1/Notes"), ResourcePath::Collection(deep));
}

#[test]
fn literals_ignore_case_and_values_keep_it() {
    assert_eq!(ResourcePath::of("/T1/API/pAtIeNtS/P1/"), ResourcePath::Item(key(&["T1", "patients", "P1"])));
    assert_eq!(ResourcePath::of("/t1/api/patients/MERGE"), ResourcePath::Merge("t1".to_owned()));
    assert_eq!(
        ResourcePath::of("/t1/api/appconnection/getcurrentdataaccess"),
        ResourcePath::DataAccess("t1".to_owned())
    );
    assert_eq!(ResourcePath::of("/RTM"), ResourcePath::Hub);
    assert_eq!(ResourcePath::of("/ClientRtm/negotiate"), ResourcePath::Negotiate);
}

#[test]
fn the_path_of_a_sessions_actions_omits_the_collection_of_sessions() {
    let action = key(&["t1", "patients", "p1", "sessions", "s1", "actions", "a1"]);
    assert_eq!(ResourcePath::of("/t1/api/Patients/p1/s1/action/a1"), ResourcePath::Item(action.clone()));
    assert_eq!(ResourcePath::of("/t1/api/Patients/p1/Sessions/s1/Actions/a1"), ResourcePath::Item(action));
}

#[test]
fn a_value_is_decoded_once() {
    assert_eq!(ResourcePath::of("/t1/api/Users/a%20b"), ResourcePath::Item(key(&["t1", "users", "a b"])));
    assert_eq!(ResourcePath::of("/t1/api/Users/%2541"), ResourcePath::Item(key(&["t1", "users", "%41"])));
}

#[test]
fn malformed_or_too_deep_paths_name_no_resource() {
    for path in
        ["/", "*", "/t1", "/t1/api", "/t1/api//p1", "/t1/api/Users/%4", "/t1/api/Users/%ff", "/rtm/x", "/t1/x/y"]
    {
        assert_eq!(ResourcePath::of(path), ResourcePath::Nothing, "{path}");
    }
    assert_eq!(ResourcePath::of(&format!("/t1/api{}", "/a".repeat(15))), ResourcePath::Nothing);
}
