//! An issuer with an introspection endpoint, whose responses the test chooses.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::now;
use crate::wire::origin::{Origin, ReceivedRequest};
use crate::wire::testbed::{Testbed, TestbedBuilder};

/// IntrospectionServer: an issuer with an introspection endpoint, whose responses the test chooses per token.
pub(super) struct IntrospectionServer {
    pub(super) endpoint: Origin,
    pub(super) script: Arc<IntrospectionScript>,
}

#[derive(Default)]
pub(super) struct IntrospectionScript {
    /// The response per token; any other token is not active.
    tokens: Mutex<HashMap<String, Value>>,
    /// The bytes that are sent in place of a response.
    override_bytes: Mutex<Option<Vec<u8>>>,
    delay: Mutex<Duration>,
    under_way: AtomicUsize,
    pub(super) most_under_way: AtomicUsize,
}

impl IntrospectionServer {
    pub(super) fn start() -> Self {
        let script = Arc::new(IntrospectionScript::default());
        let responder = Arc::clone(&script);
        Self { endpoint: Origin::with_responder(move |received| responder.answer(received)), script }
    }

    /// An issuer for which `token` is active, with these claims beside the usual ones.
    pub(super) fn with_token(token: &str, claims: Value) -> Self {
        let introspection_server = Self::start();
        introspection_server.set_claims(token, claims);
        introspection_server
    }

    pub(super) fn set_claims(&self, token: &str, claims: Value) {
        let mut all = json!({
            "active": true, "aud": "noah-es", "sub": "alice", "client_id": "app-1", "exp": now() + 600,
            "tenants": ["t1"], "roles": ["user"], "token_type": "Bearer",
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.script.tokens.lock().unwrap().insert(token.to_owned(), all);
    }

    pub(super) fn remove_token(&self, token: &str) {
        self.script.tokens.lock().unwrap().remove(token);
    }

    pub(super) fn send_instead(&self, bytes: Option<&str>) {
        *self.script.override_bytes.lock().unwrap() = bytes.map(|bytes| bytes.as_bytes().to_vec());
    }

    pub(super) fn wait(&self, time: Duration) {
        *self.script.delay.lock().unwrap() = time;
    }

    /// The number of introspection calls.
    pub(super) fn count(&self) -> usize {
        self.endpoint.count()
    }

    /// The settings of an issuer that uses this endpoint.
    pub(super) fn issuer(&self) -> Value {
        json!({
            "issuer": "https://opaque.test",
            "audiences": ["noah-es"],
            "keys": { "introspection": {
                "url": format!("http://{}/introspect", self.endpoint.address()),
                "client-id": "port:cullis", "client-secret": { "file": "client-secret" },
            } },
            "claims": { "client": ["client_id"], "tenants": "tenants", "roles": "roles" },
        })
    }

    /// A testbed with this issuer and the ordinary one.
    pub(super) fn testbed(&self, builder: TestbedBuilder) -> TestbedBuilder {
        builder.file("client-secret", "s p&ä\n").with("/issuers/opaque", self.issuer())
    }

    /// Such a testbed with the small policy.
    pub(super) fn strict(&self) -> TestbedBuilder {
        self.testbed(Testbed::strict(Origin::start()))
    }
}

impl IntrospectionScript {
    pub(super) fn answer(&self, received: &ReceivedRequest) -> Vec<u8> {
        self.most_under_way.fetch_max(self.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(*self.delay.lock().unwrap());
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        if let Some(bytes) = self.override_bytes.lock().unwrap().clone() {
            return bytes;
        }
        let claims_of_token = self.tokens.lock().unwrap().get(&presented_token(received)).cloned();
        answer(&claims_of_token.unwrap_or(json!({ "active": false })).to_string())
    }
}

/// A response 200 with this JSON.
fn answer(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// The token in an introspection request; the tests' tokens need only `%2B`, `%2F` and `%3D` decoded.
pub(super) fn presented_token(received: &ReceivedRequest) -> String {
    let form = String::from_utf8(received.body.clone()).unwrap();
    let token = form.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap().to_owned();
    token.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=").replace("%7E", "~")
}
