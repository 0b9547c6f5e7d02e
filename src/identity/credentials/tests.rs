//! Tests of `credentials`: one credential or two, in headers and queries.

use super::*;
use IdentityError::{MalformedAuthorization, MalformedToken, SeveralCredentials, UnknownScheme};

fn select<'a>(headers: &[&'a [u8]], query: Option<&'a str>) -> Result<PresentedCredential<'a>, IdentityError> {
    Credentials::new(headers.iter().copied()).with_query_token(query).select()
}

#[test]
fn a_request_without_a_credential_is_anonymous() {
    assert_eq!(select(&[], None), Ok(PresentedCredential::Anonymous));
}

#[test]
fn the_scheme_counts_in_any_case() {
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let value = format!("{scheme} a.b.c");
        assert_eq!(select(&[value.as_bytes()], None), Ok(PresentedCredential::Token("a.b.c")), "{scheme}");
    }
}

#[test]
fn a_token_in_the_query_is_a_credential() {
    assert_eq!(select(&[], Some("a.b.c")), Ok(PresentedCredential::Token("a.b.c")));
    assert_eq!(select(&[], Some("")), Err(MalformedToken));
    assert_eq!(select(&[], Some("a b")), Err(MalformedToken));
}

#[test]
fn two_credentials_are_refused_even_when_they_agree() {
    assert_eq!(select(&[b"Bearer a", b"Bearer a"], None), Err(SeveralCredentials));
    assert_eq!(select(&[b"Bearer a", b""], None), Err(SeveralCredentials));
    assert_eq!(select(&[b"Bearer a"], Some("a")), Err(SeveralCredentials));
    assert_eq!(select(&[b"Basic a"], Some("a")), Err(SeveralCredentials));
}

#[test]
fn another_scheme_is_refused_and_never_anonymous() {
    for value in ["Basic dXNlcjpwYXNz", "Digest a", "Negotiate", "BearerX a", "Bear a", "DPoP a.b.c"] {
        assert_eq!(select(&[value.as_bytes()], None), Err(UnknownScheme), "{value}");
    }
}

#[test]
fn anything_but_scheme_space_token_is_malformed() {
    let values: [&[u8]; 17] = [
        b"",
        b" ",
        b" Bearer a",
        b"Bearer",
        b"Bearer ",
        b"Bearer  a",
        b"Bearer\ta",
        b"Bearer a ",
        b"Bearer a b",
        b"Bearer a,b",
        b"Bearer a, Bearer b",
        b"Bearer \"a\"",
        b"Bearer =",
        b"Bearer a=b",
        b"Bearer:a",
        b"Bearer a\0",
        b"Bearer \xff",
    ];
    for value in values {
        assert_eq!(select(&[value], None), Err(MalformedAuthorization), "{}", value.escape_ascii());
    }
}

#[test]
fn every_character_of_a_token68_is_taken() {
    assert_eq!(select(&[b"Bearer azAZ09-._~+/=="], None), Ok(PresentedCredential::Token("azAZ09-._~+/==")));
}

#[test]
fn a_credential_is_never_printed() {
    let credentials = Credentials::new([&b"Bearer s3cret"[..]]);
    let presented = credentials.select().unwrap();
    assert!(!format!("{credentials:?}{presented:?}").contains("s3cret"));
}

#[test]
fn basic_is_a_scheme_only_where_api_keys_are_taken_in_it() {
    for scheme in ["Basic", "basic", "BASIC"] {
        let value = format!("{scheme} YWxpY2U6cw==");
        let credentials = Credentials::new([value.as_bytes()]);
        assert_eq!(credentials.select(), Err(UnknownScheme), "{scheme}");
        assert_eq!(credentials.with_basic().select(), Ok(PresentedCredential::Basic("YWxpY2U6cw==")), "{scheme}");
    }
    for value in ["Basic", "Basic ", "Basic  YQ==", "Basic Y Q", "Basic \u{e4}", "Basic Y=Q"] {
        let presented = Credentials::new([value.as_bytes()]).with_basic().select();
        assert_eq!(presented, Err(MalformedAuthorization), "{value}");
    }
    assert_eq!(Credentials::new([&b"Digest a"[..]]).with_basic().select(), Err(UnknownScheme));
}

#[test]
fn a_key_in_a_header_is_a_credential_beside_which_there_is_no_other() {
    let key = || Credentials::default().with_keys("X-Api-Key", [&b"alice:s"[..]]);
    assert_eq!(key().select(), Ok(PresentedCredential::Key { header: "X-Api-Key", value: b"alice:s" }));
    assert_eq!(key().with_keys("X-Other", []).select(), key().select());
    assert_eq!(key().with_keys("X-Other", [&b"bob:s"[..]]).select(), Err(SeveralCredentials));
    assert_eq!(key().with_query_token(Some("a")).select(), Err(SeveralCredentials));
    let twice = [&b"alice:s"[..], b"alice:s"];
    assert_eq!(Credentials::default().with_keys("X-Api-Key", twice).select(), Err(SeveralCredentials));
    for authorization in [&b"Bearer a"[..], b"Basic YTpi", b"Digest a", b""] {
        let both = Credentials::new([authorization]).with_basic().with_keys("X-Api-Key", [&b"alice:s"[..]]);
        assert_eq!(both.select(), Err(SeveralCredentials));
    }
    assert!(!format!("{:?}{:?}", key(), key().select()).contains("alice"));
}
