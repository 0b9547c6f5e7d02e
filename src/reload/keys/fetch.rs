//! Fetcher: the HTTP client that asks issuers for their keys, within a fixed budget.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::source::MOST_BYTES;
use super::{KeyFeedError, KeyPlan};

/// Fetcher: a client for one issuer; it follows no redirect and keeps no connection.
pub(super) struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// Where the key set is, or the issuer whose configuration says where.
    url: Box<str>,
    discovered: bool,
    timeout: Duration,
    insecure_http: bool,
}

impl Fetcher {
    /// The client for a key set at `url`, or for one that the issuer at `url` names where it is `discovered`.
    pub(super) fn new(plan: &KeyPlan, url: &str, discovered: bool) -> Result<Self, KeyFeedError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| KeyFeedError::Transport(error.to_string()))?
            .with_root_certificates(roots(plan.ca_file.as_deref())?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let (timeout, insecure_http) = (plan.timeout, plan.insecure_http);
        let fetcher = Self { client, url: url.into(), discovered, timeout, insecure_http };
        fetcher.permitted(url).map(|_| fetcher)
    }

    /// The text of the key set, for the issuer `iss`.
    pub(super) async fn key_set(&self, iss: &str) -> Result<String, KeyFeedError> {
        if !self.discovered {
            return self.text(&self.url).await;
        }
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        self.text(&jwks_uri(&self.text(&url).await?, iss)?).await
    }

    /// `url`, where it may be fetched: https, or http to this machine.
    fn permitted(&self, url: &str) -> Result<Uri, KeyFeedError> {
        let uri: Uri = url.parse().map_err(|_| KeyFeedError::MalformedUrl(url.into()))?;
        match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => Ok(uri),
            (Some("http"), Some(host)) if self.insecure_http || is_loopback(host) => Ok(uri),
            (Some("http"), Some(_)) => Err(KeyFeedError::InsecureUrl(url.into())),
            _ => Err(KeyFeedError::MalformedUrl(url.into())),
        }
    }

    async fn text(&self, url: &str) -> Result<String, KeyFeedError> {
        let request = Request::get(self.permitted(url)?)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "portcullis")
            .body(Empty::new())
            .map_err(|error| KeyFeedError::Transport(error.to_string()))?;
        let answer = async {
            let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
            if answer.status() != StatusCode::OK {
                return Err(KeyFeedError::Status(answer.status().as_u16()));
            }
            let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
            let body =
                body.map_err(
                    |error| {
                        if error.is::<LengthLimitError>() { KeyFeedError::TooLong } else { failed(&*error) }
                    },
                )?;
            String::from_utf8(body.to_bytes().into()).map_err(|error| failed(&error))
        };
        tokio::time::timeout(self.timeout, answer).await.unwrap_or(Err(KeyFeedError::Timeout))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

/// The key set's URL in a discovery document, where that is the document of the issuer `iss`, character for
/// character (OpenID Connect Discovery 1.0, section 4.3).
fn jwks_uri(document: &str, iss: &str) -> Result<String, KeyFeedError> {
    #[derive(serde::Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let document: Document = serde_json::from_str(document).map_err(|_| KeyFeedError::MalformedDiscovery)?;
    if document.issuer == iss { Ok(document.jwks_uri) } else { Err(KeyFeedError::WrongIssuer(document.issuer.into())) }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, KeyFeedError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let wrong = |why: String| KeyFeedError::File(path.to_owned(), why);
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("no certificate in it".into())) } else { Ok(roots) }
}

/// The error with all its causes: the outermost one alone says "client error".
fn failed(error: &(dyn Error + 'static)) -> KeyFeedError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    KeyFeedError::Transport(text)
}
