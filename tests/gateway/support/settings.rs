//! A builder of `gateway.yaml`; JSON is YAML, so the settings are a JSON value.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

/// Settings: all listeners on loopback, with ports chosen by the system.
#[derive(Debug, Clone)]
pub(crate) struct Settings(pub(crate) Value);

impl Settings {
    /// One listener `plain`, one issuer `test` at `issuer`, no API yet, and the audit in `audit.jsonl`.
    pub(crate) fn new(issuer: &str) -> Self {
        Self(json!({
            "version": 1,
            "threads": 2,
            "listeners": [{ "address": "127.0.0.1:0", "name": "plain" }],
            "admin": { "address": "127.0.0.1:0" },
            "issuers": { "test": {
                "issuer": issuer,
                "audiences": ["noah-es"],
                "keys": { "discovery": true },
                "claims": {
                    "id": "sub", "client-only": "client_id", "client": ["client_id"], "tenants": "tenants",
                    "roles": "roles", "groups": "groups", "permissions": "permissions",
                },
                "service-apps": { "clients": ["noah-sync"] },
            } },
            "apis": {},
            "audit": { "to": "./audit.jsonl" },
            "log": { "format": "json" },
        }))
    }

    /// Adds an API: its name, the path of its policy beside `gateway.yaml`, and its upstream.
    pub(crate) fn api(self, name: &str, policy: &str, upstream: SocketAddr) -> Self {
        let api = json!({ "policy": policy, "upstream": { "url": format!("http://{upstream}") } });
        self.with(&format!("/apis/{name}"), api)
    }

    /// Sets `value` at a path such as `/limits/body`; missing parents are created.
    pub(crate) fn with(mut self, place: &str, value: Value) -> Self {
        let mut at = &mut self.0;
        for step in place.trim_start_matches('/').split('/') {
            at = match at {
                Value::Array(list) => &mut list[step.parse::<usize>().unwrap()],
                Value::Object(map) => map.entry(step).or_insert_with(|| Value::Object(Map::new())),
                other => panic!("`{place}`: there is nothing inside {other}"),
            };
        }
        *at = value;
        self
    }

    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap()
    }
}
