//! Forwarders: only configured peers are trusted for the client's address and scheme.

use serde_json::json;

use crate::wire::client::{ask, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::{Testbed, TestbedBuilder};

/// The client address in the audit, and the forwarding chain at the upstream, for a request with these fields.
fn observed_client(testbed: &Testbed, fields: &[&str]) -> (String, String) {
    let token = testbed.bearer(&["user"]);
    let headers: Vec<&str> = [token.as_str()].into_iter().chain(fields.iter().copied()).collect();
    let answer = ask(testbed.at(), request("GET /t1/things", &headers, b""));
    assert_eq!(answer.status, 200, "{fields:?}: {}", answer.text());
    let received = testbed.origin.last();
    assert_eq!(received.header("forwarded"), None, "{fields:?}");
    let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
    (record["client_address"].as_str().unwrap().to_owned(), received.all("x-forwarded-for").join(", "))
}

fn trusting(networks: &[&str]) -> TestbedBuilder {
    Testbed::strict(Origin::start()).with("/trusted-proxies", json!(networks))
}

#[test]
fn the_client_is_the_last_hop_that_no_trusted_forwarder_is() {
    let testbed = trusting(&["127.0.0.0/8"]).start();
    for (chain, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 127.0.0.5", "198.51.100.1"),
        ("198.51.100.1,127.0.0.5 ,\t127.0.0.6", "198.51.100.1"),
        ("nonsense, 203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        // An address has one spelling in every notation.
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, ::ffff:127.0.0.5", "198.51.100.1"),
        // A value that is not an address ends the chain: nothing in front of it can be trusted either.
        ("198.51.100.1, unknown", "127.0.0.1"),
        ("198.51.100.1, 203.0.113.9:4711", "127.0.0.1"),
        ("198.51.100.1, [2001:db8::1]", "127.0.0.1"),
        ("198.51.100.1, 0x7f000001", "127.0.0.1"),
        ("198.51.100.1, 127.1", "127.0.0.1"),
        ("198.51.100.1,", "127.0.0.1"),
        ("198.51.100.1, unknown, 127.0.0.5", "127.0.0.5"),
    ] {
        assert_eq!(observed_client(&testbed, &[&format!("X-Forwarded-For: {chain}")]).0, client, "{chain}");
    }
}

#[test]
fn forwarding_headers_of_an_untrusted_peer_are_ignored() {
    let testbed = trusting(&["10.0.0.0/8", "::1/128"]).start();
    for fields in [
        &["X-Forwarded-For: 10.0.0.1"][..],
        &["X-Forwarded-For: 203.0.113.9, 10.0.0.1", "X-Forwarded-For: 10.0.0.2"],
        &["x_forwarded_for: 10.0.0.1", "X.Forwarded.For: 10.0.0.1"],
        &["Forwarded: for=203.0.113.9;proto=https;host=other.test"],
        &["X-Real-IP: 10.0.0.1", "True-Client-IP: 10.0.0.1", "X-Client-IP: 10.0.0.1"],
        &["X-Forwarded-Proto: https", "X-Forwarded-Host: other.test", "X-Forwarded-Port: 443"],
    ] {
        assert_eq!(observed_client(&testbed, fields), ("127.0.0.1".to_owned(), "127.0.0.1".to_owned()), "{fields:?}");
        let received = testbed.origin.last();
        assert_eq!(received.header("x-forwarded-proto").as_deref(), Some("http"), "{fields:?}");
        assert!(!received.text().contains("other.test") && !received.text().contains("10.0.0."), "{}", received.text());
    }
}

#[test]
fn the_header_forwarded_is_ignored_from_every_peer() {
    let testbed = trusting(&["127.0.0.0/8"]).start();
    for value in ["for=203.0.113.9", "for=\"[2001:db8::1]:4711\";proto=https", "for=203.0.113.9, for=127.0.0.5"] {
        assert_eq!(observed_client(&testbed, &[&format!("Forwarded: {value}")]).0, "127.0.0.1", "{value}");
    }
}
