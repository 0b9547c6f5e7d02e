//! Tests of the argument of `--as`.

use super::parse_subject;
use crate::cli::tests::file;
use crate::vocabulary::{Subject, SubjectKind};

#[test]
fn a_caller_is_json_or_a_file_with_it() {
    let inline = parse_subject(r#"{"id":"u1","kind":"service"}"#).unwrap();
    assert_eq!(inline.kind, SubjectKind::Service);
    let (_folder, path) = file("caller.json", "{ \"id\": \"u1\",\n  \"kind\": \"service\" }\n");
    assert_eq!(parse_subject(&format!("@{path}")).unwrap(), inline);
    assert_ne!(inline, Subject::anonymous());
}

#[test]
fn the_error_about_an_invalid_caller_names_the_position_and_the_expected_input() {
    let table = [
        ("", "`--as`: EOF while parsing a value at line 1 column 0"),
        ("[\"user\"]", "expected a caller: `{ id, kind, client, tenant, roles, permissions, … }` at line 1 column 0"),
        ("{\n  \"rolles\": []}", "unknown field `rolles`, expected one of `kind`, `id`"),
        ("{\n  \"rolles\": []}", "at line 2 column 10"),
        ("{\"roles\": [3]}", "a role is a name, or `{ name: { scope: value or list } }` at line 1 column"),
        ("{\"tenant\":\"a\",\"tenants\":[\"b\"]}", "`tenant` and `tenants` are both present: write one of them"),
        ("{\"id\":\"a\",\"id\":\"b\"}", "duplicate field `id` at line 1 column 14"),
        ("{} {}", "trailing characters at line 1 column 4"),
        ("@no-such-file.json", "`no-such-file.json` cannot be read: "),
    ];
    for (written, expected) in table {
        let error = parse_subject(written).unwrap_err();
        assert!(error.contains(expected), "{written}: {error}");
    }
}
