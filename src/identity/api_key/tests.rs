//! Tests of `api_key`: which keys authenticate a caller, and which error the others get.

use super::*;
use crate::vocabulary::{Proof, Subject, SubjectId, SubjectKind};

const NOW: Timestamp = Timestamp(1_000);

fn key(secret: &str, expires: u64, refusal: Option<IdentityError>) -> ApiKey {
    let subject = Subject {
        kind: SubjectKind::User,
        id: Some(SubjectId { source: "machines".into(), name: "alice".into() }),
        proof: Proof::ApiKey,
        ..Subject::default()
    };
    let caller = Arc::new(VerifiedCaller { subject, expires: Timestamp(expires) });
    ApiKey { digest: SecretDigest::of(secret.as_bytes()), caller, refusal }
}

fn ring(key: ApiKey) -> KeyRing {
    KeyRing::new([("alice".into(), key)])
}

fn header(value: &[u8]) -> Result<PresentedKey, IdentityError> {
    PresentedKey::read(PresentedCredential::Key { header: "X-Api-Key", value })
}

fn verify(ring: &KeyRing, value: &str) -> Result<Arc<VerifiedCaller>, IdentityError> {
    ring.verify(&header(value.as_bytes())?, NOW)
}

#[test]
fn an_id_with_its_secret_is_the_caller_in_both_presentations() {
    let ring = ring(key("s3cret", 2_000, None));
    let caller = verify(&ring, "alice:s3cret").unwrap();
    assert_eq!(caller.subject.id.as_ref().unwrap().to_string(), "machines/alice");
    let basic = PresentedKey::read(PresentedCredential::Basic("YWxpY2U6czNjcmV0")).unwrap();
    assert_eq!(ring.verify(&basic, NOW), Ok(caller));
}

#[test]
fn anything_else_is_refused_and_the_secret_counts_before_all_else() {
    use IdentityError::{ApiKeyExpired, ApiKeyRevoked, UnknownApiKey, WrongSecret};
    let good = ring(key("s", 2_000, None));
    for (value, expected) in [
        ("bob:s", UnknownApiKey),
        ("Alice:s", UnknownApiKey),
        ("alice:S", WrongSecret),
        ("alice:s ", WrongSecret),
        ("alice:s:", WrongSecret),
        ("alice::s", WrongSecret),
    ] {
        assert_eq!(verify(&good, value), Err(expected), "{value}");
    }
    let expired = ring(key("s", 1_000, None));
    assert_eq!(verify(&expired, "alice:s"), Err(ApiKeyExpired));
    assert_eq!(verify(&expired, "alice:x"), Err(WrongSecret));
    let revoked = ring(key("s", 1_000, Some(ApiKeyRevoked)));
    assert_eq!(verify(&revoked, "alice:s"), Err(ApiKeyRevoked));
    assert_eq!(verify(&revoked, "alice:x"), Err(WrongSecret));
    assert_eq!(verify(&KeyRing::default(), "alice:s"), Err(UnknownApiKey));
}

#[test]
fn colons_behind_the_first_one_are_the_secrets() {
    let ring = ring(key("a:b:", 2_000, None));
    assert!(verify(&ring, "alice:a:b:").is_ok());
    assert_eq!(verify(&ring, "alice:a:b"), Err(IdentityError::WrongSecret));
}

#[test]
fn what_is_not_an_id_a_colon_and_a_secret_is_malformed() {
    let long = |id: usize, secret: usize| format!("{}:{}", "i".repeat(id), "s".repeat(secret)).into_bytes();
    let malformed = Err(IdentityError::MalformedApiKey);
    let values: [&[u8]; 10] = [
        b"",
        b":",
        b"alice",
        b"alice:",
        b":s",
        b"al ice:s",
        b"al/ice:s",
        b"\xe4lice:s",
        "älice:s".as_bytes(),
        b"a\0:s",
    ];
    for value in values {
        assert_eq!(header(value), malformed, "{}", value.escape_ascii());
    }
    assert!(header(&long(MAX_ID_LENGTH, MAX_SECRET_LENGTH)).is_ok());
    assert_eq!(header(&long(MAX_ID_LENGTH + 1, 1)), malformed);
    assert_eq!(header(&long(1, MAX_SECRET_LENGTH + 1)), malformed);
    let basic = |text: &str| PresentedKey::read(PresentedCredential::Basic(text));
    assert!(basic(&STANDARD.encode(long(MAX_ID_LENGTH, MAX_SECRET_LENGTH))).is_ok());
    let longer = STANDARD.encode(long(MAX_ID_LENGTH, MAX_SECRET_LENGTH + 3));
    // No colon, a bit after the end, no padding, needless padding, the URL alphabet, too long.
    for text in ["YWxpY2U", "YTpi=", "YTpiYQ", "YTpiYR==", "YTpiYmI==", "YTo_Pz8_", &longer] {
        assert_eq!(basic(text), malformed, "{text}");
    }
    assert_eq!(PresentedKey::read(PresentedCredential::Token("a.b.c")), malformed);
    assert_eq!(PresentedKey::read(PresentedCredential::Anonymous), malformed);
}

#[test]
fn a_digest_prints_back_as_it_was_written() {
    let digest = SecretDigest::of(b"test");
    let written = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert_eq!(digest.to_string(), written);
    assert_eq!(SecretDigest::parse(written), Some(digest));
    for wrong in
        ["", "sha256:", &written[1..], &written[7..], &written[..70], &format!("{written}0"), &written.to_uppercase()]
    {
        assert_eq!(SecretDigest::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_caller_is_current_until_the_key_changes() {
    let first = ring(key("s", 2_000, None));
    let caller = verify(&first, "alice:s").unwrap();
    let same = ring(key("s", 2_000, None)).reuse_callers(&first);
    assert!(same.is_current(&caller) && Arc::ptr_eq(&verify(&same, "alice:s").unwrap(), &caller));
    let revoked = Some(IdentityError::ApiKeyRevoked);
    for other in [key("new", 2_000, None), key("s", 3_000, None), key("s", 2_000, revoked)] {
        assert!(!ring(other).reuse_callers(&same).is_current(&caller));
    }
    assert!(!KeyRing::default().reuse_callers(&same).is_current(&caller));
}

#[test]
fn nothing_prints_a_secret_or_its_digest() {
    let ring = ring(key("s3cret", 2_000, None));
    let printed = format!("{ring:?}{:?}{:?}", header(b"alice:s3cret"), SecretDigest::of(b"s3cret"));
    assert!(!printed.contains("s3cret") && !printed.contains("sha256:"), "{printed}");
}

#[test]
fn an_unknown_id_takes_the_same_comparison_as_a_wrong_secret() {
    let ring = ring(key("s3cret", 2_000, None));
    let verify_comparing = |text: &[u8], answer: bool| {
        let presented = header(text).unwrap();
        let mut pairs = Vec::new();
        let compare = |secret: &SecretDigest, stored: &SecretDigest| {
            pairs.push((*secret, *stored));
            answer
        };
        let outcome = ring.verify_with(&presented, Timestamp(1_000), compare).map(|_| ());
        (outcome, pairs)
    };
    let (guess, stored) = (SecretDigest::of(b"guess"), SecretDigest::of(b"s3cret"));
    let wrong = verify_comparing(b"alice:guess", false);
    assert_eq!(wrong, (Err(IdentityError::WrongSecret), vec![(guess, stored)]));
    let unknown = verify_comparing(b"nobody:guess", false);
    assert_eq!(unknown, (Err(IdentityError::UnknownApiKey), vec![(guess, SecretDigest::PLACEHOLDER)]));
    // A match with the placeholder digest still authenticates no caller.
    assert_eq!(verify_comparing(b"nobody:guess", true).0, Err(IdentityError::UnknownApiKey));
}
