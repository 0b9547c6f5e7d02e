//! Settings: the content of `config/gateway.yaml`, read once and strictly; every value in `Settings` is valid.
//!
//! Every reader continues after a finding, so that one run reports all of them. After an error there are no
//! `Settings`, whatever stand-in value the reader used meanwhile.

pub mod api;
pub mod api_key_source;
mod api_keys;
pub mod claims;
pub mod client_certs;
mod declared_names;
pub mod headers;
pub mod introspection;
pub mod issuer;
pub mod limits;
pub mod listener;
pub mod network;
pub mod secret;
mod secret_reader;
pub mod sinks;
pub mod units;
pub mod upstream;
pub mod url;
pub mod reader;

use std::path::{Path, PathBuf};

pub use api::{ApiMatch, ApiSettings, CallerPrecedence, HostHeader};
pub use api_key_source::ApiKeySource;
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
use declared_names::DeclaredNames;
use reader::SettingsReader;

/// Settings: the whole configuration of one gateway process.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The number of threads that serve requests.
    pub threads: usize,
    /// The listeners that receive requests; never empty.
    pub listeners: Vec<ListenerSettings>,
    /// The listener for health, metrics and live policies.
    pub admin: AdminSettings,
    /// The Unix socket where a new process takes over the listeners; `None` disables that.
    pub upgrade_socket: Option<PathBuf>,
    /// The peers whose `X-Forwarded-*` headers are trusted.
    pub trusted_proxies: Vec<Network>,
    /// The resource limits of one client.
    pub limits: Limits,
    /// The trusted token issuers, in the order of the file.
    pub issuers: Vec<TokenIssuer>,
    /// The files of API keys, in the order of the file.
    pub key_sources: Vec<ApiKeySource>,
    /// The trusted sources of client certificates, in the order of the file.
    pub certificate_sources: Vec<CertificateSource>,
    /// The guarded APIs, in the order of the file; never empty.
    pub apis: Vec<ApiSettings>,
    /// The cache of verified tokens.
    pub token_cache: TokenCacheSettings,
    /// The destination of audit records.
    pub audit: AuditSettings,
    /// The format and level of the log.
    pub log: LogSettings,
    /// How changed files are detected.
    pub reload: ReloadSettings,
    /// The notes on the file, one line each as `file:line:column: note[code]: message`.
    pub notes: Vec<String>,
}

impl Settings {
    /// Loads the settings from the file at `path`, with the process's own environment.
    ///
    /// # Errors
    ///
    /// All findings, where the file cannot be read or one of them is an error.
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

/// Reads the settings in `text`; relative paths start at `folder`.
///
/// # Errors
///
/// All findings, where one of them is an error.
pub fn read(
    sources: &mut Sources,
    name: &str,
    text: &str,
    folder: &Path,
    secrets: &dyn Secrets,
) -> Result<Settings, Findings> {
    let (settings, findings) = read_with_findings(sources, name, text, folder, secrets);
    settings.ok_or(findings)
}

/// Reads the settings in `text`, `None` where a finding is an error, and every finding, notes included.
pub fn read_with_findings(
    sources: &mut Sources,
    name: &str,
    text: &str,
    folder: &Path,
    secrets: &dyn Secrets,
) -> (Option<Settings>, Findings) {
    let file = sources.add(name, text);
    let mut findings = Findings::default();
    let root = document::parse(sources, file, &mut findings);
    let settings = root.and_then(|root| read_gateway(&root, &mut SettingsReader::new(folder, secrets, &mut findings)));
    let notes = findings.sorted().into_iter().filter(|finding| finding.severity == Severity::Note);
    let notes = notes.map(|finding| report::line(finding, sources)).collect();
    let settings = settings.filter(|_| !findings.has_errors()).map(|settings| Settings { notes, ..settings });
    (settings, findings)
}

fn read_gateway(root: &Node, reader: &mut SettingsReader<'_>) -> Option<Settings> {
    let mut fields = MapReader::open(root, "the file", reader.findings)?;
    if let Some(node) = fields.required("version", reader.findings) {
        check_version(node, reader);
    }
    let threads = fields.optional("threads");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.map_or(cores, |node| reader.count(Some(node), "`threads`", 1, 1, 1024));
    let listeners = fields.required("listeners", reader.findings);
    let mut declared = DeclaredNames::default();
    let certificate_sources = fields.optional("client-certificates");
    let certificate_sources = certificate_sources
        .map(|node| client_certs::read_certificate_sources(node, &mut declared, reader))
        .unwrap_or_default();
    let listeners = listeners.map(|node| listener::read_listeners(node, &mut declared, reader)).unwrap_or_default();
    let admin = listener::read_admin(fields.optional("admin"), &listeners, reader);
    let upgrade_socket = fields.optional("upgrade-socket");
    let upgrade_socket = upgrade_socket.and_then(|node| listener::read_upgrade_socket(node, &admin, reader));
    let trusted_proxies = fields.optional("trusted-proxies");
    let trusted_proxies = trusted_proxies.map(|node| network::read_networks(node, reader)).unwrap_or_default();
    let limits = limits::read_limits(fields.optional("limits"), reader);
    let issuers = fields.optional("issuers");
    let issuers = issuers.map(|node| issuer::read_issuers(node, &mut declared, reader)).unwrap_or_default();
    let key_sources = fields.optional("api-keys");
    let key_sources =
        key_sources.map(|node| api_keys::read_key_sources(node, &mut declared, reader)).unwrap_or_default();
    client_certs::check_names(&declared, reader);
    let audit = sinks::read_audit(fields.optional("audit"), reader);
    declared.audits_to_file = matches!(audit.to, AuditDestination::File(_));
    let apis = fields.required("apis", reader.findings);
    let apis = apis.map(|node| api::read_apis(node, &declared, &limits, reader)).unwrap_or_default();
    let token_cache = sinks::read_token_cache(fields.optional("token-cache"), reader);
    let log = sinks::read_log(fields.optional("log"), reader);
    let reload = sinks::read_reload(fields.optional("reload"), reader);
    fields.finish(reader.findings);
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

fn check_version(node: &Node, reader: &mut SettingsReader<'_>) {
    let number = document::reader::integer(node, "`version`", 0, u64::MAX, reader.findings);
    if number.is_some_and(|number| number != 1) {
        reader.reject(node, "this program reads settings of version 1").help("write `version: 1`");
    }
}

#[cfg(test)]
mod tests;
