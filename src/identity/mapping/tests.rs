//! What claims say about the caller.

use serde_json::json;

use super::super::fixtures::*;
use super::*;
use crate::identity::KeySet;
use crate::identity::issuer::{ClaimLimits, ClaimPaths, ServiceRule};

/// What `issuer` makes of good claims with `more` laid over them; null removes one.
fn mapped_by(issuer: Issuer, more: Value) -> Result<Subject, IdentityError> {
    let mut claims = claims();
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let token = Signer::secret(SECRET).token(crate::identity::Algorithm::Hs256, None, &claims);
    judge_by(&token, issuer, KeySet::from_secret(SECRET).unwrap()).map(|verified| verified.subject)
}

fn mapped(more: Value) -> Result<Subject, IdentityError> {
    mapped_by(issuer(), more)
}

fn texts(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|&name| name.into()).collect()
}

#[test]
fn every_part_of_a_subject_comes_from_its_path() {
    let subject = mapped(json!({
        "azp": "app-1", "tenant": "t1", "realm_access": {"roles": ["Level 1", "BDM"]}, "groups": ["g"], "scope": "read",
    }))
    .unwrap();
    assert_eq!(subject.kind, SubjectKind::User);
    assert_eq!(subject.id, Some(SubjectId { source: "hospital".into(), name: "alice".into() }));
    assert_eq!(subject.client.as_deref(), Some("app-1"));
    assert_eq!(subject.tenants, texts(&["t1"]));
    assert_eq!(subject.roles, [Assignment::unbound("Level 1"), Assignment::unbound("BDM")]);
    assert_eq!(subject.groups, texts(&["g"]));
    assert_eq!(subject.permissions, texts(&["read"]));
    assert_eq!(subject.claims["realm_access"]["roles"][1], "BDM");
    assert_eq!(subject.proof, Proof::Token);
    assert_eq!(subject.approved, texts(&[]), "a token approves nothing");
}

#[test]
fn the_first_client_path_that_leads_to_a_text_counts() {
    let client = |more| mapped(more).unwrap().client;
    assert_eq!(client(json!({"client_id": "a", "azp": "b"})).as_deref(), Some("a"));
    assert_eq!(client(json!({"client_id": 1, "azp": "b"})).as_deref(), Some("b"));
    assert_eq!(client(json!({"client_id": "", "azp": "b"})).as_deref(), Some("b"));
    assert_eq!(client(json!({})), None);
}

#[test]
fn an_id_that_is_missing_or_no_plain_text_is_refused() {
    for id in
        [json!(""), json!("  "), json!(1), json!(["alice"]), json!({"name": "alice"}), json!("a\r\nb"), json!("a\u{0}")]
    {
        let with_client = json!({"sub": id, "client_id": "app"});
        assert_eq!(mapped(with_client).unwrap_err(), IdentityError::NoId, "{id}: the client does not stand in for it");
    }
    assert_eq!(mapped(json!({"sub": null})).unwrap_err(), IdentityError::NoId);
    let token = claims().to_string().replace("\"alice\"", "null");
    let token = Signer::secret(SECRET).token_of(crate::identity::Algorithm::Hs256, r#"{"alg":"HS256"}"#, &token);
    assert_eq!(judge(&token, KeySet::from_secret(SECRET).unwrap()).unwrap_err(), IdentityError::NoId);
}

#[test]
fn a_token_without_a_user_is_its_client_in_a_name_space_of_its_own() {
    let subject = mapped(json!({"sub": null, "client_id": "app-1"})).unwrap();
    assert_eq!(&*subject.id.unwrap().name, "client:app-1");
    assert_eq!(subject.kind, SubjectKind::User, "only the rule makes a service app");
    assert_eq!(mapped(json!({"sub": "client:app-1"})).unwrap_err(), IdentityError::ReservedId);
    assert_eq!(mapped(json!({"sub": "client:"})).unwrap_err(), IdentityError::ReservedId);
    for client in [json!(""), json!(1), json!("a\nb")] {
        assert_eq!(mapped(json!({"sub": null, "client_id": client})).unwrap_err(), IdentityError::NoId);
    }
}

#[test]
fn the_id_may_stand_in_another_claim() {
    let paths = || ClaimPaths { id: ClaimPath::dotted("profile.uid"), ..ClaimPaths::default() };
    let by_uid = || Issuer { claims: paths(), ..issuer() };
    let subject = mapped_by(by_uid(), json!({"profile": {"uid": "u7"}})).unwrap();
    assert_eq!(&*subject.id.unwrap().name, "u7");
    assert_eq!(mapped_by(by_uid(), json!({})).unwrap_err(), IdentityError::NoId, "`sub` does not stand in for it");
}

#[test]
fn names_are_split_at_blanks_only_where_the_settings_say_so() {
    let scope = json!({"scope": "read  write", "tenant": ["t 1"]});
    assert_eq!(mapped(scope.clone()).unwrap().permissions, texts(&["read  write"]));
    let mut issuer = issuer();
    issuer.claims.split = true;
    let subject = mapped_by(issuer, scope).unwrap();
    assert_eq!((subject.permissions, subject.tenants), (texts(&["read", "write"]), texts(&["t 1"])));
}

#[test]
fn what_is_no_name_gives_nothing() {
    for roles in [json!(1), json!({"Admin": true}), json!([1, null, ["Admin"], {"a": "Admin"}, ""]), json!("")] {
        let subject = mapped(json!({"realm_access": {"roles": roles}})).unwrap();
        assert_eq!(subject.roles, [], "{roles}");
    }
    assert_eq!(mapped(json!({"realm_access": "Admin", "realm_access.roles": "Admin"})).unwrap().roles, []);
}

#[test]
fn service_apps_are_those_of_the_rule() {
    let rule = ServiceRule {
        claim: Some((ClaimPath::dotted("ext.kind"), texts(&["service", "daemon"]))),
        clients: texts(&["app-9"]),
    };
    let kind = |more| mapped_by(Issuer { service: rule.clone(), ..issuer() }, more).unwrap().kind;
    for more in [
        json!({"ext": {"kind": "daemon"}}),
        json!({"ext": {"kind": ["x", "service"]}}),
        json!({"client_id": "app-9"}),
        json!({"sub": null, "client_id": "app-9"}),
    ] {
        assert_eq!(kind(more.clone()), SubjectKind::Service, "{more}");
    }
    for more in [
        json!({}),
        json!({"ext": {"kind": "Service"}}),
        json!({"ext": {"kind": true}}),
        json!({"ext": "service"}),
        json!({"client_id": "app-99"}),
        json!({"kind": "service"}),
    ] {
        assert_eq!(kind(more.clone()), SubjectKind::User, "{more}");
    }
    let none = mapped(json!({"ext": {"kind": "service"}, "client_id": "app-9"})).unwrap();
    assert_eq!(none.kind, SubjectKind::User, "a rule that is not configured matches nothing");
}

#[test]
fn an_issuer_claims_no_more_than_it_may() {
    let limit = ClaimLimits { roles: Some(texts(&["BDM"])), tenants: Some(texts(&[])), ..ClaimLimits::default() };
    let limited = Issuer { may_claim: limit, ..issuer() };
    let subject = mapped_by(limited, json!({"tenant": "t1", "realm_access": {"roles": ["Level 2", "BDM"]}})).unwrap();
    assert_eq!((subject.roles, subject.tenants), (vec![Assignment::unbound("BDM")], texts(&[])));
}

#[test]
fn an_issuer_vouches_for_no_kind_that_is_refused_to_it() {
    let service = ServiceRule { claim: None, clients: texts(&["app-9"]) };
    let judged = |users_refused, services_refused, more| {
        let may_claim = ClaimLimits { users_refused, services_refused, ..ClaimLimits::default() };
        mapped_by(Issuer { may_claim, service: service.clone(), ..issuer() }, more).map(|subject| subject.kind)
    };
    let app = || json!({"client_id": "app-9"});
    assert_eq!(judged(true, false, json!({})), Err(IdentityError::KindRefused));
    assert_eq!(judged(true, false, app()), Ok(SubjectKind::Service));
    assert_eq!(judged(false, true, app()), Err(IdentityError::KindRefused));
    assert_eq!(judged(false, true, json!({})), Ok(SubjectKind::User));
}

#[test]
fn an_issuer_that_is_held_to_some_roles_hands_out_no_rows_directly() {
    let mut limited = issuer();
    limited.claims.permissions = Some(ClaimPath::dotted("rows"));
    let rows = json!({ "rows": ["Merge Patient Records"] });
    assert_eq!(mapped_by(limited.clone(), rows.clone()).unwrap().permissions, texts(&["Merge Patient Records"]));
    limited.may_claim = ClaimLimits { roles: Some(texts(&["Level 2"])), ..ClaimLimits::default() };
    assert_eq!(mapped_by(limited, rows).unwrap().permissions, texts(&[]));
}
