//! Tokens that are bound: to a client certificate, which must come along, or to what nobody here can check.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::super::opaque::Asked;
use super::Clinic;
use crate::support::Holder;
use crate::wire::client::bearer;

fn thumbprint(holder: &Holder) -> String {
    let der = CertificateDer::from_pem_slice(holder.chain.as_bytes()).unwrap();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &der))
}

/// A header line with a token of alice that says this in `cnf`.
fn token(clinic: &Clinic, cnf: Value) -> String {
    bearer(&clinic.scene.stage.token(json!({ "sub": "alice", "roles": ["user"], "cnf": cnf })))
}

#[test]
fn a_token_that_is_bound_to_a_certificate_goes_with_that_one_only() {
    let clinic = Clinic::with(|plan| plan.with("api/caller", json!("token")));
    let (mine, other) = (clinic.stations.client("alice", 1), clinic.stations.client("alice", 2));
    let elsewhere = (401, json!("token-bound-elsewhere"));
    let bound = token(&clinic, json!({ "x5t#S256": thumbprint(&mine) }));
    for _ in 0..2 {
        assert_eq!(clinic.ask(Some(&mine), &[&bound]).0, 200);
        assert_eq!(clinic.ask(Some(&other), &[&bound]), elsewhere);
        assert_eq!(clinic.ask(None, &[&bound]), elsewhere);
    }
    assert_eq!(clinic.ask(None, &[&token(&clinic, json!({ "x5t#S256": "" }))]), elsewhere);
}

#[test]
fn a_token_that_wants_another_proof_than_a_certificate_is_no_bearer_token() {
    let clinic = Clinic::with(|plan| plan.with("api/caller", json!("token")));
    let mine = clinic.stations.client("alice", 1);
    let unknown = (401, json!("unknown-confirmation"));
    let both = json!({ "x5t#S256": thumbprint(&mine), "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    for cnf in [json!({ "jkt": "0ZcOCORZNYy" }), both, json!({ "x5t#S256": 5 }), json!({}), json!("x")] {
        let token = token(&clinic, cnf.clone());
        assert_eq!(clinic.ask(Some(&mine), &[&token]), unknown, "{cnf}");
        assert_eq!(clinic.ask(None, &[&token]), unknown, "{cnf}");
    }
    assert_eq!(clinic.scene.origin.count(), 0);
}

#[test]
fn an_opaque_token_that_is_bound_to_a_certificate_goes_with_that_one_only() {
    let asked = Asked::knowing("free", json!({}));
    let clinic = Clinic::with(|plan| asked.scene(plan.with("api/caller", json!("token"))));
    let (mine, other) = (clinic.stations.client("alice", 1), clinic.stations.client("alice", 2));
    asked.tell("bound", json!({ "cnf": { "x5t#S256": thumbprint(&mine) } }));
    asked.tell("keyed", json!({ "cnf": { "jkt": "0ZcOCORZNYy" } }));
    let elsewhere = (401, json!("token-bound-elsewhere"));
    let bound = bearer("bound");
    // First without, so that the answer that is remembered was not for the one who holds the certificate.
    for _ in 0..2 {
        assert_eq!(clinic.ask(None, &[&bound]), elsewhere);
        assert_eq!(clinic.ask(Some(&other), &[&bound]), elsewhere);
        assert_eq!(clinic.ask(Some(&mine), &[&bound]).0, 200);
    }
    assert_eq!(clinic.scene.origin.last().header("x-portcullis-subject").as_deref(), Some("opaque/alice"));
    assert_eq!(asked.count(), 1, "one answer for all of them");
    assert_eq!(clinic.ask(Some(&mine), &[&bearer("keyed")]), (401, json!("unknown-confirmation")));
    assert_eq!(clinic.ask(None, &[&bearer("free")]).0, 200);
}
