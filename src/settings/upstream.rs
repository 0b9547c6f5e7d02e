//! UpstreamSettings: the server behind an API, and what the gateway shows to it.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;

use super::headers::{IdentityHeaders, fold, is_taken, own_name};
use super::secret::Secret;
use super::url::{HttpUrl, UrlHost, is_dns_name};
use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, Value};

/// UpstreamSettings: one server, how it is reached and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Scheme, machine and port; the target is always `/`.
    pub url: HttpUrl,
    /// How its certificate is judged; `None` is cleartext.
    pub tls: Option<UpstreamTls>,
    /// Until a connection stands, TLS included.
    pub connect_timeout: Duration,
    /// Between two pieces of a response, the first included.
    pub read_timeout: Duration,
    /// Between two pieces of a request.
    pub write_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// For a whole exchange; `None` is no limit.
    pub total_timeout: Option<Duration>,
}

/// UpstreamTls: how an upstream's certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// The name that the certificate must carry; never empty, as an empty one would judge nothing.
    pub server_name: Box<str>,
    /// The authority that it must come from (PEM); `None` is the public ones.
    pub ca: Option<PathBuf>,
}

/// UpstreamCredential: what the upstream gets to see of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamCredential {
    /// The caller's bearer token; API keys, also in Basic, and query tokens never.
    ForwardBearer,
    /// Nothing.
    None,
    /// The same header for every caller.
    Fixed {
        /// Its name.
        header: Box<str>,
        /// Its whole value, `Basic …` included.
        value: Secret,
    },
}

/// The map under `upstream`.
pub(super) fn upstream(node: &Node, reading: &mut SettingsReader<'_>) -> Option<UpstreamSettings> {
    let mut fields = MapReader::open(node, "`upstream`", reading.findings)?;
    let url_node = fields.required("url", reading.findings);
    let server_name = fields.optional("server-name");
    let ca = fields.optional("ca");
    let mut time = |key: &'static str, what: &str, default: u64, reading: &mut SettingsReader<'_>| {
        let [default, least] = [Duration::from_secs(default), Duration::from_millis(10)];
        reading.duration(fields.optional(key), what, default, least, Duration::from_secs(24 * 60 * 60))
    };
    let connect_timeout = time("connect-timeout", "`connect-timeout`", 2, reading);
    let read_timeout = time("read-timeout", "`read-timeout`", 60, reading);
    let write_timeout = time("write-timeout", "`write-timeout`", 60, reading);
    let idle_timeout = time("idle-timeout", "`idle-timeout`", 60, reading);
    let total = fields.optional("total-timeout");
    let day = Duration::from_secs(24 * 60 * 60);
    let total_timeout = total.map(|_| reading.duration(total, "`total-timeout`", day, Duration::from_millis(10), day));
    fields.finish(reading.findings);
    let url_node = url_node?;
    let url = url(url_node, reading)?;
    let tls = if url.tls {
        Some(tls(url_node, &url, server_name, ca, reading)?)
    } else {
        for node in [server_name, ca].into_iter().flatten() {
            reading.bad(node, "this belongs to an upstream with https");
        }
        None
    };
    Some(UpstreamSettings { url, tls, connect_timeout, read_timeout, write_timeout, idle_timeout, total_timeout })
}

/// What stands under `credential`: a word, or a map that says which header.
pub(super) fn credential(
    node: Option<&Node>,
    own: &IdentityHeaders,
    reading: &mut SettingsReader<'_>,
) -> Option<UpstreamCredential> {
    let Some(node) = node else { return Some(UpstreamCredential::ForwardBearer) };
    if matches!(&node.value, Value::Scalar { .. }) {
        let words = [("forward-bearer", true), ("none", false)];
        let forward = crate::document::reader::keyword(node, "`credential`", &words, reading.findings)?;
        return Some(if forward { UpstreamCredential::ForwardBearer } else { UpstreamCredential::None });
    }
    let mut fields = MapReader::open(node, "`credential`", reading.findings)?;
    let header = fields.optional("header");
    let value = fields.optional("value");
    let basic = fields.optional("basic");
    fields.finish(reading.findings);
    match (header, value, basic) {
        (Some(header), Some(value), None) => {
            let secret = reading.header_secret(value, "`value`");
            let name = own_name(header, "`header`", reading)?;
            let set_by_us = own.all().map(fold).contains(&fold(&name));
            let allowed = ["authorization", "cookie"].contains(&fold(&name).as_str());
            if set_by_us || (is_taken(&name) && !allowed) {
                let message = format!("`header` cannot be `{name}`, which has a meaning of its own");
                reading.bad(header, message);
            }
            Some(UpstreamCredential::Fixed { header: name, value: secret? })
        }
        (None, None, Some(basic)) => basic_credential(basic, reading),
        _ => {
            let message = "`credential` needs `header` and `value`, or `basic`";
            reading.finding(Finding::error(FindingCode::MissingKey, Some(node.span), message));
            None
        }
    }
}

/// RFC 7617, section 2: user and password with a colon between them, so the user has none.
fn basic_credential(node: &Node, reading: &mut SettingsReader<'_>) -> Option<UpstreamCredential> {
    let mut fields = MapReader::open(node, "`basic`", reading.findings)?;
    let user = fields.required("user", reading.findings);
    let password = fields.required("password", reading.findings);
    fields.finish(reading.findings);
    let secret = password.and_then(|node| reading.secret(node, "`password`"));
    let user_node = user?;
    let user = reading.text(user_node, "`user`")?;
    if user.contains(':') || user.contains(char::is_control) {
        reading.bad(user_node, "`user` holds a `:` or a control character, which Basic cannot carry");
    }
    let secret = secret?;
    if let Some(node) = password
        && secret.expose().iter().any(u8::is_ascii_control)
    {
        reading.bad(node, "`password` holds a control character, which Basic cannot carry");
    }
    let pair = [user.as_bytes(), b":", secret.expose()].concat();
    let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    Some(UpstreamCredential::Fixed { header: "Authorization".into(), value: Secret::new(value.into_bytes()) })
}

fn url(node: &Node, reading: &mut SettingsReader<'_>) -> Option<HttpUrl> {
    let written = reading.text(node, "`url`")?;
    let bare = |url: &HttpUrl| &*url.target == "/" && !written.ends_with('?');
    match HttpUrl::parse(written) {
        Ok(url) if bare(&url) => Some(url),
        Ok(url) => {
            let message = "`url` of an upstream ends behind the port: the path comes from the request";
            let short = HttpUrl { target: "".into(), ..url };
            reading.bad(node, message).help(format!("write `{short}`"));
            None
        }
        Err(fault) => {
            let message = format!("`url` is no address such as `http://127.0.0.1:5080`: {fault}");
            reading.bad(node, message);
            None
        }
    }
}

fn tls(
    url_node: &Node,
    url: &HttpUrl,
    server_name: Option<&Node>,
    ca: Option<&Node>,
    reading: &mut SettingsReader<'_>,
) -> Option<UpstreamTls> {
    let ca = ca.and_then(|node| reading.file(node, "`ca`"));
    let (node, name) = match (server_name, &url.host) {
        (Some(node), _) => (node, reading.text(node, "`server-name`")?),
        (None, UrlHost::Name(name)) => (url_node, &**name),
        (None, UrlHost::Address(address)) => {
            let message = format!("an https upstream at `{address}` needs `server-name`: the name in its certificate");
            reading.finding(Finding::error(FindingCode::MissingKey, Some(url_node.span), message));
            return None;
        }
    };
    if !is_dns_name(name) || matches!(UrlHost::parse(name), Ok(UrlHost::Address(_)) | Err(_)) {
        reading.bad(node, format!("`{name}` is no name that a certificate can carry"));
        return None;
    }
    Some(UpstreamTls { server_name: name.to_ascii_lowercase().into(), ca })
}
