//! Overload by Debian's tools: slowhttptest and h2load attack, while another client is still served.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::process::{ProcessOutput, finish};
use crate::wire::client::ask;
use crate::wire::origin::{Origin, ok};
use crate::wire::testbed::{Testbed, TestbedBuilder, until};

const GET: &[u8] = b"GET /open HTTP/1.1\r\nHost: noah.test\r\n\r\n";

#[test]
fn slowhttptest_with_slow_headers_finds_the_service_available() {
    slowhttptest(&["-H", "-i", "1", "-x", "20"], "header-timeout");
}

#[test]
fn slowhttptest_with_slow_bodies_finds_the_service_available() {
    slowhttptest(&["-B", "-i", "1", "-s", "100000", "-x", "10", "-f", "text/plain"], "least-rate");
}

#[test]
fn slowhttptest_with_slow_reading_finds_the_service_available() {
    // Each reads five bytes per second of several mebibytes.
    slowhttptest(&["-X", "-n", "1", "-w", "512", "-y", "1024", "-z", "5", "-k", "1"], "client-timeout");
}

#[test]
fn slowhttptest_with_ranges_finds_the_service_available() {
    let testbed = testbed(|builder| builder);
    let output = attack(&testbed, slow(&testbed, &["-R", "-a", "1", "-b", "3000"]));
    assert!(is_available(&output), "{output:?}");
}

#[test]
fn h2load_is_served_over_tls_and_without() {
    let made = rcgen::generate_simple_self_signed(vec!["noah.test".to_owned()]).unwrap();
    let listeners = json!([
        { "address": "127.0.0.1:0", "name": "plain", "h2c": true },
        { "address": "127.0.0.1:0", "name": "secure", "tls": { "certificates": [{ "chain": "chain.pem", "key": "key.pem" }] } },
    ]);
    let testbed = testbed(|builder| {
        let builder = builder.with("/listeners", listeners);
        builder.file("chain.pem", made.cert.pem()).file("key.pem", made.signing_key.serialize_pem())
    });
    until("both listen", || testbed.gateway.log_lines("listening").len() == 2);
    let secure = format!("https://{}/open", testbed.gateway.listener("secure"));
    for url in [format!("http://{}/open", testbed.at()), secure] {
        let mut h2load = Command::new("h2load");
        // More streams than a connection may have are no client error: h2load follows the announced limit.
        h2load.args(["-n", "3000", "-c", "100", "-m", "100", "-t", "1", &url]);
        let output = attack(&testbed, h2load);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("3000 done, 3000 succeeded, 0 failed, 0 errored, 0 timeout"), "{text}{}", output.stderr);
    }
    until("nobody is left", || testbed.wait(testbed.gateway.metric("portcullis_connections")) == 0.0);
}

/// slowhttptest attacks with 200 connections; the service stays available to its probe and to another client, and the
/// limit with this key has cut the slow connections.
fn slowhttptest(mode: &[&str], key: &str) {
    let limits = json!({ "header-timeout": "3s", "client-timeout": "3s" });
    let testbed = testbed(|builder| builder.with("/limits", limits));
    let output = attack(&testbed, slow(&testbed, mode));
    assert!(is_available(&output), "{output:?}");
    let name = format!("portcullis_limits_reached_total{{limit=\"{key}\"}}");
    until("the slow ones are cut", || testbed.wait(testbed.gateway.metric(&name)) >= 100.0);
    until("nobody is left", || testbed.wait(testbed.gateway.metric("portcullis_connections")) == 0.0);
}

fn slow(testbed: &Testbed, mode: &[&str]) -> Command {
    let mut command = Command::new("slowhttptest");
    let url = format!("http://{}/open?large", testbed.at());
    command.args(mode).args(["-c", "200", "-r", "100", "-l", "12", "-p", "5", "-v", "1", "-u", &url]);
    command.env("TERM", "dumb");
    command
}

fn is_available(output: &ProcessOutput) -> bool {
    let text = String::from_utf8_lossy(&output.stdout);
    // The state of its own probe over time.
    let states: Vec<&str> = text.lines().filter(|line| line.contains("service available")).collect();
    !states.is_empty() && states.iter().all(|line| line.contains("YES"))
}

/// Runs the tool to its end, while another client is served.
fn attack(testbed: &Testbed, mut tool: Command) -> ProcessOutput {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut served = 0;
            while !ended.load(Ordering::SeqCst) {
                assert_eq!(ask(testbed.at(), GET).status, 200);
                served += 1;
                thread::sleep(Duration::from_millis(20));
            }
            served
        });
        let output = finish(&mut tool);
        ended.store(true, Ordering::SeqCst);
        assert!(other.join().unwrap() > 0);
        output
    })
}

fn testbed(change: impl FnOnce(TestbedBuilder) -> TestbedBuilder) -> Testbed {
    let origin = Origin::with_responder(|received| {
        ok(&"x".repeat(if received.target().contains("large") { 8 << 20 } else { 2 }))
    });
    change(Testbed::strict(origin)).start()
}
