//! Tests of `handover`: both ends in one process, with real sockets.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener as BlockingListener;
use std::thread;

use super::*;
use crate::audit::{SinkPlan, SinkTarget};

const SOON: Duration = Duration::from_secs(10);
const BRIEF: Duration = Duration::from_millis(300);

fn shared(path: &Path, listeners: &[TcpListener], wait: Duration) -> SharedSockets {
    let sockets = listeners.iter().enumerate();
    let sockets = sockets.map(|(at, one)| (format!("listener {at}"), OwnedFd::from(one.try_clone().unwrap())));
    SharedSockets { wait, ..SharedSockets::new(path, sockets.collect(), Arc::default(), nowhere()).unwrap() }
}

/// Runs the end that hands the sockets over in a thread.
fn hand_over(shared: SharedSockets) -> thread::JoinHandle<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || runtime.block_on(shared.hand_over()))
}

#[test]
fn sockets_go_over_by_name_and_both_ends_know() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upgrade.sock");
    // More than one packet of names.
    let listeners: Vec<_> = (0..100).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    let predecessor = hand_over(shared(&path, &listeners, SOON));
    drop(listeners);
    let mut inherited = InheritedSockets::receive_within(&path, SOON).unwrap();
    assert!(inherited.take("listener 100").is_none());
    let taken = TcpListener::from(inherited.take("listener 7").unwrap());
    assert!(inherited.take("listener 7").is_none());
    assert_eq!(taken.local_addr().unwrap(), addresses[7]);
    assert!(!predecessor.is_finished());
    inherited.takeover_confirmation()();
    assert!(predecessor.join().unwrap());
    let client = TcpStream::connect(addresses[7]).unwrap();
    assert_eq!(taken.accept().unwrap().1, client.local_addr().unwrap());
    // The new process did not take this one.
    assert!(TcpStream::connect(addresses[8]).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_process_that_dies_or_sends_another_reply_leaves_the_takeover_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upgrade.sock");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let predecessor = hand_over(shared(&path, &[listener], SOON));
    drop(InheritedSockets::receive_within(&path, SOON).unwrap());
    let mut other = InheritedSockets::receive_within(&path, SOON).unwrap();
    other.predecessor.write_all(b"whatever").unwrap();
    assert!(!predecessor.is_finished());
    InheritedSockets::receive_within(&path, SOON).unwrap().takeover_confirmation()();
    assert!(predecessor.join().unwrap());
}

#[test]
fn of_two_new_processes_one_takes_over_and_the_other_gets_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upgrade.sock");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let predecessor = hand_over(shared(&path, &[listener], SOON));
    let first = InheritedSockets::receive_within(&path, SOON).unwrap();
    let second = thread::spawn({
        let path = path.clone();
        move || InheritedSockets::receive_within(&path, BRIEF)
    });
    first.takeover_confirmation()();
    assert!(predecessor.join().unwrap());
    let error = InheritedSockets::receive_within(&path, BRIEF).unwrap_err();
    assert!(error.contains("SIGQUIT"), "{error}");
    // The second was in the queue, or came too late.
    let error = second.join().unwrap().map(|_| ()).unwrap_err();
    assert!(error.contains("handed"), "{error}");
}

#[test]
fn without_a_successor_the_wait_ends_and_a_foreign_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upgrade.sock");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(!hand_over(shared(&path, &[listener.try_clone().unwrap()], BRIEF)).join().unwrap());
    assert!(!path.exists());
    // Another process listens there already.
    let _other = BlockingListener::bind(&path).unwrap();
    assert!(!hand_over(shared(&path, &[listener], SOON)).join().unwrap());
    assert!(path.exists());
}

#[test]
fn the_wait_for_a_silent_successor_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upgrade.sock");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let predecessor = hand_over(shared(&path, &[listener], BRIEF));
    let silent = InheritedSockets::receive_within(&path, SOON).unwrap();
    assert!(!predecessor.join().unwrap());
    drop(silent);
}

#[test]
fn more_listeners_than_a_message_carries_are_refused_at_the_start() {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let many = (0..=MAX_SOCKETS).map(|at| (format!("{at}"), OwnedFd::from(listener.try_clone().unwrap())));
    let refused =
        SharedSockets::new(Path::new("s"), many.collect(), Arc::default(), nowhere()).map(|_| ()).unwrap_err();
    assert!(refused.contains("upgrade-socket"));
}

fn nowhere() -> Arc<Sink> {
    Arc::new(Sink::open(SinkPlan::new(SinkTarget::Nowhere)).unwrap())
}
