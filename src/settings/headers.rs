//! Headers: the header names that an API's settings may use towards the upstream, and the reserved names.

use super::reader::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node};

/// IdentityHeaders: the four distinct headers that carry the caller's identity to the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The caller's id.
    pub subject: Box<str>,
    /// The caller's roles.
    pub roles: Box<str>,
    /// The tenant that the decision applies to.
    pub tenant: Box<str>,
    /// The decision's id.
    pub decision: Box<str>,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            subject: "X-Portcullis-Subject".into(),
            roles: "X-Portcullis-Roles".into(),
            tenant: "X-Portcullis-Tenant".into(),
            decision: "X-Portcullis-Decision".into(),
        }
    }
}

impl IdentityHeaders {
    /// All four names, in the order subject, roles, tenant, decision.
    pub fn all(&self) -> [&str; 4] {
        [&self.subject, &self.roles, &self.tenant, &self.decision]
    }
}

/// The names that already have a meaning for HTTP, proxies or applications, in the form of [`fold_name`].
const RESERVED: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "origin",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "server",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Whether a name already has a meaning, however an application folds it.
pub fn is_reserved(name: &str) -> bool {
    let folded = fold_name(name);
    let families = ["x-forwarded-", "access-control-", "sec-"];
    RESERVED.contains(&folded.as_str()) || families.iter().any(|family| folded.starts_with(family))
}

/// Folds a name as the most lenient application does: letters to lower case, anything but letters and digits to `-`.
pub fn fold_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Reads a header name of letters, digits and `-`.
pub(super) fn read_header_name(node: &Node, what: &str, reader: &mut SettingsReader<'_>) -> Option<Box<str>> {
    let name = reader.text(node, what)?;
    if name.len() > 64 || !is_plain(name) {
        reader.reject(node, format!("{what} is a header name of letters, digits and `-`, not `{name}`"));
        return None;
    }
    Some(name.into())
}

/// Reads the map under `identity-headers`.
pub(super) fn read_identity_headers(node: Option<&Node>, reader: &mut SettingsReader<'_>) -> IdentityHeaders {
    let mut headers = IdentityHeaders::default();
    let fields = node.and_then(|node| MapReader::open(node, "`identity-headers`", reader.findings));
    let Some(mut fields) = fields else { return headers };
    let mut nodes = Vec::with_capacity(4);
    let mut read_name = |key: &'static str, what: &str, name: &mut Box<str>| {
        let Some(node) = fields.optional(key) else { return };
        let Some(found) = read_header_name(node, what, reader) else { return };
        if is_reserved(&found) {
            let message = format!("{what} cannot be `{found}`, which already has a meaning");
            reader.reject(node, message);
        } else {
            *name = found;
            nodes.push(node);
        }
    };
    read_name("subject", "`subject`", &mut headers.subject);
    read_name("roles", "`roles`", &mut headers.roles);
    read_name("tenant", "`tenant`", &mut headers.tenant);
    read_name("decision", "`decision`", &mut headers.decision);
    fields.finish(reader.findings);
    let folded = headers.all().map(fold_name);
    if let Some(twice) = folded.iter().find(|name| folded.iter().filter(|other| other == name).count() > 1) {
        let has_name = |node: &&&Node| matches!(&node.value, crate::document::Value::Scalar { text, .. } if fold_name(text) == *twice);
        let span = nodes.iter().rfind(has_name).map(|node| node.span);
        let message = format!("two identity headers are named `{twice}`");
        reader.report(Finding::error(FindingCode::DuplicateName, span, message));
    }
    headers
}

/// Reads the list under `pass-headers`: names that are dropped unless listed.
pub(super) fn read_pass_headers(
    node: Option<&Node>,
    own: &IdentityHeaders,
    reader: &mut SettingsReader<'_>,
) -> Vec<Box<str>> {
    let Some(node) = node else { return Vec::new() };
    let items = crate::document::list(node, "`pass-headers`", reader.findings).unwrap_or_default();
    let mut names: Vec<Box<str>> = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = reader.text(item, "a header name") else { continue };
        if !name.bytes().all(is_token_byte) || name.len() > 64 {
            reader.reject(item, format!("`{name}` is no header name"));
        } else if is_plain(name) {
            let message = format!("`{name}` is forwarded anyway: only names outside A-Z, a-z, 0-9 and `-` are dropped");
            reader.reject(item, message).help("remove it");
        } else if is_reserved(name) || own.all().map(fold_name).contains(&fold_name(name)) {
            let message = format!("`{name}` would be read as `{}` by some servers", fold_name(name));
            reader.reject(item, message).help("it cannot be forwarded");
        } else {
            names.push(name.into());
        }
    }
    names
}

/// Whether a name holds letters, digits and `-` only, which every server reads alike.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether `byte` is a `tchar` (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
