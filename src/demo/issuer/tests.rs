//! Tests of the issuer over real sockets; another library verifies its tokens.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::Issuer;
use crate::demo::wire::send;

async fn start_issuer() -> Issuer {
    Issuer::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

fn claims(issuer: &Issuer) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({ "iss": issuer.url(), "aud": "noah-es", "sub": "u1", "exp": now + 3600 })
}

async fn published(issuer: &Issuer) -> JwkSet {
    let answer = send(issuer.address(), "GET /jwks.json", &[], "").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_str(&answer.body).unwrap()
}

/// The claims of the token, if another library verifies it with the published keys.
fn verify(token: &str, keys: &JwkSet, iss: &str) -> Option<Value> {
    let header = decode_header(token).unwrap();
    assert_eq!(header.alg, Algorithm::EdDSA);
    let key = DecodingKey::from_jwk(keys.find(header.kid.as_deref()?)?).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["noah-es"]);
    validation.set_issuer(&[iss]);
    decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
}

#[tokio::test]
async fn a_token_verifies_with_the_published_keys_and_a_changed_one_does_not() {
    let issuer = start_issuer().await;
    let token = issuer.token(&claims(&issuer));
    let keys = published(&issuer).await;
    assert_eq!(verify(&token, &keys, &issuer.url()), Some(claims_of(&token)));

    let other = issuer.token(&json!({ "sub": "u2" }));
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let forged = format!("{head}.{}.{signature}", other.split('.').nth(1).unwrap());
    assert_eq!(verify(&forged, &keys, &issuer.url()), None);
}

fn claims_of(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims
}

#[tokio::test]
async fn an_old_key_is_published_until_it_is_withdrawn() {
    let issuer = start_issuer().await;
    let old = issuer.token(&claims(&issuer));
    issuer.rotate().unwrap();
    let new = issuer.token(&claims(&issuer));
    assert_ne!(decode_header(&old).unwrap().kid, decode_header(&new).unwrap().kid);
    let keys = published(&issuer).await;
    assert!(verify(&old, &keys, &issuer.url()).is_some());
    assert!(verify(&new, &keys, &issuer.url()).is_some());

    issuer.withdraw();
    let keys = published(&issuer).await;
    assert!(verify(&old, &keys, &issuer.url()).is_none());
    assert!(verify(&new, &keys, &issuer.url()).is_some());
}

#[tokio::test]
async fn two_issuers_have_no_key_in_common() {
    let (one, other) = (start_issuer().await, start_issuer().await);
    let token = one.token(&claims(&one));
    assert!(published(&other).await.find(&decode_header(&token).unwrap().kid.unwrap()).is_none());
}

#[tokio::test]
async fn the_number_of_published_keys_is_bounded() {
    let issuer = start_issuer().await;
    (0..20).for_each(|_| issuer.rotate().unwrap());
    assert_eq!(published(&issuer).await.keys.len(), super::MAX_PUBLISHED);
}

#[tokio::test]
async fn discovery_leads_to_the_key_set() {
    let issuer = start_issuer().await;
    let found = send(issuer.address(), "GET /.well-known/openid-configuration", &[], "").await.json();
    assert_eq!(found["issuer"], issuer.url());
    assert_eq!(found["jwks_uri"], issuer.jwks_url());
    assert_eq!(issuer.key_set_requests(), 0);
    published(&issuer).await;
    assert_eq!(issuer.key_set_requests(), 1);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let issuer = start_issuer().await;
    assert_eq!(send(issuer.address(), "GET /token", &[], "").await.status, 404);
    assert_eq!(send(issuer.address(), "POST /jwks.json", &[], "").await.status, 405);
}
