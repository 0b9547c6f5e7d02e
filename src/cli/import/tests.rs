//! Tests of `import` as a command line.

use crate::cli::Exit;
use crate::cli::tests::{file, portcullis};

const OPENAPI: &str = "tests/data/import/clinic-openapi.yaml";
const MATRIX: &str = "tests/data/import/clinic-matrix.csv";
const ROLES: &str = "tests/data/import/clinic-roles.csv";

#[test]
fn the_clinics_files_make_up_a_policy_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let routes = at("routes.yaml");
    let (exit, out, err) = portcullis(&["import", "openapi", OPENAPI, "--resources-elsewhere", "--out", &routes]);
    assert_eq!((exit, &*out), (Exit::Findings, ""), "{err}");
    assert!(err.contains("clinic-openapi.yaml:63:3") && err.ends_with("1 error, 2 notes\n"), "{err}");
    let (exit, out, err) = portcullis(&["import", "matrix", MATRIX, ROLES, "--out", &at("table.yaml")]);
    assert_eq!((exit, &*out), (Exit::Done, ""), "{err}");
    let policy = folder.path().to_str().unwrap();
    let (exit, out, _) = portcullis(&["check", policy]);
    assert_eq!(exit, Exit::Done, "{out}");
    assert!(out.ends_with("\n0 errors, 1 note\n"), "{out}");
    for (role, method, path, expected) in [
        ("Nurse", "POST", "/api/v2/patients/p1/notes", Exit::Done),
        ("Nurse", "DELETE", "/api/v2/patients/p1/notes/n1", Exit::Refused),
        ("Doctor", "POST", "/api/v2/patients/merge", Exit::Done),
        ("Receptionist", "POST", "/api/v2/patients/search", Exit::Done),
        ("Accountant", "GET", "/api/v2/invoices/i1.csv", Exit::Done),
    ] {
        let caller = format!(r#"{{"roles":["{role}"]}}"#);
        let (exit, out, _) = portcullis(&["explain", policy, "--as", &caller, method, path]);
        assert_eq!(exit, expected, "{role} {method} {path}: {out}");
    }
}

#[test]
fn an_imported_policy_loads_and_permits_nobody_anything() {
    let (_, policy, _) = portcullis(&["import", "openapi", OPENAPI]);
    let (_folder, path) = file("clinic.yaml", &policy);
    let (exit, out, _) = portcullis(&["check", &path]);
    assert_eq!(exit, Exit::Done, "{out}");
    let (exit, ..) = portcullis(&["explain", &path, "--as", r#"{"roles":["Visitor"]}"#, "GET", "/api/v2/health"]);
    assert_eq!(exit, Exit::Refused);
    let (exit, whole, _) = portcullis(&["import", "matrix", MATRIX, "--name", "clinic"]);
    assert_eq!(exit, Exit::Done);
    let (_folder, path) = file("clinic.yaml", &whole);
    assert_eq!(portcullis(&["check", &path]).0, Exit::Done);
    assert_eq!(portcullis(&["matrix", &path, "--format", "csv"]).1, std::fs::read_to_string(MATRIX).unwrap());
}

#[test]
fn a_file_is_replaced_only_where_that_is_asked_for() {
    let (_folder, path) = file("mine.yaml", "mine");
    let (exit, _, err) = portcullis(&["import", "matrix", MATRIX, "--out", &path]);
    assert_eq!(exit, Exit::Findings);
    assert!(err.ends_with("is there already; --force replaces it\n"), "{err}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let (exit, ..) = portcullis(&["import", "matrix", MATRIX, "--out", &path, "--force"]);
    assert_eq!(exit, Exit::Done);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("# Imported"));
}

#[test]
fn nothing_is_written_where_nothing_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("policy.yaml");
    let (exit, ..) = portcullis(&["import", "openapi", MATRIX, "--out", to.to_str().unwrap()]);
    assert_eq!((exit, to.exists()), (Exit::Findings, false));
}

#[test]
fn files_that_cannot_be_read_fail_and_wrong_words_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("latin.csv"), b"permission,\xe9\nX,R\n").unwrap();
    let huge = std::fs::File::create(at("huge")).unwrap();
    huge.set_len(65 * 1024 * 1024).unwrap();
    for kind in ["openapi", "matrix"] {
        for (path, why) in [
            (at("none"), "cannot be read"),
            (at("latin.csv"), "is not UTF-8 at byte offset 11"),
            (at("huge"), "is larger than"),
            (at(""), "is no file"),
        ] {
            let (exit, out, err) = portcullis(&["import", kind, &path]);
            assert_eq!((exit, &*out), (Exit::Findings, ""), "{path}");
            assert!(err.contains(why), "{err}");
        }
        assert_eq!(portcullis(&["import", kind]).0, Exit::Usage);
        assert_eq!(portcullis(&["import", kind, "x", "--force"]).0, Exit::Usage);
        assert_eq!(portcullis(&["import", kind, "x", "--name", " "]).0, Exit::Usage);
        assert_eq!(portcullis(&["import", kind, "--help"]).0, Exit::Done);
    }
    assert_eq!(portcullis(&["import", "openapi", OPENAPI, "--base", "api"]).0, Exit::Usage);
    assert_eq!(portcullis(&["import"]).0, Exit::Usage);
}
