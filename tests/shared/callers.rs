//! The credentials of the callers that cases name; shared by the tests of the guard and of the gateway.
//!
//! The module that includes this file imports `Assignment`, `SecretDigest`, `Subject` and `SubjectKind`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Assignment, SecretDigest, Subject, SubjectKind};

/// The secret of all API keys.
const SECRET: &str = "a-secret-that-all-keys-of-this-test-share";

/// Whether a role of the caller is bound to scopes: an API key can express that, a token cannot.
pub(super) fn is_bound(caller: &Subject) -> bool {
    caller.roles.iter().any(|role| !role.scope.is_empty())
}

/// The API key entry for this caller.
pub(super) fn key(caller: &Subject) -> (String, Value) {
    let role = |role: &Assignment| {
        let scope: Map<_, _> = role.scope.iter().map(|(name, values)| (name.to_string(), json!(values))).collect();
        if scope.is_empty() { json!(role.role) } else { json!({ &*role.role: scope }) }
    };
    let entry = json!({
        "digest": SecretDigest::of(SECRET.as_bytes()).to_string(),
        "kind": caller.kind.as_str(),
        "tenants": caller.tenants,
        "groups": caller.groups,
        "roles": caller.roles.iter().map(role).collect::<Vec<_>>(),
        "permissions": caller.permissions,
    });
    (caller.id.as_ref().unwrap().name.to_string(), entry)
}

/// The value of `Authorization` for this caller, whose token `sign` makes; `None` for an anonymous caller.
pub(super) fn authorization(caller: &Subject, sign: impl FnOnce(Value) -> String) -> Option<String> {
    if caller.kind == SubjectKind::Anonymous {
        return None;
    }
    let id = &caller.id.as_ref().unwrap().name;
    if is_bound(caller) {
        return Some(format!("Basic {}", STANDARD.encode(format!("{id}:{SECRET}"))));
    }
    let mut claims = caller.claims.clone();
    let own = json!({
        "sub": id,
        "kind": caller.kind.as_str(),
        "client_id": caller.client,
        "tenants": caller.tenants,
        "groups": caller.groups,
        "roles": caller.roles.iter().map(|role| &role.role).collect::<Vec<_>>(),
        "permissions": caller.permissions,
    });
    claims.extend(own.as_object().unwrap().clone());
    Some(format!("Bearer {}", sign(Value::Object(claims))))
}
