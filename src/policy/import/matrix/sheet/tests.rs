//! Tests of `sheet`: CSV files of various programs.

use super::*;
use crate::document::Sources;

fn read(text: &str) -> Vec<Vec<String>> {
    let mut findings = Findings::default();
    let sheet = Sheet::read(0, text, &mut findings).unwrap_or_else(|| panic!("{findings:?}"));
    sheet.lines.into_iter().map(|line| line.into_iter().map(|field| field.text).collect()).collect()
}

#[test]
fn every_spelling_of_a_table_is_the_same_table() {
    for text in [
        "p,A,B\nx,R,\ny,,\"C,R\"\n",
        "p;A;B\r\nx;R;\r\ny;;C,R\r\n",
        "p\tA\tB\nx\tR\t\ny\t\tC,R",
        "sep=;\r\np;A;B\nx;R;\n;;\n\ny;;C,R\n",
        "p|A|B\nx|R|\ny||\" C,R \"",
        "p,\" A\",B\r\n\"x\",R,\r\n\"y\",,\"C,R\"\r\n",
    ] {
        assert_eq!(read(text), [vec!["p", "A", "B"], vec!["x", "R", ""], vec!["y", "", "C,R"]], "{text}");
    }
    assert_eq!(read("p,\"A\nB \"\"C\"\"\"\nx,R"), [["p", "A B \"C\""], ["x", "R"]]);
}

#[test]
fn every_field_knows_its_line_and_column() {
    let mut sources = Sources::default();
    let file = sources.add("t.csv", "\u{feff}é;\"A\n2\";B\r\n\r\nx;;\"R\"\r\n");
    let text = &sources.source(file).unwrap().text;
    let sheet = Sheet::read(file, text, &mut Findings::default()).unwrap();
    let places: Vec<String> =
        sheet.lines.iter().flatten().map(|field| sources.locate(field.span).unwrap().to_string()).collect();
    assert_eq!(places, ["t.csv:1:1", "t.csv:1:3", "t.csv:2:4", "t.csv:4:1", "t.csv:4:3", "t.csv:4:4"]);
}

#[test]
fn what_is_no_sheet_is_refused() {
    for (text, why) in [
        ("", "the table is empty"),
        (",,,\n,,\n", "the table is empty"),
        ("a,b\nc,\"d\ne,f\n", "this quote is not closed"),
        (&*",".repeat(MAX_FIELDS + 1), "too many cells"),
    ] {
        let mut findings = Findings::default();
        assert!(Sheet::read(0, text, &mut findings).is_none());
        assert!(findings.sorted()[0].message.contains(why), "{findings:?}");
    }
}
