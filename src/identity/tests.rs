//! Tests of `identity`: from a credential to a caller.

use std::collections::HashSet;

use super::fixtures::*;
use super::*;
use crate::vocabulary::SubjectKind;

fn authority() -> [(Issuer, KeySet); 2] {
    let other = Issuer { name: "clinic".into(), iss: "https://id.clinic.example".into(), ..issuer() };
    let keys = |signer: &Signer| KeySet::from_pem(&signer.public_pem()).unwrap();
    [(issuer(), keys(&P256)), (other, keys(&ED25519))]
}

#[test]
fn no_credential_is_an_anonymous_caller() {
    let subject = identify(&Credentials::default(), authority().as_slice(), NOW).unwrap();
    assert_eq!(subject, Subject::anonymous());
}

#[test]
fn a_good_bearer_token_names_its_caller() {
    let value = format!("bearer {}", P256.token(Algorithm::Es256, None, &claims()));
    let subject = identify(&Credentials::new([value.as_bytes()]), authority().as_slice(), NOW).unwrap();
    assert_eq!(subject.kind, SubjectKind::User);
    assert_eq!(subject.id.unwrap().to_string(), "hospital/alice");
}

#[test]
fn a_token_in_the_query_names_its_caller() {
    let token = P256.token(Algorithm::Es256, None, &claims());
    let credentials = Credentials::default().with_query_token(Some(&token));
    let subject = identify(&credentials, authority().as_slice(), NOW).unwrap();
    assert_eq!(subject.id.unwrap().to_string(), "hospital/alice");
}

#[test]
fn a_bad_credential_is_never_an_anonymous_caller() {
    for value in ["Bearer x", "Basic eDp5", "x", ""] {
        assert!(identify(&Credentials::new([value.as_bytes()]), authority().as_slice(), NOW).is_err(), "{value}");
    }
}

#[test]
fn one_issuers_keys_do_not_speak_for_another_ones_users() {
    let clinic = claims_with("iss", "https://id.clinic.example".into());
    let authority = authority();
    let verify = |token: &str| verify(token, authority.as_slice(), NOW).map(|verified| verified.subject.id);
    let id = verify(&ED25519.token(Algorithm::EdDsa, None, &clinic)).unwrap().unwrap();
    assert_eq!(id.to_string(), "clinic/alice");
    assert_eq!(verify(&P256.token(Algorithm::Es256, None, &clinic)), Err(IdentityError::AlgorithmNotForKey));
    assert_eq!(verify(&ED25519.token(Algorithm::EdDsa, None, &claims())), Err(IdentityError::AlgorithmNotForKey));
}

#[test]
fn every_error_has_a_code_and_a_sentence_of_its_own() {
    let codes: HashSet<_> = IdentityError::ALL.iter().map(|error| error.code()).collect();
    let sentences: HashSet<_> = IdentityError::ALL.iter().map(ToString::to_string).collect();
    assert_eq!((codes.len(), sentences.len()), (IdentityError::ALL.len(), IdentityError::ALL.len()));
    assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
}
