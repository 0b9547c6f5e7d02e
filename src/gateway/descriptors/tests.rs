//! Tests of `descriptors`: what the system says, and what that is enough for.

use super::*;

fn limits(files: &str) -> String {
    format!(
        "Limit                     Soft Limit           Hard Limit           Units\nMax open files            {files}               524288               files\n"
    )
}

#[test]
fn a_connection_needs_two_descriptors() {
    assert_eq!(short(1000, &limits("2256")), None);
    let told = short(1000, &limits("2255")).unwrap();
    assert!(told.starts_with("2255 open files are allowed, 1000 connections need 2256"), "{told}");
    assert!(short(10_000, &limits("1024")).is_some());
}

#[test]
fn nothing_is_said_where_there_is_no_limit_or_none_is_known() {
    assert_eq!(short(1000, &limits("unlimited")), None);
    assert_eq!(short(1000, ""), None);
}
