//! Token issuers: whose tokens are believed, and where their keys come from.

use std::path::PathBuf;
use std::time::Duration;

use super::DeclaredNames;
use super::claims;
use super::introspection::{IntrospectionSettings, introspection};
use super::secret::Secret;
use super::url::HttpUrl;
use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, reader::entries};
use crate::identity::Issuer;
use crate::identity::jwt::MAX_TOKEN_LENGTH;

/// TokenIssuer: an issuer and the source of its keys.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenIssuer {
    /// What identity needs to judge its tokens.
    pub issuer: Issuer,
    /// Where its keys come from.
    pub keys: KeysFrom,
}

/// KeysFrom: where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysFrom {
    /// A file with PEM public keys or a JWKS; it is read again when it changes.
    File(PathBuf),
    /// A JWKS at this URL (RFC 7517, section 5).
    Jwks(KeyFetch),
    /// The JWKS that the issuer's own description names; this URL is the description's.
    Discovery(KeyFetch),
    /// One symmetric key for HS256; at least 32 bytes (RFC 7518, section 3.2).
    Secret(Secret),
    /// There are none: the issuer is asked about each token.
    Introspection(Box<IntrospectionSettings>),
}

/// KeyFetch: what is fetched in the background, how often, and whom it is believed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFetch {
    /// What to ask for.
    pub url: HttpUrl,
    /// The authority that the server's certificate must come from (PEM); `None` is the public ones.
    pub ca: Option<PathBuf>,
    /// How often.
    pub refresh: Duration,
    /// Whether cleartext `http` is allowed beyond this machine, also for URLs that discovery names.
    pub insecure_http: bool,
}

const SHORTEST_HS256: usize = 32;

/// The map under `issuers`.
pub(super) fn issuers(node: &Node, known: &mut DeclaredNames, reading: &mut SettingsReader<'_>) -> Vec<TokenIssuer> {
    let mut found: Vec<(TokenIssuer, &Node)> = Vec::new();
    for (key, value) in entries(node, "`issuers`", reading.findings).unwrap_or_default() {
        let name = reading.label(key, "an issuer's name");
        known.issuers.extend(name.map(Into::into));
        let Some(issuer) = token_issuer(name.unwrap_or_default(), value, reading) else { continue };
        if matches!(issuer.keys, KeysFrom::Introspection(_)) {
            known.asked.push(issuer.issuer.name.clone());
        }
        let overlaps = |other: &Issuer| {
            other.iss == issuer.issuer.iss && other.audiences.iter().any(|name| issuer.issuer.audiences.contains(name))
        };
        if let Some((other, first)) = found.iter().find(|(other, _)| overlaps(&other.issuer)) {
            let message =
                format!("a token for `{}` could be from `{}` or from this issuer", other.issuer.iss, other.issuer.name);
            let finding = Finding::error(FindingCode::DuplicateName, Some(key.span), message);
            reading
                .finding(finding.also(first.span, "the other one").help("give each its own audience, or join the two"));
        }
        found.push((issuer, key));
    }
    found.into_iter().map(|(issuer, _)| issuer).collect()
}

fn token_issuer(name: &str, node: &Node, reading: &mut SettingsReader<'_>) -> Option<TokenIssuer> {
    let mut fields = MapReader::open(node, "an issuer", reading.findings)?;
    let iss_node = fields.required("issuer", reading.findings);
    let iss = iss_node.and_then(|node| reading.text(node, "`issuer`"));
    let audiences = fields.required("audiences", reading.findings);
    let audiences = audiences.map(|node| reading.texts(node, "`audiences`"));
    let keys = fields.required("keys", reading.findings);
    let keys = keys.and_then(|node| read_keys(node, iss_node, iss, reading));
    let claims = fields.optional("claims").and_then(|node| claims::claims(node, reading));
    let service = fields.optional("service-apps").and_then(|node| claims::service_apps(node, reading));
    let claim_limits = fields.optional("may-claim").and_then(|node| claims::claim_limits(node, reading));
    let leeway = reading.seconds(fields.optional("leeway"), "`leeway`", 10, 0, 30);
    let lifetime = fields.optional("max-lifetime");
    let max_lifetime = reading.seconds(lifetime, "`max-lifetime`", 24 * 60 * 60, 1, 366 * 24 * 60 * 60);
    let length = fields.optional("max-length");
    let longest = u64::try_from(MAX_TOKEN_LENGTH).unwrap_or(u64::MAX);
    let max_length = reading.memory(length, "`max-length`", longest, 256, longest);
    fields.finish(reading.findings);
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
    reading: &mut SettingsReader<'_>,
) -> Option<KeysFrom> {
    let mut fields = MapReader::open(node, "`keys`", reading.findings)?;
    let file = fields.optional("file");
    let jwks = fields.optional("jwks");
    let discovery = fields.optional("discovery");
    let secret = fields.optional("secret");
    let asked = fields.optional("introspection");
    let for_urls = [fields.optional("ca"), fields.optional("refresh"), fields.optional("insecure-http")];
    fields.finish(reading.findings);
    let [ca, refresh, insecure_http] = for_urls;
    let fetch = |url: HttpUrl, reading: &mut SettingsReader<'_>| KeyFetch {
        url,
        ca: ca.and_then(|node| reading.file(node, "`ca`")),
        refresh: reading.duration(refresh, "`refresh`", MINUTE * 10, MINUTE / 60, MINUTE * 60 * 24),
        insecure_http: reading.flag(insecure_http, "`insecure-http`", false),
    };
    let sources = [file, jwks, discovery, secret, asked];
    if sources.iter().flatten().count() != 1 {
        reading.bad(node, "`keys` needs exactly one of `file`, `jwks`, `discovery`, `secret` and `introspection`");
        return None;
    }
    if jwks.is_none() && discovery.is_none() {
        for node in for_urls.into_iter().flatten() {
            reading.bad(node, "this belongs to keys that are fetched, beside `jwks` or `discovery`");
        }
    }
    match sources {
        [Some(node), ..] => reading.file(node, "`file`").map(KeysFrom::File),
        [_, Some(node), ..] => {
            let url = url(node, "`jwks`", reading)?;
            let fetch = fetch(url, reading);
            cleartext(node, &fetch, reading);
            Some(KeysFrom::Jwks(fetch))
        }
        [_, _, Some(node), ..] => {
            if !reading.flag(Some(node), "`discovery`", true) {
                reading.bad(node, "`discovery` is `true` or is not there");
            }
            // OpenID Connect Discovery 1.0, section 4: a slash at the issuer's end goes before the path is added.
            let base = iss?.strip_suffix('/').or(iss)?;
            let url = HttpUrl::parse(&format!("{base}/.well-known/openid-configuration"));
            match url {
                Ok(url) if !base.contains('?') => {
                    let fetch = fetch(url, reading);
                    cleartext(iss_node.unwrap_or(node), &fetch, reading);
                    Some(KeysFrom::Discovery(fetch))
                }
                _ => {
                    let message = "`discovery` needs an `issuer` that is a URL without a query";
                    reading.bad(iss_node.unwrap_or(node), message);
                    None
                }
            }
        }
        [_, _, _, Some(node), _] => {
            let secret = reading.secret(node, "`secret`")?;
            if secret.expose().len() < SHORTEST_HS256 {
                let message = format!("`secret` is shorter than {SHORTEST_HS256} bytes, which HS256 needs");
                reading.bad(node, message).help("make one with `openssl rand -hex 32`");
            }
            Some(KeysFrom::Secret(secret))
        }
        [_, _, _, _, Some(node)] => introspection(node, reading).map(|asked| KeysFrom::Introspection(Box::new(asked))),
        _ => None,
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// The URL that stands here, with a finding where it is none.
pub(super) fn url(node: &Node, what: &str, reading: &mut SettingsReader<'_>) -> Option<HttpUrl> {
    let written = reading.text(node, what)?;
    match HttpUrl::parse(written) {
        Ok(url) => Some(url),
        Err(fault) => {
            reading.bad(node, format!("{what} is no URL such as `https://login.example.com/jwks`: {fault}"));
            None
        }
    }
}

fn cleartext(node: &Node, fetch: &KeyFetch, reading: &mut SettingsReader<'_>) {
    if !fetch.url.tls && !fetch.url.is_loopback() && !fetch.insecure_http {
        let message = format!("keys from `{}` could be replaced on their way", fetch.url);
        reading.bad(node, message).help("use https, or say `insecure-http: true` under `keys`");
    }
}
