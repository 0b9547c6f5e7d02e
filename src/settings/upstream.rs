//! UpstreamSettings: the server behind an API, and the credential that the gateway sends to it.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;

use super::headers::{IdentityHeaders, fold_name, is_reserved, read_header_name};
use super::reader::SettingsReader;
use super::secret::Secret;
use super::url::{HttpUrl, UrlHost, is_dns_name};
use crate::document::{Finding, FindingCode, MapReader, Node, Value};

/// UpstreamSettings: the URL, TLS settings and timeouts of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Scheme, host and port; the target is always `/`.
    pub url: HttpUrl,
    /// How its certificate is verified; `None` is cleartext.
    pub tls: Option<UpstreamTls>,
    /// The timeout to connect, TLS included.
    pub connect_timeout: Duration,
    /// The timeout between two parts of a response, the first included.
    pub read_timeout: Duration,
    /// The timeout between two parts of a request.
    pub write_timeout: Duration,
    /// The lifetime of an idle connection.
    pub idle_timeout: Duration,
    /// The timeout of a whole exchange; `None` is no limit.
    pub total_timeout: Option<Duration>,
}

/// UpstreamTls: how an upstream's certificate is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name that the certificate must carry; never empty, because an empty name would verify nothing.
    pub server_name: Box<str>,
    /// The authority of the certificate (PEM); `None` is the public authorities.
    pub ca: Option<PathBuf>,
}

/// UpstreamCredential: the credential that the upstream receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamCredential {
    /// The caller's bearer token; API keys (also in Basic) and query tokens are never forwarded.
    ForwardBearer,
    /// No credential.
    None,
    /// The same header for every caller.
    Fixed {
        /// The name.
        header: Box<str>,
        /// The whole value, `Basic …` included.
        value: Secret,
    },
}

/// Reads the map under `upstream`.
pub(super) fn read_upstream(node: &Node, reader: &mut SettingsReader<'_>) -> Option<UpstreamSettings> {
    let mut fields = MapReader::open(node, "`upstream`", reader.findings)?;
    let url_node = fields.required("url", reader.findings);
    let server_name = fields.optional("server-name");
    let ca = fields.optional("ca");
    let mut time = |key: &'static str, what: &str, default: u64, reader: &mut SettingsReader<'_>| {
        let [default, least] = [Duration::from_secs(default), Duration::from_millis(10)];
        reader.duration(fields.optional(key), what, default, least, Duration::from_secs(24 * 60 * 60))
    };
    let connect_timeout = time("connect-timeout", "`connect-timeout`", 2, reader);
    let read_timeout = time("read-timeout", "`read-timeout`", 60, reader);
    let write_timeout = time("write-timeout", "`write-timeout`", 60, reader);
    let idle_timeout = time("idle-timeout", "`idle-timeout`", 60, reader);
    let total = fields.optional("total-timeout");
    let day = Duration::from_secs(24 * 60 * 60);
    let total_timeout = total.map(|_| reader.duration(total, "`total-timeout`", day, Duration::from_millis(10), day));
    fields.finish(reader.findings);
    let url_node = url_node?;
    let url = read_url(url_node, reader)?;
    let tls = if url.tls {
        Some(read_tls(url_node, &url, server_name, ca, reader)?)
    } else {
        for node in [server_name, ca].into_iter().flatten() {
            reader.reject(node, "this key applies only to an upstream with https");
        }
        None
    };
    Some(UpstreamSettings { url, tls, connect_timeout, read_timeout, write_timeout, idle_timeout, total_timeout })
}

/// Reads the value of `credential`: a keyword, or a map of a header.
pub(super) fn read_credential(
    node: Option<&Node>,
    own: &IdentityHeaders,
    reader: &mut SettingsReader<'_>,
) -> Option<UpstreamCredential> {
    let Some(node) = node else { return Some(UpstreamCredential::ForwardBearer) };
    if matches!(&node.value, Value::Scalar { .. }) {
        let words = [("forward-bearer", true), ("none", false)];
        let forward = crate::document::reader::keyword(node, "`credential`", &words, reader.findings)?;
        return Some(if forward { UpstreamCredential::ForwardBearer } else { UpstreamCredential::None });
    }
    let mut fields = MapReader::open(node, "`credential`", reader.findings)?;
    let header = fields.optional("header");
    let value = fields.optional("value");
    let basic = fields.optional("basic");
    fields.finish(reader.findings);
    match (header, value, basic) {
        (Some(header), Some(value), None) => {
            let secret = reader.header_secret(value, "`value`");
            let name = read_header_name(header, "`header`", reader)?;
            let set_by_us = own.all().map(fold_name).contains(&fold_name(&name));
            let allowed = ["authorization", "cookie"].contains(&fold_name(&name).as_str());
            if set_by_us || (is_reserved(&name) && !allowed) {
                let message = format!("`header` cannot be `{name}`, which already has a meaning");
                reader.reject(header, message);
            }
            Some(UpstreamCredential::Fixed { header: name, value: secret? })
        }
        (None, None, Some(basic)) => read_basic_credential(basic, reader),
        _ => {
            let message = "`credential` needs `header` and `value`, or `basic`";
            reader.report(Finding::error(FindingCode::MissingKey, Some(node.span), message));
            None
        }
    }
}

/// Reads user and password, joined by a colon, so that the user holds none (RFC 7617, section 2).
fn read_basic_credential(node: &Node, reader: &mut SettingsReader<'_>) -> Option<UpstreamCredential> {
    let mut fields = MapReader::open(node, "`basic`", reader.findings)?;
    let user = fields.required("user", reader.findings);
    let password = fields.required("password", reader.findings);
    fields.finish(reader.findings);
    let secret = password.and_then(|node| reader.secret(node, "`password`"));
    let user_node = user?;
    let user = reader.text(user_node, "`user`")?;
    if user.contains(':') || user.contains(char::is_control) {
        reader.reject(user_node, "`user` holds a `:` or a control character, which Basic cannot carry");
    }
    let secret = secret?;
    if let Some(node) = password
        && secret.expose().iter().any(u8::is_ascii_control)
    {
        reader.reject(node, "`password` holds a control character, which Basic cannot carry");
    }
    let pair = [user.as_bytes(), b":", secret.expose()].concat();
    let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    Some(UpstreamCredential::Fixed { header: "Authorization".into(), value: Secret::new(value.into_bytes()) })
}

fn read_url(node: &Node, reader: &mut SettingsReader<'_>) -> Option<HttpUrl> {
    let raw = reader.text(node, "`url`")?;
    let bare = |url: &HttpUrl| &*url.target == "/" && !raw.ends_with('?');
    match HttpUrl::parse(raw) {
        Ok(url) if bare(&url) => Some(url),
        Ok(url) => {
            let message = "`url` of an upstream ends after the port: the path comes from the request";
            let short = HttpUrl { target: "".into(), ..url };
            reader.reject(node, message).help(format!("write `{short}`"));
            None
        }
        Err(fault) => {
            let message = format!("`url` is no address such as `http://127.0.0.1:5080`: {fault}");
            reader.reject(node, message);
            None
        }
    }
}

fn read_tls(
    url_node: &Node,
    url: &HttpUrl,
    server_name: Option<&Node>,
    ca: Option<&Node>,
    reader: &mut SettingsReader<'_>,
) -> Option<UpstreamTls> {
    let ca = ca.and_then(|node| reader.file(node, "`ca`"));
    let (node, name) = match (server_name, &url.host) {
        (Some(node), _) => (node, reader.text(node, "`server-name`")?),
        (None, UrlHost::Name(name)) => (url_node, &**name),
        (None, UrlHost::Address(address)) => {
            let message = format!("an https upstream at `{address}` needs `server-name`: the name in its certificate");
            reader.report(Finding::error(FindingCode::MissingKey, Some(url_node.span), message));
            return None;
        }
    };
    if !is_dns_name(name) || matches!(UrlHost::parse(name), Ok(UrlHost::Address(_)) | Err(_)) {
        reader.reject(node, format!("`{name}` is no name that a certificate can carry"));
        return None;
    }
    Some(UpstreamTls { server_name: name.to_ascii_lowercase().into(), ca })
}
