//! Tests of files that are deleted, renamed or truncated while a process writes them.

use std::fs;

use super::super::tests::{open, write_records};
use crate::audit::sink::tests::verify;
use crate::audit::verify::FaultKind;

#[test]
fn a_file_that_is_deleted_renamed_or_cut_goes_on_in_a_new_segment_and_what_is_gone_is_found() {
    for why in ["deleted", "renamed", "truncated", "cut"] {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
        let mut segment = open(&path);
        write_records(&mut segment, 0, 4);
        segment.check_file(true).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        match why {
            "deleted" => fs::remove_file(&path).unwrap(),
            "renamed" => fs::rename(&path, &other).unwrap(),
            "truncated" => fs::write(&path, "").unwrap(),
            _ => fs::write(&path, text.split_inclusive('\n').take(3).collect::<String>()).unwrap(),
        }
        segment.check_file(true).unwrap();
        write_records(&mut segment, 4, 1);
        let text = fs::read_to_string(&path).unwrap();
        let reported = if why == "cut" { "truncated" } else { why };
        assert!(text.contains(&format!("\"why\":\"{reported}\"")), "{text}");
        assert!(text.contains("\"number\":2,"), "{text}");
        if why == "renamed" {
            assert_eq!(verify(&[&other, &path]).faults, []);
        } else if why == "cut" {
            assert_eq!(verify(&[&path]).faults[0].kind, FaultKind::Truncated);
        }
    }
}

#[test]
fn a_file_that_is_gone_with_its_folder_is_broken_until_the_folder_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("audit.jsonl");
    let mut segment = open(&path);
    write_records(&mut segment, 0, 1);
    fs::remove_dir_all(&inner).unwrap();
    segment.check_file(true).unwrap_err();
    assert!(!segment.is_writable());
    segment.repair().unwrap_err();
    fs::create_dir(&inner).unwrap();
    segment.repair().unwrap();
    write_records(&mut segment, 1, 1);
    assert!(fs::read_to_string(&path).unwrap().contains("\"why\":\"failure\""));
}
