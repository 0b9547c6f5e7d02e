//! The demo: an embedded Noah-like upstream, an issuer with five prepared callers, and a tour of commands to paste.

pub mod callers;
pub mod issuer;
pub mod tour;
pub mod upstream;

mod server;
#[cfg(test)]
mod wire;

pub use issuer::Issuer;
pub use upstream::Upstream;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::document::{Sources, report};
use crate::gateway::Gateway;
use crate::settings::{self, Settings};
use crate::vocabulary::Timestamp;

use tour::{DemoToken, Tour};

/// The initial policy of the demo.
pub const POLICY: &str = include_str!("../../policies/noah-es.yaml");

/// The settings of the gateway; ports in use are replaced by free ones.
const SETTINGS: &str = include_str!("../../config/demo.yaml");

/// Demo: the issuer, upstream and gateway, bound and ready to run.
pub struct Demo {
    gateway: Gateway,
    issuer: Issuer,
    _upstream: Upstream,
    _runtime: tokio::runtime::Runtime,
    folder: PolicyFolder,
}

impl Demo {
    /// Starts the issuer and the upstream, and opens the gateway with a copy of `policy`.
    ///
    /// # Errors
    /// One line for the user at the terminal.
    pub fn start(policy: &str) -> Result<Self, String> {
        let folder = PolicyFolder::create()?;
        let copy = folder.policy();
        std::fs::write(&copy, policy).map_err(|error| format!("`{}` cannot be written: {error}", copy.display()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| format!("the demo cannot start: {error}"))?;
        let failed = |error| format!("the demo's servers cannot start: {error}");
        let issuer = runtime.block_on(Issuer::start(free_address(8081))).map_err(failed)?;
        let upstream = runtime.block_on(Upstream::start(free_address(8082))).map_err(failed)?;
        let text = SETTINGS
            .replace("127.0.0.1:8080", &free_address(8080).to_string())
            .replace("127.0.0.1:9901", &free_address(9901).to_string())
            .replace("http://127.0.0.1:8081", &issuer.url())
            .replace("127.0.0.1:8082", &upstream.address().to_string())
            .replace("../policies/noah-es.yaml", &copy.to_string_lossy());
        let settings = read_settings(&text, &folder.0)?;
        let gateway = Gateway::open(&settings)?;
        Ok(Self { gateway, issuer, _upstream: upstream, _runtime: runtime, folder })
    }

    /// The tour: the tokens of five callers, and commands to paste.
    pub fn tour(&self) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let callers = callers::all(&self.issuer.url(), Timestamp(now));
        let texts: Vec<String> = callers.iter().map(|caller| self.issuer.token(&caller.claims)).collect();
        let tokens: Vec<DemoToken<'_>> = callers
            .iter()
            .zip(&texts)
            .map(|(caller, text)| DemoToken { variable: caller.variable, about: caller.about, text })
            .collect();
        let unknown = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        tour::print_tour(&Tour {
            gateway: self.gateway.listeners().first().map_or(unknown, |(_, address)| *address),
            admin: self.gateway.admin().unwrap_or(unknown),
            policy: &self.folder.policy(),
            tokens: &tokens,
        })
    }

    /// Serves until Ctrl-C.
    pub fn run(self) {
        self.gateway.run();
    }
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Demo").field("gateway", &self.gateway).finish_non_exhaustive()
    }
}

fn read_settings(text: &str, folder: &Path) -> Result<Settings, String> {
    let mut sources = Sources::default();
    settings::read(&mut sources, "config/demo.yaml", text, folder, &settings::ProcessSecrets)
        .map_err(|findings| report::human(&findings, &sources))
}

/// The documented port on this machine, or any free port where it is in use.
fn free_address(port: u16) -> SocketAddr {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

/// PolicyFolder: the folder of the demo's copy of the policy, readable by its owner only and deleted at the end.
struct PolicyFolder(PathBuf);

impl PolicyFolder {
    fn create() -> Result<Self, String> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("portcullis-demo-{}", std::process::id()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| format!("`{}` cannot be made: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn policy(&self) -> PathBuf {
        self.0.join("noah-es.yaml")
    }
}

impl Drop for PolicyFolder {
    fn drop(&mut self) {
        // If this fails, only a copy of a public policy stays in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
