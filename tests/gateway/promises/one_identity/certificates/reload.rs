//! Changes while the gateway runs: authorities, revocation lists, the gateway's own certificates, and the time.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::{THINGS, TlsTestbed, server};
use crate::support::{Authority, TlsClient};
use crate::wire::origin::{Journal, Origin, read_request};
use crate::wire::testbed::until;

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

#[test]
fn a_certificate_that_is_revoked_counts_no_more_on_open_and_resumed_connections() {
    let tls_testbed = TlsTestbed::with(|builder| builder.with("api/caller", json!("token")));
    let config = tls_testbed.config(Some(&tls_testbed.stations.client("alice", 1)));
    let connect = || TlsClient::connect(tls_testbed.testbed.gateway.listener("secure"), &config);
    let mut open = connect();
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200);
    let mut again = connect();
    assert_eq!((tls_testbed.ask_on(&mut again, &[]).0, again.is_resumed()), (200, true));
    let mut bystander = tls_testbed.connect(Some(&tls_testbed.stations.client("alice", 2)));
    assert_eq!(tls_testbed.ask_on(&mut bystander, &[]).0, 200);

    tls_testbed.testbed.env.write("stations.crl", &tls_testbed.stations.revoking(&[66, 1], 3600));
    let revoked = (401, json!("certificate-revoked"));
    until("the open connection is refused", || tls_testbed.ask_on(&mut open, &[]) == revoked);
    assert_eq!(tls_testbed.ask_on(&mut again, &[]), revoked);
    // Neither a token nor a public route makes the connection usable again.
    assert_eq!(tls_testbed.ask_on(&mut open, &[&tls_testbed.testbed.bearer(&["user"])]), revoked);
    assert_eq!(open.ask("GET /open", &[]).unwrap().status, 401);
    let mut later = connect();
    assert!(later.ask(THINGS, &[]).is_err() && !later.is_resumed());
    assert_eq!(tls_testbed.ask_on(&mut bystander, &[]).0, 200, "who was not revoked goes on");
    assert_eq!(tls_testbed.reloads("client-ca", "published"), 1.0);
}

#[test]
fn a_replaced_authority_is_no_longer_trusted() {
    let tls_testbed = TlsTestbed::with(|builder| builder.with("/client-certificates/stations/crl", json!([])));
    let next = Authority::new("stations, the next");
    let (old, new) = (tls_testbed.stations.client("alice", 1), next.client("alice", 1));
    let mut open = tls_testbed.connect(Some(&old));
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200);
    assert_eq!(tls_testbed.ask(Some(&new), &[]).0, 0);
    tls_testbed.testbed.env.write("ca.pem", &(tls_testbed.stations.pem() + &next.pem()));
    until("both are believed", || tls_testbed.ask(Some(&new), &[]).0 == 200);
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200);
    tls_testbed.testbed.env.write("ca.pem", &next.pem());
    until("the old one is not", || tls_testbed.ask_on(&mut open, &[]) == (401, json!("certificate-untrusted")));
    assert_eq!((tls_testbed.ask(Some(&old), &[]).0, tls_testbed.ask(Some(&new), &[]).0), (0, 200));
}

#[test]
fn a_certificate_that_expires_while_its_connection_is_open_counts_no_more() {
    let tls_testbed = TlsTestbed::open();
    let config = tls_testbed.config(Some(&tls_testbed.stations.expiring("alice", 1, 4)));
    let connect = || TlsClient::connect(tls_testbed.testbed.gateway.listener("secure"), &config);
    let mut open = connect();
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200);
    until("it has expired", || tls_testbed.ask_on(&mut open, &[]) == (401, json!("certificate-expired")));
    // The session can still be resumed: its client certificate is checked again.
    let mut again = connect();
    assert_eq!((tls_testbed.ask_on(&mut again, &[]), again.is_resumed()), ((401, json!("certificate-expired")), true));
}

#[test]
fn a_stream_ends_when_its_certificate_is_revoked() {
    let origin = Origin::with_script(|mut stream, received: &Journal| {
        let mut pending = Vec::new();
        while read_request(&mut stream, &mut pending, received).is_some() {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(format!("{head}3\r\n:a\n\r\n").as_bytes()).ok();
            std::thread::sleep(Duration::from_secs(30));
        }
    });
    let tls_testbed = TlsTestbed::before(origin, |builder| builder);
    let (mut one, mut two) = (
        tls_testbed.connect(Some(&tls_testbed.stations.client("alice", 1))),
        tls_testbed.connect(Some(&tls_testbed.stations.client("alice", 2))),
    );
    assert_eq!(one.ask(THINGS, &[]).unwrap().status, 200);
    assert_eq!(two.ask(THINGS, &[]).unwrap().status, 200);
    tls_testbed.testbed.env.write("stations.crl", &tls_testbed.stations.revoking(&[1], 3600));
    while one.byte().is_ok() {}
    let ended = |count| {
        tls_testbed.testbed.env.audit_records().iter().filter(|record| record["failure"] == "stream-ended").count()
            == count
    };
    until("the revoked one's record is there", || ended(1));
    drop(two);
}

#[test]
fn an_old_revocation_list_counts_only_where_the_settings_accept_it() {
    let tls_testbed = TlsTestbed::open();
    let alice = tls_testbed.stations.client("alice", 1);
    let mut open = tls_testbed.connect(Some(&alice));
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200);
    tls_testbed.testbed.env.write("stations.crl", &tls_testbed.stations.revoking(&[], -60));
    until("nobody knows who is revoked", || tls_testbed.ask_on(&mut open, &[]) == (401, json!("revocation-unknown")));
    assert_eq!(tls_testbed.ask(Some(&alice), &[]).0, 0);
    // A list that expires while the connection is open ends the connection too, without a change of any file.
    tls_testbed.testbed.env.write("stations.crl", &tls_testbed.stations.revoking(&[], 4));
    until("a newer list is there", || tls_testbed.ask_on(&mut open, &[]).0 == 200);
    until("it is old", || tls_testbed.ask_on(&mut open, &[]) == (401, json!("revocation-unknown")));

    let tls_testbed =
        TlsTestbed::with(|builder| builder.with("/client-certificates/stations/stale-crl", json!("accept")));
    let mut open = tls_testbed.connect(Some(&tls_testbed.stations.client("alice", 1)));
    tls_testbed.testbed.env.write("stations.crl", &tls_testbed.stations.revoking(&[66, 2], -60));
    until("the old list is live", || tls_testbed.reloads("client-ca", "published") == 1.0);
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200);
    assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("alice", 2)), &[]).0, 0);
}

#[test]
fn broken_authorities_and_lists_change_nothing_and_are_reported() {
    let tls_testbed = TlsTestbed::open();
    let (alice, env) = (tls_testbed.stations.client("alice", 1), &tls_testbed.testbed.env);
    let mut open = tls_testbed.connect(Some(&alice));
    let issuer_status = || tls_testbed.ready()["issuers"][1].clone();
    assert_eq!(
        (&issuer_status()["name"], &issuer_status()["state"], &issuer_status()["keys"]),
        (&json!("stations"), &json!("available"), &json!(1))
    );
    let (good_ca, good_list) = (tls_testbed.stations.pem(), tls_testbed.stations.revoking(&[66], 3600));
    let twice = good_list.clone() + &good_list;
    let table = [
        ("ca.pem", &good_ca[..good_ca.len() / 2], "ca.pem`: not PEM certificates"),
        ("ca.pem", "", "ca.pem`: holds no PEM certificate"),
        ("ca.pem", &alice.chain, "ca.pem`: holds a certificate that is no authority"),
        ("stations.crl", &good_list[..good_list.len() / 2], "stations.crl`: no revocation list in PEM or DER"),
        ("stations.crl", &good_ca, "stations.crl`: holds no revocation list"),
        ("stations.crl", &twice, "stations.crl`: a second revocation list of one authority"),
    ];
    for (name, broken, why) in table {
        env.write(name, broken);
        until(why, || issuer_status()["error"].as_str().is_some_and(|error| error.contains(why)));
        assert_eq!(issuer_status()["state"], "stale");
        assert_eq!((tls_testbed.ask_on(&mut open, &[]).0, tls_testbed.ask(Some(&alice), &[]).0), (200, 200), "{why}");
        assert_eq!(tls_testbed.ask(Some(&tls_testbed.stations.client("alice", 66)), &[]).0, 0, "{why}");
        env.write("ca.pem", &good_ca);
        env.write("stations.crl", &good_list);
        until("it is good again", || {
            issuer_status()["state"] == "available" && issuer_status()["error"] == Value::Null
        });
    }
    assert!(tls_testbed.reloads("client-ca", "refused") >= 6.0);
    // Before a start, `check` reports the same text, and no process starts.
    env.write("ca.pem", "");
    // The running process holds its audit file.
    let settings = std::fs::read_to_string(env.path("gateway.yaml")).unwrap();
    env.write("second.yaml", &settings.replace("audit.jsonl", "second.jsonl"));
    let run = |command: &[&str]| {
        let mut portcullis = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        let output = portcullis.args(command).arg("--config").arg(env.path("second.yaml")).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && text.contains("ca.pem`: holds no PEM certificate"), "{text}");
    };
    run(&["check"]);
    run(&["serve"]);
}

#[test]
fn the_gateways_own_certificate_is_replaced_while_it_runs() {
    let tls_testbed = TlsTestbed::open();
    let alice = tls_testbed.stations.client("alice", 1);
    let mut open = tls_testbed.connect(Some(&alice));
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200);
    assert_eq!(open.server_certificate(), der(&tls_testbed.server));
    let issuer_status = || tls_testbed.ready()["certificates"][0].clone();
    assert_eq!((&issuer_status()["name"], &issuer_status()["state"]), (&json!("secure"), &json!("available")));
    // A chain whose key file has not been replaced yet.
    let (next, key) = server();
    tls_testbed.testbed.env.write("chain.pem", &next);
    until("the broken pair is told", || issuer_status()["state"] == "stale");
    assert!(
        issuer_status()["error"].as_str().is_some_and(|why| why.contains("not the key of the first certificate")),
        "{}",
        issuer_status()
    );
    assert_eq!(tls_testbed.ask(Some(&alice), &[]).0, 200, "the last good one stays");
    assert!(tls_testbed.reloads("certificate", "refused") >= 1.0);
    tls_testbed.testbed.env.write("key.pem", &key);
    until("the pair is live", || {
        issuer_status()["state"] == "available" && tls_testbed.reloads("certificate", "published") == 1.0
    });
    let at = tls_testbed.testbed.gateway.listener("secure");
    let mut later = TlsClient::connect(at, &crate::support::client_config(&next, Some(&alice)));
    assert_eq!((tls_testbed.ask_on(&mut later, &[]).0, later.server_certificate()), (200, der(&next)));
    assert_eq!(tls_testbed.ask_on(&mut open, &[]).0, 200, "open connections go on");
}
