//! Header fields that an upstream may interpret as overrides or as aliases of the gateway's own fields.

/// HeaderView: the header fields of a request, as its receiver stores them.
pub trait HeaderView {
    /// Calls `visit` for every field line; repeated fields are visited line by line.
    fn for_each(&self, visit: &mut dyn FnMut(&str, &[u8]));
}

impl HeaderView for [(&str, &str)] {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self {
            visit(name, value.as_bytes());
        }
    }
}

impl<const N: usize> HeaderView for [(&str, &str); N] {
    fn for_each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.as_slice().for_each(visit);
    }
}

/// OverrideMode: how the gateway handles a request with a method override.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverrideMode {
    /// The request is refused.
    #[default]
    Reject,
    /// The override is removed, and the request's own method applies.
    Strip,
    /// Both operations must be permitted; the request is forwarded unchanged.
    Evaluate,
}

/// HeaderAction: how the gateway handles one header field of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderAction {
    /// The field is forwarded.
    Forward,
    /// The field is removed.
    Drop,
    /// The field overrides the method: forwarded under [`OverrideMode::Evaluate`] only.
    MethodOverride,
}

/// HeaderRules: the fields that an API reserves for the gateway, and the unusual names that it allows.
#[derive(Debug, Clone, Default)]
pub struct HeaderRules {
    reserved: Vec<Box<str>>,
    allowed: Vec<Box<str>>,
}

impl HeaderRules {
    /// Rules that reserve `reserved` for the gateway and allow the unusual names `allowed`.
    pub fn new<'a>(reserved: impl IntoIterator<Item = &'a str>, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        let lower = |name: &str| name.to_ascii_lowercase().into_boxed_str();
        Self {
            reserved: reserved.into_iter().map(|name| fold_name(name).into_boxed_str()).collect(),
            allowed: allowed.into_iter().map(lower).collect(),
        }
    }

    /// The action for a field of that name.
    pub fn action(&self, name: &str) -> HeaderAction {
        let is_unusual = !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let reserved = |own_name: &str| is_same_field_name(own_name, name);
        let of = |family: &&str| name.get(..family.len()).is_some_and(|start| is_same_field_name(family, start));
        let dropped =
            DROPPED_FAMILIES.iter().any(of) || ALWAYS_DROPPED.iter().any(|dropped| is_same_field_name(dropped, name));
        if dropped || self.reserved.iter().any(|own_name| reserved(own_name)) {
            HeaderAction::Drop
        } else if is_method_override(name) {
            HeaderAction::MethodOverride
        } else if is_unusual && !self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
            HeaderAction::Drop
        } else {
            HeaderAction::Forward
        }
    }
}

/// Fields that rewrite the URL after the gateway, that name the client in the gateway's place, or that address a
/// proxy. [`DROPPED_FAMILIES`] lists more by prefix.
const ALWAYS_DROPPED: [&str; 36] = [
    "x-request-uri",
    "x-override-url",
    "x-http-destinationurl",
    "x-script-name",
    "x-proxycontextpath",
    "x-ingress-path",
    "script-name",
    "path-info",
    "request-uri",
    "base-url",
    "x-scheme",
    "x-url-scheme",
    "x-host",
    "x-host-override",
    "x-http-host-override",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-azure-clientip",
    "x-azure-socketip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "client-ip",
    "forwarded",
    "forwarded-for",
    "http2-settings",
    "proxy",
    "proxy-authorization",
    "x-proxyuser-ip",
    "x-forward-for",
    "wl-proxy-client-ip",
];

/// Prefixes of fields about forwarders, about URLs before a rewrite, and about client certificates.
///
/// The gateway writes the fields about forwarders itself. URLs before a rewrite come from IIS, nginx, Envoy and Azure.
/// Fields about certificates have the names of RFC 9440, Apache, nginx, HAProxy, Traefik, Envoy, IIS, AWS and Cloudflare:
/// only the peer of the TLS handshake knows the client's certificate.
const DROPPED_FAMILIES: [&str; 19] = [
    "x-forwarded",
    "x-original-",
    "x-rewrite-",
    "x-envoy-",
    "x-waws-",
    "ms-aspnetcore-",
    "client-cert",
    "x-client-cert",
    "ssl-client",
    "x-ssl-",
    "x-tls-client",
    "x-mtls-",
    "x-arr-clientcert",
    "x-arr-ssl",
    "x-amzn-mtls-",
    "cf-client-cert",
    "x-client-dn",
    "x-client-verify",
    "x-client-subject",
];

/// Method override fields of Rails, Laravel, Symfony, Express, ASP.NET, Jersey, Ktor and Google; OData and WCF; IBM;
/// Plack and Catalyst. The list holds unambiguous names only, so that every dialect refuses all of them.
const METHOD_OVERRIDES: [&str; 9] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-http-method-overrides",
    "x-method-overrides",
    "x-tunneled-method",
    "x-goog-method-override",
    "http-method-override",
    "method-override",
];

/// Whether a header field overrides the method, under any spelling that some server folds to it.
pub fn is_method_override(name: &str) -> bool {
    METHOD_OVERRIDES.iter().any(|known| is_same_field_name(known, name))
}

/// The overriding methods of the header fields, in upper case.
pub fn method_overrides(headers: &dyn HeaderView) -> Vec<String> {
    let mut methods = Vec::new();
    headers.for_each(&mut |name, value| {
        if is_method_override(name) {
            methods.push(String::from_utf8_lossy(value).trim().to_ascii_uppercase());
        }
    });
    methods
}

/// Whether a byte may occur in a method or a header name (RFC 9110, section 5.6.2: `tchar`).
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether CGI, WSGI, PHP or similar servers fold `name` to `known` (in lower case with `-`).
///
/// WSGI folds `-` and `_` (PEP 3333), PHP also dots and spaces. Some CGI servers fold every character other than letters
/// and digits (RFC 3875, section 4.1.18, leaves it open).
fn is_same_field_name(known: &str, name: &str) -> bool {
    known.len() == name.len() && known.bytes().eq(name.bytes().map(fold_byte))
}

fn fold_name(name: &str) -> String {
    name.bytes().map(|byte| char::from(fold_byte(byte))).collect()
}

fn fold_byte(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests;
