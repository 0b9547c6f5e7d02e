//! Tests of `descriptors`: limits of the system, and the connections that they suffice for.

use super::*;

fn limits(files: &str) -> String {
    format!(
        "Limit                     Soft Limit           Hard Limit           Units\nMax open files            {files}               524288               files\n"
    )
}

#[test]
fn a_connection_needs_two_descriptors() {
    assert_eq!(shortage_line(1000, &limits("2256")), None);
    let warning = shortage_line(1000, &limits("2255")).unwrap();
    assert!(warning.starts_with("2255 open files are allowed, 1000 connections need 2256"), "{warning}");
    assert!(shortage_line(10_000, &limits("1024")).is_some());
}

#[test]
fn there_is_no_warning_without_a_known_limit() {
    assert_eq!(shortage_line(1000, &limits("unlimited")), None);
    assert_eq!(shortage_line(1000, ""), None);
}
