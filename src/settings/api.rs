//! APIs: which requests belong to one, what judges them, and where permitted ones go.

use std::path::PathBuf;

use super::DeclaredNames;
use super::api_keys::ApiKeySource;
use super::headers::{self, IdentityHeaders, fold};
use super::limits::{self, Limits};
use super::upstream::{self, UpstreamCredential, UpstreamSettings};
use super::url::split_authority;
use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, Span, Value, list, reader::entries};
use crate::request::OverrideMode;
use crate::vocabulary::AuditMode;

/// ApiSettings: one guarded API.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiSettings {
    /// Its name, also in metrics and audit records.
    pub name: Box<str>,
    /// Which requests belong to it.
    pub matches: ApiMatch,
    /// The policy's file or folder.
    pub policy: PathBuf,
    /// The file or folder of a policy that is compared with it and decides nothing.
    pub candidate: Option<PathBuf>,
    /// The names of the issuers whose tokens it believes; all of them where none is named.
    pub issuers: Vec<Box<str>>,
    /// The names of the files of API keys that it believes; all of them where none is named. No two of them are
    /// presented in the same way.
    pub api_keys: Vec<Box<str>>,
    /// The names of the sources of client certificates that it believes; all of them where none is named. Where it is
    /// empty a certificate says nothing about the caller.
    pub client_certificates: Vec<Box<str>>,
    /// What names the caller of a request that has a client certificate and a token or key; `None` refuses it.
    pub caller: Option<CallerPrecedence>,
    /// Where permitted requests go.
    pub upstream: UpstreamSettings,
    /// What the upstream gets as `Host`.
    pub host: HostHeader,
    /// What the upstream gets to see of credentials.
    pub credential: UpstreamCredential,
    /// Where the upstream learns who asks.
    pub identity_headers: IdentityHeaders,
    /// What happens to a request that overrides its method.
    pub method_overrides: OverrideMode,
    /// Header names outside letters, digits and `-` that may pass.
    pub pass_headers: Vec<Box<str>>,
    /// Bytes of one request's body; `None` is no limit.
    pub body: Option<u64>,
    /// Whether a decision may be seen before it is on disk, where its route does not say.
    pub audit: AuditMode,
}

/// ApiMatch: which requests belong to an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiMatch {
    /// The names in `Host`, in small letters and without a port; every name where it is empty.
    pub hosts: Vec<Box<str>>,
    /// What the path begins with, whole segments, without a slash at the end; empty is every path.
    pub path: Box<str>,
    /// The names of listeners; every listener where it is empty.
    pub listeners: Vec<Box<str>>,
}

/// HostHeader: what an upstream gets as `Host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostHeader {
    /// What the client sent.
    AsReceived,
    /// The authority of the upstream's URL.
    Upstream,
    /// This text.
    Literal(Box<str>),
}

/// CallerPrecedence: which of two credentials names the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerPrecedence {
    /// The client certificate; what stands beside it is not looked at and goes no further.
    Certificate,
    /// The token or API key; the certificate stands for the connection only.
    Token,
}

impl ApiSettings {
    /// The names of all sources of identity that it believes: what the ids of its callers begin with.
    pub fn sources(&self) -> Vec<Box<str>> {
        self.issuers.iter().chain(&self.api_keys).chain(&self.client_certificates).cloned().collect()
    }
}

impl ApiMatch {
    /// Whether a request belongs here: its listener's name, its host in small letters without a port, its path.
    /// Of several APIs the one with the longest `path` has it.
    pub fn claims(&self, listener: &str, host: Option<&str>, path: &str) -> bool {
        self.receives(listener, host)
            && path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether a request on this listener and for this host can belong here, whatever its path.
    pub fn receives(&self, listener: &str, host: Option<&str>) -> bool {
        let among = |names: &[Box<str>], name: &str| names.iter().any(|other| **other == *name);
        (self.listeners.is_empty() || among(&self.listeners, listener))
            && (self.hosts.is_empty() || host.is_some_and(|host| among(&self.hosts, host)))
    }

    /// Whether some request belongs to both and neither path is longer; paths that differ in case alone are
    /// the same to many servers.
    fn collides(&self, other: &Self) -> bool {
        let meet = |left: &[Box<str>], right: &[Box<str>]| {
            left.is_empty() || right.is_empty() || left.iter().any(|name| right.contains(name))
        };
        self.path.eq_ignore_ascii_case(&other.path)
            && meet(&self.hosts, &other.hosts)
            && meet(&self.listeners, &other.listeners)
    }
}

/// The map under `apis`.
pub(super) fn apis(
    node: &Node,
    known: &DeclaredNames,
    limits: &Limits,
    reading: &mut SettingsReader<'_>,
) -> Vec<ApiSettings> {
    let Some(entries) = entries(node, "`apis`", reading.findings) else { return Vec::new() };
    if entries.is_empty() {
        let message = "`apis` is an empty map: nothing would be guarded";
        reading.finding(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    let mut claimed: Vec<(&str, ApiMatch, &Node)> = Vec::new();
    let mut apis = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let name = reading.label(key, "an API's name").unwrap_or_default();
        let Some(mut fields) = MapReader::open(value, "an API", reading.findings) else { continue };
        let found = fields.optional("match");
        let span = found.unwrap_or(key);
        if let Some(matches) = read_match(found, known, reading) {
            if let Some((other, _, first)) = claimed.iter().find(|(_, other, _)| other.collides(&matches)) {
                let message = format!("`{other}` would claim the same requests as `{name}`");
                let finding = Finding::error(FindingCode::RouteConflict, Some(span.span), message);
                let help = "give them different hosts, paths or listeners; where one path is longer, it goes first";
                reading.finding(finding.also(first.span, "the other one").help(help));
            }
            claimed.push((name, matches.clone(), span));
            apis.extend(api(name, matches, fields, known, limits, reading));
        } else {
            let stand_in = ApiMatch { hosts: Vec::new(), path: "".into(), listeners: Vec::new() };
            api(name, stand_in, fields, known, limits, reading);
        }
    }
    apis
}

fn api(
    name: &str,
    matches: ApiMatch,
    mut fields: MapReader<'_>,
    known: &DeclaredNames,
    limits: &Limits,
    reading: &mut SettingsReader<'_>,
) -> Option<ApiSettings> {
    let policy = fields.required("policy", reading.findings);
    let policy = policy.and_then(|node| reading.file(node, "`policy`"));
    // What only watches must not keep the gateway from its start: it is read, and found wanting, like a reload.
    let candidate = fields.optional("candidate").and_then(|node| reading.path(node, "`candidate`"));
    let issuers = fields.optional("issuers");
    let issuers = read_issuers(issuers, fields.span(), known, reading);
    let api_keys = fields.optional("api-keys");
    let client_certificates = match fields.optional("client-certificates") {
        Some(node) if matches!(&node.value, Value::List(items) if items.is_empty()) => Vec::new(),
        Some(node) => {
            let sort = "source of client certificates";
            reading.known(node, "`client-certificates`", sort, &known.certificates)
        }
        None => known.certificates.clone(),
    };
    let words = [("certificate", Some(CallerPrecedence::Certificate)), ("token", Some(CallerPrecedence::Token))];
    let caller = reading.word(fields.optional("caller"), "`caller`", &words, None);
    let upstream = fields.required("upstream", reading.findings);
    let upstream = upstream.and_then(|node| upstream::upstream(node, reading));
    let host = fields.optional("host").map_or(Some(HostHeader::AsReceived), |node| host_header(node, reading));
    let identity_headers = headers::identity_headers(fields.optional("identity-headers"), reading);
    let api_keys = read_api_keys(api_keys, fields.span(), known, &identity_headers, reading);
    let credential = upstream::credential(fields.optional("credential"), &identity_headers, reading);
    let words =
        [("reject", OverrideMode::Reject), ("strip", OverrideMode::Strip), ("evaluate", OverrideMode::Evaluate)];
    let method_overrides = fields.optional("method-overrides");
    let method_overrides = reading.word(method_overrides, "`method-overrides`", &words, OverrideMode::Reject);
    let pass_headers = headers::pass_headers(fields.optional("pass-headers"), &identity_headers, reading);
    let body = limits::body(fields.optional("body"), limits.body, reading);
    let audit = fields.optional("audit");
    let mode = reading.word(audit, "`audit`", &AuditMode::KEYWORDS, AuditMode::Fast);
    if let (AuditMode::Lossless, Some(node), false) = (mode, audit, known.keeps) {
        let message = "`audit: lossless` needs a file, and the section `audit` names none";
        reading.bad(node, message).help("write a path there: `to: /var/log/portcullis/audit.jsonl`");
    }
    fields.finish(reading.findings);
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

/// The issuers that an API believes: one of them at most can be asked about a token that names none.
fn read_issuers(
    node: Option<&Node>,
    api: Span,
    known: &DeclaredNames,
    reading: &mut SettingsReader<'_>,
) -> Vec<Box<str>> {
    let chosen = match node {
        Some(node) => reading.known(node, "`issuers`", "issuer", &known.issuers),
        None => known.issuers.clone(),
    };
    let mut asked = chosen.iter().filter(|name| known.asked.contains(name));
    if let (Some(one), Some(other)) = (asked.next(), asked.next()) {
        let message = format!("a token that is no JSON Web Token could be from `{one}` or from `{other}`");
        let finding = Finding::error(FindingCode::BadValue, Some(node.map_or(api, |node| node.span)), message);
        reading.finding(finding.help("name one of them under `issuers` of this API, the other under another API's"));
    }
    chosen
}

/// The files of API keys that an API believes: each has its own way of being presented, beside the gateway's headers.
fn read_api_keys(
    node: Option<&Node>,
    api: Span,
    known: &DeclaredNames,
    own: &IdentityHeaders,
    reading: &mut SettingsReader<'_>,
) -> Vec<Box<str>> {
    let chosen = match node {
        Some(node) => reading.known(node, "`api-keys`", "file of API keys", &known.key_names),
        None => known.key_names.clone(),
    };
    let span = node.map_or(api, |node| node.span);
    let mut before: Vec<&ApiKeySource> = Vec::new();
    for source in known.key_sources.iter().filter(|source| chosen.contains(&source.name)) {
        if let Some(other) = before.iter().find(|other| other.collides(source)) {
            let message = format!("a key could be from `{}` or from `{}`", other.name, source.name);
            let finding = Finding::error(FindingCode::BadValue, Some(span), message);
            reading.finding(finding.help("give each its own `header`, and `basic` to one of them at most"));
        }
        if let Some(header) = source.header.as_deref().filter(|name| own.all().map(fold).contains(&fold(name))) {
            let message = format!("the keys of `{}` come in `{header}`, which is an identity header here", source.name);
            reading.finding(Finding::error(FindingCode::BadValue, Some(span), message));
        }
        before.push(source);
    }
    chosen
}

fn read_match(node: Option<&Node>, known: &DeclaredNames, reading: &mut SettingsReader<'_>) -> Option<ApiMatch> {
    let mut found = ApiMatch { hosts: Vec::new(), path: "".into(), listeners: Vec::new() };
    let Some(node) = node else { return Some(found) };
    let mut fields = MapReader::open(node, "`match`", reading.findings)?;
    let hosts = fields.optional("hosts");
    let path = fields.optional("path");
    let on = fields.optional("listeners");
    fields.finish(reading.findings);
    if let Some(node) = on {
        found.listeners = reading.known(node, "`listeners`", "listener", &known.listeners);
    }
    let hosts = hosts.map(|node| read_hosts(node, reading));
    let path = path.map(|node| read_path(node, reading));
    found.hosts = hosts.unwrap_or(Some(Vec::new()))?;
    found.path = path.unwrap_or(Some("".into()))?;
    Some(found)
}

/// The hosts that an API goes by; `None` behind a finding.
fn read_hosts(node: &Node, reading: &mut SettingsReader<'_>) -> Option<Vec<Box<str>>> {
    let items = list(node, "`hosts`", reading.findings)?;
    let mut hosts: Vec<Box<str>> = Vec::with_capacity(items.len());
    let mut sound = true;
    if items.is_empty() {
        let message = "`hosts` is an empty list: leave it out to match every host";
        reading.finding(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    for item in items {
        let Some(written) = reading.text(item, "a host") else {
            sound = false;
            continue;
        };
        let found = match split_authority(written) {
            Ok((host, None)) => Ok(host),
            Ok((host, Some(_))) => Err(format!("a host is matched without its port: write `{host}`")),
            Err(fault) => Err(format!("`{written}` is no host such as `noah.example.com`: {fault}")),
        };
        match found {
            Ok(host) if hosts.contains(&host.to_string().into()) => {
                let message = format!("`{host}` stands twice in `hosts`");
                reading.finding(Finding::error(FindingCode::DuplicateName, Some(item.span), message));
            }
            Ok(host) => hosts.push(host.to_string().into()),
            Err(message) => {
                sound = false;
                reading.bad(item, message);
            }
        }
    }
    sound.then_some(hosts)
}

/// What the path of a request begins with: plain segments, so that it has one spelling only.
fn read_path(node: &Node, reading: &mut SettingsReader<'_>) -> Option<Box<str>> {
    let written = reading.text(node, "`path`")?;
    if written == "/" {
        return Some("".into());
    }
    let plain = |segment: &str| {
        let letters = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        !segment.is_empty() && letters && segment != "." && segment != ".."
    };
    let segments = written.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    match segments {
        Some(segments) if segments.split('/').all(plain) && !written.ends_with('/') => return Some(written.into()),
        Some(segments) if segments.split('/').all(plain) => {
            let message = format!("`path` is whole segments without a `/` at their end, not `{written}`");
            reading.bad(node, message).help(format!("write `/{segments}`"));
        }
        _ => {
            let message = format!("`path` is `/` and segments of letters, digits, `-`, `.`, `_`, `~`, not `{written}`");
            reading.bad(node, message).help("parameters belong into the policy's routes");
        }
    }
    None
}

fn host_header(node: &Node, reading: &mut SettingsReader<'_>) -> Option<HostHeader> {
    const WORDS: [&str; 2] = ["as-received", "upstream"];
    let written = reading.text(node, "`host`")?;
    match written {
        "as-received" => return Some(HostHeader::AsReceived),
        "upstream" => return Some(HostHeader::Upstream),
        _ => {}
    }
    // A misspelt word would be a host name too, so a literal that is near to one needs a dot or a port.
    if !written.contains(['.', ':'])
        && let Some(word) = crate::vocabulary::name::nearest(written, WORDS)
    {
        reading.bad(node, format!("`host` cannot be `{written}`")).help(format!("did you mean `{word}`?"));
        return None;
    }
    match split_authority(written) {
        Ok(_) => Some(HostHeader::Literal(written.into())),
        Err(fault) => {
            let message = format!("`host` is `as-received`, `upstream` or a host, not `{written}`: {fault}");
            reading.bad(node, message);
            None
        }
    }
}
