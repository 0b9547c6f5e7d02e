//! Forwarding headers (`Forwarded`, `X-Forwarded-*`): rewritten for strangers, extended for trusted proxies.

use serde_json::json;

use super::client::{ask, request};
use super::origin::Origin;
use super::testbed::Testbed;

#[test]
fn forwarding_headers_of_strangers_are_rewritten() {
    let testbed = Testbed::strict(Origin::start()).start();
    let token = testbed.bearer(&["user"]);
    let forged = [
        "X-Forwarded-For: 203.0.113.9",
        "X_Forwarded_For: 203.0.113.9",
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 443",
        "Forwarded: for=203.0.113.9;host=evil.test",
        "X-Real-IP: 203.0.113.9",
    ];
    let mut headers = vec![token.as_str()];
    headers.extend(forged);
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    assert!(!received.text().contains("203.0.113.9") && !received.text().contains("evil.test"), "{}", received.text());
    assert_eq!(received.header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(received.header("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(received.header("x-forwarded-host").as_deref(), Some("noah.test"));
    assert_eq!(testbed.record(&received.header("x-portcullis-decision").unwrap())["client_address"], "127.0.0.1");
}

#[test]
fn forwarding_headers_of_a_trusted_proxy_are_trusted() {
    let testbed = Testbed::strict(Origin::start()).with("/trusted-proxies", json!(["127.0.0.0/8"])).start();
    let token = testbed.bearer(&["user"]);
    let headers = [token.as_str(), "X-Forwarded-For: 198.51.100.1, 203.0.113.9", "X-Forwarded-Proto: https"];
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    let chain = received.header("x-forwarded-for").unwrap();
    assert!(chain.contains("203.0.113.9"), "{chain}");
    assert_eq!(received.header("x-forwarded-proto").as_deref(), Some("https"));
    // Only the hop that the trusted proxy has seen is trusted, not the entries that a client wrote before it.
    let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
    assert_eq!(record["client_address"], "203.0.113.9");
}

#[test]
fn client_entries_before_those_of_a_trusted_proxy_are_not_trusted() {
    let testbed = Testbed::strict(Origin::start()).with("/trusted-proxies", json!(["127.0.0.0/8"])).start();
    let token = testbed.bearer(&["user"]);
    // One value is the proxy's; with two values, one is the client's.
    for lines in [&["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"][..], &["X-Forwarded-Proto: https, http"]] {
        let headers: Vec<&str> = [token.as_str()].into_iter().chain(lines.iter().copied()).collect();
        assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
        assert_eq!(testbed.origin.last().header("x-forwarded-proto").as_deref(), Some("http"));
    }
}

#[test]
fn a_chain_on_several_lines_is_one_chain() {
    let testbed = Testbed::strict(Origin::start()).with("/trusted-proxies", json!(["127.0.0.0/8"])).start();
    let token = testbed.bearer(&["user"]);
    // The client's own line, and the line that the trusted proxy added (RFC 9110, section 5.3).
    let headers = [token.as_str(), "X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 203.0.113.9"];
    assert_eq!(ask(testbed.at(), request("GET /t1/things", &headers, b"")).status, 200);
    let received = testbed.origin.last();
    let hops = received.all("x-forwarded-for").join(", ");
    let hops: Vec<&str> = hops.split(',').map(str::trim).collect();
    assert_eq!(hops, ["198.51.100.1", "203.0.113.9", "127.0.0.1"]);
    let record = testbed.record(&received.header("x-portcullis-decision").unwrap());
    assert_eq!(record["client_address"], "203.0.113.9");
}
