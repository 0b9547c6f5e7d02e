//! Tests of whole tables: from a vendor's export to the parts of a policy.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::document::Severity;
use crate::policy::{self, source::PolicySource};
use crate::property::{CASES, hold};

const PATIENT: &str = include_str!("../../../../tests/data/noah-patient.csv");
const MANAGEMENT: &str = include_str!("../../../../tests/data/noah-management.csv");
const NOAH: &str = include_str!("../../../../policies/noah-es.yaml");

fn import_all(files: &[(&str, &str)], tables: &[&str]) -> ImportResult {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add(*name, text);
    }
    import(&sources, &MatrixOptions { name: None, tables: tables.iter().map(|name| (*name).to_owned()).collect() })
}

fn import_one(text: &str) -> ImportResult {
    import_all(&[("t.csv", text)], &[])
}

/// Parses a policy's text as a part.
fn written(text: &str) -> PolicySource {
    let mut sources = Sources::default();
    sources.add("it.yaml", &format!("version: 1\n{}", text.replace("\nversion: 1\n", "\n")));
    let mut findings = Findings::default();
    let source = policy::load::parse(&sources, &mut findings);
    assert!(!findings.has_errors(), "{findings:?}\n{text}");
    source
}

/// The text of an import without the comments above it.
fn body(imported: &ImportResult) -> String {
    let text = imported.policy.clone().unwrap_or_else(|| panic!("{:?}", imported.findings));
    written(&text);
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn errors(imported: &ImportResult) -> Vec<String> {
    let errors = imported.findings.sorted().into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.message.clone()).collect()
}

type Rows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn rows(source: &PolicySource) -> Rows {
    let row = |row: &policy::source::RowSource| {
        let cells = row.cells.iter().map(|(resource, operations)| {
            (resource.text.to_string(), operations.iter().map(|(operation, _)| operation.to_string()).collect())
        });
        (row.name.text.to_string(), cells.collect())
    };
    source.rows.iter().map(row).collect()
}

fn columns(source: &PolicySource) -> Vec<(Option<String>, Vec<String>)> {
    let table = |table: &policy::source::TableSource| {
        let names = table.resources.iter().map(|name| name.text.to_string()).collect();
        (table.title.as_ref().map(|title| title.text.to_string()), names)
    };
    source.tables.iter().map(table).collect()
}

#[test]
fn the_tables_of_noah_become_the_columns_and_rows_of_its_policy() {
    let files = [("noah-patient.csv", PATIENT), ("noah-management.csv", MANAGEMENT)];
    let imported = import_all(&files, &["Patient related", "Management"]);
    let (found, expected) = (written(imported.policy.as_ref().unwrap()), written(NOAH));
    assert_eq!(columns(&found), columns(&expected));
    assert_eq!(rows(&found), rows(&expected));
    assert_eq!(
        imported.understood,
        [
            "`noah-patient.csv`, columns separated by commas: 16 permissions × 11 resources, 25 filled cells",
            "`noah-management.csv`, columns separated by commas: 18 permissions × 20 resources, 36 filled cells",
        ]
    );
    let policy = imported.policy.unwrap();
    assert!(policy.contains("CRU   # requires approval"), "{policy}");
    assert!(policy.contains("#       - create App Connection\n#       - update App Connection\n"), "{policy}");
}

#[test]
fn a_table_is_the_same_from_every_program() {
    let expected = "resources:\n  - A\n  - B, with a comma";
    let spelt = [
        "permission,A,\"B, with a comma\"\r\nX,C/R,\r\nW,,read\r\n",
        "\u{feff};A;B, with a comma\r\nX;C R;-\r\nW;;R\r\n",
        "Rights table\n\npermission\tA\tB, with a comma\t\nX\tcr\t\t\nW\t\tR\t\n\t\t\t\n",
        "sep=,\n\"permission\",\"A\",\"B,\nwith a\ncomma\"\n\"X\",\"CR\",\"\"\n\"W\",\"\",\" R \"\n",
    ];
    for text in spelt {
        let imported = import_one(text);
        let body = body(&imported);
        assert!(errors(&imported).is_empty(), "{:?}", imported.findings);
        assert!(body.replace('"', "").starts_with(expected), "{body}");
        assert_eq!(
            rows(&written(imported.policy.as_ref().unwrap())),
            rows(&written(
                &format!("{expected}\npermissions:\n  X: {{ A: CR }}\n  W: {{ \"B, with a comma\": R }}\n")
                    .replace("- B, with a comma", "- \"B, with a comma\"")
            ))
        );
    }
}

#[test]
fn what_is_not_understood_gives_nothing_and_is_found_at_its_place() {
    let text = "permission,A,B,,A\nX,CRUX,R,,\nW,x,R (own),R,\nX,D,,,\n,R,,,\nZ,,,,R,R\n";
    let imported = import_one(text);
    assert_eq!(body(&imported), "resources:\n  - A\n  - B\n\npermissions:\n  X:\n    B: R\n  W: {}\n  Z: {}");
    let mut sources = Sources::default();
    sources.add("t.csv", text);
    let found: Vec<String> = imported
        .findings
        .sorted()
        .into_iter()
        .map(|finding| format!("{} {}", sources.locate(finding.span.unwrap()).unwrap(), finding.message))
        .collect();
    assert_eq!(
        found,
        [
            "t.csv:1:17 a column `A` exists already: left out",
            "t.csv:2:3 `CRUX` is not understood: left out",
            "t.csv:3:3 `x` does not name the operations that it grants: left out",
            "t.csv:3:5 `R (own)` is not understood: left out",
            "t.csv:3:13 `R` is in a column without a resource: left out",
            "t.csv:4:1 a row `X` exists in this table already: left out",
            "t.csv:5:2 this row has no name: left out",
            "t.csv:6:6 `R` is in a column without a resource: left out",
            "t.csv:6:8 `R` is in a column without a resource: left out",
        ]
    );
}

#[test]
fn a_line_for_each_role_and_permission_becomes_roles() {
    let imported = import_one("role,permission\nNurse,Read\nNurse,Write\nDoctor,Read\nDoctor,Read\n");
    assert_eq!(
        body(&imported),
        "permissions:\n  Read: {}\n  Write: {}\n\nroles:\n  Nurse:\n    permissions:\n      - Read\n      - Write\n  \
         Doctor:\n    permissions:\n      - Read"
    );
    assert_eq!(imported.understood, ["`t.csv`, columns separated by commas: 2 roles × 2 permissions, 3 assignments"]);
}

#[test]
fn a_role_is_included_only_where_it_holds_exactly_what_is_inherited() {
    let head = "role,permission,own_or_inherited\nLow,A,own\nLow,B,own\nHigh,C,own\nHigh,A,inherited:Low\n";
    let whole = body(&import_one(&format!("{head}High,B,inherited:Low\n")));
    assert!(whole.contains("  High:\n    includes:\n      - Low\n    permissions:\n      - C"), "{whole}");
    let part = import_one(head);
    let text = body(&part);
    assert!(text.contains("  High:\n    permissions:\n      - C\n      - A") && !text.contains("includes"), "{text}");
    assert!(part.findings.sorted()[0].message.contains("written row by row"), "{:?}", part.findings);
    let circle = "role,permission,source\nX,A,inherited:Y\nY,A,inherited:X\n";
    assert_eq!(body(&import_one(circle)).matches("includes").count(), 1);
}

#[test]
fn roles_are_held_against_the_rows_of_the_tables_beside_them() {
    let table = ("table.csv", "permission,A\nRead notes,R\n");
    let imported = import_all(&[table, ("roles.csv", "role,permission\nNurse,Read notes\nNurse,Raed notes\n")], &[]);
    let finding = imported.findings.sorted()[0].clone();
    assert_eq!(finding.help.as_deref(), Some("did you mean `Read notes`?"), "{finding:?}");
    assert!(body(&imported).contains("  Read notes:\n    A: R\n  Raed notes: {}\n"));
}

#[test]
fn a_line_for_each_cell_joins_rows_and_names_apart_what_categories_call_alike() {
    let text = "category,flag,resource,ops,note\n\
        image,View,image+labels,R,only if\nfolder,View,folders,R,\nimage,Edit,image,U,\nimage,Edit,image,UD,\n";
    let imported = import_one(text);
    assert_eq!(
        body(&imported),
        "resources:\n  - image\n  - labels\n  - folders\n\npermissions:\n  Image View:\n    image:   R\n    labels:  R\n  \
         Folder View:\n    folders: R\n  Edit:\n    image:   UD"
    );
    assert_eq!(imported.findings.sorted()[0].message, "the column `note` is not read; it has 1 filled cell");
    let same = import_one("category,flag,resource,ops\na,View,x,R\nb,View,x,R\nc,A View,x,D\n");
    assert_eq!(errors(&same), ["another permission would also be named `A View`: left out"]);
}

#[test]
fn a_resource_called_role_makes_no_roles() {
    assert_eq!(
        body(&import_one("permission,Role\nX,R\nW,\n")),
        "resources:\n  - Role\n\npermissions:\n  X:\n    Role: R\n  W: {}"
    );
}

#[test]
fn several_tables_join_rows_of_one_name_and_keep_columns_apart() {
    let imported = import_all(&[("a/one.csv", "p,A\nX,R\n"), ("two.csv", "p,B,A\nx ,C,D\n")], &[]);
    assert_eq!(
        body(&imported),
        "resources:\n  one:\n    - A\n  two:\n    - B\n\npermissions:\n  X:\n    A: R\n    B: C"
    );
    assert_eq!(
        errors(&imported),
        ["a column `A` exists already: left out", "`D` is in a column without a resource: left out"]
    );
    let named = import_all(&[("one.csv", "p,A\nX,R\n")], &["One", "Two"]);
    assert_eq!(errors(&named), ["2 names for 1 table with columns"]);
}

#[test]
fn what_is_no_table_is_said_to_be_none() {
    for (text, why) in [
        ("", "the table is empty"),
        ("just\nlines\n", "no line of this table has two columns"),
        ("method,path\nGET,/a\n", "this table lists requests, not permissions"),
        ("a,\"b\nc,d\n", "this quote is not closed"),
    ] {
        let imported = import_one(text);
        assert!(imported.policy.is_none(), "{text}");
        assert!(errors(&imported)[0].contains(why), "{:?}", imported.findings);
    }
}

#[test]
fn whatever_a_table_holds_is_written_as_parts_that_read() {
    hold(
        CASES,
        (
            prop::collection::vec(prop::collection::vec("[CRUDM]{0,3}|\\PC{0,5}|[a-z #:,{}\n\"-]{0,6}", 3), 2..6),
            any::<bool>(),
        ),
        |(cells, long)| {
            let quoted = |line: &Vec<String>| {
                line.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",")
            };
            let head = if long { "role,permission,x\n" } else { "" };
            let text = head.to_owned() + &cells.iter().map(quoted).collect::<Vec<_>>().join("\n");
            if let Some(policy) = &import_one(&text).policy {
                let source = written(policy);
                prop_assert!(source.everyone.is_empty() && source.users.is_empty(), "{}", policy);
            }
            Ok(())
        },
    );
}
