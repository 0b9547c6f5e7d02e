//! HttpClient: the client for issuers' keys and introspection; it follows no redirect.

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::issuer_error::IssuerError;

/// How long an unused connection is kept: shorter than servers keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// HttpClient: a client that trusts the authorities of one file, or the public authorities.
pub(super) struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// A client that trusts the authorities in `ca_file` and keeps at most `max_idle` unused connections.
    pub(super) fn new(ca_file: Option<&Path>, max_idle: usize) -> Result<Self, IssuerError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| IssuerError::Transport(error.to_string()))?
            .with_root_certificates(load_roots(ca_file)?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).pool_max_idle_per_host(max_idle);
        Ok(Self(client.build(connector)))
    }

    /// Sends a request and returns the header and body of a response with status 200; other statuses are errors.
    ///
    /// The body may have at most `most` bytes.
    pub(super) async fn fetch(
        &self,
        mut request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<(HeaderMap, Bytes), IssuerError> {
        let fields = request.headers_mut();
        fields.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        fields.insert(header::USER_AGENT, HeaderValue::from_static("portcullis"));
        let response = self.0.request(request).await.map_err(|error| transport_error(&error))?;
        if response.status() != StatusCode::OK {
            return Err(IssuerError::Status(response.status().as_u16()));
        }
        let (head, body) = response.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { IssuerError::TooLong(most) } else { transport_error(&*error) }
        })?;
        Ok((head.headers, body.to_bytes()))
    }
}

/// Parses `url` and checks that it is permitted: https, http to this machine, or any http with `insecure_http`.
pub(super) fn check_url(url: &str, insecure_http: bool) -> Result<Uri, IssuerError> {
    let uri: Uri = url.parse().map_err(|_| IssuerError::MalformedUrl(url.into()))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(uri),
        (Some("http"), Some(host)) if insecure_http || is_loopback(host) => Ok(uri),
        (Some("http"), Some(_)) => Err(IssuerError::InsecureUrl(url.into())),
        _ => Err(IssuerError::MalformedUrl(url.into())),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn load_roots(ca_file: Option<&Path>) -> Result<RootCertStore, IssuerError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let wrong = |why: String| IssuerError::File(path.to_owned(), why);
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("no certificate in it".into())) } else { Ok(roots) }
}

/// Renders the error with all its causes, because the outermost error alone says "client error".
fn transport_error(error: &(dyn Error + 'static)) -> IssuerError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    IssuerError::Transport(text)
}
