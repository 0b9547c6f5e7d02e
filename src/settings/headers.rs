//! Headers: the names that an API's settings may give to the upstream, and those that they may not.

use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node};

/// IdentityHeaders: the headers in which the upstream learns who asks; four different names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The caller's id.
    pub subject: Box<str>,
    /// The caller's roles.
    pub roles: Box<str>,
    /// The tenant that was decided on.
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
    /// All four, in the order subject, roles, tenant, decision.
    pub fn all(&self) -> [&str; 4] {
        [&self.subject, &self.roles, &self.tenant, &self.decision]
    }
}

/// Names that mean something to HTTP, proxies or applications already; as [`fold`] spells them.
const TAKEN: &[&str] = &[
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

/// Whether a name means something already, however an application folds it.
pub fn is_taken(name: &str) -> bool {
    let folded = fold(name);
    let families = ["x-forwarded-", "access-control-", "sec-"];
    TAKEN.contains(&folded.as_str()) || families.iter().any(|family| folded.starts_with(family))
}

/// The name as the most forgiving application reads it: small letters, everything else `-`.
pub fn fold(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// A header name of letters, digits and `-` that the gateway may set itself.
pub(super) fn own_name(node: &Node, what: &str, reading: &mut SettingsReader<'_>) -> Option<Box<str>> {
    let name = reading.text(node, what)?;
    if name.len() > 64 || !is_plain(name) {
        reading.bad(node, format!("{what} is a header name of letters, digits and `-`, not `{name}`"));
        return None;
    }
    Some(name.into())
}

/// The map under `identity-headers`.
pub(super) fn identity_headers(node: Option<&Node>, reading: &mut SettingsReader<'_>) -> IdentityHeaders {
    let mut headers = IdentityHeaders::default();
    let fields = node.and_then(|node| MapReader::open(node, "`identity-headers`", reading.findings));
    let Some(mut fields) = fields else { return headers };
    let mut written = Vec::with_capacity(4);
    let mut one = |key: &'static str, what: &str, name: &mut Box<str>| {
        let Some(node) = fields.optional(key) else { return };
        let Some(found) = own_name(node, what, reading) else { return };
        if is_taken(&found) {
            let message = format!("{what} cannot be `{found}`, which has a meaning of its own");
            reading.bad(node, message);
        } else {
            *name = found;
            written.push(node);
        }
    };
    one("subject", "`subject`", &mut headers.subject);
    one("roles", "`roles`", &mut headers.roles);
    one("tenant", "`tenant`", &mut headers.tenant);
    one("decision", "`decision`", &mut headers.decision);
    fields.finish(reading.findings);
    let folded = headers.all().map(fold);
    if let Some(twice) = folded.iter().find(|name| folded.iter().filter(|other| other == name).count() > 1) {
        let spelled =
            |node: &&&Node| matches!(&node.value, crate::document::Value::Scalar { text, .. } if fold(text) == *twice);
        let span = written.iter().rfind(spelled).map(|node| node.span);
        let message = format!("two identity headers are named `{twice}`");
        reading.finding(Finding::error(FindingCode::DuplicateName, span, message));
    }
    headers
}

/// The list under `pass-headers`: names that are dropped unless they stand here.
pub(super) fn pass_headers(
    node: Option<&Node>,
    own: &IdentityHeaders,
    reading: &mut SettingsReader<'_>,
) -> Vec<Box<str>> {
    let Some(node) = node else { return Vec::new() };
    let items = crate::document::list(node, "`pass-headers`", reading.findings).unwrap_or_default();
    let mut names: Vec<Box<str>> = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = reading.text(item, "a header name") else { continue };
        if !name.bytes().all(is_token) || name.len() > 64 {
            reading.bad(item, format!("`{name}` is no header name"));
        } else if is_plain(name) {
            let message = format!("`{name}` passes anyway: only names outside A-Z, a-z, 0-9 and `-` are dropped");
            reading.bad(item, message).help("take it out");
        } else if is_taken(name) || own.all().map(fold).contains(&fold(name)) {
            let message = format!("`{name}` would be read as `{}` by some servers", fold(name));
            reading.bad(item, message).help("it cannot pass");
        } else {
            names.push(name.into());
        }
    }
    names
}

/// Letters, digits and `-`: what every server reads alike.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
