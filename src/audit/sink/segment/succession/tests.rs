//! Tests of files that are handed over, taken back, ended and cut off.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::tests::{open, write_records};
use super::*;
use crate::audit::sink::tests::verify;
use crate::audit::verify::{FaultKind, VerificationReport};

fn paths(folder: &Path) -> [PathBuf; 3] {
    ["audit-000001.jsonl", "audit-000002.jsonl", "audit.jsonl"].map(|name| folder.join(name))
}

fn check(paths: &[PathBuf]) -> VerificationReport {
    verify(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>())
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

#[test]
fn two_processes_write_on_while_the_third_has_the_live_file() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let mut first = open(&paths[2]);
    write_records(&mut first, 0, 3);
    first.hand_over().unwrap();
    write_records(&mut first, 3, 3);
    let mut second = open(&paths[2]);
    write_records(&mut second, 100, 3);
    write_records(&mut first, 6, 3);
    second.hand_over().unwrap();
    let mut third = open(&paths[2]);
    for (segment, from) in [(&mut third, 200), (&mut first, 9), (&mut second, 103)] {
        // Neither a rotation nor SIGHUP gives the live file back to a process that has handed it over.
        segment.reopen().unwrap();
        write_records(segment, from, 3);
    }
    let report = check(&paths);
    assert_eq!((report.faults, report.exchanges, report.segments), (vec![], 21, Some((1, 3))));
    let not_ended: Vec<u64> = report.not_ended.iter().map(|(segment, _)| *segment).collect();
    assert_eq!((not_ended, report.ended), (vec![1, 2], false));
    for segment in [&mut first, &mut second, &mut third] {
        segment.write_end().unwrap();
    }
    let report = check(&paths);
    assert_eq!((report.faults, report.not_ended, report.ended), (vec![], vec![], true));
}

#[test]
fn what_is_done_to_a_file_that_was_handed_over_shows() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let files = [paths[0].clone(), paths[2].clone()];
    let mut first = open(&paths[2]);
    write_records(&mut first, 0, 3);
    first.hand_over().unwrap();
    let mut second = open(&paths[2]);
    write_records(&mut first, 3, 3);
    first.write_end().unwrap();
    write_records(&mut second, 100, 3);
    let whole = lines(&files[0]);
    assert_eq!(whole.len(), 9);
    let rewrite = |lines: &[String]| fs::write(&files[0], lines.concat()).unwrap();
    for end in 1..9 {
        rewrite(&whole[..end]);
        let report = check(&files);
        let reported =
            (report.faults.first().map(|fault| fault.kind), report.not_ended.first().map(|(segment, _)| *segment));
        // A file that was cut off after its hand-over line looks like that of a killed process.
        assert_eq!(reported, if end < 5 { (Some(FaultKind::Truncated), None) } else { (None, Some(1)) }, "{end}");
        let mut removed = whole.clone();
        removed.remove(end);
        rewrite(&removed);
        let report = check(&files);
        let last = end == 8;
        assert_eq!(report.faults.is_empty(), last, "{end}");
        assert_eq!(report.not_ended.is_empty(), !last, "{end}");
    }
    // Half a line, which the next segment cannot report.
    fs::write(&files[0], &whole.concat()[..whole.concat().len() - 9]).unwrap();
    let report = check(&files);
    assert_eq!((report.faults, report.not_ended.len()), (vec![], 1));
    assert!(report.unfinished > 0);
}

#[test]
fn a_file_is_taken_back_once_the_other_process_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    for successor in [true, false] {
        paths.iter().for_each(|path| drop(fs::remove_file(path)));
        let mut first = open(&paths[2]);
        write_records(&mut first, 0, 3);
        first.hand_over().unwrap();
        if successor {
            let second = open(&paths[2]);
            first.request_take_back();
            first.try_take_back();
            assert!(first.is_taking_back(), "the other one has the file");
            write_records(&mut first, 3, 1);
            drop(second);
        } else {
            write_records(&mut first, 3, 1);
            first.request_take_back();
        }
        first.try_take_back();
        assert!(!first.is_taking_back());
        write_records(&mut first, 4, 1);
        let report = check(&[paths[0].clone(), paths[2].clone()]);
        let last = if successor { 3 } else { 2 };
        assert_eq!((report.faults, report.exchanges, report.segments), (vec![], 5, Some((1, last))), "{successor}");
        assert_eq!(report.not_ended, []);
    }
}

#[test]
fn a_failure_after_the_hand_over_keeps_the_segments_number() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    let mut first = open(&paths[2]);
    write_records(&mut first, 0, 3);
    first.hand_over().unwrap();
    write_records(&mut first, 3, 3);
    first.state = SegmentState::Broken;
    first.add_lost(2);
    first.repair().unwrap();
    write_records(&mut first, 6, 1);
    let mut second = open(&paths[2]);
    write_records(&mut second, 100, 1);
    first.write_end().unwrap();
    let report = check(&[paths[0].clone(), paths[2].clone()]);
    assert_eq!((report.faults, report.lost, report.segments, report.not_ended), (vec![], 2, Some((1, 2)), vec![]));
}

#[test]
fn a_process_that_was_killed_shows_at_the_next_start_and_one_that_ended_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    write_records(&mut open(&path), 0, 3);
    write_records(&mut open(&path), 3, 3);
    let report = check(std::slice::from_ref(&path));
    assert_eq!((report.faults, report.not_ended.len(), report.ended), (vec![], 1, false));
    open(&path).write_end().unwrap();
    open(&path).write_end().unwrap();
    let report = check(&[path]);
    assert_eq!((report.not_ended.len(), report.ended), (2, true), "those before, and no other");
}

#[test]
fn torn_bytes_at_the_end_of_a_finished_file_are_told_in_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths(folder.path());
    write_records(&mut open(&paths[2]), 0, 3);
    let whole = fs::read(&paths[2]).unwrap();
    fs::write(&paths[0], &whole[..whole.len() - 9]).unwrap();
    fs::remove_file(&paths[2]).unwrap();
    write_records(&mut open(&paths[2]), 3, 3);
    let files = [paths[0].clone(), paths[2].clone()];
    let report = check(&files);
    assert_eq!((report.faults, report.exchanges), (vec![], 5));
    assert!(report.torn > 0);
    fs::write(&paths[0], &whole[..whole.len() - 12]).unwrap();
    let report = check(&files);
    assert_eq!(report.faults.first().map(|fault| fault.kind), Some(FaultKind::Truncated));
}
