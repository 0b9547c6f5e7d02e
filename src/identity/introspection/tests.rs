//! Tests of `introspection`: valid and invalid responses of an endpoint.

use serde_json::{Value, json};

use super::*;
use crate::identity::fixtures::*;
use crate::identity::{Algorithm, issuer::ClaimLimits};
use crate::vocabulary::SubjectKind;

/// A valid response with some members replaced, or removed where they are null.
fn body(changes: Value) -> String {
    let mut members = claims();
    members["active"] = true.into();
    for (name, value) in changes.as_object().unwrap() {
        members[name] = value.clone();
    }
    members.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    members.to_string()
}

fn response(body: &str) -> IntrospectionResponse<'_> {
    IntrospectionResponse {
        content_type: Some("application/json"),
        body: body.as_bytes(),
        default_lifetime: 60,
        accept_missing_audience: false,
    }
}

fn verify(changes: Value) -> Result<VerifiedCaller, IdentityError> {
    response(&body(changes)).verify(&issuer(), NOW)
}

#[test]
fn an_active_token_names_its_caller_by_the_issuers_mapping() {
    let verified =
        verify(json!({ "realm_access": { "roles": ["nurse"] }, "tenant": "t1", "client_id": "app" })).unwrap();
    assert_eq!(verified.subject.id.as_ref().unwrap().to_string(), "hospital/alice");
    assert_eq!((verified.subject.kind, verified.subject.client.as_deref()), (SubjectKind::User, Some("app")));
    assert_eq!(verified.subject.tenants, ["t1".into()]);
    assert_eq!(verified.subject.roles.len(), 1);
    assert_eq!(verified.expires, NOW.plus(600 + 10));

    let client = verify(json!({ "sub": null, "client_id": "machine" })).unwrap();
    assert_eq!(client.subject.id.unwrap().to_string(), "hospital/client:machine");
    let limited = Issuer { claim_limits: ClaimLimits { users_refused: true, ..ClaimLimits::default() }, ..issuer() };
    let text = body(json!({}));
    assert_eq!(response(&text).verify(&limited, NOW), Err(IdentityError::KindRefused));
}

#[test]
fn only_the_boolean_true_is_active_and_only_false_is_inactive() {
    assert_eq!(verify(json!({ "active": false })), Err(IdentityError::Inactive));
    for active in [json!(null), json!("true"), json!("false"), json!(1), json!([true]), json!({ "active": true })] {
        assert_eq!(verify(json!({ "active": active.clone() })), Err(IdentityError::KeysUnavailable), "{active}");
    }
}

#[test]
fn what_is_no_answer_says_nothing_about_the_token() {
    let good = body(json!({}));
    let twice = good.replacen('{', "{\"sub\":\"mallory\",", 1);
    let twice_active = good.replacen('{', "{\"active\":false,", 1);
    for body in ["", "true", "[]", "null", "<html>", &good[1..], &format!("{good}{good}"), &twice, &twice_active] {
        assert_eq!(response(body).verify(&issuer(), NOW), Err(IdentityError::KeysUnavailable), "{body}");
    }
    for content_type in
        [None, Some(""), Some("text/html"), Some("application/token-introspection+jwt"), Some("application/jsonx")]
    {
        let response = IntrospectionResponse { content_type, ..response(&good) };
        assert_eq!(response.verify(&issuer(), NOW), Err(IdentityError::KeysUnavailable), "{content_type:?}");
    }
    for content_type in ["application/json; charset=utf-8", "Application/JSON ;x=y"] {
        assert!(
            IntrospectionResponse { content_type: Some(content_type), ..response(&good) }
                .verify(&issuer(), NOW)
                .is_ok()
        );
    }
}

#[test]
fn an_active_token_must_still_be_ours_and_of_this_moment() {
    let wrong = [
        (json!({ "iss": "https://other.example" }), IdentityError::UnknownIssuer),
        (json!({ "iss": ["https://id.hospital.example"] }), IdentityError::UnknownIssuer),
        (json!({ "token_type": "DPoP" }), IdentityError::WrongTokenType),
        (json!({ "token_type": 1 }), IdentityError::WrongTokenType),
        (json!({ "aud": "other" }), IdentityError::WrongAudience),
        (json!({ "aud": [["noah"]] }), IdentityError::WrongAudience),
        (json!({ "aud": null }), IdentityError::WrongAudience),
        (json!({ "exp": NOW.0 - 10 }), IdentityError::Expired),
        (json!({ "exp": "soon" }), IdentityError::MalformedTime),
        (json!({ "exp": NOW.0 + 4000 }), IdentityError::LivesTooLong),
        (json!({ "nbf": NOW.0 + 11 }), IdentityError::NotYetValid),
        (json!({ "iat": NOW.0 + 11 }), IdentityError::NotYetValid),
        (json!({ "sub": "" }), IdentityError::NoId),
        (json!({ "sub": null }), IdentityError::NoId),
        (json!({ "sub": "client:machine" }), IdentityError::ReservedId),
    ];
    for (changes, error) in wrong {
        assert_eq!(verify(changes.clone()), Err(error), "{changes}");
    }
    for right in [
        json!({ "iss": null }),
        json!({ "token_type": "bearer" }),
        json!({ "aud": ["other", "noah-test"] }),
        json!({ "exp": NOW.0 - 9 }),
        json!({ "nbf": NOW.0 + 10 }),
    ] {
        assert!(verify(right.clone()).is_ok(), "{right}");
    }
}

#[test]
fn a_token_without_an_end_is_believed_for_the_time_of_the_settings() {
    assert_eq!(verify(json!({ "exp": null })).unwrap().expires, NOW.plus(60));
    let null = body(json!({})).replace(&(NOW.0 + 600).to_string(), "null");
    assert_eq!(response(&null).verify(&issuer(), NOW), Err(IdentityError::MalformedTime), "null is no time");
}

#[test]
fn a_missing_audience_passes_where_the_settings_say_so_and_a_wrong_one_never() {
    let lenient = |changes| {
        let text = body(changes);
        IntrospectionResponse { accept_missing_audience: true, ..response(&text) }.verify(&issuer(), NOW)
    };
    assert!(lenient(json!({ "aud": null })).is_ok());
    assert_eq!(lenient(json!({ "aud": "other" })), Err(IdentityError::WrongAudience));
    assert_eq!(lenient(json!({ "aud": [] })), Err(IdentityError::WrongAudience));
}

#[test]
fn the_issuer_is_asked_about_its_own_tokens_and_those_that_are_no_jwt() {
    let is_sent = |token: &str| should_introspect(&issuer(), token, &UnverifiedToken::read(token));
    let of = |iss: Value| P256.token(Algorithm::Es256, None, &claims_with("iss", iss));
    let odd = P256.token_of(Algorithm::Es256, r#"{"alg":"ES512","crit":["x"]}"#, &claims().to_string());
    for token in ["2YotnFZFEjr1zCsicMWpAA", "a.b", "a.b.c", "a.b.c.d.e", "reference.token", &odd] {
        assert!(is_sent(token), "{token}");
    }
    assert!(is_sent(&of(json!("https://id.hospital.example"))));
    let foreign = claims_with("iss", "https://other.example".into()).to_string();
    let odd = P256.token_of(Algorithm::Es256, r#"{"alg":"none"}"#, &foreign);
    for token in [&of(json!("https://other.example")), &of(Value::Null), &of(json!(["x"])), &odd, &"x".repeat(4097)] {
        assert!(!is_sent(token), "{token}");
    }
}

#[test]
fn a_confirmation_in_an_answer_is_not_passed_over() {
    assert_eq!(verify(json!({ "cnf": { "x5t#S256": "thumbprint" } })).map(|_| ()), Ok(()));
    for cnf in [json!({ "jkt": "thumbprint" }), json!({ "x5t#S256": "thumbprint", "jkt": "x" }), json!({}), json!("x")]
    {
        assert_eq!(verify(json!({ "cnf": cnf })), Err(IdentityError::UnknownConfirmation), "{cnf}");
    }
}
