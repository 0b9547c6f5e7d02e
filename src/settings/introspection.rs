//! IntrospectionSettings: an issuer that is asked about each token, as whom, and how often at most.

use std::path::PathBuf;
use std::time::Duration;

use super::issuer;
use super::secret::Secret;
use super::url::HttpUrl;
use super::value::SettingsReader;
use crate::document::{MapReader, Node};

/// IntrospectionSettings: an endpoint of RFC 7662 and what is believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntrospectionSettings {
    /// The endpoint.
    pub url: HttpUrl,
    /// The client as which it is asked.
    pub client_id: Box<str>,
    /// That client's secret.
    pub client_secret: Secret,
    /// Whether the two are sent in the form, not with HTTP Basic.
    pub in_form: bool,
    /// The authority that the server's certificate must come from (PEM); `None` is the public ones.
    pub ca: Option<PathBuf>,
    /// Whether cleartext `http` is allowed beyond this machine.
    pub insecure_http: bool,
    /// How long one answer may take.
    pub timeout: Duration,
    /// Seconds for which a good answer is believed.
    pub cache: u64,
    /// How long a bad answer is believed.
    pub negative: Duration,
    /// Calls that may be under way at once.
    pub at_once: usize,
    /// Calls that may be made in a second.
    pub per_second: u32,
    /// Whether a token without `aud` is believed to be meant for us.
    pub accept_missing_audience: bool,
}

const SECOND: Duration = Duration::from_secs(1);

/// The map under `introspection`.
pub(super) fn introspection(node: &Node, reading: &mut SettingsReader<'_>) -> Option<IntrospectionSettings> {
    let mut fields = MapReader::open(node, "`introspection`", reading.findings)?;
    let at = fields.required("url", reading.findings);
    let url = at.and_then(|node| issuer::url(node, "`url`", reading));
    let id = fields.required("client-id", reading.findings);
    let id = id.and_then(|node| reading.text(node, "`client-id`"));
    let secret = fields.required("client-secret", reading.findings);
    let secret = secret.and_then(|node| reading.secret(node, "`client-secret`"));
    let words = [("basic", false), ("post", true)];
    let in_form = reading.word(fields.optional("auth"), "`auth`", &words, false);
    let ca = fields.optional("ca").and_then(|node| reading.file(node, "`ca`"));
    let insecure_http = reading.flag(fields.optional("insecure-http"), "`insecure-http`", false);
    let timeout = reading.duration(fields.optional("timeout"), "`timeout`", SECOND * 2, SECOND / 10, SECOND * 30);
    let cache = reading.seconds(fields.optional("cache"), "`cache`", 60, 1, 3600);
    let negative = reading.duration(fields.optional("negative"), "`negative`", SECOND * 10, SECOND, SECOND * 600);
    let at_once = reading.count(fields.optional("at-once"), "`at-once`", 16, 1, 1024);
    let per_second = reading.number(fields.optional("per-second"), "`per-second`", 100, 1, 100_000);
    let key = "dangerously-accept-missing-audience";
    let accept_missing_audience = reading.flag(fields.optional(key), "`dangerously-accept-missing-audience`", false);
    fields.finish(reading.findings);
    if let (Some(node), Some(url)) = (at, &url)
        && !url.tls
        && !url.is_loopback()
        && !insecure_http
    {
        let message = format!("tokens and the client's secret could be read on their way to `{url}`");
        reading.bad(node, message).help("use https, or say `insecure-http: true` under `introspection`");
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
