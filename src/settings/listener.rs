//! Listeners: the addresses for requests and for administration.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::declared_names::DeclaredNames;
use super::reader::SettingsReader;
use super::secret::Secret;
use crate::document::{Finding, FindingCode, MapReader, Node, list};

/// ListenerSettings: one address that receives requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// The name, by which an API may select it; the address unless configured.
    pub name: Box<str>,
    /// The address; with port 0 the system chooses the port.
    pub address: SocketAddr,
    /// The TLS settings; `None` is cleartext.
    pub tls: Option<ListenerTls>,
    /// Whether cleartext connections may begin with HTTP/2.
    pub h2c: bool,
}

/// ListenerTls: the TLS settings of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// The certificates, selected by the client's SNI; the first where none matches. Never empty.
    pub certificates: Vec<CertificateFiles>,
    /// Whether HTTP/2 is offered in addition to HTTP/1.1.
    pub http2: bool,
    /// The client certificates that are requested; `None` requests none.
    pub client_certificates: Option<ClientCertificateRequest>,
}

/// ClientCertificateRequest: the client certificates that a listener requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificateRequest {
    /// The names of the accepted sources; never empty.
    pub from: Vec<Box<str>>,
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// CertificateFiles: the PEM files of a certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate chain, the server's own certificate first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// AdminSettings: the listener for health, metrics and live policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// The address.
    pub address: AdminAddress,
    /// The bearer token that every request needs; required unless only this machine can connect.
    pub token: Option<Secret>,
}

/// AdminAddress: the address of the admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A Unix socket; the permissions of its folder control access.
    Unix(PathBuf),
}

/// The shortest admin token, in characters; 128 random bits have twice as many hexadecimal digits.
const MIN_TOKEN_LENGTH: usize = 16;

/// The longest path of a Unix socket (`sun_path` without its NUL, unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// Reads the list under `listeners`.
pub(super) fn read_listeners(
    node: &Node,
    declared: &mut DeclaredNames,
    reader: &mut SettingsReader<'_>,
) -> Vec<ListenerSettings> {
    let Some(items) = list(node, "`listeners`", reader.findings) else { return Vec::new() };
    if items.is_empty() {
        let message = "`listeners` is an empty list: no request could be received";
        reader.report(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    let mut found: Vec<(ListenerSettings, &Node)> = Vec::with_capacity(items.len());
    for item in items {
        let Some(listener) = read_listener(item, declared, reader) else { continue };
        let same_port = |other: &ListenerSettings| other.address == listener.address && listener.address.port() != 0;
        if let Some((other, first)) = found.iter().find(|(other, _)| other.name == listener.name || same_port(other)) {
            let message = if same_port(other) {
                format!("two listeners on `{}`", listener.address)
            } else {
                format!("two listeners are named `{}`", listener.name)
            };
            let finding = Finding::error(FindingCode::DuplicateName, Some(item.span), message);
            reader.report(finding.also(first.span, "first here"));
        }
        found.push((listener, item));
    }
    found.into_iter().map(|(listener, _)| listener).collect()
}

/// Reads the map under `admin`.
pub(super) fn read_admin(
    node: Option<&Node>,
    listeners: &[ListenerSettings],
    reader: &mut SettingsReader<'_>,
) -> AdminSettings {
    let default = SocketAddr::from(([127, 0, 0, 1], 9901));
    let mut admin = AdminSettings { address: AdminAddress::Tcp(default), token: None };
    let fields = node.and_then(|node| MapReader::open(node, "`admin`", reader.findings));
    let Some(mut fields) = fields else { return admin };
    let address = fields.optional("address");
    let token = fields.optional("token");
    fields.finish(reader.findings);
    if let Some(node) = token {
        admin.token = reader.header_secret(node, "`token`");
        if admin.token.as_ref().is_some_and(|token| token.expose().len() < MIN_TOKEN_LENGTH) {
            reader.reject(node, format!("`token` is shorter than {MIN_TOKEN_LENGTH} characters"));
        }
    }
    let Some(node) = address else { return admin };
    let Some(found) = read_admin_address(node, reader) else { return admin };
    if let AdminAddress::Tcp(at) = &found {
        if !at.ip().is_loopback() && token.is_none() {
            let message = format!("`{at}` is not a loopback address, so `admin` needs a `token`");
            let help = "write `token: { file: path }`, or listen on 127.0.0.1 or `unix:/run/portcullis/admin.sock`";
            reader.reject(node, message).help(help);
        }
        if at.port() != 0 && listeners.iter().any(|listener| listener.address == *at) {
            let message = format!("`{at}` is also a listener's address");
            reader.report(Finding::error(FindingCode::DuplicateName, Some(node.span), message));
        }
    }
    admin.address = found;
    admin
}

/// Reads the path under `upgrade-socket`.
pub(super) fn read_upgrade_socket(
    node: &Node,
    admin: &AdminSettings,
    reader: &mut SettingsReader<'_>,
) -> Option<PathBuf> {
    let path = reader.path(node, "`upgrade-socket`")?;
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        reader.reject(node, format!("a Unix socket's path has at most {MAX_SOCKET_PATH} bytes"));
    }
    if admin.address == AdminAddress::Unix(path.clone()) {
        let message = "`upgrade-socket` is also the admin listener's socket";
        reader.report(Finding::error(FindingCode::DuplicateName, Some(node.span), message));
    }
    Some(path)
}

fn read_listener(
    node: &Node,
    declared: &mut DeclaredNames,
    reader: &mut SettingsReader<'_>,
) -> Option<ListenerSettings> {
    let mut fields = MapReader::open(node, "a listener", reader.findings)?;
    let name = fields.optional("name");
    let address = fields.required("address", reader.findings);
    let tls = fields.optional("tls");
    let h2c = fields.optional("h2c");
    fields.finish(reader.findings);
    let name = name.and_then(|node| reader.label(node, "a listener's name"));
    declared.listeners.extend(name.map(Box::from));
    let tls = tls.and_then(|node| read_tls(node, declared, reader));
    let h2c_on = reader.flag(h2c, "`h2c`", false);
    if let (true, true, Some(node)) = (h2c_on, tls.is_some(), h2c) {
        reader
            .reject(node, "`h2c` is HTTP/2 without TLS, but this listener has `tls`")
            .help("write `http2` under `tls`");
    }
    let address = address.and_then(|node| read_socket_address(node, reader))?;
    let name = name.map_or_else(|| address.to_string().into(), Box::from);
    if !declared.listeners.contains(&name) {
        declared.listeners.push(name.clone());
    }
    Some(ListenerSettings { name, address, tls, h2c: h2c_on })
}

fn read_tls(node: &Node, declared: &DeclaredNames, reader: &mut SettingsReader<'_>) -> Option<ListenerTls> {
    let mut fields = MapReader::open(node, "`tls`", reader.findings)?;
    let certificates = fields.required("certificates", reader.findings);
    let http2 = fields.optional("http2");
    let request = fields.optional("client-certificates");
    fields.finish(reader.findings);
    let http2 = reader.flag(http2, "`http2`", true);
    let client_certificates = request.and_then(|node| read_client_certificate_request(node, declared, reader));
    let node = certificates?;
    let items = list(node, "`certificates`", reader.findings)?;
    if items.is_empty() {
        let message = "`certificates` is an empty list: TLS needs one";
        reader.report(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    let certificates = items.iter().filter_map(|item| read_certificate(item, reader)).collect();
    Some(ListenerTls { certificates, http2, client_certificates })
}

fn read_client_certificate_request(
    node: &Node,
    declared: &DeclaredNames,
    reader: &mut SettingsReader<'_>,
) -> Option<ClientCertificateRequest> {
    let mut fields = MapReader::open(node, "`client-certificates`", reader.findings)?;
    let from = fields.required("from", reader.findings);
    let required = fields.optional("required");
    fields.finish(reader.findings);
    let required = reader.flag(required, "`required`", false);
    let from = reader.known_names(from?, "`from`", "source of client certificates", &declared.certificates);
    Some(ClientCertificateRequest { from, required })
}

fn read_certificate(node: &Node, reader: &mut SettingsReader<'_>) -> Option<CertificateFiles> {
    let mut fields = MapReader::open(node, "a certificate", reader.findings)?;
    let chain = fields.required("chain", reader.findings);
    let key = fields.required("key", reader.findings);
    fields.finish(reader.findings);
    let chain = chain.and_then(|node| reader.file(node, "`chain`"));
    let key = key.and_then(|node| reader.file(node, "`key`"));
    Some(CertificateFiles { chain: chain?, key: key? })
}

fn read_admin_address(node: &Node, reader: &mut SettingsReader<'_>) -> Option<AdminAddress> {
    let raw = reader.text(node, "`address`")?;
    let Some(path) = raw.strip_prefix("unix:") else {
        return read_socket_address(node, reader).map(AdminAddress::Tcp);
    };
    if !path.starts_with('/') || path.ends_with('/') || path.len() > MAX_SOCKET_PATH || path.contains('\0') {
        let message = format!("a Unix socket is an absolute path of at most {MAX_SOCKET_PATH} bytes, not `{path}`");
        reader.reject(node, message).help("write `unix:/run/portcullis/admin.sock`");
        return None;
    }
    Some(AdminAddress::Unix(path.into()))
}

fn read_socket_address(node: &Node, reader: &mut SettingsReader<'_>) -> Option<SocketAddr> {
    let raw = reader.text(node, "`address`")?;
    let found = raw.parse().ok();
    if found.is_none() {
        let message = format!("`address` is an IP address and a port such as `0.0.0.0:8443`, not `{raw}`");
        let help = match raw.rsplit_once(':') {
            Some(("", port)) => {
                format!("write `0.0.0.0:{port}` for every interface, `127.0.0.1:{port}` for this machine")
            }
            Some(("localhost", port)) => format!("write `127.0.0.1:{port}`"),
            Some(_) => "names are not resolved here; write an IPv6 address in brackets: \"[::1]:8443\"".to_owned(),
            None => format!("write the port too: `{raw}:8443`"),
        };
        reader.reject(node, message).help(help);
    }
    found
}
