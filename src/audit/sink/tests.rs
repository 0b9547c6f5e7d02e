//! Sinks on real files, pipes and a full device.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::audit::DecisionId;
use crate::audit::record::tests::refused;

fn plan(path: &Path) -> SinkPlan {
    SinkPlan::new(Target::File(path.into()))
}

fn record(sink: &Sink, id: u128) {
    sink.record(&Outcome { id: DecisionId(id), ..refused() });
}

fn ids(text: &str) -> Vec<u128> {
    let id = |line: &str| {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        u128::from_str_radix(read["id"].as_str().unwrap(), 16).unwrap()
    };
    text.lines().map(id).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A pipe with a name, and a reader that keeps it open without reading.
fn fifo(folder: &Path) -> (PathBuf, File) {
    let path = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reader = File::options().read(true).write(true).open(&path).unwrap();
    (path, reader)
}

/// Reads lines from a pipe, which never ends, until there are `count`.
fn read_lines(mut pipe: File, count: usize) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 65_536];
    while bytes.iter().filter(|&&byte| byte == b'\n').count() < count {
        let read = pipe.read(&mut chunk).unwrap();
        bytes.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn close_writes_all_that_was_queued_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let sink = Sink::open(plan(&path)).unwrap();
    (0..5000).for_each(|id| record(&sink, id));
    sink.close();
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), (0..5000).collect::<Vec<_>>());
    assert_eq!((sink.dropped(), sink.failed()), (0, 0));
    record(&sink, 1);
    assert_eq!(sink.dropped(), 1);
    sink.close();
}

#[test]
fn dropping_the_sink_writes_all_that_was_queued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let sink = Sink::open(plan(&path)).unwrap();
    (0..100).for_each(|id| record(&sink, id));
    drop(sink);
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()).len(), 100);
}

#[test]
fn records_of_many_threads_are_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let sink = Sink::open(plan(&path)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let sink = &sink;
            scope.spawn(move || (0..1000).for_each(|id| record(sink, thread * 1000 + id)));
        }
    });
    sink.close();
    let mut found = ids(&fs::read_to_string(&path).unwrap());
    found.sort_unstable();
    assert_eq!(found, (0..4000).collect::<Vec<_>>());
}

#[test]
fn the_file_is_its_owners_alone_and_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    drop(Sink::open(plan(&path)).unwrap());
    assert_eq!(mode(), 0o600);
    fs::write(&path, "before\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let sink = Sink::open(plan(&path)).unwrap();
    record(&sink, 1);
    sink.close();
    assert_eq!(mode(), 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("before\n{") && text.lines().count() == 2, "{text}");
}

#[test]
fn after_a_rename_reopen_makes_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
    let sink = Sink::open(plan(&path)).unwrap();
    record(&sink, 1);
    eventually("the first record is written", || fs::metadata(&path).is_ok_and(|file| file.len() > 0));
    fs::rename(&path, &old).unwrap();
    sink.reopen();
    record(&sink, 2);
    eventually("reopen acts without being closed", || fs::metadata(&path).is_ok_and(|file| file.len() > 0));
    sink.close();
    assert_eq!(ids(&fs::read_to_string(&old).unwrap()), [1]);
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), [2]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn when_reopen_fails_the_old_file_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, moved) = (folder.path().join("log"), folder.path().join("moved"));
    fs::create_dir(&inner).unwrap();
    let sink = Sink::open(plan(&inner.join("audit.jsonl"))).unwrap();
    fs::rename(&inner, &moved).unwrap();
    sink.reopen();
    record(&sink, 1);
    sink.close();
    assert_eq!(ids(&fs::read_to_string(moved.join("audit.jsonl")).unwrap()), [1]);
    assert_eq!(sink.failed(), 0);
}

#[test]
fn a_stuck_writer_drops_and_counts_and_loses_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let sink = Sink::open(SinkPlan { queue: 4, ..plan(&path) }).unwrap();
    let begin = Instant::now();
    (0..1000).for_each(|id| record(&sink, id));
    assert!(begin.elapsed() < Duration::from_secs(2), "a full queue must not hold its callers");
    let dropped = usize::try_from(sink.dropped()).unwrap();
    assert!(dropped > 500, "a pipe holds 64 KiB, which is less than 500 records: {dropped}");
    let reader = std::thread::spawn(move || read_lines(pipe, 1000 - dropped));
    sink.close();
    let found = ids(&reader.join().unwrap());
    assert_eq!(found.len() + dropped, 1000);
    assert!(found.is_sorted());
    assert_eq!(sink.dropped(), dropped as u64);
}

#[test]
fn waiting_for_room_loses_nothing_while_the_writer_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let when_full = WhenFull::Wait(Duration::from_secs(10));
    let sink = Sink::open(SinkPlan { queue: 1, when_full, ..plan(&path) }).unwrap();
    (0..500).for_each(|id| record(&sink, id));
    sink.close();
    assert_eq!(sink.dropped(), 0);
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()).len(), 500);
}

#[test]
fn waiting_for_a_stuck_writer_costs_one_wait_and_not_one_for_each_record() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let when_full = WhenFull::Wait(Duration::from_millis(300));
    let sink = Sink::open(SinkPlan { queue: 4, when_full, ..plan(&path) }).unwrap();
    let begin = Instant::now();
    (0..1000).for_each(|id| record(&sink, id));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    let dropped = usize::try_from(sink.dropped()).unwrap();
    assert!(dropped > 500);
    let reader = std::thread::spawn(move || read_lines(pipe, 1000 - dropped));
    eventually("room is made", || sink.shared.as_ref().unwrap().lock().writing == 0);
    record(&sink, 1000);
    sink.close();
    assert!(!reader.join().unwrap().is_empty());
    assert_eq!(sink.dropped(), dropped as u64);
}

#[test]
fn closing_a_stuck_sink_ends_and_counts_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let sink = Sink::open(SinkPlan { close_within: Duration::from_millis(200), ..plan(&path) }).unwrap();
    (0..1000).for_each(|id| record(&sink, id));
    let begin = Instant::now();
    sink.close();
    assert!(begin.elapsed() < Duration::from_secs(2));
    let dropped = sink.dropped();
    assert!(dropped > 500);
    sink.close();
    assert_eq!(sink.dropped(), dropped, "nothing is counted twice");
    drop(pipe);
}

#[test]
fn a_full_disk_is_counted_and_survived() {
    let sink = Sink::open(plan(Path::new("/dev/full"))).unwrap();
    (0..10).for_each(|id| record(&sink, id));
    eventually("ten failures", || sink.failed() == 10);
    record(&sink, 10);
    sink.close();
    assert_eq!((sink.failed(), sink.dropped()), (11, 0));
}

#[test]
fn a_line_that_was_torn_does_not_spoil_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut output = Output::open(&Target::File(path.clone())).unwrap().unwrap();
    output.write(b"{\"torn\":").unwrap();
    output.write(b"{}\n{}\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"torn\":\n{}\n{}\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let error = Sink::open(plan(&folder.path().join("missing/audit.jsonl"))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn nowhere_takes_records_and_has_no_thread() {
    let sink = Sink::open(SinkPlan::new(Target::Nowhere)).unwrap();
    record(&sink, 1);
    sink.reopen();
    sink.close();
    assert_eq!((sink.dropped(), sink.failed()), (0, 0));
}
