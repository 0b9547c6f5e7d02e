//! Bound tokens: to a client certificate, which must be presented too, or to a proof that the gateway cannot verify.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::super::introspection_server::IntrospectionServer;
use super::TlsTestbed;
use crate::support::ClientIdentity;
use crate::wire::client::bearer;

fn thumbprint(identity: &ClientIdentity) -> String {
    let der = CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &der))
}

/// A header line with a token of alice that has this `cnf` claim.
fn token(tls_testbed: &TlsTestbed, cnf: Value) -> String {
    bearer(&tls_testbed.testbed.env.token(json!({ "sub": "alice", "roles": ["user"], "cnf": cnf })))
}

#[test]
fn a_token_that_is_bound_to_a_certificate_goes_with_that_one_only() {
    let tls_testbed = TlsTestbed::with(|builder| builder.with("api/caller", json!("token")));
    let (mine, other) = (tls_testbed.stations.client("alice", 1), tls_testbed.stations.client("alice", 2));
    let elsewhere = (401, json!("token-bound-elsewhere"));
    let bound = token(&tls_testbed, json!({ "x5t#S256": thumbprint(&mine) }));
    for _ in 0..2 {
        assert_eq!(tls_testbed.ask(Some(&mine), &[&bound]).0, 200);
        assert_eq!(tls_testbed.ask(Some(&other), &[&bound]), elsewhere);
        assert_eq!(tls_testbed.ask(None, &[&bound]), elsewhere);
    }
    assert_eq!(tls_testbed.ask(None, &[&token(&tls_testbed, json!({ "x5t#S256": "" }))]), elsewhere);
}

#[test]
fn a_token_that_wants_another_proof_than_a_certificate_is_no_bearer_token() {
    let tls_testbed = TlsTestbed::with(|builder| builder.with("api/caller", json!("token")));
    let mine = tls_testbed.stations.client("alice", 1);
    let unknown = (401, json!("unknown-confirmation"));
    let both = json!({ "x5t#S256": thumbprint(&mine), "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" });
    for cnf in [json!({ "jkt": "0ZcOCORZNYy" }), both, json!({ "x5t#S256": 5 }), json!({}), json!("x")] {
        let token = token(&tls_testbed, cnf.clone());
        assert_eq!(tls_testbed.ask(Some(&mine), &[&token]), unknown, "{cnf}");
        assert_eq!(tls_testbed.ask(None, &[&token]), unknown, "{cnf}");
    }
    assert_eq!(tls_testbed.testbed.origin.count(), 0);
}

#[test]
fn an_opaque_token_that_is_bound_to_a_certificate_goes_with_that_one_only() {
    let introspection_server = IntrospectionServer::with_token("free", json!({}));
    let tls_testbed =
        TlsTestbed::with(|builder| introspection_server.testbed(builder.with("api/caller", json!("token"))));
    let (mine, other) = (tls_testbed.stations.client("alice", 1), tls_testbed.stations.client("alice", 2));
    introspection_server.set_claims("bound", json!({ "cnf": { "x5t#S256": thumbprint(&mine) } }));
    introspection_server.set_claims("keyed", json!({ "cnf": { "jkt": "0ZcOCORZNYy" } }));
    let elsewhere = (401, json!("token-bound-elsewhere"));
    let bound = bearer("bound");
    // First without the certificate, so that the cached response is not one for its holder.
    for _ in 0..2 {
        assert_eq!(tls_testbed.ask(None, &[&bound]), elsewhere);
        assert_eq!(tls_testbed.ask(Some(&other), &[&bound]), elsewhere);
        assert_eq!(tls_testbed.ask(Some(&mine), &[&bound]).0, 200);
    }
    assert_eq!(tls_testbed.testbed.origin.last().header("x-portcullis-subject").as_deref(), Some("opaque/alice"));
    assert_eq!(introspection_server.count(), 1, "one answer for all of them");
    assert_eq!(tls_testbed.ask(Some(&mine), &[&bearer("keyed")]), (401, json!("unknown-confirmation")));
    assert_eq!(tls_testbed.ask(None, &[&bearer("free")]).0, 200);
}
