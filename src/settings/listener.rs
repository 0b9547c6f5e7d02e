//! Listeners: where requests are received, and where the administrators look.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::DeclaredNames;
use super::secret::Secret;
use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, list};

/// ListenerSettings: one address on which requests are received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// Its name, by which an API may choose it; the address where none is given.
    pub name: Box<str>,
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// What it shows to clients; `None` is cleartext.
    pub tls: Option<ListenerTls>,
    /// Whether cleartext connections may begin with HTTP/2.
    pub h2c: bool,
}

/// ListenerTls: what a listener shows to its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// Chosen by the name that the client asks for, the first where none fits; never empty.
    pub certificates: Vec<CertificateFiles>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub http2: bool,
    /// Which certificates clients are asked for; `None` asks for none.
    pub client_certificates: Option<ClientCertificateRequest>,
}

/// ClientCertificateRequest: the client certificates that a listener asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificateRequest {
    /// The names of their sources; never empty.
    pub from: Vec<Box<str>>,
    /// Whether a client without one is turned away.
    pub required: bool,
}

/// CertificateFiles: a chain and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those above it, the server's own first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// AdminSettings: where health, metrics and the live policies are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens.
    pub address: AdminAddress,
    /// The bearer token that every request to it needs; always there unless only this machine can reach it.
    pub token: Option<Secret>,
}

/// AdminAddress: where the administration listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// On a port.
    Tcp(SocketAddr),
    /// On a Unix socket, whose folder says who may connect.
    Unix(PathBuf),
}

/// The shortest token that guards an administration port: 128 bits as hexadecimal digits are twice as long.
const SHORTEST_TOKEN: usize = 16;

/// The longest path of a Unix socket (`sun_path` less its NUL, unix(7)).
const LONGEST_SOCKET: usize = 107;

/// The list under `listeners`.
pub(super) fn listeners(
    node: &Node,
    known: &mut DeclaredNames,
    reading: &mut SettingsReader<'_>,
) -> Vec<ListenerSettings> {
    let Some(items) = list(node, "`listeners`", reading.findings) else { return Vec::new() };
    if items.is_empty() {
        let message = "`listeners` is an empty list: nothing could be received";
        reading.finding(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    let mut found: Vec<(ListenerSettings, &Node)> = Vec::with_capacity(items.len());
    for item in items {
        let Some(listener) = listener(item, known, reading) else { continue };
        let same_port = |other: &ListenerSettings| other.address == listener.address && listener.address.port() != 0;
        if let Some((other, first)) = found.iter().find(|(other, _)| other.name == listener.name || same_port(other)) {
            let message = if same_port(other) {
                format!("two listeners on `{}`", listener.address)
            } else {
                format!("two listeners are named `{}`", listener.name)
            };
            let finding = Finding::error(FindingCode::DuplicateName, Some(item.span), message);
            reading.finding(finding.also(first.span, "first here"));
        }
        found.push((listener, item));
    }
    found.into_iter().map(|(listener, _)| listener).collect()
}

/// The map under `admin`.
pub(super) fn admin(
    node: Option<&Node>,
    listeners: &[ListenerSettings],
    reading: &mut SettingsReader<'_>,
) -> AdminSettings {
    let default = SocketAddr::from(([127, 0, 0, 1], 9901));
    let mut admin = AdminSettings { address: AdminAddress::Tcp(default), token: None };
    let fields = node.and_then(|node| MapReader::open(node, "`admin`", reading.findings));
    let Some(mut fields) = fields else { return admin };
    let address = fields.optional("address");
    let token = fields.optional("token");
    fields.finish(reading.findings);
    if let Some(node) = token {
        admin.token = reading.header_secret(node, "`token`");
        if admin.token.as_ref().is_some_and(|token| token.expose().len() < SHORTEST_TOKEN) {
            reading.bad(node, format!("`token` is shorter than {SHORTEST_TOKEN} characters"));
        }
    }
    let Some(node) = address else { return admin };
    let Some(found) = admin_address(node, reading) else { return admin };
    if let AdminAddress::Tcp(at) = &found {
        if !at.ip().is_loopback() && token.is_none() {
            let message = format!("`{at}` can be reached from elsewhere, so `admin` needs a `token`");
            let help = "write `token: { file: path }`, or listen on 127.0.0.1 or `unix:/run/portcullis/admin.sock`";
            reading.bad(node, message).help(help);
        }
        if at.port() != 0 && listeners.iter().any(|listener| listener.address == *at) {
            let message = format!("`{at}` is a listener's address too");
            reading.finding(Finding::error(FindingCode::DuplicateName, Some(node.span), message));
        }
    }
    admin.address = found;
    admin
}

/// The path under `upgrade-socket`.
pub(super) fn upgrade_socket(node: &Node, admin: &AdminSettings, reading: &mut SettingsReader<'_>) -> Option<PathBuf> {
    let path = reading.path(node, "`upgrade-socket`")?;
    if path.as_os_str().len() > LONGEST_SOCKET {
        reading.bad(node, format!("a Unix socket's path has at most {LONGEST_SOCKET} bytes"));
    }
    if admin.address == AdminAddress::Unix(path.clone()) {
        let message = "`upgrade-socket` is the admin listener's socket too";
        reading.finding(Finding::error(FindingCode::DuplicateName, Some(node.span), message));
    }
    Some(path)
}

fn listener(node: &Node, known: &mut DeclaredNames, reading: &mut SettingsReader<'_>) -> Option<ListenerSettings> {
    let mut fields = MapReader::open(node, "a listener", reading.findings)?;
    let name = fields.optional("name");
    let address = fields.required("address", reading.findings);
    let tls = fields.optional("tls");
    let h2c = fields.optional("h2c");
    fields.finish(reading.findings);
    let name = name.and_then(|node| reading.label(node, "a listener's name"));
    known.listeners.extend(name.map(Box::from));
    let tls = tls.and_then(|node| read_tls(node, known, reading));
    let h2c_on = reading.flag(h2c, "`h2c`", false);
    if let (true, true, Some(node)) = (h2c_on, tls.is_some(), h2c) {
        reading.bad(node, "`h2c` is HTTP/2 without TLS, but this listener has `tls`").help("say `http2` there");
    }
    let address = address.and_then(|node| socket_address(node, reading))?;
    let name = name.map_or_else(|| address.to_string().into(), Box::from);
    if !known.listeners.contains(&name) {
        known.listeners.push(name.clone());
    }
    Some(ListenerSettings { name, address, tls, h2c: h2c_on })
}

fn read_tls(node: &Node, known: &DeclaredNames, reading: &mut SettingsReader<'_>) -> Option<ListenerTls> {
    let mut fields = MapReader::open(node, "`tls`", reading.findings)?;
    let certificates = fields.required("certificates", reading.findings);
    let http2 = fields.optional("http2");
    let asked = fields.optional("client-certificates");
    fields.finish(reading.findings);
    let http2 = reading.flag(http2, "`http2`", true);
    let client_certificates = asked.and_then(|node| asked_for(node, known, reading));
    let node = certificates?;
    let items = list(node, "`certificates`", reading.findings)?;
    if items.is_empty() {
        let message = "`certificates` is an empty list: TLS needs one";
        reading.finding(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    let certificates = items.iter().filter_map(|item| certificate(item, reading)).collect();
    Some(ListenerTls { certificates, http2, client_certificates })
}

fn asked_for(node: &Node, known: &DeclaredNames, reading: &mut SettingsReader<'_>) -> Option<ClientCertificateRequest> {
    let mut fields = MapReader::open(node, "`client-certificates`", reading.findings)?;
    let from = fields.required("from", reading.findings);
    let required = fields.optional("required");
    fields.finish(reading.findings);
    let required = reading.flag(required, "`required`", false);
    let from = reading.known(from?, "`from`", "source of client certificates", &known.certificates);
    Some(ClientCertificateRequest { from, required })
}

fn certificate(node: &Node, reading: &mut SettingsReader<'_>) -> Option<CertificateFiles> {
    let mut fields = MapReader::open(node, "a certificate", reading.findings)?;
    let chain = fields.required("chain", reading.findings);
    let key = fields.required("key", reading.findings);
    fields.finish(reading.findings);
    let chain = chain.and_then(|node| reading.file(node, "`chain`"));
    let key = key.and_then(|node| reading.file(node, "`key`"));
    Some(CertificateFiles { chain: chain?, key: key? })
}

fn admin_address(node: &Node, reading: &mut SettingsReader<'_>) -> Option<AdminAddress> {
    let written = reading.text(node, "`address`")?;
    let Some(path) = written.strip_prefix("unix:") else {
        return socket_address(node, reading).map(AdminAddress::Tcp);
    };
    if !path.starts_with('/') || path.ends_with('/') || path.len() > LONGEST_SOCKET || path.contains('\0') {
        let message = format!("a Unix socket is a whole path of at most {LONGEST_SOCKET} bytes, not `{path}`");
        reading.bad(node, message).help("write `unix:/run/portcullis/admin.sock`");
        return None;
    }
    Some(AdminAddress::Unix(path.into()))
}

fn socket_address(node: &Node, reading: &mut SettingsReader<'_>) -> Option<SocketAddr> {
    let written = reading.text(node, "`address`")?;
    let found = written.parse().ok();
    if found.is_none() {
        let message = format!("`address` is an IP address and a port such as `0.0.0.0:8443`, not `{written}`");
        let help = match written.rsplit_once(':') {
            Some(("", port)) => {
                format!("write `0.0.0.0:{port}` for every interface, `127.0.0.1:{port}` for this machine")
            }
            Some(("localhost", port)) => format!("write `127.0.0.1:{port}`"),
            Some(_) => "a name is not looked up here; an IPv6 address stands in brackets: \"[::1]:8443\"".to_owned(),
            None => format!("write the port too: `{written}:8443`"),
        };
        reading.bad(node, message).help(help);
    }
    found
}
