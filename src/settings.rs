//! Settings: what `config/gateway.yaml` says, read once and strictly; in `Settings` no value is invalid.
//!
//! Every reader goes on behind a finding, so that one run shows all of them; where there was an error no
//! `Settings` come out, whatever stood in for the value meanwhile.

pub mod api;
pub mod api_keys;
pub mod claims;
pub mod client_certs;
pub mod headers;
pub mod introspection;
pub mod issuer;
pub mod limits;
pub mod listener;
pub mod network;
pub mod secret;
pub mod sinks;
pub mod units;
pub mod upstream;
pub mod url;
pub mod value;

use std::path::{Path, PathBuf};

pub use api::{ApiMatch, ApiSettings, CallerPrecedence, HostHeader};
pub use api_keys::ApiKeySource;
pub use client_certs::CertificateSource;
pub use headers::IdentityHeaders;
pub use introspection::IntrospectionSettings;
pub use issuer::{KeyFetch, KeysFrom, TokenIssuer};
pub use limits::Limits;
pub use listener::{
    AdminAddress, AdminSettings, CertificateFiles, ClientCertificateRequest, ListenerSettings, ListenerTls,
};
pub use network::Network;
pub use secret::{ProcessSecrets, Secret, SecretFile, Secrets};
pub use sinks::{
    AuditDestination, AuditSettings, LogFormat, LogLevel, LogSettings, OnFailure, OnFull, ReloadSettings,
    RotationSettings, TokenCacheSettings,
};
pub use upstream::{UpstreamCredential, UpstreamSettings, UpstreamTls};
pub use url::{HttpUrl, UrlHost};

use crate::document::{self, Finding, FindingCode, Findings, MapReader, Node, Severity, Sources, report};
use value::SettingsReader;

/// Settings: everything that one gateway process does, as the operator wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many threads serve requests.
    pub threads: usize,
    /// Where requests are received; never empty.
    pub listeners: Vec<ListenerSettings>,
    /// Where health, metrics and the live policies are shown.
    pub admin: AdminSettings,
    /// The Unix socket at which a new process takes the listeners over; `None` where none may.
    pub upgrade_socket: Option<PathBuf>,
    /// The peers whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Network>,
    /// What one client may use up.
    pub limits: Limits,
    /// Whose tokens are believed, in the order of the file.
    pub issuers: Vec<TokenIssuer>,
    /// Whose API keys are believed, in the order of the file.
    pub key_sources: Vec<ApiKeySource>,
    /// Whose client certificates are believed, in the order of the file.
    pub certificate_sources: Vec<CertificateSource>,
    /// What is guarded, in the order of the file; never empty.
    pub apis: Vec<ApiSettings>,
    /// How verified tokens are remembered.
    pub token_cache: TokenCacheSettings,
    /// Where audit records go.
    pub audit: AuditSettings,
    /// Where and how the log is written.
    pub log: LogSettings,
    /// How changed files are noticed.
    pub reload: ReloadSettings,
    /// What is worth knowing about the file, one line each as `file:line:column: note[code]: message`.
    pub notes: Vec<String>,
}

impl Settings {
    /// The settings in the file at `path`, with the process's own environment.
    pub fn load(path: &Path) -> Result<Self, (Findings, Sources)> {
        let mut sources = Sources::default();
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let mut findings = Findings::default();
                findings.push(Finding::error(
                    FindingCode::Unreadable,
                    None,
                    format!("`{name}` cannot be read: {error}"),
                ));
                return Err((findings, sources));
            }
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        read(&mut sources, &name, &text, folder, &ProcessSecrets).map_err(|findings| (findings, sources))
    }
}

/// The settings that `text` spells; relative paths start at `folder`. All findings where one of them is an error.
pub fn read(
    sources: &mut Sources,
    name: &str,
    text: &str,
    folder: &Path,
    secrets: &dyn Secrets,
) -> Result<Settings, Findings> {
    let (settings, findings) = judge(sources, name, text, folder, secrets);
    settings.ok_or(findings)
}

/// The settings that `text` spells, unless a finding is an error, and every finding, notes included.
pub fn judge(
    sources: &mut Sources,
    name: &str,
    text: &str,
    folder: &Path,
    secrets: &dyn Secrets,
) -> (Option<Settings>, Findings) {
    let file = sources.add(name, text);
    let mut findings = Findings::default();
    let root = document::parse(sources, file, &mut findings);
    let settings = root.and_then(|root| gateway(&root, &mut SettingsReader::new(folder, secrets, &mut findings)));
    let notes = findings.sorted().into_iter().filter(|finding| finding.severity == Severity::Note);
    let notes = notes.map(|finding| report::line(finding, sources)).collect();
    let settings = settings.filter(|_| !findings.has_errors()).map(|settings| Settings { notes, ..settings });
    (settings, findings)
}

fn gateway(root: &Node, reading: &mut SettingsReader<'_>) -> Option<Settings> {
    let mut fields = MapReader::open(root, "the file", reading.findings)?;
    if let Some(node) = fields.required("version", reading.findings) {
        version(node, reading);
    }
    let threads = fields.optional("threads");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.map_or(cores, |node| reading.count(Some(node), "`threads`", 1, 1, 1024));
    let listeners = fields.required("listeners", reading.findings);
    let mut known = DeclaredNames::default();
    let certificate_sources = fields.optional("client-certificates");
    let certificate_sources = certificate_sources
        .map(|node| client_certs::certificate_sources(node, &mut known, reading))
        .unwrap_or_default();
    let listeners = listeners.map(|node| listener::listeners(node, &mut known, reading)).unwrap_or_default();
    let admin = listener::admin(fields.optional("admin"), &listeners, reading);
    let upgrade_socket = fields.optional("upgrade-socket");
    let upgrade_socket = upgrade_socket.and_then(|node| listener::upgrade_socket(node, &admin, reading));
    let trusted_proxies = fields.optional("trusted-proxies");
    let trusted_proxies = trusted_proxies.map(|node| network::networks(node, reading)).unwrap_or_default();
    let limits = limits::limits(fields.optional("limits"), reading);
    let issuers = fields.optional("issuers");
    let issuers = issuers.map(|node| issuer::issuers(node, &mut known, reading)).unwrap_or_default();
    let key_sources = fields.optional("api-keys");
    let key_sources = key_sources.map(|node| api_keys::key_sources(node, &mut known, reading)).unwrap_or_default();
    client_certs::distinct(&known, reading);
    let audit = sinks::audit(fields.optional("audit"), reading);
    known.keeps = matches!(audit.to, AuditDestination::File(_));
    let apis = fields.required("apis", reading.findings);
    let apis = apis.map(|node| api::apis(node, &known, &limits, reading)).unwrap_or_default();
    let token_cache = sinks::token_cache(fields.optional("token-cache"), reading);
    let log = sinks::log(fields.optional("log"), reading);
    let reload = sinks::reload(fields.optional("reload"), reading);
    fields.finish(reading.findings);
    Some(Settings {
        threads,
        listeners,
        admin,
        upgrade_socket,
        trusted_proxies,
        limits,
        issuers,
        key_sources,
        certificate_sources,
        apis,
        token_cache,
        audit,
        log,
        reload,
        notes: Vec::new(),
    })
}

/// DeclaredNames: the names that an API may refer to, also of what was itself found wrong.
#[derive(Default)]
struct DeclaredNames {
    listeners: Vec<Box<str>>,
    issuers: Vec<Box<str>>,
    /// Those among them that are asked about each token.
    asked: Vec<Box<str>>,
    key_names: Vec<Box<str>>,
    key_sources: Vec<ApiKeySource>,
    certificates: Vec<Box<str>>,
    certificate_places: Vec<document::Span>,
    /// Whether audit records go to a file.
    keeps: bool,
}

fn version(node: &Node, reading: &mut SettingsReader<'_>) {
    let number = document::reader::integer(node, "`version`", 0, u64::MAX, reading.findings);
    if number.is_some_and(|number| number != 1) {
        reading.bad(node, "this program reads settings of version 1").help("write `version: 1`");
    }
}

#[cfg(test)]
mod tests;
