//! Tests of `jwt`: valid tokens, and every reason to refuse one.

use serde_json::json;

use super::super::fixtures::*;
use super::*;
use IdentityError::*;

fn keys(jwk_list: &[Value]) -> KeySet {
    KeySet::from_jwks(&jwks(jwk_list)).unwrap()
}

fn all_keys() -> KeySet {
    keys(&[RSA.jwk("rsa"), RSA_TOO.jwk("rsa-too"), P256.jwk("p256"), P384.jwk("p384"), ED25519.jwk("ed")])
}

fn error(verified: Result<VerifiedCaller, IdentityError>) -> IdentityError {
    verified.map(|verified| verified.subject.id).unwrap_err()
}

/// The pair of signer and `kid` for an algorithm.
fn signer(algorithm: Algorithm) -> (&'static Signer, &'static str) {
    match algorithm {
        Algorithm::Es256 => (&P256, "p256"),
        Algorithm::Es384 => (&P384, "p384"),
        Algorithm::EdDsa => (&ED25519, "ed"),
        _ => (&RSA, "rsa"),
    }
}

#[test]
fn every_algorithm_verifies_with_its_key() {
    for algorithm in Algorithm::ALL {
        let verified = if algorithm == Algorithm::Hs256 {
            verify_claims(&claims())
        } else {
            let (signer, kid) = signer(algorithm);
            verify_with(&signer.token(algorithm, Some(kid), &claims()), all_keys())
        };
        let verified = verified.unwrap_or_else(|error| panic!("{}: {error}", algorithm.name()));
        assert_eq!(&*verified.subject.id.unwrap().name, "alice");
        assert_eq!(verified.expires, NOW.plus(610), "leeway included");
    }
}

#[test]
fn no_algorithm_verifies_with_another_kind_of_key() {
    for algorithm in Algorithm::ALL {
        for kid in ["rsa", "p256", "p384", "ed"] {
            let fits = algorithm != Algorithm::Hs256 && signer(algorithm).1 == kid;
            let token = match algorithm {
                Algorithm::Hs256 => Signer::secret(SECRET).token(algorithm, Some(kid), &claims()),
                _ => signer(algorithm).0.token(algorithm, Some(kid), &claims()),
            };
            let found = verify_with(&token, all_keys()).map(|_| ());
            let expected = if fits { Ok(()) } else { Err(AlgorithmNotForKey) };
            assert_eq!(found, expected, "{} with `{kid}`", algorithm.name());
        }
    }
}

#[test]
fn an_unsigned_token_is_refused_however_none_is_written() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = encode(json!({"alg": alg}).to_string().as_bytes());
        let payload = encode(claims().to_string().as_bytes());
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}.AAAA")] {
            assert_eq!(error(verify_with(&token, all_keys())), UnknownAlgorithm, "{alg}");
        }
    }
    let header = encode(b"{\"alg\":\"RS256\",\"kid\":\"rsa\"}");
    let token = format!("{header}.{}.", encode(claims().to_string().as_bytes()));
    assert_eq!(error(verify_with(&token, all_keys())), BadSignature);
}

#[test]
fn an_algorithm_that_is_missing_or_unknown_is_refused() {
    for header in
        ["{}", r#"{"alg":1}"#, r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":"HS512"}"#, r#"{"alg":"rs256"}"#]
    {
        let token = RSA.token_of(Algorithm::Rs256, header, &claims().to_string());
        assert_eq!(error(verify_with(&token, all_keys())), UnknownAlgorithm, "{header}");
    }
}

#[test]
fn a_public_key_is_never_taken_for_a_shared_secret() {
    let pem = RSA.public_pem();
    for secret in [pem.as_str(), pem.trim_end()] {
        let forger = Signer::secret(secret.as_bytes());
        for kid in [None, Some("rsa")] {
            let token = forger.token(Algorithm::Hs256, kid, &claims());
            assert_eq!(error(verify_with(&token, keys(&[RSA.jwk("rsa")]))), AlgorithmNotForKey);
            assert_eq!(error(verify_with(&token, KeySet::from_pem(&pem).unwrap())), AlgorithmNotForKey);
        }
    }
}

#[test]
fn a_key_for_one_algorithm_verifies_no_other_one_of_its_family() {
    let mut jwk = RSA.jwk("rsa");
    jwk["alg"] = "PS256".into();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps384, Algorithm::Rs512] {
        let token = RSA.token(algorithm, Some("rsa"), &claims());
        assert_eq!(error(verify_with(&token, keys(std::slice::from_ref(&jwk)))), AlgorithmNotForKey);
    }
    assert!(verify_with(&RSA.token(Algorithm::Ps256, Some("rsa"), &claims()), keys(&[jwk])).is_ok());
}

#[test]
fn the_header_does_not_choose_how_a_signature_is_checked() {
    // Signed with PS256 but labelled RS256, and vice versa: the same key with another padding.
    for (signed, labelled) in [(Algorithm::Ps256, "RS256"), (Algorithm::Rs256, "PS256"), (Algorithm::Rs256, "RS512")] {
        let token = RSA.token_of(signed, &json!({"alg": labelled, "kid": "rsa"}).to_string(), &claims().to_string());
        assert_eq!(error(verify_with(&token, all_keys())), BadSignature, "{labelled}");
    }
}

#[test]
fn a_header_with_extensions_is_refused_whatever_they_hold() {
    for member in
        ["\"crit\":[\"exp\"]", "\"crit\":[]", "\"crit\":null", "\"b64\":false", "\"b64\":true", "\"b64\":null"]
    {
        let header = format!("{{\"alg\":\"RS256\",\"kid\":\"rsa\",{member}}}");
        let token = RSA.token_of(Algorithm::Rs256, &header, &claims().to_string());
        assert_eq!(error(verify_with(&token, all_keys())), CriticalHeader, "{member}");
    }
}

#[test]
fn a_key_in_the_header_is_not_believed() {
    for (name, value) in [
        ("jwk", RSA_TOO.jwk("rsa")),
        ("jku", "https://evil.example/keys".into()),
        ("x5u", "https://evil.example/chain".into()),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({"alg": "RS256", "kid": "rsa"});
        header[name] = value;
        let forged = RSA_TOO.token_of(Algorithm::Rs256, &header.to_string(), &claims().to_string());
        assert_eq!(error(verify_with(&forged, all_keys())), BadSignature, "{name}");
        let good = RSA.token_of(Algorithm::Rs256, &header.to_string(), &claims().to_string());
        assert!(verify_with(&good, all_keys()).is_ok(), "{name}");
    }
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let good = claims().to_string();
    let header = r#"{"alg":"RS256","kid":"rsa"}"#;
    let headers = [
        r#"{"alg":"RS256","alg":"RS256","kid":"rsa"}"#,
        r#"{"alg":"none","alg":"RS256","kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":"x","kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":"rsa","x":{"y":1,"y":1}}"#,
    ];
    for header in headers {
        assert_eq!(
            error(verify_with(&RSA.token_of(Algorithm::Rs256, header, &good), all_keys())),
            RepeatedClaim,
            "{header}"
        );
    }
    for member in [r#""sub":"bob""#, r#""iss":"x""#, r#""exp":9"#, r#""s\u0075b":"bob""#, r#""a":{"b":1,"b":2}"#] {
        let payload = format!("{},{member}}}", good.trim_end_matches('}'));
        assert_eq!(
            error(verify_with(&RSA.token_of(Algorithm::Rs256, header, &payload), all_keys())),
            RepeatedClaim,
            "{member}"
        );
    }
}

#[test]
fn only_an_issuer_of_ours_is_believed() {
    let wrong = [
        Value::Null,
        "".into(),
        "https://evil.example".into(),
        "https://id.hospital.example/".into(),
        "https://ID.hospital.example".into(),
        1.into(),
        json!(["https://id.hospital.example"]),
        json!({"iss": "https://id.hospital.example"}),
    ];
    for iss in wrong {
        assert_eq!(error(verify_claims(&claims_with("iss", iss.clone()))), UnknownIssuer, "{iss}");
    }
    let other = Issuer { iss: "https://other.example".into(), ..issuer() };
    let token = RSA.token(Algorithm::Rs256, Some("rsa"), &claims());
    let unverified = UnverifiedToken::read(&token).unwrap();
    assert_eq!(error(unverified.verify(&other, &all_keys(), NOW)), UnknownIssuer, "chosen wrongly by the caller");
}

#[test]
fn the_audience_must_be_ours() {
    let wrong = [
        Value::Null,
        "".into(),
        "other".into(),
        "NOAH".into(),
        "noah ".into(),
        1.into(),
        true.into(),
        json!([]),
        json!([""]),
        json!(["other"]),
        json!(["noah", 1]),
        json!([["noah"]]),
        json!({"noah": true}),
    ];
    for aud in wrong {
        assert_eq!(error(verify_claims(&claims_with("aud", aud.clone()))), WrongAudience, "{aud}");
    }
    for aud in [json!("noah-test"), json!(["noah"]), json!(["other", "noah"])] {
        assert!(verify_claims(&claims_with("aud", aud.clone())).is_ok(), "{aud}");
    }
}

#[test]
fn the_expiry_is_a_number_that_lies_ahead_and_not_too_far() {
    let now = NOW.0;
    let cases = [
        (Value::Null, Err(MalformedTime)),
        ((now + 600).to_string().into(), Err(MalformedTime)),
        (true.into(), Err(MalformedTime)),
        (json!([now + 600]), Err(MalformedTime)),
        (0.into(), Err(Expired)),
        ((-1).into(), Err(Expired)),
        (json!(-1e300), Err(Expired)),
        ((now - 600).into(), Err(Expired)),
        ((now - 11).into(), Err(Expired)),
        ((now - 10).into(), Err(Expired)),
        (json!((now - 10) as f64 + 0.9), Err(Expired)),
        ((now - 9).into(), Ok(())),
        (now.into(), Ok(())),
        (json!(now as f64 + 60.5), Ok(())),
        ((now + 3600).into(), Ok(())),
        ((now + 3601).into(), Err(LivesTooLong)),
        (u64::MAX.into(), Err(LivesTooLong)),
        (json!(1e300), Err(LivesTooLong)),
    ];
    for (exp, expected) in cases {
        assert_eq!(verify_claims(&claims_with("exp", exp.clone())).map(|_| ()), expected, "{exp}");
    }
}

#[test]
fn a_token_is_not_valid_before_its_time() {
    let now = NOW.0;
    let cases = [
        ((now + 10).into(), Ok(())),
        ((now - 600).into(), Ok(())),
        ((-1).into(), Ok(())),
        (json!(now as f64 + 9.5), Ok(())),
        (json!(now as f64 + 10.5), Err(NotYetValid)),
        ((now + 11).into(), Err(NotYetValid)),
        (u64::MAX.into(), Err(NotYetValid)),
        (json!(1e300), Err(NotYetValid)),
        ("soon".into(), Err(MalformedTime)),
        (json!([now]), Err(MalformedTime)),
    ];
    for name in ["nbf", "iat"] {
        for (time, expected) in &cases {
            let found = verify_claims(&claims_with(name, Value::clone(time))).map(|_| ());
            assert_eq!(found, *expected, "{name} {time}");
        }
        assert!(verify_claims(&claims_with(name, Value::Null)).is_ok(), "{name} is optional");
        let null = claims().to_string().replace("\"aud\"", &format!("\"{}\":null,\"aud\"", "nbf"));
        let token = Signer::secret(SECRET).token_of(Algorithm::Hs256, r#"{"alg":"HS256"}"#, &null);
        assert_eq!(error(verify_with(&token, KeySet::from_secret(SECRET).unwrap())), MalformedTime);
    }
}

#[test]
fn leeway_is_never_more_than_thirty_seconds() {
    let lax = Issuer { leeway: 3600, ..issuer() };
    let verify_lax = |claims: &Value| {
        let token = Signer::secret(SECRET).token(Algorithm::Hs256, None, claims);
        verify_by(&token, lax.clone(), KeySet::from_secret(SECRET).unwrap()).map(|_| ())
    };
    assert_eq!(verify_lax(&claims_with("exp", (NOW.0 - 29).into())), Ok(()));
    assert_eq!(verify_lax(&claims_with("exp", (NOW.0 - 30).into())), Err(Expired));
    assert_eq!(verify_lax(&claims_with("nbf", (NOW.0 + 30).into())), Ok(()));
    assert_eq!(verify_lax(&claims_with("nbf", (NOW.0 + 31).into())), Err(NotYetValid));
}

#[test]
fn a_token_without_a_kid_verifies_only_when_one_key_can_be_meant() {
    let token = RSA.token(Algorithm::Rs256, None, &claims());
    assert!(verify_with(&token, keys(&[RSA.jwk("rsa"), P256.jwk("p256")])).is_ok());
    assert_eq!(error(verify_with(&token, keys(&[RSA.jwk("rsa"), RSA_TOO.jwk("rsa-too")]))), AmbiguousKey);
    assert_eq!(error(verify_with(&token, keys(&[P256.jwk("p256")]))), AlgorithmNotForKey);
}

#[test]
fn a_kid_that_nobody_knows_is_told_apart_from_a_bad_token() {
    let unknown = RSA.token(Algorithm::Rs256, Some("next"), &claims());
    assert_eq!(error(verify_with(&unknown, keys(&[RSA.jwk("rsa"), P256.jwk("p256")]))), UnknownKey);
    let wrong = RSA.token(Algorithm::Rs256, Some("rsa-too"), &claims());
    assert_eq!(error(verify_with(&wrong, all_keys())), BadSignature);
    for kid in ["1", "null", "[\"rsa\"]"] {
        let header = format!("{{\"alg\":\"RS256\",\"kid\":{kid}}}");
        let token = RSA.token_of(Algorithm::Rs256, &header, &claims().to_string());
        assert_eq!(error(verify_with(&token, all_keys())), MalformedToken, "{kid}");
    }
}

#[test]
fn a_kid_does_not_matter_to_a_single_key_from_a_pem_file() {
    let token = RSA.token(Algorithm::Rs256, Some("whatever"), &claims());
    assert!(verify_with(&token, KeySet::from_pem(&RSA.public_pem()).unwrap()).is_ok());
    assert_eq!(error(verify_with(&token, KeySet::from_pem(&RSA_TOO.public_pem()).unwrap())), BadSignature);
}

#[test]
fn missing_keys_are_told_apart_from_a_bad_token() {
    let token = RSA.token(Algorithm::Rs256, Some("rsa"), &claims());
    assert_eq!(error(verify_with(&token, KeySet::unavailable())), KeysUnavailable);
}

#[test]
fn a_token_that_was_tampered_with_is_refused() {
    for algorithm in Algorithm::ALL.into_iter().filter(|&algorithm| algorithm != Algorithm::Hs256) {
        let (signer, kid) = signer(algorithm);
        let token = signer.token(algorithm, Some(kid), &claims());
        let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let bob = encode(claims_with("sub", "bob".into()).to_string().as_bytes());
        let other = encode(json!({"kid": kid, "alg": algorithm.name()}).to_string().as_bytes());
        for forged in [
            format!("{header}.{payload}.{first}{}", &signature[1..]),
            format!("{header}.{payload}.{}", &signature[..signature.len() - 4]),
            format!("{header}.{payload}.{signature}AAAA"),
            format!("{header}.{payload}."),
            format!("{header}.{bob}.{signature}"),
            format!("{other}.{payload}.{signature}"),
        ] {
            let found = error(verify_with(&forged, all_keys()));
            assert!(matches!(found, BadSignature | MalformedToken), "{}: {forged}: {found}", algorithm.name());
        }
    }
}

#[test]
fn a_token_has_one_spelling() {
    let token = RSA.token(Algorithm::Rs256, Some("rsa"), &claims());
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    // The last letter of 256 bytes carries four unused bits, which must be zero.
    let last = signature.as_bytes()[signature.len() - 1];
    let twin = format!("{}{}", &signature[..signature.len() - 1], char::from(last + 1));
    for other in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}. {payload}.{signature}"),
        format!("{header}.{payload}.{twin}"),
        format!("{header}.{payload}.{signature}."),
        format!(".{header}.{payload}.{signature}"),
        format!("{header}.{payload}"),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{header}.{payload}.{signature}.{header}.{payload}"),
        token.replace('.', ".."),
        String::new(),
        "..".into(),
    ] {
        assert_eq!(error(verify_with(&other, all_keys())), MalformedToken, "{other}");
    }
}

#[test]
fn parts_that_are_no_json_objects_are_refused() {
    let (header, good) = (r#"{"alg":"RS256","kid":"rsa"}"#, claims().to_string());
    for text in ["", "[]", "null", "\"x\"", "{", "{}{}", &format!("{good} x"), &format!("\u{feff}{good}")] {
        assert_eq!(
            error(verify_with(&RSA.token_of(Algorithm::Rs256, header, text), all_keys())),
            MalformedToken,
            "{text}"
        );
    }
    for text in ["", "[]", "null", r#"["alg","RS256"]"#, r#"{"alg":"RS256"} x"#] {
        assert_eq!(
            error(verify_with(&RSA.token_of(Algorithm::Rs256, text, &good), all_keys())),
            MalformedToken,
            "{text}"
        );
    }
}

#[test]
fn a_long_token_is_refused_before_anything_is_read_of_it() {
    let padded = |length: usize| {
        let text = "x".repeat(length);
        Signer::secret(SECRET).token(Algorithm::Hs256, None, &claims_with("pad", text.into()))
    };
    let secret = || KeySet::from_secret(SECRET).unwrap();
    assert!(verify_with(&padded(2000), secret()).is_ok());
    let over = padded(3000);
    assert!(over.len() > 4096 && over.len() < MAX_TOKEN_LENGTH);
    assert_eq!(error(verify_with(&over, secret())), TokenTooLong, "the issuer's own limit");
    let lax = || Issuer { max_length: 1 << 20, ..issuer() };
    assert!(verify_by(&over, lax(), secret()).is_ok());
    assert_eq!(error(verify_by(&padded(6100), lax(), secret())), TokenTooLong, "the limit of all");
    assert_eq!(error(verify_with(&"x".repeat(MAX_TOKEN_LENGTH + 1), secret())), TokenTooLong);
    assert_eq!(error(verify_with(&"x".repeat(MAX_TOKEN_LENGTH), secret())), MalformedToken);
}

#[test]
fn a_signature_of_zeros_is_refused() {
    let signature = |token: &str, bytes: &[u8]| {
        let (signed, _) = token.rsplit_once('.').unwrap();
        format!("{signed}.{}", encode(bytes))
    };
    for (signer, algorithm, length) in [(&*P256, Algorithm::Es256, 64), (&*P384, Algorithm::Es384, 96)] {
        let keys = || KeySet::from_pem(&signer.public_pem()).unwrap();
        let token = signer.token(algorithm, None, &claims());
        assert!(verify_with(&token, keys()).is_ok());
        let zeros = vec![0; length];
        let ones = vec![0xff; length];
        let der = [0x30, 6, 2, 1, 0, 2, 1, 0];
        for bytes in [zeros.as_slice(), &zeros[1..], &ones, &der, &[]] {
            assert_eq!(verify_with(&signature(&token, bytes), keys()), Err(BadSignature), "{bytes:?}");
        }
    }
}

#[test]
fn a_kid_is_compared_and_never_looked_up_elsewhere() {
    for kid in ["../../dev/null", "/proc/sys/kernel/randomize_va_space", "' UNION SELECT 'x", "first\0", "FIRST", ""] {
        let token = P256.token(Algorithm::Es256, Some(kid), &claims());
        let keys = keys(&[P256.jwk("first"), ED25519.jwk("second")]);
        assert_eq!(verify_with(&token, keys), Err(UnknownKey), "{kid}");
    }
}

#[test]
fn a_confirmation_that_nobody_checks_is_not_passed_over() {
    let thumbprint = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
    let confirmed = |cnf: Value| {
        let mut claims = claims();
        claims["cnf"] = cnf;
        verify_claims(&claims).map(|_| ())
    };
    assert_eq!(confirmed(json!({ "x5t#S256": thumbprint })), Ok(()));
    for cnf in [
        json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
        json!({ "jkt": "x", "x5t#S256": thumbprint }),
        json!({ "jwk": {} }),
        json!({ "kid": "a" }),
        json!({ "x5t#s256": thumbprint }),
        json!({ "x5t#S256": 5 }),
        json!({ "x5t#S256": null }),
        json!({}),
        json!([]),
        json!(thumbprint),
        json!(null),
    ] {
        assert_eq!(confirmed(cnf.clone()), Err(UnknownConfirmation), "{cnf}");
    }
}
