//! Draining, and real signals.

use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::time::{Instant, timeout};

use super::signals::ProcessSignals;
use super::*;
use crate::guard::in_flight::InFlight;

fn brief() -> DrainPlan {
    DrainPlan { deadline: Duration::from_millis(200), ..DrainPlan::default() }
}

#[tokio::test]
async fn a_stop_waits_for_what_is_in_flight() {
    let (draining, exchanges, stop) = (Draining::default(), InFlight::default(), StopTrigger::default());
    let guard = exchanges.enter();
    let plan = DrainPlan { deadline: Duration::from_secs(30), ..brief() };
    let ending = ShutdownCoordinator::new(plan, draining.clone(), exchanges, stop.clone());
    let closed = draining.watch();
    let ended = tokio::spawn(async move { ending.recv().await });
    tokio::task::yield_now().await;
    assert!(!draining.is_leaving());
    stop.request();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(draining.is_leaving() && *closed.borrow() && !ended.is_finished());
    drop(guard);
    let signal = timeout(Duration::from_secs(1), ended).await.unwrap().unwrap();
    assert!(matches!(signal, ShutdownSignal::GracefulTerminate));
}

#[tokio::test]
async fn the_deadline_ends_what_does_not_finish() {
    let (draining, exchanges, stop) = (Draining::default(), InFlight::default(), StopTrigger::default());
    let _for_ever = exchanges.enter();
    stop.request();
    let before = Instant::now();
    let signal = ShutdownCoordinator::new(brief(), draining, exchanges, stop).recv().await;
    assert!(matches!(signal, ShutdownSignal::GracefulTerminate));
    assert!(before.elapsed() >= brief().deadline && before.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_second_stop_ends_at_once() {
    let (draining, exchanges, stop) = (Draining::default(), InFlight::default(), StopTrigger::default());
    let _for_ever = exchanges.enter();
    let plan = DrainPlan { deadline: Duration::from_secs(30), ..brief() };
    let ending = ShutdownCoordinator::new(plan, draining.clone(), exchanges, stop.clone());
    let ended = tokio::spawn(async move { ending.recv().await });
    stop.request();
    draining.watch().wait_for(|closed| *closed).await.unwrap();
    stop.request();
    assert!(matches!(timeout(Duration::from_secs(1), ended).await.unwrap().unwrap(), ShutdownSignal::FastShutdown));
}

#[tokio::test]
async fn notice_is_given_before_the_listeners_close() {
    let (draining, exchanges, stop) = (Draining::default(), InFlight::default(), StopTrigger::default());
    let plan = DrainPlan { notice: Duration::from_millis(200), ..brief() };
    let ending = ShutdownCoordinator::new(plan, draining.clone(), exchanges, stop.clone());
    let ended = tokio::spawn(async move { ending.recv().await });
    stop.request();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(draining.is_leaving() && !*draining.watch().borrow());
    timeout(Duration::from_secs(1), ended).await.unwrap().unwrap();
    assert!(*draining.watch().borrow());
}

/// One test for all signals: they reach every ending of this process that listens to them.
#[tokio::test]
async fn hang_up_reloads_and_terminate_drains() {
    let (reloaded, reloads) = mpsc::channel();
    let draining = Draining::default();
    let ending = ShutdownCoordinator::new(brief(), draining.clone(), InFlight::default(), StopTrigger::default())
        .on_signals(move || {
            reloaded.send(()).unwrap();
        });
    // Installs the handlers before the first signal, which would otherwise end the test.
    let _installed = ProcessSignals::listen().unwrap();
    let ended = tokio::spawn(async move { ending.recv().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let send = |signal: &str| {
        // The shell's own: the program of this name is not installed everywhere.
        let kill = format!("kill {signal} {}", std::process::id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    send("-HUP");
    tokio::task::spawn_blocking(move || reloads.recv_timeout(Duration::from_secs(1)).unwrap()).await.unwrap();
    assert!(!draining.is_leaving() && !ended.is_finished());
    send("-TERM");
    let signal = timeout(Duration::from_secs(1), ended).await.unwrap().unwrap();
    assert!(matches!(signal, ShutdownSignal::GracefulTerminate));
}

#[test]
fn the_server_leaves_no_files_and_sleeps_through_no_grace() {
    let conf = RuntimePlan { threads: 3, ..RuntimePlan::default() }.server_conf();
    assert_eq!((conf.threads, conf.daemon, conf.grace_period_seconds), (3, false, Some(0)));
    assert_eq!((conf.pid_file.as_str(), conf.upgrade_sock.as_str()), ("", ""));
}
