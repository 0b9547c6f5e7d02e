//! IntrospectionSettings: the introspection endpoint of an issuer, its client credentials, caches and limits.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::SettingsReader;
use super::secret::Secret;
use super::url::HttpUrl;
use crate::document::{MapReader, Node};

/// IntrospectionSettings: an introspection endpoint (RFC 7662) and how its responses are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntrospectionSettings {
    /// The endpoint.
    pub url: HttpUrl,
    /// The client id for the endpoint.
    pub client_id: Box<str>,
    /// The client secret for the endpoint.
    pub client_secret: Secret,
    /// Whether the client credentials are sent in the form and not with HTTP Basic.
    pub in_form: bool,
    /// The authority of the server's certificate (PEM); `None` is the public authorities.
    pub ca: Option<PathBuf>,
    /// Whether cleartext `http` is allowed beyond this machine.
    pub insecure_http: bool,
    /// The timeout of one call.
    pub timeout: Duration,
    /// The cache lifetime of a positive response, in seconds.
    pub cache: u64,
    /// The cache lifetime of a negative response.
    pub negative: Duration,
    /// The most concurrent calls.
    pub at_once: usize,
    /// The most calls per second.
    pub per_second: u32,
    /// Whether a token without `aud` is accepted.
    pub accept_missing_audience: bool,
}

const SECOND: Duration = Duration::from_secs(1);

/// Reads the map under `introspection`.
pub(super) fn read_introspection(node: &Node, reader: &mut SettingsReader<'_>) -> Option<IntrospectionSettings> {
    let mut fields = MapReader::open(node, "`introspection`", reader.findings)?;
    let at = fields.required("url", reader.findings);
    let url = at.and_then(|node| reader.url(node, "`url`"));
    let id = fields.required("client-id", reader.findings);
    let id = id.and_then(|node| reader.text(node, "`client-id`"));
    let secret = fields.required("client-secret", reader.findings);
    let secret = secret.and_then(|node| reader.secret(node, "`client-secret`"));
    let words = [("basic", false), ("post", true)];
    let in_form = reader.word(fields.optional("auth"), "`auth`", &words, false);
    let ca = fields.optional("ca").and_then(|node| reader.file(node, "`ca`"));
    let insecure_http = reader.flag(fields.optional("insecure-http"), "`insecure-http`", false);
    let timeout = reader.duration(fields.optional("timeout"), "`timeout`", SECOND * 2, SECOND / 10, SECOND * 30);
    let cache = reader.seconds(fields.optional("cache"), "`cache`", 60, 1, 3600);
    let negative = reader.duration(fields.optional("negative"), "`negative`", SECOND * 10, SECOND, SECOND * 600);
    let at_once = reader.count(fields.optional("at-once"), "`at-once`", 16, 1, 1024);
    let per_second = reader.number(fields.optional("per-second"), "`per-second`", 100, 1, 100_000);
    let key = "dangerously-accept-missing-audience";
    let accept_missing_audience = reader.flag(fields.optional(key), "`dangerously-accept-missing-audience`", false);
    fields.finish(reader.findings);
    if let (Some(node), Some(url)) = (at, &url)
        && !url.tls
        && !url.is_loopback()
        && !insecure_http
    {
        let message = format!("tokens and the client's secret could be read on their way to `{url}`");
        reader.reject(node, message).help("use https, or write `insecure-http: true` under `introspection`");
    }
    Some(IntrospectionSettings {
        url: url?,
        client_id: id?.into(),
        client_secret: secret?,
        in_form,
        ca,
        insecure_http,
        timeout,
        cache,
        negative,
        at_once,
        per_second: u32::try_from(per_second).unwrap_or(u32::MAX),
        accept_missing_audience,
    })
}
