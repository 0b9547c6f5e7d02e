//! Tests of sinks on real files, pipes and a full device.

use std::fs::{self, File, Permissions};
use std::io::{BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::audit::DecisionId;
use crate::audit::record::tests::refused;
use crate::audit::verify::{ChainVerification, VerificationReport};

fn plan(path: &Path) -> SinkPlan {
    SinkPlan::new(SinkTarget::File(path.into()))
}

fn record(sink: &Sink, id: u128) {
    sink.record(RecordKind::Exchange, &Outcome { id: DecisionId(id), ..refused() });
}

fn ids(text: &str) -> Vec<u128> {
    let id = |line: &str| {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = read["id"].as_str().filter(|_| read["record"] == "exchange" || read["record"] == "decision")?;
        Some(u128::from_str_radix(id, 16).unwrap())
    };
    text.lines().filter_map(id).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Creates a named pipe and a reader that keeps it open without reading.
fn fifo(folder: &Path) -> (PathBuf, File) {
    let path = folder.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reader = File::options().read(true).write(true).open(&path).unwrap();
    (path, reader)
}

/// Reads lines from a pipe, which has no end, until there are `count` records.
fn read_lines(mut pipe: File, count: usize) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        if whole.matches("\"record\":\"exchange\"").count() >= count {
            return whole.to_owned();
        }
        let read = pipe.read(&mut chunk).unwrap();
        bytes.extend_from_slice(&chunk[..read]);
    }
}

/// Verifies these files and returns the report.
pub(super) fn verify(paths: &[&Path]) -> VerificationReport {
    let mut verification = ChainVerification::new(None, None);
    for path in paths {
        let file = BufReader::new(File::open(path).unwrap());
        verification.read_file(&path.display().to_string(), file, |_| {}).unwrap();
    }
    verification.finish().0
}

#[test]
fn close_writes_all_that_was_queued_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let sink = Sink::open(plan(&path)).unwrap();
    (0..5000).for_each(|id| record(&sink, id));
    sink.close();
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), (0..5000).collect::<Vec<_>>());
    assert_eq!((sink.counts().dropped, sink.counts().failed), (0, 0));
    record(&sink, 1);
    assert_eq!(sink.counts().dropped, 1);
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
    assert!(text.starts_with("before\n{") && text.lines().count() == 4, "{text}");
}

#[test]
fn after_a_rename_reopen_makes_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
    let sink = Sink::open(plan(&path)).unwrap();
    record(&sink, 1);
    eventually("the first record is written", || fs::read_to_string(&path).is_ok_and(|text| !ids(&text).is_empty()));
    fs::rename(&path, &old).unwrap();
    sink.reopen();
    record(&sink, 2);
    eventually("reopen acts without being closed", || fs::read_to_string(&path).is_ok_and(|text| !text.is_empty()));
    sink.close();
    assert_eq!(ids(&fs::read_to_string(&old).unwrap()), [1]);
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), [2]);
    assert_eq!(verify(&[&old, &path]).faults, [], "the chain goes on in the new file");
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
    assert_eq!(sink.counts().failed, 0);
}

#[test]
fn a_stuck_writer_drops_and_counts_and_loses_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let sink = Sink::open(SinkPlan { queue: 4, ..plan(&path) }).unwrap();
    let begin = Instant::now();
    (0..1000).for_each(|id| record(&sink, id));
    assert!(begin.elapsed() < Duration::from_secs(2), "a full queue must not hold its callers");
    let dropped = usize::try_from(sink.counts().dropped).unwrap();
    assert!(dropped > 500, "a pipe holds 64 KiB, which is less than 500 records: {dropped}");
    let reader = std::thread::spawn(move || read_lines(pipe, 1000 - dropped));
    sink.close();
    let text = reader.join().unwrap();
    let found = ids(&text);
    assert_eq!(found.len() + dropped, 1000);
    let lost = text
        .lines()
        .filter(|line| line.starts_with("{\"record\":\"lost\""))
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64().unwrap());
    assert_eq!(lost.sum::<u64>(), dropped as u64, "the output tells of the gap itself");
    assert!(found.is_sorted());
    assert_eq!(sink.counts().dropped, dropped as u64);
}

#[test]
fn waiting_for_room_loses_nothing_while_the_writer_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let when_full = WhenFull::Wait(Duration::from_secs(10));
    let sink = Sink::open(SinkPlan { queue: 1, when_full, ..plan(&path) }).unwrap();
    (0..500).for_each(|id| record(&sink, id));
    sink.close();
    assert_eq!(sink.counts().dropped, 0);
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
    let dropped = usize::try_from(sink.counts().dropped).unwrap();
    assert!(dropped > 500);
    let reader = std::thread::spawn(move || read_lines(pipe, 1000 - dropped));
    eventually("room is made", || sink.counts().waiting == 0);
    record(&sink, 1000);
    sink.close();
    assert!(!reader.join().unwrap().is_empty());
    assert_eq!(sink.counts().dropped, dropped as u64);
}

#[test]
fn closing_a_stuck_sink_ends_and_counts_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let sink = Sink::open(SinkPlan { close_timeout: Duration::from_millis(200), ..plan(&path) }).unwrap();
    (0..1000).for_each(|id| record(&sink, id));
    let begin = Instant::now();
    sink.close();
    assert!(begin.elapsed() < Duration::from_secs(2));
    let dropped = sink.counts().dropped;
    assert!(dropped > 500);
    sink.close();
    assert_eq!(sink.counts().dropped, dropped, "nothing is counted twice");
    drop(pipe);
}

#[test]
fn a_full_disk_is_counted_and_survived() {
    let sink = Sink::open(plan(Path::new("/dev/full"))).unwrap();
    (0..10).for_each(|id| record(&sink, id));
    eventually("ten failures", || sink.counts().failed == 10);
    record(&sink, 10);
    sink.close();
    assert_eq!((sink.counts().failed, sink.counts().dropped), (11, 0));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let error = Sink::open(plan(&folder.path().join("missing/audit.jsonl"))).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn nowhere_takes_records_and_has_no_thread() {
    let sink = Sink::open(SinkPlan::new(SinkTarget::Nowhere)).unwrap();
    record(&sink, 1);
    sink.reopen();
    sink.close();
    assert_eq!((sink.counts().dropped, sink.counts().failed), (0, 0));
}

fn record_decision(sink: &Sink, id: u128) -> PendingDecision {
    sink.record_decision(&Outcome { id: DecisionId(id), ..refused() })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_decision_that_is_kept_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let sink = Sink::open(plan(&path)).unwrap();
    runtime().block_on(async {
        for id in 0..50 {
            assert!(record_decision(&sink, id).persisted().await);
            assert_eq!(ids(&fs::read_to_string(&path).unwrap()).last(), Some(&id));
        }
    });
    assert_eq!(sink.counts().syncs, 50);
    assert_eq!(verify(&[&path]).without_outcome.len(), 50);
}

#[test]
fn decisions_that_wait_together_are_confirmed_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // The queue's limit does not apply to a decision that is waited for, which always has room.
    let sink = Sink::open(SinkPlan { queue: 4, ..plan(&path) }).unwrap();
    let pending: Vec<PendingDecision> = (0..2000).map(|id| record_decision(&sink, id)).collect();
    runtime().block_on(async {
        for one in pending {
            assert!(one.persisted().await);
        }
    });
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), (0..2000).collect::<Vec<_>>());
    assert!(sink.counts().syncs < 1000, "{:?}", sink.counts());
}

#[test]
fn on_a_full_disk_a_decision_is_not_kept_and_nobody_waits() {
    let sink = Sink::open(plan(Path::new("/dev/full"))).unwrap();
    assert!(!runtime().block_on(record_decision(&sink, 1).persisted()));
    assert!(sink.write_failure().is_some());
}

#[test]
fn what_cannot_be_made_to_last_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let sink = Sink::open(plan(&path)).unwrap();
    assert!(!runtime().block_on(record_decision(&sink, 1).persisted()), "a pipe confirms nothing");
    drop(pipe);
}

#[test]
fn a_disk_that_does_not_answer_costs_one_patience_and_not_one_for_each_decision() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let sink = Sink::open(SinkPlan { patience: Duration::from_millis(300), ..plan(&path) }).unwrap();
    // The pipe is full, and the writer hangs in it.
    (0..1000).for_each(|id| record(&sink, id));
    let begin = Instant::now();
    runtime().block_on(async {
        for id in 0..100 {
            assert!(!record_decision(&sink, id).persisted().await);
        }
    });
    assert!((Duration::from_millis(300)..Duration::from_secs(5)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
    assert!(sink.write_failure().is_some());
    let reader = std::thread::spawn(move || read_lines(pipe, 1000));
    sink.close();
    drop(reader);
}

#[test]
fn a_pipe_without_a_reader_is_counted_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = fifo(folder.path());
    let sink = Sink::open(plan(&path)).unwrap();
    record(&sink, 1);
    eventually("the first record is out", || sink.counts().written == 1);
    drop(pipe);
    (0..10).for_each(|id| record(&sink, id));
    eventually("ten failures", || sink.counts().failed == 10);
    let (_, again) = (fs::metadata(&path).unwrap(), File::options().read(true).write(true).open(&path).unwrap());
    eventually("a new reader", || sink.write_failure().is_none());
    record(&sink, 11);
    let text = read_lines(again, 1);
    assert!(text.contains("\"why\":\"failure\"") && text.contains("\"lost\":10"), "{text}");
}

#[test]
fn a_second_process_cannot_write_into_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let sink = Sink::open(plan(&path)).unwrap();
    let error = Sink::open(plan(&path)).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    drop(sink);
    drop(Sink::open(plan(&path)).unwrap());
    assert_eq!(verify(&[&path]).segments, Some((1, 2)));
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_and_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (path, reader) = fifo(folder.path());
    drop(reader);
    for error in [Sink::check(&plan(&path)).unwrap_err(), Sink::open(plan(&path)).unwrap_err()] {
        assert!(error.to_string().contains("this pipe has no reader"), "{error}");
    }
}
