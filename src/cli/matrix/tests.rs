//! Tables in every format.

use super::{csv, html, text};
use crate::cli::Exit;
use crate::cli::tests::{NOAH, portcullis};
use crate::policy::PolicyVersion;
use crate::policy::matrix::Matrix;

#[test]
fn noahs_csv_is_both_published_tables_byte_for_byte() {
    let patient = include_str!("../../../tests/data/noah-patient.csv");
    let management = include_str!("../../../tests/data/noah-management.csv");
    let csv = |args: &[&str]| {
        let (exit, out, err) = portcullis(&[&["matrix", NOAH, "--format", "csv"], args].concat());
        assert_eq!((exit, err.as_str()), (Exit::Done, ""));
        out
    };
    assert_eq!(csv(&["--table", "Patient related"]), patient);
    assert_eq!(csv(&["--table", "Management"]), management);
    assert!(management.contains("CRU Requires approval"));
    assert_eq!(csv(&[]), format!("{patient}\n{management}"));
}

#[test]
fn an_unknown_table_is_wrong_usage_and_the_known_ones_are_named() {
    let (exit, out, err) = portcullis(&["matrix", NOAH, "--table", "Managment"]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    assert_eq!(err, "the policy has no table `Managment`; its tables are `Patient related`, `Management`\n");
    let (exit, _, err) = portcullis(&["matrix", "policies/orthanc.yaml", "--table", "Studies"]);
    assert_eq!(exit, Exit::Usage);
    assert_eq!(err, "the policy has no table `Studies`; its only table has no name\n");
}

/// A table of names that mean something to CSV, to Markdown and to HTML.
fn nasty() -> Vec<Matrix> {
    let row = |name: &str, fields: [&str; 2]| (name.to_owned(), fields.map(str::to_owned).to_vec());
    vec![Matrix {
        title: Some("A & B".to_owned()),
        resources: vec!["Users, Roles".to_owned(), "<script>|".to_owned()],
        rows: vec![row("Say \"hi\"", ["CR", ""]), row("ä", ["", "check-in Requires approval"])],
    }]
}

#[test]
fn csv_quotes_what_would_read_as_something_else() {
    let expected = "permission,\"Users, Roles\",<script>|\n\"Say \"\"hi\"\"\",CR,\nä,,check-in Requires approval\n";
    assert_eq!(csv::tables(&nasty()), expected);
}

#[test]
fn columns_are_aligned_and_bars_do_not_end_a_cell() {
    let expected = "\
## A & B

| permission | Users, Roles | <script>\\|                 |
| ---------- | ------------ | -------------------------- |
| Say \"hi\"   | CR           |                            |
| ä          |              | check-in Requires approval |
";
    assert_eq!(text::aligned(&nasty()), expected);
}

#[test]
fn the_list_shows_under_each_permission_what_it_gives() {
    let (_, out, _) = portcullis(&["matrix", NOAH, "--format", "text", "--table", "Management"]);
    assert!(
        out.starts_with(
            "Management\n\nNon-connected\n  App Connection                    CRU Requires approval\nNone\n"
        ),
        "{out}"
    );
    assert!(out.contains("\nSign Legal Agreements\n  nothing here\n"), "{out}");
}

#[test]
fn the_page_escapes_every_name_and_loads_nothing() {
    let version = PolicyVersion { name: "x<y".into(), hash: "0123".into() };
    let page = html::page(&version, &nasty());
    assert!(page.contains("<title>x&lt;y: permissions</title>"), "{page}");
    assert!(page.contains("<caption>A &amp; B</caption>"), "{page}");
    assert!(page.contains("<th scope=\"col\">&lt;script&gt;|</th>"), "{page}");
    assert!(page.contains("<th scope=\"row\">Say &quot;hi&quot;</th><td>CR</td><td></td>"), "{page}");
    for loading in ["<script", "src=", "href=", "url(", "@import", "http"] {
        assert!(!page.contains(loading), "{loading}\n{page}");
    }
    assert!(page.contains("position: sticky") && page.contains("@media print"), "{page}");
}
