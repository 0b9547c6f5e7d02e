//! Token issuers: the trusted issuers and the sources of their keys.

use std::path::PathBuf;
use std::time::Duration;

use super::claims;
use super::declared_names::DeclaredNames;
use super::introspection::{IntrospectionSettings, read_introspection};
use super::reader::SettingsReader;
use super::secret::Secret;
use super::url::HttpUrl;
use crate::document::{Finding, FindingCode, MapReader, Node, reader::entries};
use crate::identity::Issuer;
use crate::identity::jwt::MAX_TOKEN_LENGTH;

/// TokenIssuer: an issuer and the source of its keys.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenIssuer {
    /// The part that verifies its tokens.
    pub issuer: Issuer,
    /// The source of its keys.
    pub keys: KeysFrom,
}

/// KeysFrom: the source of an issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysFrom {
    /// A file with PEM public keys or a JWKS; it is reloaded when it changes.
    File(PathBuf),
    /// A JWKS at this URL (RFC 7517, section 5).
    Jwks(KeyFetch),
    /// The JWKS that the issuer's discovery document names; this URL is the document's.
    Discovery(KeyFetch),
    /// One symmetric key for HS256; at least 32 bytes (RFC 7518, section 3.2).
    Secret(Secret),
    /// No keys: the issuer's endpoint introspects each token.
    Introspection(Box<IntrospectionSettings>),
}

/// KeyFetch: keys that are fetched in the background, how often and from which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFetch {
    /// The URL to fetch.
    pub url: HttpUrl,
    /// The authority of the server's certificate (PEM); `None` is the public authorities.
    pub ca: Option<PathBuf>,
    /// The interval between fetches.
    pub refresh: Duration,
    /// Whether cleartext `http` is allowed beyond this machine, including for URLs from discovery.
    pub insecure_http: bool,
}

const MIN_HS256_LENGTH: usize = 32;

/// Reads the map under `issuers`.
pub(super) fn read_issuers(
    node: &Node,
    declared: &mut DeclaredNames,
    reader: &mut SettingsReader<'_>,
) -> Vec<TokenIssuer> {
    let mut found: Vec<(TokenIssuer, &Node)> = Vec::new();
    for (key, value) in entries(node, "`issuers`", reader.findings).unwrap_or_default() {
        let name = reader.label(key, "an issuer's name");
        declared.issuers.extend(name.map(Into::into));
        let Some(issuer) = read_token_issuer(name.unwrap_or_default(), value, reader) else { continue };
        if matches!(issuer.keys, KeysFrom::Introspection(_)) {
            declared.introspected_issuers.push(issuer.issuer.name.clone());
        }
        let overlaps = |other: &Issuer| {
            other.iss == issuer.issuer.iss && other.audiences.iter().any(|name| issuer.issuer.audiences.contains(name))
        };
        if let Some((other, first)) = found.iter().find(|(other, _)| overlaps(&other.issuer)) {
            let message =
                format!("a token for `{}` could belong to `{}` or to this issuer", other.issuer.iss, other.issuer.name);
            let finding = Finding::error(FindingCode::DuplicateName, Some(key.span), message);
            reader
                .report(finding.also(first.span, "the other one").help("give each its own audience, or merge the two"));
        }
        found.push((issuer, key));
    }
    found.into_iter().map(|(issuer, _)| issuer).collect()
}

fn read_token_issuer(name: &str, node: &Node, reader: &mut SettingsReader<'_>) -> Option<TokenIssuer> {
    let mut fields = MapReader::open(node, "an issuer", reader.findings)?;
    let iss_node = fields.required("issuer", reader.findings);
    let iss = iss_node.and_then(|node| reader.text(node, "`issuer`"));
    let audiences = fields.required("audiences", reader.findings);
    let audiences = audiences.map(|node| reader.texts(node, "`audiences`"));
    let keys = fields.required("keys", reader.findings);
    let keys = keys.and_then(|node| read_keys(node, iss_node, iss, reader));
    let claims = fields.optional("claims").and_then(|node| claims::read_claims(node, reader));
    let service = fields.optional("service-apps").and_then(|node| claims::read_service_apps(node, reader));
    let claim_limits = fields.optional("may-claim").and_then(|node| claims::read_claim_limits(node, reader));
    let leeway = reader.seconds(fields.optional("leeway"), "`leeway`", 10, 0, 30);
    let lifetime = fields.optional("max-lifetime");
    let max_lifetime = reader.seconds(lifetime, "`max-lifetime`", 24 * 60 * 60, 1, 366 * 24 * 60 * 60);
    let length = fields.optional("max-length");
    let longest = u64::try_from(MAX_TOKEN_LENGTH).unwrap_or(u64::MAX);
    let max_length = reader.memory(length, "`max-length`", longest, 256, longest);
    fields.finish(reader.findings);
    let issuer = Issuer {
        name: name.into(),
        iss: iss?.into(),
        audiences: audiences?,
        claims: claims.unwrap_or_default(),
        service: service.unwrap_or_default(),
        claim_limits: claim_limits.unwrap_or_default(),
        leeway,
        max_lifetime,
        max_length,
    };
    Some(TokenIssuer { issuer, keys: keys? })
}

fn read_keys(
    node: &Node,
    iss_node: Option<&Node>,
    iss: Option<&str>,
    reader: &mut SettingsReader<'_>,
) -> Option<KeysFrom> {
    let mut fields = MapReader::open(node, "`keys`", reader.findings)?;
    let file = fields.optional("file");
    let jwks = fields.optional("jwks");
    let discovery = fields.optional("discovery");
    let secret = fields.optional("secret");
    let endpoint = fields.optional("introspection");
    let for_urls = [fields.optional("ca"), fields.optional("refresh"), fields.optional("insecure-http")];
    fields.finish(reader.findings);
    let [ca, refresh, insecure_http] = for_urls;
    let fetch = |url: HttpUrl, reader: &mut SettingsReader<'_>| KeyFetch {
        url,
        ca: ca.and_then(|node| reader.file(node, "`ca`")),
        refresh: reader.duration(refresh, "`refresh`", MINUTE * 10, MINUTE / 60, MINUTE * 60 * 24),
        insecure_http: reader.flag(insecure_http, "`insecure-http`", false),
    };
    let sources = [file, jwks, discovery, secret, endpoint];
    if sources.iter().flatten().count() != 1 {
        reader.reject(node, "`keys` needs exactly one of `file`, `jwks`, `discovery`, `secret` and `introspection`");
        return None;
    }
    if jwks.is_none() && discovery.is_none() {
        for node in for_urls.into_iter().flatten() {
            reader.reject(node, "this key applies only beside `jwks` or `discovery`");
        }
    }
    match sources {
        [Some(node), ..] => reader.file(node, "`file`").map(KeysFrom::File),
        [_, Some(node), ..] => {
            let url = reader.url(node, "`jwks`")?;
            let fetch = fetch(url, reader);
            check_transport(node, &fetch, reader);
            Some(KeysFrom::Jwks(fetch))
        }
        [_, _, Some(node), ..] => {
            if !reader.flag(Some(node), "`discovery`", true) {
                reader.reject(node, "`discovery` is `true` or absent");
            }
            // OpenID Connect Discovery 1.0, section 4: a slash at the issuer's end is removed before the path is added.
            let base = iss?.strip_suffix('/').or(iss)?;
            let url = HttpUrl::parse(&format!("{base}/.well-known/openid-configuration"));
            match url {
                Ok(url) if !base.contains('?') => {
                    let fetch = fetch(url, reader);
                    check_transport(iss_node.unwrap_or(node), &fetch, reader);
                    Some(KeysFrom::Discovery(fetch))
                }
                _ => {
                    let message = "`discovery` needs an `issuer` that is a URL without a query";
                    reader.reject(iss_node.unwrap_or(node), message);
                    None
                }
            }
        }
        [_, _, _, Some(node), _] => {
            let secret = reader.secret(node, "`secret`")?;
            if secret.expose().len() < MIN_HS256_LENGTH {
                let message = format!("`secret` is shorter than {MIN_HS256_LENGTH} bytes, which HS256 needs");
                reader.reject(node, message).help("make one with `openssl rand -hex 32`");
            }
            Some(KeysFrom::Secret(secret))
        }
        [_, _, _, _, Some(node)] => {
            read_introspection(node, reader).map(|settings| KeysFrom::Introspection(Box::new(settings)))
        }
        _ => None,
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn check_transport(node: &Node, fetch: &KeyFetch, reader: &mut SettingsReader<'_>) {
    if !fetch.url.tls && !fetch.url.is_loopback() && !fetch.insecure_http {
        let message = format!("keys from `{}` could be replaced on their way", fetch.url);
        reader.reject(node, message).help("use https, or write `insecure-http: true` under `keys`");
    }
}
