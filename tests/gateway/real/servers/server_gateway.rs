//! The gateway in front of one of the servers, with a policy that opens a part of its application.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::server::{Server, exchange};
use crate::support::{Gateway, Settings, TestEnvironment};

const POLICY: &str = "\
version: 1
name: site
dialect: DIALECT
routes:
  /open: { GET: read Open }
  /open/{item}: { GET: read Open, POST: create Open, DELETE: delete Open }
  /open/{item}/{part}: { GET: read Open }
  /report.do: { GET: read Open }
  /files/{*rest}: { GET: read Open }
  /{shelf}/{item}: { GET: read Open }
  /secret: { GET: read Secret }
  /secret/{item}: { GET: read Secret }
  /payroll.do: { GET: read Secret }
resources: [Open, Secret]
permissions:
  Look: { Open: CR }
  Remove: { Open: D }
  Pry: { Secret: R }
";

/// ServerGateway: gateway and issuer; both stop with it.
pub(super) struct ServerGateway {
    env: TestEnvironment,
    gateway: Gateway,
    runtime: Runtime,
}

impl ServerGateway {
    /// The gateway in front of `server`, ready.
    pub(super) fn start(server: &Server, dialect: &str, overrides: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let env = runtime.block_on(TestEnvironment::set());
        env.write("policy.yaml", &POLICY.replace("DIALECT", dialect));
        let settings = Settings::new(&env.issuer.url())
            .api("site", "policy.yaml", server.address)
            .with("/audit/on-full", json!("wait"))
            .with("/apis/site/method-overrides", json!(overrides));
        let gateway = runtime.block_on(env.serve(&settings));
        Self { env, gateway, runtime }
    }

    /// A credential that grants these rows.
    pub(super) fn credential(&self, rows: &[&str]) -> String {
        format!("Bearer {}", self.env.token(json!({ "permissions": rows })))
    }

    /// The response to one request.
    pub(super) fn ask(&self, request: &[u8]) -> Vec<u8> {
        exchange(self.gateway.address(), request)
    }

    /// The audit records by decision id, once the record of `last` is written.
    pub(super) fn audit(&self, last: &str) -> HashMap<String, Value> {
        self.runtime.block_on(self.env.audit_record(last));
        let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
        self.env.audit_records().into_iter().map(|record| (id(&record), record)).collect()
    }
}
