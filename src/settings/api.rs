//! APIs: which requests belong to an API, its policy and credentials, and its upstream.

use std::path::PathBuf;

use super::api_key_source::ApiKeySource;
use super::declared_names::DeclaredNames;
use super::headers::{self, IdentityHeaders, fold_name};
use super::limits::{self, Limits};
use super::reader::SettingsReader;
use super::upstream::{self, UpstreamCredential, UpstreamSettings};
use super::url::split_authority;
use crate::document::{Finding, FindingCode, MapReader, Node, Span, Value, list, reader::entries};
use crate::request::OverrideMode;
use crate::vocabulary::AuditMode;

/// ApiSettings: one guarded API.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiSettings {
    /// The name, also in metrics and audit records.
    pub name: Box<str>,
    /// The requests that belong to it.
    pub matches: ApiMatch,
    /// The file or folder of the policy.
    pub policy: PathBuf,
    /// The file or folder of a candidate policy, which is compared with the policy and decides nothing.
    pub candidate: Option<PathBuf>,
    /// The names of the issuers whose tokens it accepts; all issuers unless configured.
    pub issuers: Vec<Box<str>>,
    /// The names of the files of API keys that it accepts; all files unless configured.
    ///
    /// No two of them take keys in the same header or scheme.
    pub api_keys: Vec<Box<str>>,
    /// The names of the sources of client certificates that it accepts; all sources unless configured.
    ///
    /// Where it is empty, a certificate does not identify the caller.
    pub client_certificates: Vec<Box<str>>,
    /// The credential that identifies the caller where a request has a client certificate and a token or key.
    ///
    /// `None` refuses such a request.
    pub caller: Option<CallerPrecedence>,
    /// The upstream of permitted requests.
    pub upstream: UpstreamSettings,
    /// The `Host` that the upstream receives.
    pub host: HostHeader,
    /// The credential that the upstream receives.
    pub credential: UpstreamCredential,
    /// The headers that carry the caller's identity to the upstream.
    pub identity_headers: IdentityHeaders,
    /// The treatment of a request that overrides its method.
    pub method_overrides: OverrideMode,
    /// The header names with characters beyond letters, digits and `-` that are forwarded.
    pub pass_headers: Vec<Box<str>>,
    /// The largest request body in bytes; `None` is no limit.
    pub body: Option<u64>,
    /// Whether a decision may take effect before it is on disk, where its route does not say.
    pub audit: AuditMode,
}

/// ApiMatch: the requests that belong to an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiMatch {
    /// The names in `Host`, in lower case and without a port; empty matches every name.
    pub hosts: Vec<Box<str>>,
    /// The path prefix in whole segments, without a slash at the end; empty matches every path.
    pub path: Box<str>,
    /// The names of listeners; empty matches every listener.
    pub listeners: Vec<Box<str>>,
}

/// HostHeader: the `Host` that an upstream receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostHeader {
    /// The client's `Host`.
    AsReceived,
    /// The authority of the upstream's URL.
    Upstream,
    /// A fixed text.
    Literal(Box<str>),
}

/// CallerPrecedence: which of two credentials identifies the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerPrecedence {
    /// The client certificate; the other credential is neither verified nor forwarded.
    Certificate,
    /// The token or API key; the certificate authenticates the connection only.
    Token,
}

impl ApiSettings {
    /// The names of all its identity sources, which are the first halves of its callers' ids.
    pub fn sources(&self) -> Vec<Box<str>> {
        self.issuers.iter().chain(&self.api_keys).chain(&self.client_certificates).cloned().collect()
    }
}

impl ApiMatch {
    /// Whether a request matches by its listener's name, its host in lower case without a port, and its path.
    ///
    /// Where several APIs match, the one with the longest `path` receives the request.
    pub fn accepts(&self, listener: &str, host: Option<&str>, path: &str) -> bool {
        self.accepts_host(listener, host)
            && path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a request on this listener and for this host can match with some path.
    pub fn accepts_host(&self, listener: &str, host: Option<&str>) -> bool {
        let lists = |names: &[Box<str>], name: &str| names.iter().any(|other| **other == *name);
        (self.listeners.is_empty() || lists(&self.listeners, listener))
            && (self.hosts.is_empty() || host.is_some_and(|host| lists(&self.hosts, host)))
    }

    /// Whether some request matches both and neither path is longer.
    ///
    /// Paths that differ only in case count as equal, because many servers treat them so.
    fn overlaps(&self, other: &Self) -> bool {
        let intersect = |left: &[Box<str>], right: &[Box<str>]| {
            left.is_empty() || right.is_empty() || left.iter().any(|name| right.contains(name))
        };
        self.path.eq_ignore_ascii_case(&other.path)
            && intersect(&self.hosts, &other.hosts)
            && intersect(&self.listeners, &other.listeners)
    }
}

/// Reads the map under `apis`.
pub(super) fn read_apis(
    node: &Node,
    declared: &DeclaredNames,
    limits: &Limits,
    reader: &mut SettingsReader<'_>,
) -> Vec<ApiSettings> {
    let Some(entries) = entries(node, "`apis`", reader.findings) else { return Vec::new() };
    if entries.is_empty() {
        let message = "`apis` is an empty map: no API would be guarded";
        reader.report(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    let mut matches_so_far: Vec<(&str, ApiMatch, &Node)> = Vec::new();
    let mut apis = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let name = reader.label(key, "an API's name").unwrap_or_default();
        let Some(mut fields) = MapReader::open(value, "an API", reader.findings) else { continue };
        let found = fields.optional("match");
        let span = found.unwrap_or(key);
        if let Some(matches) = read_match(found, declared, reader) {
            if let Some((other, _, first)) = matches_so_far.iter().find(|(_, other, _)| other.overlaps(&matches)) {
                let message = format!("`{other}` would claim the same requests as `{name}`");
                let finding = Finding::error(FindingCode::RouteConflict, Some(span.span), message);
                let help = "give them different hosts, paths or listeners; where one path is longer, it goes first";
                reader.report(finding.also(first.span, "the other one").help(help));
            }
            matches_so_far.push((name, matches.clone(), span));
            apis.extend(read_api(name, matches, fields, declared, limits, reader));
        } else {
            let stand_in = ApiMatch { hosts: Vec::new(), path: "".into(), listeners: Vec::new() };
            read_api(name, stand_in, fields, declared, limits, reader);
        }
    }
    apis
}

fn read_api(
    name: &str,
    matches: ApiMatch,
    mut fields: MapReader<'_>,
    declared: &DeclaredNames,
    limits: &Limits,
    reader: &mut SettingsReader<'_>,
) -> Option<ApiSettings> {
    let policy = fields.required("policy", reader.findings);
    let policy = policy.and_then(|node| reader.file(node, "`policy`"));
    // A candidate must not keep the gateway from starting, so it is read and reported like a reload.
    let candidate = fields.optional("candidate").and_then(|node| reader.path(node, "`candidate`"));
    let issuers = fields.optional("issuers");
    let issuers = read_issuers(issuers, fields.span(), declared, reader);
    let api_keys = fields.optional("api-keys");
    let client_certificates = match fields.optional("client-certificates") {
        Some(node) if matches!(&node.value, Value::List(items) if items.is_empty()) => Vec::new(),
        Some(node) => {
            let sort = "source of client certificates";
            reader.known_names(node, "`client-certificates`", sort, &declared.certificates)
        }
        None => declared.certificates.clone(),
    };
    let words = [("certificate", Some(CallerPrecedence::Certificate)), ("token", Some(CallerPrecedence::Token))];
    let caller = reader.word(fields.optional("caller"), "`caller`", &words, None);
    let upstream = fields.required("upstream", reader.findings);
    let upstream = upstream.and_then(|node| upstream::read_upstream(node, reader));
    let host = fields.optional("host").map_or(Some(HostHeader::AsReceived), |node| read_host_header(node, reader));
    let identity_headers = headers::read_identity_headers(fields.optional("identity-headers"), reader);
    let api_keys = read_api_keys(api_keys, fields.span(), declared, &identity_headers, reader);
    let credential = upstream::read_credential(fields.optional("credential"), &identity_headers, reader);
    let words =
        [("reject", OverrideMode::Reject), ("strip", OverrideMode::Strip), ("evaluate", OverrideMode::Evaluate)];
    let method_overrides = fields.optional("method-overrides");
    let method_overrides = reader.word(method_overrides, "`method-overrides`", &words, OverrideMode::Reject);
    let pass_headers = headers::read_pass_headers(fields.optional("pass-headers"), &identity_headers, reader);
    let body = limits::read_body_limit(fields.optional("body"), limits.body, reader);
    let audit = fields.optional("audit");
    let mode = reader.word(audit, "`audit`", &AuditMode::KEYWORDS, AuditMode::Fast);
    if let (AuditMode::Lossless, Some(node), false) = (mode, audit, declared.audits_to_file) {
        let message = "`audit: lossless` needs a file, and the section `audit` names none";
        reader.reject(node, message).help("write a path there: `to: /var/log/portcullis/audit.jsonl`");
    }
    fields.finish(reader.findings);
    Some(ApiSettings {
        name: name.into(),
        matches,
        policy: policy?,
        candidate,
        issuers,
        api_keys,
        client_certificates,
        caller,
        upstream: upstream?,
        host: host?,
        credential: credential?,
        identity_headers,
        method_overrides,
        pass_headers,
        body,
        audit: mode,
    })
}

/// Reads the issuers of an API; at most one of them may introspect tokens that name no issuer.
fn read_issuers(
    node: Option<&Node>,
    api: Span,
    declared: &DeclaredNames,
    reader: &mut SettingsReader<'_>,
) -> Vec<Box<str>> {
    let chosen = match node {
        Some(node) => reader.known_names(node, "`issuers`", "issuer", &declared.issuers),
        None => declared.issuers.clone(),
    };
    let mut introspecting = chosen.iter().filter(|name| declared.introspected_issuers.contains(name));
    if let (Some(one), Some(other)) = (introspecting.next(), introspecting.next()) {
        let message = format!("a token that is not a JSON Web Token could belong to `{one}` or to `{other}`");
        let finding = Finding::error(FindingCode::BadValue, Some(node.map_or(api, |node| node.span)), message);
        reader.report(finding.help("name one of them under `issuers` of this API, the other under another API's"));
    }
    chosen
}

/// Reads the files of API keys of an API; each needs its own header or scheme, apart from the identity headers.
fn read_api_keys(
    node: Option<&Node>,
    api: Span,
    declared: &DeclaredNames,
    own: &IdentityHeaders,
    reader: &mut SettingsReader<'_>,
) -> Vec<Box<str>> {
    let chosen = match node {
        Some(node) => reader.known_names(node, "`api-keys`", "file of API keys", &declared.key_names),
        None => declared.key_names.clone(),
    };
    let span = node.map_or(api, |node| node.span);
    let mut before: Vec<&ApiKeySource> = Vec::new();
    for source in declared.key_sources.iter().filter(|source| chosen.contains(&source.name)) {
        if let Some(other) = before.iter().find(|other| other.overlaps(source)) {
            let message = format!("a key could be from `{}` or from `{}`", other.name, source.name);
            let finding = Finding::error(FindingCode::BadValue, Some(span), message);
            reader.report(finding.help("give each its own `header`, and `basic` to one of them at most"));
        }
        if let Some(header) =
            source.header.as_deref().filter(|name| own.all().map(fold_name).contains(&fold_name(name)))
        {
            let message = format!("the keys of `{}` come in `{header}`, which is an identity header here", source.name);
            reader.report(Finding::error(FindingCode::BadValue, Some(span), message));
        }
        before.push(source);
    }
    chosen
}

fn read_match(node: Option<&Node>, declared: &DeclaredNames, reader: &mut SettingsReader<'_>) -> Option<ApiMatch> {
    let mut found = ApiMatch { hosts: Vec::new(), path: "".into(), listeners: Vec::new() };
    let Some(node) = node else { return Some(found) };
    let mut fields = MapReader::open(node, "`match`", reader.findings)?;
    let hosts = fields.optional("hosts");
    let path = fields.optional("path");
    let listeners = fields.optional("listeners");
    fields.finish(reader.findings);
    if let Some(node) = listeners {
        found.listeners = reader.known_names(node, "`listeners`", "listener", &declared.listeners);
    }
    let hosts = hosts.map(|node| read_hosts(node, reader));
    let path = path.map(|node| read_path(node, reader));
    found.hosts = hosts.unwrap_or(Some(Vec::new()))?;
    found.path = path.unwrap_or(Some("".into()))?;
    Some(found)
}

/// Reads the hosts of an API; `None` after a finding.
fn read_hosts(node: &Node, reader: &mut SettingsReader<'_>) -> Option<Vec<Box<str>>> {
    let items = list(node, "`hosts`", reader.findings)?;
    let mut hosts: Vec<Box<str>> = Vec::with_capacity(items.len());
    let mut valid = true;
    if items.is_empty() {
        let message = "`hosts` is an empty list: leave it out to match every host";
        reader.report(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    for item in items {
        let Some(raw) = reader.text(item, "a host") else {
            valid = false;
            continue;
        };
        let found = match split_authority(raw) {
            Ok((host, None)) => Ok(host),
            Ok((host, Some(_))) => Err(format!("a host is matched without its port: write `{host}`")),
            Err(fault) => Err(format!("`{raw}` is no host such as `noah.example.com`: {fault}")),
        };
        match found {
            Ok(host) if hosts.contains(&host.to_string().into()) => {
                let message = format!("`{host}` is listed twice in `hosts`");
                reader.report(Finding::error(FindingCode::DuplicateName, Some(item.span), message));
            }
            Ok(host) => hosts.push(host.to_string().into()),
            Err(message) => {
                valid = false;
                reader.reject(item, message);
            }
        }
    }
    valid.then_some(hosts)
}

/// Reads a path prefix of plain segments, which has one spelling only.
fn read_path(node: &Node, reader: &mut SettingsReader<'_>) -> Option<Box<str>> {
    let raw = reader.text(node, "`path`")?;
    if raw == "/" {
        return Some("".into());
    }
    let plain = |segment: &str| {
        let letters = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        !segment.is_empty() && letters && segment != "." && segment != ".."
    };
    let segments = raw.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    match segments {
        Some(segments) if segments.split('/').all(plain) && !raw.ends_with('/') => return Some(raw.into()),
        Some(segments) if segments.split('/').all(plain) => {
            let message = format!("`path` is whole segments without a `/` at their end, not `{raw}`");
            reader.reject(node, message).help(format!("write `/{segments}`"));
        }
        _ => {
            let message = format!("`path` is `/` and segments of letters, digits, `-`, `.`, `_`, `~`, not `{raw}`");
            reader.reject(node, message).help("parameters belong in the policy's routes");
        }
    }
    None
}

fn read_host_header(node: &Node, reader: &mut SettingsReader<'_>) -> Option<HostHeader> {
    const WORDS: [&str; 2] = ["as-received", "upstream"];
    let raw = reader.text(node, "`host`")?;
    match raw {
        "as-received" => return Some(HostHeader::AsReceived),
        "upstream" => return Some(HostHeader::Upstream),
        _ => {}
    }
    // A misspelt keyword would be a valid host name, so a literal that is similar to one needs a dot or a port.
    if !raw.contains(['.', ':'])
        && let Some(word) = crate::vocabulary::name::nearest(raw, WORDS)
    {
        reader.reject(node, format!("`host` cannot be `{raw}`")).help(format!("did you mean `{word}`?"));
        return None;
    }
    match split_authority(raw) {
        Ok(_) => Some(HostHeader::Literal(raw.into())),
        Err(fault) => {
            let message = format!("`host` is `as-received`, `upstream` or a host, not `{raw}`: {fault}");
            reader.reject(node, message);
            None
        }
    }
}
