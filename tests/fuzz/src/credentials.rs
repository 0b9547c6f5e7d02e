//! Asserts that only signed or issued bytes prove a caller, and that key files of any text are read or rejected.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::document::{Findings, Sources};
use portcullis::identity::issuer::{ClaimLimits, ClaimPaths, ServiceRule};
use portcullis::identity::{
    self, CertificateRules, Credentials, IdFrom, IntrospectionResponse, Issuer, KeySet, PresentedKey, VerifiedCaller,
    client_cert, key_file,
};
use portcullis::vocabulary::Timestamp;
use serde_json::Value;

const SECRET: &[u8] = b"a secret of thirty-two bytes....";
const NOW: Timestamp = Timestamp(1_700_000_000);
const ISS: &str = "https://login.example.com";
const AUDIENCE: &str = "fuzz";

/// Reads the first byte of `data` as a choice of the rest's meaning: header fields, token parts to sign, a key set, an
/// API key file and a key, an introspection response, a client certificate, or a certificate revocation list.
pub fn run(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    match choice % 6 {
        0 => presented(rest),
        1 => signed(rest),
        2 => drop(std::str::from_utf8(rest).map(KeySet::from_text)),
        3 => handed_out(rest),
        4 => introspected(rest),
        _ => certificate(rest),
    }
}

/// Header fields as received: no content can prove a caller, because none of it is signed.
fn presented(data: &[u8]) {
    let mut parts = data.split(|&byte| byte == 0xff);
    let query = parts.next().and_then(|query| std::str::from_utf8(query).ok()).filter(|query| !query.is_empty());
    let values: Vec<&[u8]> = parts.collect();
    let (keys, authorization) = values.split_at(values.len() / 2);
    let credentials =
        Credentials::new(authorization.iter().copied()).with_basic().with_keys("x-key", keys.iter().copied());
    let credentials = credentials.with_query_token(query);
    let sent = usize::from(query.is_some()) + values.len();
    if let Ok(presented) = credentials.select() {
        assert!(sent < 2, "{sent} credentials are one");
        let _ = PresentedKey::read(presented);
    }
    if let Ok(subject) = identity::identify(&credentials, authority().as_slice(), NOW) {
        assert!(sent == 0 && subject.id.is_none(), "unsigned bytes prove {:?}", subject.id);
    }
}

/// A header and claims that are signed as they are: with a valid signature, every other rule still applies.
fn signed(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == 0xff);
    let (Some(header), Some(claims)) = (parts.next(), parts.next()) else { return };
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let Ok(verified) = identity::verify(&token, authority().as_slice(), NOW) else { return };
    let header: Value = serde_json::from_slice(header).expect("a header that counts is JSON");
    assert_eq!(header["alg"], "HS256", "the key chooses the algorithm");
    assert!(header.get("crit").is_none() && header.get("b64").is_none());
    let claims: Value = serde_json::from_slice(claims).expect("claims that count are JSON");
    assert_eq!(claims["iss"], ISS);
    is_for_us(&claims);
    let end = claims["exp"].as_f64().expect("an end is a number");
    assert!(end + 30.0 > NOW.0 as f64);
    names_somebody(&verified);
}

fn is_for_us(claims: &Value) {
    let meant = |audience: &Value| audience == AUDIENCE;
    assert!(meant(&claims["aud"]) || claims["aud"].as_array().is_some_and(|list| list.iter().any(meant)));
}

fn names_somebody(verified: &VerifiedCaller) {
    assert!(verified.expires > NOW);
    let id = verified.subject.id.as_ref().expect("who is proven has an id");
    assert!(&*id.source == "fuzz" && !id.name.trim().is_empty(), "{id}");
}

/// An introspection response: it counts only if it is active, for our audience, and valid now.
fn introspected(body: &[u8]) {
    let answer = IntrospectionResponse {
        content_type: Some("application/json"),
        body,
        default_lifetime: 60,
        accept_missing_audience: false,
    };
    let Some((issuer, _)) = authority().pop() else { return };
    let Ok(verified) = answer.verify(&issuer, NOW) else { return };
    let answer: Value = serde_json::from_slice(body).expect("an answer that counts is JSON");
    assert_eq!(answer["active"], true);
    assert!(answer.get("iss").is_none_or(|iss| iss == ISS));
    is_for_us(&answer);
    names_somebody(&verified);
}

/// A certificate of any content names one caller unambiguously, or none.
fn certificate(der: &[u8]) {
    for id in [IdFrom::SubjectCn, IdFrom::Subject, IdFrom::SanDns, IdFrom::SanUri, IdFrom::SanEmail] {
        let rules = CertificateRules { source: "fuzz".into(), id, service_apps: Vec::new() };
        if let Ok(verified) = client_cert::read_caller(der, &rules) {
            let id = verified.subject.id.as_ref().expect("who is named has an id");
            assert!(!id.name.is_empty() && !id.name.chars().any(char::is_control) && id.name.len() <= 256);
        }
    }
    let _ = (client_cert::read_expiry(der), client_cert::is_authority(der), client_cert::RevocationList::read(der));
}

/// A key file and one key: the key counts only if the file holds its digest, which a fuzzer cannot find.
fn handed_out(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == 0xff);
    let (Some(file), Some(value)) = (parts.next(), parts.next()) else { return };
    let Ok(text) = std::str::from_utf8(file) else { return };
    let (mut sources, mut findings) = (Sources::default(), Findings::default());
    let file = sources.add("keys.yaml", text);
    let Some(entries) = key_file::read(&sources, file, &mut findings) else {
        assert!(findings.has_errors(), "no keys without an error");
        return;
    };
    let ring = key_file::build_ring(entries, "fuzz", &ClaimLimits::default());
    let header = identity::PresentedCredential::Key { header: "x-key", value };
    let Ok(presented) = PresentedKey::read(header) else { return };
    if let Ok(verified) = ring.verify(&presented, NOW) {
        assert!(verified.expires > NOW);
        let id = verified.subject.id.as_ref().expect("a key has an id");
        assert!(value.starts_with(format!("{}:", id.name).as_bytes()));
    }
}

fn authority() -> Vec<(Issuer, KeySet)> {
    let issuer = Issuer {
        name: "fuzz".into(),
        iss: ISS.into(),
        audiences: vec![AUDIENCE.into()],
        claims: ClaimPaths::default(),
        service: ServiceRule::default(),
        claim_limits: ClaimLimits::default(),
        leeway: 10,
        max_lifetime: 86_400,
        max_length: 8192,
    };
    vec![(issuer, KeySet::from_secret(SECRET).expect("the secret is long enough"))]
}
