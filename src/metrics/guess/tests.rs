//! Tests of which segments are taken for ids and which for names of the API.

use super::*;

#[test]
fn ids_become_parameters_and_names_stay() {
    for (path, expected) in [
        ("/", "/"),
        ("/api/Patients", "/api/Patients"),
        ("/api/v2/Patients/", "/api/v2/Patients/"),
        ("/t1/api/Patients/42", "/{id}/api/Patients/{id}"),
        ("/studies/1.2.840.10008.5.1", "/studies/{id}"),
        ("/x/6ba7b810-9dad-11d1-80b4-00c04fd430c8/y", "/x/{id}/y"),
        ("/days/2026-11-22", "/days/{id}"),
        ("/files/deadbeef01", "/files/{id}"),
        ("/oauth2/token", "/oauth2/token"),
        ("/people/MRN000017", "/people/{id}"),
        ("/people/Mueller%20Anna", "/people/{id}"),
        ("/people/anna@example.com", "/people/{id}"),
        ("/odata/Patients(5)/$count", "/odata/{id}/$count"),
        ("/a/averyveryveryveryveryverylongname", "/a/{id}"),
    ] {
        assert_eq!(guess_template(path), expected, "{path}");
    }
}

#[test]
fn a_template_has_a_bounded_length() {
    let long = "/abcdefghijklmnopqrstuvwxyzabcdef".repeat(1000);
    let template = guess_template(&long);
    assert!(template.len() <= 17 * 33 && template.ends_with("/{rest}"), "{template}");
}
