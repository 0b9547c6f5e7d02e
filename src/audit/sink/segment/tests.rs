//! Tests of segments that are torn, finished, moved away and repaired.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::audit::chain::MAX_NUMBER;
use crate::audit::sink::tests::verify;

pub(super) fn open(path: &Path) -> Segment {
    let target = SinkTarget::File(path.into());
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match Segment::open(&target, Rotation::default()) {
            // A program that another test starts inherits a closed file's lock until it runs.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < end => {
                std::thread::yield_now();
            }
            opened => return opened.unwrap().unwrap(),
        }
    }
}

pub(super) fn write_records(segment: &mut Segment, from: u128, count: u128) {
    let records: String = (from..from + count)
        .map(|id| format!("{{\"record\":\"exchange\",\"time\":\"…\",\"id\":\"{id:032x}\",\"path\":\"/é\"}}\n"))
        .collect();
    segment.write_records(records.as_bytes(), 0).unwrap();
}

#[test]
fn a_file_that_a_crash_has_cut_at_any_byte_goes_on_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut segment = open(&path);
    write_records(&mut segment, 0, 3);
    drop(segment);
    let whole = fs::read(&path).unwrap();
    for end in 0..=whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let before = whole[..end].iter().filter(|&&byte| byte == b'\n').count();
        let mut segment = open(&path);
        write_records(&mut segment, 3, 1);
        drop(segment);
        let report = verify(&[&path]);
        assert_eq!(report.faults, [], "{end}: {}", fs::read_to_string(&path).unwrap());
        // A line without its line feed is whole.
        let whole_but_for_its_end = usize::from(whole.get(end) == Some(&b'\n'));
        assert_eq!(report.lines, (before + whole_but_for_its_end + 2) as u64, "{end}");
        assert_eq!(fs::read(&path).unwrap()[..end], whole[..end], "{end}: nothing that was there is touched");
        // Cut again, in the bytes that the second process has written.
        let twice = fs::read(&path).unwrap();
        fs::write(&path, &twice[..twice.len() - 7]).unwrap();
        drop(open(&path));
        assert_eq!(verify(&[&path]).faults, [], "{end}, twice");
    }
}

#[test]
fn blocks_of_zeros_behind_a_loss_of_power_are_torn_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut segment = open(&path);
    write_records(&mut segment, 0, 3);
    drop(segment);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(vec![0; 3 << 20]);
    fs::write(&path, &bytes).unwrap();
    let mut segment = open(&path);
    write_records(&mut segment, 3, 1);
    let report = verify(&[&path]);
    assert_eq!((report.faults, report.torn, report.lines), (vec![], 3 << 20, 6));
}

#[test]
fn lines_from_before_there_was_a_chain_are_told_of_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let old = "{\"time\":\"…\",\"id\":\"1\"}\n".repeat(5000);
    fs::write(&path, &old).unwrap();
    let mut segment = open(&path);
    write_records(&mut segment, 3, 1);
    let report = verify(&[&path]);
    assert_eq!((report.faults, report.torn, report.segments), (vec![], old.len() as u64, Some((1, 1))));
}

#[test]
fn finished_files_keep_their_chain_and_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    fs::write(folder.path().join("audit-000002.jsonl"), "mine").unwrap();
    let rotation = Rotation { size: Some(1000), age: None, keep: None };
    let mut segment = Segment::open(&SinkTarget::File(path.clone()), rotation).unwrap().unwrap();
    for at in 0..20 {
        segment.rotate_if_due().unwrap();
        write_records(&mut segment, at * 8, 8);
    }
    drop(segment);
    assert_eq!(fs::read_to_string(folder.path().join("audit-000002.jsonl")).unwrap(), "mine");
    let name = |number: u32| match number {
        2 => folder.path().join("audit-000002-1.jsonl"),
        20 => path.clone(),
        _ => folder.path().join(format!("audit-{number:06}.jsonl")),
    };
    let files: Vec<PathBuf> = (1..=20).map(name).collect();
    let report = verify(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    assert_eq!((report.faults, report.exchanges, report.segments), (vec![], 160, Some((1, 20))));
    for file in &files {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    // A new process without a live file continues after the newest finished file.
    fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
    drop(open(&path));
    let renamed = folder.path().join("audit.jsonl.1");
    let all: Vec<&Path> = files.iter().take(19).chain([&renamed, &path]).map(PathBuf::as_path).collect();
    assert_eq!(verify(&all).faults, []);
}

#[test]
fn only_a_number_under_keep_deletes_and_only_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for other in ["audit-x.jsonl", "audit-7.log", "other-000001.jsonl", "audit-000001-1.jsonl"] {
        fs::write(folder.path().join(other), "mine").unwrap();
    }
    let rotation = Rotation { size: Some(1000), age: None, keep: Some(3) };
    let mut segment = Segment::open(&SinkTarget::File(path), rotation).unwrap().unwrap();
    for at in 0..10 {
        segment.rotate_if_due().unwrap();
        write_records(&mut segment, at * 8, 8);
    }
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = [
        "audit-000001-1.jsonl",
        "audit-000007.jsonl",
        "audit-000008.jsonl",
        "audit-000009.jsonl",
        "audit-7.log",
        "audit-x.jsonl",
        "audit.jsonl",
        "other-000001.jsonl",
    ];
    assert_eq!(names, expected);
}

#[test]
fn an_old_file_is_finished_and_one_without_records_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let rotation = Rotation { size: None, age: Some(Duration::ZERO), keep: None };
    let mut segment = Segment::open(&SinkTarget::File(path), rotation).unwrap().unwrap();
    segment.rotate_if_due().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    write_records(&mut segment, 0, 1);
    segment.rotate_if_due().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_file_counts_the_age_that_it_had_when_it_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation { size: None, age: Some(Duration::from_secs(3600)), keep: None };
    let target = SinkTarget::File(folder.path().join("audit.jsonl"));
    let mut segment = Segment::open(&target, rotation).unwrap().unwrap();
    write_records(&mut segment, 0, 1);
    assert!(!segment.is_rotation_due());
    segment.opened.1 = Duration::from_secs(3600);
    assert!(segment.is_rotation_due());
}

#[test]
fn what_a_disk_did_not_confirm_stays_in_a_file_of_its_own_and_the_next_one_says_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut segment = open(&path);
    write_records(&mut segment, 0, 5);
    segment.sync().unwrap();
    write_records(&mut segment, 5, 3);
    // The state after a failed fdatasync.
    segment.state = SegmentState::Unconfirmed;
    segment.add_lost(3);
    segment.repair().unwrap();
    write_records(&mut segment, 8, 1);
    let finished = folder.path().join("audit-000001.jsonl");
    let report = verify(&[&finished, &path]);
    assert_eq!((report.faults, report.lost, report.exchanges), (vec![], 3, 9));
    // The disk has lost the records that it did not confirm.
    let text = fs::read_to_string(&finished).unwrap();
    let kept: String = text.split_inclusive('\n').take(6).collect();
    fs::write(&finished, kept).unwrap();
    let report = verify(&[&finished, &path]);
    assert_eq!(report.faults.len(), 1);
    assert!(
        report.faults[0].message.contains("3 lines are missing, and this segment reports that the disk had failed")
    );
}

#[test]
fn torn_bytes_of_a_file_that_was_renamed_are_told_in_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, renamed) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
    let mut segment = open(&path);
    write_records(&mut segment, 0, 3);
    // The state after a write that failed half-way.
    segment.file.write_all(b"{\"record\":\"exch").unwrap();
    segment.state = SegmentState::Broken;
    fs::rename(&path, &renamed).unwrap();
    segment.repair().unwrap();
    write_records(&mut segment, 3, 1);
    let report = verify(&[&renamed, &path]);
    assert_eq!((report.faults, report.torn, report.exchanges), (vec![], 15, 4));
}

#[test]
fn keep_deletes_only_finished_files_of_its_own_name_whatever_else_is_called_alike() {
    for live in ["audit.jsonl", "gw.audit.jsonl"] {
        let folder = tempfile::tempdir().unwrap();
        let stem = live.strip_suffix(".jsonl").unwrap();
        let at = |name: &str| folder.path().join(name.replace("audit", stem));
        let mut others: Vec<(PathBuf, Segment)> = Vec::new();
        for name in ["audit-2.jsonl", "audit-000002.jsonl", "audit-x-000001.jsonl"] {
            others.push((at(name), open(&at(name))));
        }
        let path = folder.path().join(live);
        let rotation = Rotation { size: Some(1000), age: None, keep: Some(1) };
        let mut segment = Segment::open(&SinkTarget::File(path.clone()), rotation).unwrap().unwrap();
        assert_eq!(segment.number, 1, "the chain of another process is not taken over");
        for at in 0..4 {
            write_records(&mut segment, at * 8, 8);
            segment.rotate_if_due().unwrap();
        }
        for (path, mut other) in others {
            other.check_file(true).unwrap();
            assert_eq!(other.number, 1, "{} is still there", path.display());
        }
        // The second file's first name was taken.
        assert!(!at("audit-000002-1.jsonl").exists() && !at("audit-000001.jsonl").exists());
        assert!(at("audit-000004.jsonl").exists());
    }
}

#[test]
fn a_line_with_the_greatest_of_all_numbers_is_none_of_ours_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let zeros = Hash::ZERO;
    let number = u64::MAX;
    let segment = format!(
        "{{\"record\":\"segment\",\"number\":{number},\"previous\":\"{zeros}\",\"torn\":{number},\"torn_sha256\":null,\"lost\":{number}"
    );
    let text = format!("{segment},\"seq\":{number},\"chain\":\"{zeros}\"}}\n");
    fs::write(&path, &text).unwrap();
    let mut segment = open(&path);
    write_records(&mut segment, 0, 2);
    let report = verify(&[&path]);
    assert_eq!((report.faults, report.torn, report.lines), (vec![], text.len() as u64, 3));
    // The same numbers in lines with a valid chain.
    let mut lines = Vec::new();
    let mut position = ChainPosition::BEGIN;
    for number in [MAX_NUMBER, MAX_NUMBER + 1, u64::MAX] {
        let start = format!(
            "{{\"record\":\"segment\",\"number\":{number},\"previous\":\"{}\",\"torn\":{},\"torn_sha256\":null,\"lost\":{}}}",
            position.hash,
            u64::MAX,
            u64::MAX
        );
        position.append(start.as_bytes(), &mut lines);
        position.append(format!("{{\"record\":\"lost\",\"number\":{}}}", u64::MAX).as_bytes(), &mut lines);
    }
    fs::write(folder.path().join("other.jsonl"), &lines).unwrap();
    assert!(!verify(&[&folder.path().join("other.jsonl")]).faults.is_empty());
}
