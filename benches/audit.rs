//! Measures the audit sink alone: requests that wait until their decision is on disk, against requests that do not.
//!
//! Each of N workers spends some time per request, as the rest of a gateway would, and hands its records over.

#![expect(clippy::unwrap_used, reason = "a benchmark ends with a panic, wherever the line stands that notices")]

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use portcullis::audit::{DecisionId, Outcome, RecordKind, Sink, SinkPlan, SinkTarget, Verdict};

/// The cost of the rest of a request, from Pingora's first byte to its last.
const WORK: Duration = Duration::from_micros(30);

const TIME: Duration = Duration::from_secs(2);

const ROUNDS: usize = 5;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Off,
    Fast,
    Lossless,
}

fn main() {
    let folder = tempfile::tempdir_in(std::env::var("AUDIT_BENCH").unwrap_or(".".to_owned())).unwrap();
    println!("in {}, {} µs of work for each request", folder.path().display(), WORK.as_micros());
    println!("{:>8} {:>12} {:>6} {:>9} {:>14}", "waiting", "off", "fast", "lossless", "records/sync");
    for waiters in [1, 16, 64, 256] {
        let mut rounds: Vec<[f64; 4]> = Vec::new();
        for round in 0..ROUNDS {
            let run = |mode| {
                let name = format!("{waiters}-{round}.jsonl");
                let target =
                    if mode == Mode::Off { SinkTarget::Nowhere } else { SinkTarget::File(folder.path().join(name)) };
                run(mode, waiters, target)
            };
            let ((off, _), (fast, _), (lossless, batch)) = (run(Mode::Off), run(Mode::Fast), run(Mode::Lossless));
            rounds.push([off, fast / off, lossless / off, batch]);
        }
        let median = |at: usize| {
            let mut values: Vec<f64> = rounds.iter().filter_map(|round| round.get(at).copied()).collect();
            values.sort_by(f64::total_cmp);
            values.get(ROUNDS / 2).copied().unwrap_or_default()
        };
        let [off, fast, lossless, batch] = [0, 1, 2, 3].map(median);
        println!("{waiters:>8} {off:>10.0}/s {fast:>6.2} {lossless:>9.2} {batch:>14.1}");
    }
}

/// Requests per second, and the mean number of decisions that one disk flush confirms.
fn run(mode: Mode, waiters: usize, target: SinkTarget) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sink = Arc::new(Sink::open(SinkPlan { queue: 1 << 16, ..SinkPlan::new(target) }).unwrap());
    let end = Instant::now() + TIME;
    let tasks: Vec<_> = (0..waiters)
        .map(|waiter| {
            let sink = Arc::clone(&sink);
            runtime.spawn(async move {
                let mut count = 0;
                while Instant::now() < end {
                    let begun = Instant::now();
                    while begun.elapsed() < WORK {
                        std::hint::spin_loop();
                    }
                    let outcome = outcome((waiter as u128) << 64 | count);
                    if mode == Mode::Lossless {
                        assert!(sink.record_decision(&outcome).persisted().await, "the decision is kept");
                        sink.record(RecordKind::Outcome, &outcome);
                    } else {
                        sink.record(RecordKind::Exchange, &outcome);
                    }
                    count += 1;
                    tokio::task::yield_now().await;
                }
                count
            })
        })
        .collect();
    let count: u128 = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).sum();
    let counts = sink.counts();
    assert_eq!((counts.dropped, counts.failed), (0, 0));
    (count as f64 / TIME.as_secs_f64(), count as f64 / counts.syncs.max(1) as f64)
}

fn outcome(id: u128) -> Outcome<'static> {
    Outcome {
        id: DecisionId(id),
        time: UNIX_EPOCH,
        api: Some("noah"),
        policy: Some(("noah-es", "5d41402abc4b2a76b9719d911017c592")),
        peer: Some(([192, 0, 2, 7], 40_000).into()),
        client_address: Some([192, 0, 2, 9].into()),
        subject: None,
        method: "GET",
        route: Some("/{tenant}/api/Patients/{id}"),
        path: Some("/t1/api/Patients/3b241101-e2bb-4255-8caf-4136c566a962"),
        cell: Some(("read", "Patients")),
        scope: &[("tenant", "t1")],
        verdict: Verdict::Permit,
        reason: "granted",
        detail: None,
        granted_by: Some("View Patient Records"),
        status: Some(200),
        upstream_status: Some(200),
        received: 0,
        sent: 1024,
        duration: Duration::from_micros(900),
        decision: Duration::from_micros(1),
        upstream: Some(Duration::from_micros(700)),
        failure: None,
    }
}
