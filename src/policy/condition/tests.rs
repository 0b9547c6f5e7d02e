//! Tests of conditions: which hold, and which are refused at load.

use super::*;
use crate::policy::condition_context::ConditionContext;
use crate::vocabulary::Scope;

const POLICY: &str = "version: 1
name: p
scopes: { tenant: caller }
routes: { /a: { GET: read A } }
resources: [A]
permissions: { One: { A: R } }
roles: { Level 2: { permissions: [One] }, Admin: { assign: policy-only, permissions: [One] } }
groups: { Staff: {} }
";

fn holds(text: &str) -> bool {
    let subject: Subject = serde_json::from_str(
        r#"{ "id": "hospital/smith", "client": "app-1", "tenants": ["t1"], "roles": ["Level 2", "Admin", "unknown"], "groups": ["Staff", "unknown"],
             "claims": { "acr": "mfa", "level": 2, "amr": ["pwd", "otp"], "vip": true, "ratio": 0.5 } }"#,
    )
    .unwrap();
    let condition =
        Condition::read(text, &ConditionEnvironment::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut scope: Scope<'_> = Default::default();
    scope[0] = Some("t1".into());
    let facts = RequestFacts { method: "GET", path: "/t1/api", address: "10.0.0.7".parse().ok() };
    let mut sources = crate::document::Sources::default();
    sources.add("p.yaml", POLICY);
    let policy = &crate::policy::load(&sources, None).snapshot.unwrap();
    let entitlements = &policy.entitlements.for_subject(&subject);
    let now = Timestamp(1_798_761_600);
    let context = ConditionContext { now, subject: &subject, facts, scope: &scope, entitlements, policy };
    condition.holds(&context.variables())
}

fn refused(text: &str) -> String {
    Condition::read(text, &ConditionEnvironment::default()).unwrap_err()
}

#[test]
fn a_condition_reads_the_time_the_caller_and_the_request() {
    for text in [
        "now < timestamp('2027-01-02T00:00:00Z')",
        "now >= timestamp('2027-01-01T00:00:00Z')",
        "caller.claims.acr == 'mfa'",
        "caller.claims.level == 2 && caller.claims.level >= 1",
        "caller.claims.vip",
        "'otp' in caller.claims.amr",
        "caller.claims.amr.exists(method, method == 'otp')",
        "caller.id == 'smith' && caller.source == 'hospital' && caller.kind == 'user'",
        "caller.client == 'app-1' && 't1' in caller.tenants && 'Level 2' in caller.roles && 'Staff' in caller.groups",
        "request.method == 'GET' && request.path.startsWith('/t1/') && request.scope.tenant == 't1'",
        "request.address == '10.0.0.7'",
        "has(caller.claims.acr) && !has(caller.claims.nonce)",
        "now.getHours() == 0",
        "caller.claims.ratio < 1.0",
        "!('Admin' in caller.roles) && caller.roles == ['Level 2'] && caller.groups == ['Staff']",
    ] {
        assert!(holds(text), "{text}");
    }
}

#[test]
fn a_failing_or_non_boolean_condition_does_not_hold() {
    for text in
        ["caller.claims.nonce == 'x'", "caller.claims.level", "'true'", "1 / 0 == 1", "caller.claims.amr[7] == ''"]
    {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn a_misspelt_name_is_refused_with_the_right_one() {
    assert!(refused("caler.id == 'x'").contains("did you mean `caller`"), "{}", refused("caler.id == 'x'"));
    assert!(refused("caller.claim.acr == 'x'").contains("did you mean `claims`"));
    assert!(refused("request.methd == 'GET'").contains("did you mean `method`"));
    assert!(refused("caller.id.startWith('x')").contains("did you mean `startsWith`"));
}

#[test]
fn invalid_and_oversized_expressions_are_refused() {
    assert!(!refused("caller.id ==").is_empty());
    assert!(!refused("").is_empty());
    assert!(refused(&"now == now && ".repeat(100)).contains("longer"));
    assert!(refused(&format!("now == now{}", " || true".repeat(101))).contains("parts"));
    let nested = "caller.roles.all(a, caller.groups.exists(b, a == b))";
    assert!(refused(nested).contains("inside another"));
}
