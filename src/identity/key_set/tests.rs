//! Tests of `key_set`: which keys are accepted, and which key is selected for a token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::fixtures::*;
use super::*;

fn from_jwks(keys: &[Value]) -> Result<KeySet, KeyError> {
    KeySet::from_jwks(&jwks(keys))
}

/// An RSA public key whose modulus has this many bits; its factors are unknown and not needed.
fn rsa_jwk(bits: usize) -> Value {
    let mut modulus = vec![0x5b; bits.div_ceil(8)];
    modulus[0] = if bits.is_multiple_of(8) { 0x80 } else { 1 << (bits % 8 - 1) };
    json!({"kty": "RSA", "kid": "small", "n": encode(&modulus), "e": "AQAB"})
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

/// The reason why the one key of a set is not usable.
fn refused(jwk: Value) -> String {
    match from_jwks(std::slice::from_ref(&jwk)) {
        Err(KeyError::NoUsableKey(reasons)) => reasons.join("; "),
        other => panic!("{jwk}: {other:?}"),
    }
}

#[test]
fn several_pem_keys_in_one_file_are_all_read() {
    let text = format!(
        "# new\n{}\n# old\n{}{}{}",
        RSA.public_pem(),
        P256.public_pem(),
        P384.public_pem(),
        ED25519.public_pem()
    );
    let keys = KeySet::from_text(&text).unwrap();
    assert_eq!(keys.len(), 4);
    for algorithm in [Algorithm::Rs256, Algorithm::Ps512, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        assert!(keys.select_key(None, algorithm).is_ok(), "{}", algorithm.name());
    }
    assert_eq!(keys.select_key(None, Algorithm::Hs256).unwrap_err(), IdentityError::AlgorithmNotForKey);
}

#[test]
fn a_pem_key_verifies_what_its_private_key_signed() {
    let windows = RSA.public_pem().replace('\n', "\r\n");
    let signers = [(&RSA, Algorithm::Ps384), (&P256, Algorithm::Es256), (&P384, Algorithm::Es384)];
    for (signer, algorithm) in signers.into_iter().chain([(&ED25519, Algorithm::EdDsa)]) {
        let keys = KeySet::from_text(&signer.public_pem()).unwrap();
        assert!(verify_with(&signer.token(algorithm, None, &claims()), keys).is_ok(), "{}", algorithm.name());
    }
    let token = RSA.token(Algorithm::Rs256, None, &claims());
    assert!(verify_with(&token, KeySet::from_text(&windows).unwrap()).is_ok());
}

#[test]
fn an_rsa_public_key_in_its_own_format_is_read() {
    use rcgen::PublicKeyData;
    let Signer::Pair(pair) = &*RSA else { panic!() };
    let label = "RSA PUBLIC KEY";
    let body = STANDARD.encode(pair.der_bytes());
    let keys = KeySet::from_pem(&format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")).unwrap();
    assert!(verify_with(&RSA.token(Algorithm::Rs256, None, &claims()), keys).is_ok());
}

#[test]
fn a_pem_file_with_anything_but_public_keys_is_refused() {
    assert_eq!(KeySet::from_pem(&RSA.private_pem()).unwrap_err(), KeyError::NotAPublicKey("PRIVATE KEY".into()));
    let certificate = RSA.public_pem().replace("PUBLIC KEY", "CERTIFICATE");
    assert_eq!(KeySet::from_pem(&certificate).unwrap_err(), KeyError::NotAPublicKey("CERTIFICATE".into()));
    let cut = RSA.public_pem();
    assert_eq!(KeySet::from_pem(&cut[..cut.len() / 2]).unwrap_err(), KeyError::MalformedPem);
    assert_eq!(KeySet::from_pem(&cut.replace("MII", "M!I")).unwrap_err(), KeyError::MalformedPem);
    let noise = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    assert_eq!(KeySet::from_pem(noise).unwrap_err(), KeyError::UnknownKey);
    assert_eq!(KeySet::from_pem("").unwrap_err(), KeyError::NoUsableKey(vec![]));
}

#[test]
fn a_short_secret_is_refused() {
    assert_eq!(KeySet::from_secret(&[7; 31]).unwrap_err(), KeyError::ShortSecret(31));
    assert_eq!(KeySet::from_secret(&[7; 32]).unwrap().len(), 1);
}

#[test]
fn what_is_no_key_set_is_refused() {
    let twice = format!("{{\"keys\":[],\"keys\":[{}]}}", RSA.jwk("rsa"));
    for text in
        ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":[]", &twice, &RSA.jwk("rsa").to_string()]
    {
        assert_eq!(KeySet::from_jwks(text).unwrap_err(), KeyError::MalformedKeySet, "{text}");
    }
    assert_eq!(KeySet::from_jwks("{\"keys\":[]}").unwrap_err(), KeyError::NoUsableKey(vec![]));
}

#[test]
fn a_symmetric_key_in_a_key_set_is_never_used() {
    let oct = json!({"kty": "oct", "kid": "shared", "alg": "HS256", "k": encode(SECRET)});
    assert_eq!(refused(oct.clone()), "`shared`: a symmetric key is never taken from a key set");
    let keys = from_jwks(&[oct, RSA.jwk("rsa")]).unwrap();
    assert_eq!((keys.len(), keys.skipped().len()), (1, 1));
    let token = Signer::secret(SECRET).token(Algorithm::Hs256, Some("shared"), &claims());
    assert_eq!(verify_with(&token, keys).unwrap_err(), IdentityError::UnknownKey);
}

#[test]
fn a_small_or_giant_rsa_key_is_refused() {
    for bits in [512, 1024, 2040, 2047, 8200] {
        assert!(refused(rsa_jwk(bits)).contains(&format!("an RSA key of {bits} bits")), "{}", refused(rsa_jwk(bits)));
    }
    assert_eq!(from_jwks(&[rsa_jwk(2048)]).unwrap().len(), 1);
}

#[test]
fn a_key_that_is_not_for_verifying_or_not_understood_is_skipped() {
    let even = with(RSA.jwk("k"), "e", "Ag".into());
    let one = with(RSA.jwk("k"), "e", "AQ".into());
    let off_curve = with(P256.jwk("k"), "y", P256.jwk("k")["x"].clone());
    let unusable = [
        json!("text"),
        json!({}),
        json!({"kty": "future"}),
        json!({"kty": "OKP", "crv": "X25519", "x": encode(&[9; 32])}),
        json!({"kty": "OKP", "crv": "Ed448", "x": encode(&[9; 57])}),
        with(RSA.jwk("k"), "use", "enc".into()),
        with(RSA.jwk("k"), "use", 1.into()),
        with(RSA.jwk("k"), "key_ops", json!(["encrypt"])),
        with(RSA.jwk("k"), "key_ops", json!([])),
        with(RSA.jwk("k"), "key_ops", "verify".into()),
        with(RSA.jwk("k"), "alg", "RSA-OAEP".into()),
        with(RSA.jwk("k"), "alg", "HS256".into()),
        with(RSA.jwk("k"), "alg", "ES256".into()),
        with(RSA.jwk("k"), "alg", 1.into()),
        with(P256.jwk("k"), "alg", "ES384".into()),
        with(P256.jwk("k"), "crv", "P-384".into()),
        with(P384.jwk("k"), "crv", "P-256".into()),
        with(P256.jwk("k"), "crv", "secp256k1".into()),
        with(RSA.jwk("k"), "kid", 1.into()),
        with(RSA.jwk("k"), "d", "AQAB".into()),
        with(RSA.jwk("k"), "n", "not base64!".into()),
        with(RSA.jwk("k"), "n", Value::Null),
        with(ED25519.jwk("k"), "x", encode(&[1; 31]).into()),
        even,
        one,
        off_curve,
    ];
    for jwk in &unusable {
        assert!(!refused(jwk.clone()).is_empty(), "{jwk}");
    }
    let all: Vec<Value> = unusable.iter().cloned().chain([RSA.jwk("good")]).collect();
    let keys = from_jwks(&all).unwrap();
    assert_eq!((keys.len(), keys.skipped().len()), (1, unusable.len()));
}

#[test]
fn a_key_for_verifying_is_taken_with_and_without_saying_so() {
    let plain = RSA.jwk("k");
    for jwk in [
        plain.clone(),
        with(plain.clone(), "use", "sig".into()),
        with(plain.clone(), "key_ops", json!(["sign", "verify"])),
        with(plain.clone(), "alg", "RS512".into()),
        with(plain, "x5t", "unknown members are not looked at".into()),
    ] {
        assert_eq!(from_jwks(&[jwk]).unwrap().len(), 1);
    }
}

#[test]
fn two_keys_with_one_kid_are_refused() {
    let error = from_jwks(&[RSA.jwk("k"), P256.jwk("other"), P384.jwk("k")]).unwrap_err();
    assert_eq!(error, KeyError::RepeatedKid("k".into()));
    let encryption = with(RSA_TOO.jwk("k"), "use", "enc".into());
    assert_eq!(from_jwks(&[RSA.jwk("k"), encryption]).unwrap().len(), 1, "one of them is no key of ours");
}

#[test]
fn the_settings_narrow_what_keys_verify() {
    let allowed: Algorithms = [Algorithm::Ps256, Algorithm::Es256].into_iter().collect();
    let keys = from_jwks(&[RSA.jwk("rsa"), ED25519.jwk("ed")]).unwrap().limit_to(allowed).unwrap();
    assert_eq!((keys.len(), keys.skipped().len()), (1, 1));
    assert!(keys.select_key(Some("rsa"), Algorithm::Ps256).is_ok());
    assert_eq!(keys.select_key(Some("rsa"), Algorithm::Rs256).unwrap_err(), IdentityError::AlgorithmNotForKey);
    let none = from_jwks(&[ED25519.jwk("ed")]).unwrap().limit_to(allowed);
    assert!(matches!(none, Err(KeyError::NoUsableKey(_))));
    assert!(!KeySet::unavailable().limit_to(allowed).unwrap().is_available());
}
