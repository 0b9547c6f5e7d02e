//! Tests of keys from files, URLs and discovery, and of their changes and failures.

mod server;

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::identity::fixtures::{ED25519, P256, RSA, SECRET, Signer, claims_with, issuer, jwks};
use crate::identity::{Algorithm, Algorithms, IdentityError, KeyError, VerifiedCaller};
use crate::reload::issuers::{Issuers, VerificationFailure};
use crate::reload::verified::{Lookup, VerifiedTokens};
use server::{Answer, Server};

const KEYS: &str = "/keys";
const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The plan for `source` with periods that are short enough for tests.
fn plan(source: KeySource) -> KeyPlan {
    KeyPlan {
        retry_first: Duration::from_millis(20),
        retry_longest: Duration::from_millis(40),
        poll: Duration::from_millis(20),
        timeout: Duration::from_secs(2),
        ..KeyPlan::new(source)
    }
}

/// Starts a feed that is kept fresh as long as the runtime of its test exists.
fn run(plan: KeyPlan) -> (Issuers, Arc<KeyFeed>, Arc<Generation>) {
    let generation = Arc::new(Generation::default());
    let feed = KeyFeed::open(issuer(), plan, Arc::clone(&generation)).unwrap();
    let cached = Arc::clone(&feed);
    tokio::spawn(async move { cached.keep_fresh().await });
    (Issuers::new(vec![Arc::clone(&feed)]).unwrap(), feed, generation)
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A token that is valid now, signed with `signer` and naming the key `kid`.
fn token(signer: &Signer, algorithm: Algorithm, kid: &str) -> String {
    let mut claims = claims_with("exp", (now().0 + 600).into());
    claims["iat"] = now().0.into();
    signer.token(algorithm, Some(kid), &claims)
}

fn rsa_token() -> String {
    token(&RSA, Algorithm::Rs256, "rsa")
}

fn p256_token() -> String {
    token(&P256, Algorithm::Es256, "p256")
}

fn error(issuers: &Issuers, token: &str) -> Option<IdentityError> {
    match issuers.verify(token, now()) {
        Ok(_) => None,
        Err(VerificationFailure::Refused(error)) => Some(error),
        Err(VerificationFailure::Introspect(_)) => panic!("no introspection is configured"),
    }
}

/// Verifies a token through `cache`, as requests do.
fn verify_cached(
    issuers: &Issuers,
    cache: &VerifiedTokens,
    token: &str,
    now: Timestamp,
) -> Result<Arc<VerifiedCaller>, IdentityError> {
    match cache.look_up(token, now) {
        Lookup::Found(verified) => Ok(verified),
        Lookup::Missing(slot) => match issuers.verify(token, now) {
            Ok(verified) => Ok(cache.store(slot, verified, now)),
            Err(VerificationFailure::Refused(error)) => Err(error),
            Err(VerificationFailure::Introspect(_)) => panic!("no introspection is configured"),
        },
    }
}

fn last_error(feed: &KeyFeed) -> String {
    feed.status().last_error.as_deref().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn keys_of_a_url_are_unavailable_until_they_are_fetched() {
    let server = Server::start().await;
    let feed = KeyFeed::open(issuer(), plan(KeySource::Jwks(server.url(KEYS))), Default::default()).unwrap();
    let issuers = Issuers::new(vec![Arc::clone(&feed)]).unwrap();
    assert_eq!(error(&issuers, &rsa_token()), Some(IdentityError::KeysUnavailable));
    assert!(!feed.status().attempted && !feed.status().available);
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    tokio::spawn(async move { feed.keep_fresh().await });
    eventually("the keys come", || error(&issuers, &rsa_token()).is_none()).await;
    let status = issuers.statuses().next().unwrap();
    assert_eq!((&*status.issuer, status.available, status.keys), ("hospital", true, 1));
    assert!(status.attempted && status.last_error.is_none() && status.fetched_at.is_some());
}

#[tokio::test]
async fn an_issuer_that_is_down_is_asked_again_until_it_is_up() {
    let server = Server::start().await;
    server.answer(KEYS, Answer::status(503));
    let (issuers, feed, _) = run(plan(KeySource::Jwks(server.url(KEYS))));
    eventually("a first attempt", || feed.status().attempted).await;
    assert_eq!(error(&issuers, &rsa_token()), Some(IdentityError::KeysUnavailable));
    assert_eq!(last_error(&feed), "the answer was 503, not 200");
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    eventually("the keys come", || error(&issuers, &rsa_token()).is_none()).await;
    assert_eq!(last_error(&feed), "");
}

#[test]
fn pauses_double_up_to_the_longest_one() {
    let plan = KeyPlan::new(KeySource::Jwks("https://id.example/keys".into()));
    let pauses: Vec<u64> = [1, 2, 3, 6, 7, 8, 100].map(|failures| plan.retry_after(failures).as_secs()).into();
    assert_eq!(pauses, [1, 2, 4, 32, 60, 60, 60]);
}

#[tokio::test]
async fn an_unknown_key_makes_one_fetch_and_then_none_before_the_cool_down_ends() {
    let server = Server::start().await;
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    let cool_down = Duration::from_secs(2);
    let (issuers, _, _) = run(KeyPlan { cool_down, ..plan(KeySource::Jwks(server.url(KEYS))) });
    eventually("the first keys", || error(&issuers, &rsa_token()).is_none()).await;
    assert_eq!(server.hits(), 1);

    server.answer(KEYS, Answer::text(jwks(&[P256.jwk("p256")])));
    let forced = Instant::now();
    assert_eq!(error(&issuers, &p256_token()), Some(IdentityError::UnknownKey), "the request does not wait");
    eventually("the new key", || error(&issuers, &p256_token()).is_none()).await;
    assert_eq!(server.hits(), 2);

    for _ in 0..50 {
        assert_eq!(error(&issuers, &rsa_token()), Some(IdentityError::UnknownKey), "the old key is gone");
        sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(server.hits(), 2, "no fetch while it cools down");
    eventually("one fetch after it", || server.hits() == 3).await;
    assert!(forced.elapsed() >= cool_down);
}

#[tokio::test]
async fn keys_are_fetched_again_when_their_time_is_over() {
    let server = Server::start().await;
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    let (issuers, _, generation) =
        run(KeyPlan { ttl: Duration::from_millis(20), ..plan(KeySource::Jwks(server.url(KEYS))) });
    eventually("the first keys", || error(&issuers, &rsa_token()).is_none()).await;

    let cache = VerifiedTokens::new(10, 300, generation);
    let token = rsa_token();
    let identify = || verify_cached(&issuers, &cache, &token, now()).map(|_| ());
    assert_eq!(identify(), Ok(()));
    let hits = server.hits();
    eventually("more fetches", || server.hits() > hits + 2).await;
    assert_eq!((identify(), cache.hits()), (Ok(()), 1), "the same keys again are no change");

    server.answer(KEYS, Answer::text(jwks(&[P256.jwk("p256")])));
    eventually("the new keys", || error(&issuers, &p256_token()).is_none()).await;
    assert_eq!((identify(), cache.hits()), (Err(IdentityError::UnknownKey), 1), "the cache went with the keys");
}

#[tokio::test]
async fn stale_keys_outlive_an_outage_for_a_while_only() {
    let server = Server::start().await;
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    let (ttl, max_stale) = (Duration::from_millis(50), Duration::from_secs(1));
    let (issuers, feed, _) = run(KeyPlan { ttl, max_stale, ..plan(KeySource::Jwks(server.url(KEYS))) });
    eventually("the first keys", || error(&issuers, &rsa_token()).is_none()).await;
    server.answer(KEYS, Answer::status(500));
    eventually("a failure", || feed.status().last_error.is_some()).await;
    assert_eq!(error(&issuers, &rsa_token()), None);
    assert!(feed.status().available);
    eventually("the end", || error(&issuers, &rsa_token()) == Some(IdentityError::KeysUnavailable)).await;
    assert!(!feed.status().available);
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    eventually("the keys come back", || error(&issuers, &rsa_token()).is_none()).await;
    assert!(feed.status().available && feed.status().last_error.is_none());
}

#[tokio::test]
async fn an_answer_outside_the_budget_is_no_key_set() {
    let good = jwks(&[RSA.jwk("rsa")]);
    let padded = good.replacen('{', &format!("{{\"pad\":\"{}\",", "x".repeat(1 << 20)), 1);
    let cases = [
        (Answer { location: Some("/moved".into()), ..Answer::status(302) }, "the answer was 302, not 200"),
        (Answer::status(404), "the answer was 404, not 200"),
        (Answer::text(padded), "more than 1048576 bytes"),
        (Answer { delay: Duration::from_secs(60), ..Answer::text(good.clone()) }, "no answer in time"),
        (Answer::text("<html>".into()), "no key in it"),
        (Answer::text("{}".into()), "not a JSON Web Key Set: no object with one list `keys`"),
    ];
    for (answer, expected) in cases {
        let server = Server::start().await;
        server.answer("/moved", Answer::text(good.clone()));
        server.answer(KEYS, answer);
        let timeout = Duration::from_millis(if expected == "no answer in time" { 100 } else { 5000 });
        let (issuers, feed, _) = run(KeyPlan { timeout, ..plan(KeySource::Jwks(server.url(KEYS))) });
        eventually(expected, || feed.status().attempted).await;
        assert_eq!(last_error(&feed), expected);
        assert_eq!(error(&issuers, &rsa_token()), Some(IdentityError::KeysUnavailable), "{expected}");
    }
}

#[test]
fn keys_come_over_plain_http_from_this_machine_only() {
    let open = |url: &str, insecure_http| {
        let plan = KeyPlan { insecure_http, ..KeyPlan::new(KeySource::Jwks(url.into())) };
        KeyFeed::open(issuer(), plan, Default::default()).map(|_| ()).map_err(|error| error.to_string())
    };
    for url in ["https://id.example/k", "http://127.0.0.1:1/k", "http://[::1]:1/k", "http://localhost/k"] {
        assert_eq!(open(url, false), Ok(()), "{url}");
    }
    for url in ["http://id.example/k", "http://10.0.0.1/k", "http://127.0.0.1.evil.example/k", "http://localhost.x/k"] {
        assert_eq!(open(url, false), Err(format!("`{url}` is not https, and `insecure_http` is not set")));
        assert_eq!(open(url, true), Ok(()), "{url}");
    }
    for url in ["", "/keys", "id.example", "ftp://id.example/k", "file:///etc/keys", "https://"] {
        assert_eq!(open(url, true), Err(format!("`{url}` is not an http or https URL")));
    }
}

#[tokio::test]
async fn discovery_leads_to_the_key_set_of_exactly_this_issuer() {
    let server = Server::start().await;
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    let iss = issuer().iss;
    let good = json!({"issuer": &*iss, "jwks_uri": &*server.url(KEYS), "scopes_supported": ["openid"]});
    let cases = [
        (good.clone(), ""),
        (
            json!({"issuer": format!("{iss}/"), "jwks_uri": &*server.url(KEYS)}),
            "the discovery document belongs to another issuer: `https://id.hospital.example/`",
        ),
        (json!({"jwks_uri": &*server.url(KEYS)}), "a discovery document without `issuer` and `jwks_uri`"),
        (json!({"issuer": &*iss}), "a discovery document without `issuer` and `jwks_uri`"),
        (
            json!({"issuer": &*iss, "jwks_uri": "http://keys.example/k"}),
            "`http://keys.example/k` is not https, and `insecure_http` is not set",
        ),
    ];
    for (document, expected) in cases {
        server.answer(CONFIGURATION, Answer::text(document.to_string()));
        for slash in ["", "/"] {
            let (issuers, feed, _) = run(plan(KeySource::Discovery(server.url(slash))));
            eventually("a first attempt", || feed.status().attempted).await;
            assert_eq!(last_error(&feed), expected);
            assert_eq!(error(&issuers, &rsa_token()).is_none(), expected.is_empty());
        }
    }
}

#[tokio::test]
async fn a_private_authority_is_believed_only_where_the_settings_name_it() {
    let (url, ca) = server::https_once_per_connection(jwks(&[RSA.jwk("rsa")]));
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    fs::write(&ca_file, ca).unwrap();
    let (issuers, _, _) = run(KeyPlan { ca_file: Some(ca_file), ..plan(KeySource::Jwks(url.clone())) });
    eventually("the keys come", || error(&issuers, &rsa_token()).is_none()).await;

    let (issuers, feed, _) = run(plan(KeySource::Jwks(url.clone())));
    eventually("a first attempt", || feed.status().attempted).await;
    assert!(last_error(&feed).contains("certificate"), "{}", last_error(&feed));
    assert_eq!(error(&issuers, &rsa_token()), Some(IdentityError::KeysUnavailable));

    let none = folder.path().join("none.pem");
    fs::write(&none, RSA.public_pem()).unwrap();
    let plan = KeyPlan { ca_file: Some(none), ..plan(KeySource::Jwks(url)) };
    assert!(KeyFeed::open(issuer(), plan, Default::default()).is_err(), "a file without certificates");
}

#[tokio::test]
async fn a_file_takes_effect_when_it_is_saved_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, RSA.public_pem()).unwrap();
    let (issuers, feed, _) = run(plan(KeySource::File(path.clone())));
    assert_eq!(error(&issuers, &rsa_token()), None, "before anything ran in the background");

    fs::write(&path, jwks(&[P256.jwk("p256")])).unwrap();
    eventually("a key set takes the place of PEM", || error(&issuers, &p256_token()).is_none()).await;
    assert!(error(&issuers, &rsa_token()).is_some());

    for broken in ["", "{\"keys\":[", "-----BEGIN PUBLIC KEY-----\n", "\0"] {
        fs::write(&path, broken).unwrap();
        let before = feed.status().fetched_at;
        eventually("the error is told", || feed.status().last_error.is_some()).await;
        assert_eq!(error(&issuers, &p256_token()), None, "{broken}");
        assert!(feed.status().available && feed.status().fetched_at == before);
        fs::write(&path, jwks(&[P256.jwk("p256")])).unwrap();
        eventually("the error is gone", || feed.status().last_error.is_none()).await;
    }
    fs::remove_file(&path).unwrap();
    eventually("the loss is told", || feed.status().last_error.is_some()).await;
    assert_eq!(error(&issuers, &p256_token()), None);

    let target = folder.path().join("target");
    fs::write(&target, RSA.public_pem()).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    eventually("a link takes its place", || error(&issuers, &rsa_token()).is_none()).await;
}

#[tokio::test]
async fn a_refresh_does_not_wait_for_the_next_look() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, RSA.public_pem()).unwrap();
    let hour = Duration::from_secs(3600);
    let (issuers, feed, _) = run(KeyPlan { poll: hour, ..plan(KeySource::File(path.clone())) });
    fs::write(&path, P256.public_pem()).unwrap();
    feed.refresh();
    eventually("a file", || error(&issuers, &p256_token()).is_none()).await;

    let server = Server::start().await;
    server.answer(KEYS, Answer::text(jwks(&[RSA.jwk("rsa")])));
    let (issuers, feed, _) = run(KeyPlan { ttl: hour, ..plan(KeySource::Jwks(server.url(KEYS))) });
    eventually("the first keys", || error(&issuers, &rsa_token()).is_none()).await;
    server.answer(KEYS, Answer::text(jwks(&[P256.jwk("p256")])));
    feed.refresh();
    eventually("a key set", || error(&issuers, &p256_token()).is_none()).await;
}

#[test]
fn a_file_or_secret_that_is_no_key_does_not_open() {
    let open = |source| KeyFeed::open(issuer(), plan(source), Default::default()).map(|_| ());
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(matches!(open(KeySource::File(missing.clone())), Err(IssuerError::File(path, _)) if path == missing));
    let private = folder.path().join("private");
    fs::write(&private, RSA.private_pem()).unwrap();
    let refused = Err(IssuerError::Keys(KeyError::NotAPublicKey("PRIVATE KEY".into())));
    assert_eq!(open(KeySource::File(private)), refused);
    let long = folder.path().join("long");
    fs::write(&long, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert_eq!(open(KeySource::File(long)), Err(IssuerError::TooLong(1 << 20)));
    assert_eq!(open(KeySource::Secret([7; 31].into())), Err(IssuerError::Keys(KeyError::ShortSecret(31))));
    assert_eq!(open(KeySource::Secret([7; 32].into())), Ok(()));
}

#[test]
fn the_algorithms_of_the_settings_hold_for_every_source() {
    let secret = KeySource::Secret(SECRET.into());
    let plan = KeyPlan { algorithms: Algorithms::RSA, ..plan(secret.clone()) };
    assert!(KeyFeed::open(issuer(), plan, Default::default()).is_err());
    assert!(!format!("{secret:?}").contains("97"), "a secret is never printed");
}

#[test]
fn a_verified_token_is_verified_once() {
    let generation = Arc::new(Generation::default());
    let plan = plan(KeySource::Secret(SECRET.into()));
    let issuers = Issuers::new(vec![KeyFeed::open(issuer(), plan, Arc::clone(&generation)).unwrap()]).unwrap();
    let cache = VerifiedTokens::new(10, 300, generation);
    let token = token(&Signer::secret(SECRET), Algorithm::Hs256, "any");
    let ask = |now| verify_cached(&issuers, &cache, &token, now);
    let (first, second) = (ask(now()).unwrap(), ask(now()).unwrap());
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!((cache.hits(), cache.misses(), cache.len()), (1, 1, 1));
    assert_eq!(ask(now().plus(700)).unwrap_err(), IdentityError::Expired);
    assert_eq!(verify_cached(&issuers, &cache, "x", now()), Err(IdentityError::MalformedToken));
    assert_eq!(cache.len(), 1, "an error is not kept");
}

#[test]
fn two_feeds_with_one_iss_are_refused() {
    let open = || {
        let plan = plan(KeySource::Secret(SECRET.into()));
        KeyFeed::open(issuer(), plan, Default::default()).unwrap()
    };
    assert!(Issuers::new(vec![open(), open()]).is_none());
}

#[test]
fn an_ed25519_key_set_from_a_file_is_told_apart_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.pem");
    fs::write(&path, format!("\n  {}", jwks(&[ED25519.jwk("ed")]))).unwrap();
    let feed = KeyFeed::open(issuer(), plan(KeySource::File(path)), Default::default()).unwrap();
    let issuers = Issuers::new(vec![feed]).unwrap();
    assert_eq!(error(&issuers, &token(&ED25519, Algorithm::EdDsa, "ed")), None);
}
