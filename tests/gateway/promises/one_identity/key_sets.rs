//! Key sets over HTTP: outages, rotations, storms of unknown keys, and invalid sets.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::now;
use crate::wire::client::{Answer, ask, bearer, request};
use crate::wire::origin::Origin;
use crate::wire::testbed::{Testbed, TestbedBuilder, until};

const ISS: &str = "https://keys.test";

/// SigningKey: a key of an issuer.
struct SigningKey {
    kid: &'static str,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: Ed25519KeyPair::generate().unwrap() }
    }

    fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": URL_SAFE_NO_PAD.encode(self.pair.public_key()) })
    }

    /// A token of `iss` for `sub` that names the key `kid`.
    fn token(&self, iss: &str, kid: &str, sub: &str) -> String {
        let text = unsigned(&json!({ "alg": "EdDSA", "kid": kid }), iss, sub);
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes())))
    }

    /// The header line with a token for `sub`.
    fn bearer(&self, sub: &str) -> String {
        bearer(&self.token(ISS, self.kid, sub))
    }
}

/// Header and claims, encoded.
fn unsigned(header: &Value, iss: &str, sub: &str) -> String {
    let claims =
        json!({ "iss": iss, "aud": "noah-es", "exp": now() + 600, "sub": sub, "tenants": ["t1"], "roles": ["user"] });
    [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
}

/// JwksServer: a server of one key set, whose response the test chooses.
struct JwksServer {
    server: Origin,
    answer: Arc<Mutex<(Vec<u8>, Duration)>>,
}

impl JwksServer {
    /// A server that publishes these keys.
    fn with(keys: &[Value]) -> Self {
        let answer = Arc::new(Mutex::new((Vec::new(), Duration::ZERO)));
        let response = Arc::clone(&answer);
        let server = Origin::with_responder(move |_| {
            let (bytes, delay) = response.lock().unwrap().clone();
            std::thread::sleep(delay);
            bytes
        });
        let jwks = Self { server, answer };
        jwks.publish(keys);
        jwks
    }

    fn publish(&self, keys: &[Value]) {
        self.send("200 OK", &json!({ "keys": keys }).to_string(), Duration::ZERO);
    }

    fn send(&self, status: &str, body: &str, delay: Duration) {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        *self.answer.lock().unwrap() = (format!("{head}{body}").into_bytes(), delay);
    }

    fn fail(&self) {
        self.send("500 Internal Server Error", "", Duration::ZERO);
    }

    /// The settings of the keys with this refresh interval.
    fn keys(&self, refresh: &str) -> Value {
        json!({ "jwks": format!("http://{}/keys", self.server.address()), "refresh": refresh })
    }

    fn builder(&self, refresh: &str) -> TestbedBuilder {
        Testbed::strict(Origin::start())
            .with("/issuers/test/issuer", json!(ISS))
            .with("/issuers/test/keys", self.keys(refresh))
            .with("/limits", json!({ "failed-credentials": 0 }))
    }
}

fn get(testbed: &Testbed, header: &str) -> Answer {
    ask(testbed.at(), request("GET /t1/things", &[header], b""))
}

fn status(testbed: &Testbed, header: &str) -> u16 {
    get(testbed, header).status
}

/// The error of the first issuer's keys in `/ready`.
fn key_error(testbed: &Testbed) -> String {
    let ready = testbed.wait(testbed.gateway.admin("/ready")).json();
    ready["issuers"][0]["error"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_outage_at_the_start_is_503_and_ends_by_itself() {
    let key = SigningKey::new("first");
    let jwks = JwksServer::with(&[key.jwk()]);
    jwks.fail();
    let testbed = jwks.builder("1s").launch();
    let answer = get(&testbed, &key.bearer("alice"));
    assert_eq!((answer.status, answer.reason().as_str()), (503, "keys-unavailable"));
    assert!(answer.header("www-authenticate").is_none(), "nobody has to log in again");
    assert_eq!(ask(testbed.at(), request("GET /open", &[], b"")).status, 200, "who needs no key is served");
    until("it was asked again", || jwks.server.count() > 1);
    assert_eq!(status(&testbed, &key.bearer("alice")), 503);
    assert_eq!(testbed.origin.count(), 1);
    jwks.publish(&[key.jwk()]);
    until("the keys are there", || status(&testbed, &key.bearer("alice")) == 200);
}

#[test]
fn an_outage_later_leaves_the_last_keys_in_force() {
    let (key, other) = (SigningKey::new("first"), SigningKey::new("second"));
    let jwks = JwksServer::with(&[key.jwk()]);
    let testbed = jwks.builder("1s").start();
    assert_eq!(status(&testbed, &key.bearer("before")), 200);
    jwks.fail();
    until("a refresh has failed", || key_error(&testbed) == "the answer was 500, not 200");
    assert_eq!(status(&testbed, &key.bearer("before")), 200);
    assert_eq!(
        status(&testbed, &key.bearer("never-seen")),
        200,
        "the key itself is believed, not only what is remembered"
    );
    assert_eq!(status(&testbed, &other.bearer("stranger")), 401, "and no other key");
    assert_eq!(testbed.wait(testbed.gateway.admin("/ready")).status, 200);
}

#[test]
fn a_rotated_key_is_found_and_a_withdrawn_one_refused() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let jwks = JwksServer::with(&[old.jwk()]);
    let testbed = jwks.builder("1s").start();
    assert_eq!((status(&testbed, &old.bearer("alice")), status(&testbed, &new.bearer("alice"))), (200, 401));
    jwks.publish(&[old.jwk(), new.jwk()]);
    until("the new key is found", || status(&testbed, &new.bearer("alice")) == 200);
    assert_eq!(status(&testbed, &old.bearer("alice")), 200);
    jwks.publish(&[new.jwk()]);
    until("the old key is refused", || status(&testbed, &old.bearer("alice")) == 401);
    assert_eq!(status(&testbed, &new.bearer("alice")), 200);
    // The same key id with another key is another key.
    let again = SigningKey::new("new");
    jwks.publish(&[again.jwk()]);
    until("the key is replaced", || status(&testbed, &again.bearer("alice")) == 200);
    assert_eq!(status(&testbed, &new.bearer("alice")), 401);
}

#[test]
fn a_storm_of_unknown_keys_makes_one_fetch_and_delays_no_request() {
    let key = SigningKey::new("first");
    let jwks = JwksServer::with(&[key.jwk()]);
    let testbed = jwks.builder("1d").start();
    assert_eq!(jwks.server.count(), 1);
    let set = json!({ "keys": [key.jwk()] }).to_string();
    // The issuer responds just within the gateway's timeout: a request that waited for it would show it.
    jwks.send("200 OK", &set, Duration::from_secs(4));
    let (began, at) = (Instant::now(), testbed.at());
    let storm = (0..4).map(|thread| {
        let names: Vec<String> = (0..75).map(|one| format!("unknown-{thread}-{one}")).collect();
        let tokens: Vec<String> = names.iter().map(|name| bearer(&key.token(ISS, name, "mallory"))).collect();
        std::thread::spawn(move || {
            tokens.iter().filter(|token| ask(at, request("GET /t1/things", &[token], b"")).status == 401).count()
        })
    });
    let storm: Vec<_> = storm.collect();
    jwks.server.wait_for(2);
    let asked_at = Instant::now();
    for one in 0..20 {
        assert_eq!(status(&testbed, &key.bearer(&format!("honest-{one}"))), 200);
    }
    assert!(jwks.server.count() == 2 || asked_at.elapsed() > Duration::from_secs(4), "the issuer is still silent");
    let refused: usize = storm.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!((refused, testbed.origin.count()), (300, 20));
    // The first fetch, the forced one, and one more for each cool-down that the storm took.
    let most = 2 + began.elapsed().as_secs() as usize / 30;
    assert!(jwks.server.count() <= most, "{} fetches", jwks.server.count());
}

#[test]
fn a_symmetric_key_that_an_issuer_publishes_verifies_nothing() {
    let key = SigningKey::new("first");
    let secret = b"everybody can read this secret in the set";
    let oct = |alg: Value| {
        let mut jwk = json!({ "kty": "oct", "kid": "shared", "k": URL_SAFE_NO_PAD.encode(secret), "alg": alg });
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    };
    let forged = |kid: Value| {
        let mut header = json!({ "alg": "HS256", "kid": kid });
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let text = unsigned(&header, ISS, "root");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        bearer(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag)))
    };
    let jwks = JwksServer::with(&[key.jwk(), oct(json!("HS256"))]);
    let testbed = jwks.builder("1d").start();
    for kid in [json!("shared"), json!("first"), json!("another"), json!(null)] {
        assert_eq!(status(&testbed, &forged(kid.clone())), 401, "{kid}");
    }
    assert_eq!(status(&testbed, &key.bearer("alice")), 200, "the other key of the set is good");

    let jwks = JwksServer::with(&[oct(json!(null))]);
    let testbed = jwks.builder("1d").launch();
    until("the set was read", || key_error(&testbed).contains("a symmetric key is never taken from a key set"));
    assert_eq!(status(&testbed, &forged(json!("shared"))), 503, "there is no key at all");
    assert_eq!(testbed.origin.count(), 0);
}

#[test]
fn a_set_that_is_none_leaves_the_last_good_one_in_force() {
    let (key, thief) = (SigningKey::new("first"), SigningKey::new("second"));
    let jwks = JwksServer::with(&[key.jwk()]);
    let testbed = jwks.builder("1d").start();
    let theirs = json!({ "keys": [thief.jwk()] }).to_string();
    let huge = theirs.replacen('{', &format!("{{\"pad\":\"{}\",", "x".repeat(1 << 20)), 1);
    let twice = theirs.replacen('{', "{\"keys\":[],", 1);
    let both = json!({ "keys": [thief.jwk(), thief.jwk()] }).to_string();
    let slow = Duration::from_secs(7);
    let sets = [
        ("200 OK", "<html>".to_owned(), Duration::ZERO, "no key in it"),
        ("200 OK", String::new(), Duration::ZERO, "no key in it"),
        ("200 OK", "{\"keys\":{}}".to_owned(), Duration::ZERO, "not a JSON Web Key Set"),
        ("200 OK", "{\"keys\":[]}".to_owned(), Duration::ZERO, "no key in it"),
        ("200 OK", theirs[..theirs.len() - 1].to_owned(), Duration::ZERO, "not a JSON Web Key Set"),
        ("200 OK", twice, Duration::ZERO, "not a JSON Web Key Set"),
        ("200 OK", both, Duration::ZERO, "two keys have the `kid` `second`"),
        ("200 OK", huge, Duration::ZERO, "more than 1048576 bytes"),
        ("404 Not Found", theirs.clone(), Duration::ZERO, "the answer was 404, not 200"),
        ("302 Found\r\nLocation: /other", theirs.clone(), Duration::ZERO, "the answer was 302, not 200"),
        ("200 OK", theirs, slow, "no answer in time"),
    ];
    for (at, (head, body, delay, expected)) in sets.into_iter().enumerate() {
        jwks.send(head, &body, delay);
        testbed.gateway.signal("HUP");
        until(expected, || key_error(&testbed).contains(expected));
        assert_eq!(status(&testbed, &key.bearer(&format!("caller-{at}"))), 200, "{expected}");
        assert_eq!(status(&testbed, &thief.bearer("thief")), 401, "{expected}");
        jwks.publish(&[key.jwk()]);
        testbed.gateway.signal("HUP");
        until("the good set is back", || key_error(&testbed).is_empty());
    }
    assert!(!jwks.server.requests().iter().any(|received| received.target() == "/other"), "a redirect was followed");
}

#[test]
fn one_name_for_two_keys_of_two_issuers_makes_neither_the_others() {
    let (mine, theirs) = (SigningKey::new("shared"), SigningKey::new("shared"));
    let (here, there) = (JwksServer::with(&[mine.jwk()]), JwksServer::with(&[theirs.jwk()]));
    let other = "https://other.test";
    let issuer = json!({
        "issuer": other, "audiences": ["noah-es"], "keys": there.keys("1d"),
        "claims": { "tenants": "tenants", "roles": "roles" },
    });
    let testbed = here.builder("1d").with("/issuers/other", issuer).start();
    for (signer, iss, named) in [(&mine, ISS, "test/alice"), (&theirs, other, "other/alice")] {
        assert_eq!(status(&testbed, &bearer(&signer.token(iss, "shared", "alice"))), 200);
        assert_eq!(testbed.origin.last().header("x-portcullis-subject").as_deref(), Some(named));
    }
    let answer = get(&testbed, &bearer(&mine.token(other, "shared", "alice")));
    assert_eq!(testbed.record(answer.header("x-portcullis-decision").unwrap())["detail"], "bad-signature");
    assert_eq!(status(&testbed, &bearer(&theirs.token(ISS, "shared", "alice"))), 401);
    assert_eq!(testbed.origin.count(), 2);
}
