//! Tests of the tables in every format.

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

/// A table with names that contain special characters of CSV, Markdown and HTML.
fn special_characters() -> Vec<Matrix> {
    let row = |name: &str, fields: [&str; 2]| (name.to_owned(), fields.map(str::to_owned).to_vec());
    vec![Matrix {
        title: Some("A & B".to_owned()),
        heading: "permission",
        resources: vec!["Users, Roles".to_owned(), "<script>|".to_owned()],
        rows: vec![row("Say \"hi\"", ["CR", ""]), row("ä", ["", "check-in Requires approval"])],
    }]
}

#[test]
fn csv_quotes_special_characters() {
    let expected = "permission,\"Users, Roles\",<script>|\n\"Say \"\"hi\"\"\",CR,\nä,,check-in Requires approval\n";
    assert_eq!(csv::print_tables(&special_characters()), expected);
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
    assert_eq!(text::print_aligned(&special_characters()), expected);
}

#[test]
fn the_list_shows_the_cells_of_each_permission() {
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
    let page = html::print_page(&version, &special_characters(), &["1 < 2".to_owned()]);
    assert!(page.contains("<title>x&lt;y: permissions</title>"), "{page}");
    assert!(page.contains("<caption>A &amp; B</caption>"), "{page}");
    assert!(page.contains("<th scope=\"col\">&lt;script&gt;|</th>"), "{page}");
    assert!(page.contains("<th scope=\"row\">Say &quot;hi&quot;</th><td>CR</td><td></td>"), "{page}");
    for loading in ["<script", "src=", "href=", "url(", "@import", "http"] {
        assert!(!page.contains(loading), "{loading}\n{page}");
    }
    assert!(page.contains("position: sticky") && page.contains("@media print"), "{page}");
}

fn view(args: &[&str]) -> String {
    let (exit, out, err) = portcullis(&[&["matrix"], args].concat());
    assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{args:?}");
    out
}

fn usage(args: &[&str]) -> String {
    let (exit, out, err) = portcullis(&[&["matrix"], args].concat());
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""), "{args:?}");
    err
}

#[test]
fn a_role_has_its_cells_with_the_rows_that_open_them() {
    let out = view(&[NOAH, "--role", "Level 2", "--table", "Patient related"]);
    assert!(out.starts_with("with the approvals `app-connection`\n\n## Patient related\n\n| resource"), "{out}");
    assert!(out.contains("| Use Patient and Session Features"), "{out}");
    let (_, out, err) = portcullis(&["matrix", NOAH, "--role", "Level 2", "--format", "csv"]);
    assert!(out.contains("\nPatients,CRU,Use Patient and Session Features\n"), "{out}");
    assert_eq!(err, "with the approvals `app-connection`\n\n");
}

#[test]
fn a_bound_role_shows_what_it_may_in_the_stated_scope() {
    let proknow = "policies/proknow.yaml";
    let seen = |scope: &str| {
        let out = view(&[proknow, "--role", "Physicist", "--scope", scope, "--table", "Field sets"]);
        let row = out.lines().find(|line| line.starts_with("| PHI")).unwrap().to_owned();
        row.contains("| seen")
    };
    assert!(seen("workspace=w1") && !seen("workspace=w2"));
    let hid = "policies/hid-integration-service.yaml";
    let err = usage(&[hid, "--role", "PacsAdministrator", "--scope", "tenant=t1"]);
    assert_eq!(err, "the role `PacsAdministrator` is assigned within a pacs: add `--scope pacs=…`\n");
    assert!(
        view(&[hid, "--role", "PacsAdministrator", "--scope", "tenant=t1", "--scope", "pacs=p7"]).contains("Visit")
    );
}

#[test]
fn groups_users_and_permissions_are_views_too() {
    let carestream = "policies/carestream.yaml";
    assert!(view(&[carestream, "--group", "Technologists"]).contains("| Images"));
    let smith = view(&[carestream, "--user", "smith", "--format", "text", "--table", "Archive"]);
    assert!(smith.contains("Images\n  may      CR print\n"), "{smith}");
    let err = usage(&[carestream, "--permission", "MPR"]);
    assert!(
        err.starts_with("every caller is in one of the policy's groups: add `--group`, one of `Radiologists`"),
        "{err}"
    );
    let mpr = view(&[carestream, "--permission", "MPR", "--group", "Referring Physicians"]);
    assert!(mpr.starts_with("1 cell is hidden: the profile lacks the feature `mpr`\n"), "{mpr}");
    assert!(!mpr.contains("| MPR"), "{mpr}");
    let err = usage(&["policies/proknow.yaml", "--permission", "Raed"]);
    assert_eq!(err, "the policy has no permission `Raed`; did you mean `Read`?\n");
    assert_eq!(usage(&[carestream, "--user", "nobody"]), "`users:` of the policy does not list `nobody`\n");
    assert!(usage(&[NOAH, "--scope", "tenant"]).contains("write `--scope tenant=t1`"));
}

#[test]
fn a_stated_caller_is_judged_as_stated() {
    let caller = r#"{"client":"app-9","tenant":"t1","roles":["Level 2"]}"#;
    let out = view(&[NOAH, "--as", caller]);
    assert!(
        out.contains("cells are closed by the gate `app-connection`\n") && out.contains("| App Connection"),
        "{out}"
    );
    assert!(!out.contains("| Patients "), "{out}");
    let other = view(&[NOAH, "--as", caller, "--scope", "tenant=t2"]);
    assert!(other.starts_with("nothing is open: not-a-member, "), "{other}");
    let anonymous = view(&[NOAH, "--as", r#"{"kind":"anonymous"}"#]);
    assert!(anonymous.starts_with("nothing is open: unauthenticated, "), "{anonymous}");
}

#[test]
fn json_has_every_table_and_every_note() {
    let found: serde_json::Value =
        serde_json::from_str(&view(&[NOAH, "--role", "Level 2", "--format", "json"])).unwrap();
    assert_eq!(found["notes"][0], "with the approvals `app-connection`");
    let patients = found["tables"][0]["rows"].as_array().unwrap().iter().find(|row| row["resource"] == "Patients");
    assert_eq!(patients.unwrap()["fields"]["may"], "CRU");
    let vendor: serde_json::Value = serde_json::from_str(&view(&[NOAH, "--format", "json"])).unwrap();
    assert_eq!(vendor["tables"][1]["title"], "Management");
}

#[test]
fn field_sets_are_a_table_of_their_own() {
    let out = view(&["policies/proknow.yaml", "--table", "Field sets"]);
    assert!(out.contains("| permission | PHI |\n"), "{out}");
    assert!(out.contains("| View PHI   | R   |\n"), "{out}");
}

#[test]
fn every_element_of_the_page_is_closed_where_it_was_opened() {
    let page = view(&["policies/proknow.yaml", "--role", "Physicist", "--format", "html"]);
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1).filter_map(|part| part.split_once('>').map(|(tag, _)| tag)) {
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if name.starts_with('!') || name == "meta" => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}
