//! The environment of a gateway under test: a folder for its files, an issuer and an upstream.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use portcullis::demo::{Issuer, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Gateway, PATIENCE, Settings, now, within};

/// A loopback address whose port the system chooses.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// TestEnvironment: the folder, issuer and upstream around a gateway under test.
pub(crate) struct TestEnvironment {
    pub(crate) folder: TempDir,
    pub(crate) issuer: Issuer,
    pub(crate) upstream: Upstream,
}

impl TestEnvironment {
    /// An empty folder, an issuer with one key, and the Noah-like upstream.
    pub(crate) async fn set() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            issuer: Issuer::start(ANYWHERE).await.unwrap(),
            upstream: Upstream::start(ANYWHERE).await.unwrap(),
        }
    }

    /// The path of `name` in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file atomically: beside it, then over it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_file_name(".new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(beside, &path).unwrap();
        path
    }

    /// Settings with one API `noah` for all requests, with this policy and this upstream.
    pub(crate) fn settings(&self, policy: &str) -> Settings {
        Settings::new(&self.issuer.url()).api("noah", policy, self.upstream.address())
    }

    /// Starts the gateway with these settings, and waits until it is ready.
    pub(crate) async fn serve(&self, settings: &Settings) -> Gateway {
        let gateway = self.launch(settings).await;
        gateway.wait_until_ready().await;
        gateway
    }

    /// Starts the gateway with these settings, and waits until it listens, ready or not.
    pub(crate) async fn launch(&self, settings: &Settings) -> Gateway {
        let gateway = Gateway::spawn(&self.write("gateway.yaml", &settings.text()));
        gateway.wait_until_listening().await;
        gateway
    }

    /// A token of user `someone` in app `app-1` and tenant `t1`; the members of `claims` replace its claims, and `null`
    /// removes one.
    pub(crate) fn token(&self, claims: Value) -> String {
        let mut all = json!({
            "iss": self.issuer.url(), "aud": "noah-es", "iat": now(), "exp": now() + 3600,
            "sub": "someone", "client_id": "app-1", "tenants": ["t1"],
        });
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        all.as_object_mut().unwrap().extend(claims);
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.issuer.token(&all)
    }

    /// All audit records of requests that are on disk.
    pub(crate) fn audit_records(&self) -> Vec<Value> {
        records(&self.path("audit.jsonl")).into_iter().filter(|record| record["id"].is_string()).collect()
    }

    /// The audit record of the decision `id`, which is written soon after the response.
    pub(crate) async fn audit_record(&self, id: &str) -> Value {
        within(PATIENCE, "an audit record of the decision", async || {
            self.audit_records().into_iter().find(|record| record["id"] == id)
        })
        .await
    }
}

/// The complete lines of a file of JSON lines; none if the file does not exist.
fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
