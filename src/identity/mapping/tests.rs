//! Tests of `mapping`: from claims to subjects.

use serde_json::json;

use super::super::fixtures::*;
use super::*;
use crate::identity::KeySet;
use crate::identity::issuer::{ClaimLimits, ClaimPaths, ServiceRule};

/// Maps valid claims merged with `more` by `issuer`; null removes a claim.
fn map_by(issuer: Issuer, more: Value) -> Result<Subject, IdentityError> {
    let mut claims = claims();
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let token = Signer::secret(SECRET).token(crate::identity::Algorithm::Hs256, None, &claims);
    verify_by(&token, issuer, KeySet::from_secret(SECRET).unwrap()).map(|verified| verified.subject)
}

fn map(more: Value) -> Result<Subject, IdentityError> {
    map_by(issuer(), more)
}

fn texts(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|&name| name.into()).collect()
}

#[test]
fn every_part_of_a_subject_comes_from_its_path() {
    let subject = map(json!({
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
    let client = |more| map(more).unwrap().client;
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
        assert_eq!(map(with_client).unwrap_err(), IdentityError::NoId, "{id}: the client does not stand in for it");
    }
    assert_eq!(map(json!({"sub": null})).unwrap_err(), IdentityError::NoId);
    let token = claims().to_string().replace("\"alice\"", "null");
    let token = Signer::secret(SECRET).token_of(crate::identity::Algorithm::Hs256, r#"{"alg":"HS256"}"#, &token);
    assert_eq!(verify_with(&token, KeySet::from_secret(SECRET).unwrap()).unwrap_err(), IdentityError::NoId);
}

#[test]
fn a_token_without_a_user_is_its_client_in_a_name_space_of_its_own() {
    let subject = map(json!({"sub": null, "client_id": "app-1"})).unwrap();
    assert_eq!(&*subject.id.unwrap().name, "client:app-1");
    assert_eq!(subject.kind, SubjectKind::User, "only the rule makes a service app");
    assert_eq!(map(json!({"sub": "client:app-1"})).unwrap_err(), IdentityError::ReservedId);
    assert_eq!(map(json!({"sub": "client:"})).unwrap_err(), IdentityError::ReservedId);
    for client in [json!(""), json!(1), json!("a\nb")] {
        assert_eq!(map(json!({"sub": null, "client_id": client})).unwrap_err(), IdentityError::NoId);
    }
}

#[test]
fn the_id_may_stand_in_another_claim() {
    let paths = || ClaimPaths { id: ClaimPath::from_dotted("profile.uid"), ..ClaimPaths::default() };
    let by_uid = || Issuer { claims: paths(), ..issuer() };
    let subject = map_by(by_uid(), json!({"profile": {"uid": "u7"}})).unwrap();
    assert_eq!(&*subject.id.unwrap().name, "u7");
    assert_eq!(map_by(by_uid(), json!({})).unwrap_err(), IdentityError::NoId, "`sub` does not stand in for it");
}

#[test]
fn names_are_split_at_blanks_only_where_the_settings_say_so() {
    let scope = json!({"scope": "read  write", "tenant": ["t 1"]});
    assert_eq!(map(scope.clone()).unwrap().permissions, texts(&["read  write"]));
    let mut issuer = issuer();
    issuer.claims.split = true;
    let subject = map_by(issuer, scope).unwrap();
    assert_eq!((subject.permissions, subject.tenants), (texts(&["read", "write"]), texts(&["t 1"])));
}

#[test]
fn what_is_no_name_gives_nothing() {
    for roles in [json!(1), json!({"Admin": true}), json!([1, null, ["Admin"], {"a": "Admin"}, ""]), json!("")] {
        let subject = map(json!({"realm_access": {"roles": roles}})).unwrap();
        assert_eq!(subject.roles, [], "{roles}");
    }
    assert_eq!(map(json!({"realm_access": "Admin", "realm_access.roles": "Admin"})).unwrap().roles, []);
}

#[test]
fn service_apps_are_those_of_the_rule() {
    let rule = ServiceRule {
        claim: Some((ClaimPath::from_dotted("ext.kind"), texts(&["service", "daemon"]))),
        clients: texts(&["app-9"]),
    };
    let kind = |more| map_by(Issuer { service: rule.clone(), ..issuer() }, more).unwrap().kind;
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
    let none = map(json!({"ext": {"kind": "service"}, "client_id": "app-9"})).unwrap();
    assert_eq!(none.kind, SubjectKind::User, "a rule that is not configured matches nothing");
}

#[test]
fn an_issuer_claims_no_more_than_it_may() {
    let limit = ClaimLimits { roles: Some(texts(&["BDM"])), tenants: Some(texts(&[])), ..ClaimLimits::default() };
    let limited = Issuer { claim_limits: limit, ..issuer() };
    let subject = map_by(limited, json!({"tenant": "t1", "realm_access": {"roles": ["Level 2", "BDM"]}})).unwrap();
    assert_eq!((subject.roles, subject.tenants), (vec![Assignment::unbound("BDM")], texts(&[])));
}

#[test]
fn an_issuer_vouches_for_no_kind_that_is_refused_to_it() {
    let service = ServiceRule { claim: None, clients: texts(&["app-9"]) };
    let kind_of = |users_refused, services_refused, more| {
        let claim_limits = ClaimLimits { users_refused, services_refused, ..ClaimLimits::default() };
        map_by(Issuer { claim_limits, service: service.clone(), ..issuer() }, more).map(|subject| subject.kind)
    };
    let app = || json!({"client_id": "app-9"});
    assert_eq!(kind_of(true, false, json!({})), Err(IdentityError::KindRefused));
    assert_eq!(kind_of(true, false, app()), Ok(SubjectKind::Service));
    assert_eq!(kind_of(false, true, app()), Err(IdentityError::KindRefused));
    assert_eq!(kind_of(false, true, json!({})), Ok(SubjectKind::User));
}

#[test]
fn an_issuer_that_is_held_to_some_roles_hands_out_no_rows_directly() {
    let mut limited = issuer();
    limited.claims.permissions = Some(ClaimPath::from_dotted("rows"));
    let rows = json!({ "rows": ["Merge Patient Records"] });
    assert_eq!(map_by(limited.clone(), rows.clone()).unwrap().permissions, texts(&["Merge Patient Records"]));
    limited.claim_limits = ClaimLimits { roles: Some(texts(&["Level 2"])), ..ClaimLimits::default() };
    assert_eq!(map_by(limited, rows).unwrap().permissions, texts(&[]));
}
