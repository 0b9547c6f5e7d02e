//! The gateway between an issuer and an upstream that records every byte, driven from blocking code.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::origin::Origin;
use crate::support::{Gateway, Settings, TestEnvironment, now};

/// The published policy.
pub(crate) const NOAH: &str = include_str!("../../../policies/noah-es.yaml");

/// A small policy for a server of unknown behaviour.
pub(crate) const STRICT: &str = "\
version: 1
name: wire
dialect: strict
scopes: { tenant: caller }
routes:
  /open: { GET: public, POST: public }
  /closed: { GET: nobody }
  /socket: { GET: { need: read Things, websocket: true, token-from: access_token } }
  /{tenant}/things: { GET: read Things, POST: create Things, OPTIONS: read Things }
  /{tenant}/things/{thing}: { GET: read Things, PUT: update Things, DELETE: delete Things }
  /{tenant}/files/{file}: { GET: { need: read Things, encoded-slash: file } }
  /{tenant}/Secrets: { GET: read Secrets }
  /{tenant}/Secrets/{secret}: { GET: read Secrets }
  /{tenant}/inbox: { POST: create Things }
resources: [Things, Secrets]
permissions:
  Use: { Things: CRU }
  Remove: { Things: D }
  See: { Secrets: R }
roles:
  user: { permissions: [Use] }
  remover: { permissions: [Remove] }
  insider: { permissions: [See] }
";

/// TestbedBuilder: the settings, policy and files of a testbed before it starts.
pub(crate) struct TestbedBuilder {
    origin: Origin,
    policy: String,
    changes: Vec<(&'static str, Value)>,
    files: Vec<(&'static str, String)>,
}

impl TestbedBuilder {
    /// Sets `value` at a path of `gateway.yaml`; paths that begin with `api/` or `upstream/` belong to the API.
    pub(crate) fn with(mut self, place: &'static str, value: Value) -> Self {
        self.changes.push((place, value));
        self
    }

    /// Adds a file beside `gateway.yaml`.
    pub(crate) fn file(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.files.push((name, text.into()));
        self
    }

    /// Replaces `from` in the policy by `to`.
    pub(crate) fn policy(mut self, from: &str, to: &str) -> Self {
        assert!(self.policy.contains(from), "the policy has no {from:?}");
        self.policy = self.policy.replace(from, to);
        self
    }

    /// Starts the testbed, and waits until the gateway is ready.
    pub(crate) fn start(self) -> Testbed {
        let testbed = self.launch();
        testbed.wait(testbed.gateway.wait_until_ready());
        testbed
    }

    /// Starts the testbed, and waits until the gateway listens, ready or not.
    pub(crate) fn launch(self) -> Testbed {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let env = runtime.block_on(TestEnvironment::set());
        env.write("policy.yaml", &self.policy);
        for (name, text) in &self.files {
            let path = env.write(name, text);
            // Secrets must be readable by their owner only, or the gateway does not start.
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        let mut settings = Settings::new(&env.issuer.url()).api("noah", "policy.yaml", self.origin.address());
        settings = settings.with("/audit/to", json!("./audit.jsonl"));
        for (place, value) in self.changes {
            let place = match place.split_once('/') {
                Some(("api", rest)) => format!("/apis/noah/{rest}"),
                Some(("upstream", rest)) => format!("/apis/noah/upstream/{rest}"),
                _ => place.to_owned(),
            };
            settings = settings.with(&place, value);
        }
        let gateway = runtime.block_on(env.launch(&settings));
        Testbed { gateway, env, origin: self.origin, runtime }
    }
}

/// Testbed: gateway, issuer and upstream; all stop with it.
pub(crate) struct Testbed {
    pub(crate) gateway: Gateway,
    pub(crate) env: TestEnvironment,
    pub(crate) origin: Origin,
    pub(crate) runtime: Runtime,
}

impl Testbed {
    /// A testbed with [`STRICT`].
    pub(crate) fn strict(origin: Origin) -> TestbedBuilder {
        Self::of(origin, STRICT)
    }

    /// A testbed with [`NOAH`].
    pub(crate) fn noah(origin: Origin) -> TestbedBuilder {
        Self::of(origin, NOAH)
    }

    /// A testbed with another policy.
    pub(crate) fn of(origin: Origin, policy: &str) -> TestbedBuilder {
        TestbedBuilder { origin, policy: policy.to_owned(), changes: Vec::new(), files: Vec::new() }
    }

    /// The gateway's address.
    pub(crate) fn at(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// Runs a future to its end, from blocking code.
    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// A token of alice with these roles, in tenant t1 and the approved app.
    pub(crate) fn token(&self, roles: &[&str]) -> String {
        self.env.token(json!({ "sub": "alice", "roles": roles }))
    }

    /// The header line that presents such a token.
    pub(crate) fn bearer(&self, roles: &[&str]) -> String {
        super::client::bearer(&self.token(roles))
    }

    /// A token of alice that expires in `seconds`.
    pub(crate) fn short_token(&self, roles: &[&str], seconds: u64) -> String {
        self.env.token(json!({ "sub": "alice", "roles": roles, "exp": now() + seconds }))
    }

    /// The audit record of the decision `id`.
    pub(crate) fn record(&self, id: &str) -> Value {
        self.wait(self.env.audit_record(id))
    }

    /// Whether `text` occurs in any output of the gateway: logs and audit records.
    pub(crate) fn has_written(&self, text: &str) -> bool {
        let audit = std::fs::read_to_string(self.env.path("audit.jsonl")).unwrap_or_default();
        audit.contains(text) || self.gateway.lines().iter().any(|line| line.contains(text))
    }

    /// The gateway's peak memory, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gateway.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }

    /// Replaces text in the policy, and waits until another version is live.
    pub(crate) fn edit_policy(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.env.path("policy.yaml")).unwrap();
        assert!(text.contains(from), "the policy has no {from:?}");
        let version = || self.wait(self.gateway.admin("/policy")).text();
        let before = version();
        self.env.write("policy.yaml", &text.replace(from, to));
        until("another policy is live", || version() != before);
    }
}

/// Waits until `probe` holds.
pub(crate) fn until(what: &str, mut probe: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !probe() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
