//! The five callers of the demo: one for each kind of decision.

use serde_json::{Map, Value, json};

use crate::vocabulary::time::Timestamp;

/// DemoCaller: a caller for whom the demo issues a token.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoCaller {
    /// The shell variable that holds the token.
    pub variable: &'static str,
    /// A description of the caller, in one line.
    pub about: &'static str,
    /// The claims of the token.
    pub claims: Value,
}

/// The audience that the demo's tokens name.
pub const AUDIENCE: &str = "noah-es";
/// The lifetime of the demo's tokens, in seconds.
pub const LIFETIME: u64 = 3600;

/// The five callers, with tokens of issuer `iss` that are issued at `now`.
pub fn all(iss: &str, now: Timestamp) -> [DemoCaller; 5] {
    [clinician(iss, now), records_manager(iss, now), newcomer(iss, now), bystander(iss, now), service(iss, now)]
}

/// A user of a connected app, with permissions for patients.
pub fn clinician(iss: &str, now: Timestamp) -> DemoCaller {
    DemoCaller {
        variable: "CLINICIAN",
        about: "a clinician: role Level 2, in a connected app",
        claims: user(iss, now, "clinician", "connected-app", &["Level 2"]),
    }
}

/// A user of a connected app who may also merge patients.
pub fn records_manager(iss: &str, now: Timestamp) -> DemoCaller {
    DemoCaller {
        variable: "RECORDS_MANAGER",
        about: "a records manager: may merge patients too",
        claims: user(iss, now, "records-manager", "connected-app", &["Records manager"]),
    }
}

/// A user of an app without approval.
pub fn newcomer(iss: &str, now: Timestamp) -> DemoCaller {
    DemoCaller {
        variable: "UNCONNECTED",
        about: "a clinician in an app that is not connected",
        claims: user(iss, now, "newcomer", "new-app", &["Level 2"]),
    }
}

/// A user of a connected app, without any role.
pub fn bystander(iss: &str, now: Timestamp) -> DemoCaller {
    DemoCaller {
        variable: "NO_PERMISSIONS",
        about: "a user without permissions, in a connected app",
        claims: user(iss, now, "bystander", "connected-app", &[]),
    }
}

/// A service app: its token has no `sub`, as with client credentials of .NET identity servers.
pub fn service(iss: &str, now: Timestamp) -> DemoCaller {
    let mut claims = common(iss, now, "noah-sync");
    claims.insert("tenants".to_owned(), json!(["t1"]));
    DemoCaller { variable: "SERVICE_APP", about: "a service app: no user behind it", claims: Value::Object(claims) }
}

fn user(iss: &str, now: Timestamp, sub: &str, client: &str, roles: &[&str]) -> Value {
    let mut claims = common(iss, now, client);
    claims.insert("sub".to_owned(), Value::from(sub));
    claims.insert("tenants".to_owned(), json!(["t1"]));
    claims.insert("roles".to_owned(), json!(roles));
    Value::Object(claims)
}

fn common(iss: &str, now: Timestamp, client: &str) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), Value::from(iss));
    claims.insert("aud".to_owned(), Value::from(AUDIENCE));
    claims.insert("iat".to_owned(), Value::from(now.0));
    claims.insert("exp".to_owned(), Value::from(now.plus(LIFETIME).0));
    claims.insert("client_id".to_owned(), Value::from(client));
    claims
}

#[cfg(test)]
mod tests;
