//! Tests of the claims of the demo's callers.

use serde_json::json;

use super::{all, clinician, service};
use crate::vocabulary::time::Timestamp;

const NOW: Timestamp = Timestamp(1_700_000_000);

#[test]
fn a_user_has_a_subject_a_client_a_tenant_and_roles() {
    let expected = json!({
        "iss": "http://127.0.0.1:1", "aud": "noah-es", "iat": 1_700_000_000, "exp": 1_700_003_600,
        "client_id": "connected-app", "sub": "clinician", "tenants": ["t1"], "roles": ["Level 2"],
    });
    assert_eq!(clinician("http://127.0.0.1:1", NOW).claims, expected);
}

#[test]
fn a_service_app_has_a_client_and_no_subject() {
    let claims = service("http://127.0.0.1:1", NOW).claims;
    assert_eq!(claims["client_id"], "noah-sync");
    assert_eq!(claims.get("sub"), None);
    assert_eq!(claims.get("roles"), None);
}

#[test]
fn five_callers_have_five_variables_and_nobody_shares_an_id() {
    let callers = all("http://127.0.0.1:1", NOW);
    let mut variables: Vec<_> = callers.iter().map(|caller| caller.variable).collect();
    variables.sort_unstable();
    variables.dedup();
    assert_eq!(variables.len(), 5);
    let mut ids: Vec<_> = callers.iter().filter_map(|caller| caller.claims["sub"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}
