//! HttpClient: the client that asks issuers, for their keys or about a token; it follows no redirect.

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

use super::keys::KeyFeedError;

/// An unused connection is kept so long: shorter than servers keep theirs.
const IDLE: Duration = Duration::from_secs(4);

/// HttpClient: a client that believes one authority, or the public ones.
pub(super) struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// A client that believes the authority in `ca_file`, and keeps so many unused connections.
    pub(super) fn new(ca_file: Option<&Path>, idle: usize) -> Result<Self, KeyFeedError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| KeyFeedError::Transport(error.to_string()))?
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(idle);
        Ok(Self(client.build(connector)))
    }

    /// The header and the body, of `most` bytes at most, of an answer 200; another one is an error.
    pub(super) async fn answer(
        &self,
        mut request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<(HeaderMap, Bytes), KeyFeedError> {
        let fields = request.headers_mut();
        fields.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        fields.insert(header::USER_AGENT, HeaderValue::from_static("portcullis"));
        let answer = self.0.request(request).await.map_err(|error| failed(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(KeyFeedError::Status(answer.status().as_u16()));
        }
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, most).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { KeyFeedError::TooLong(most) } else { failed(&*error) }
        })?;
        Ok((head.headers, body.to_bytes()))
    }
}

/// `url`, where it may be asked: https, or http to this machine, or anywhere where that was said to be wanted.
pub(super) fn permitted(url: &str, insecure_http: bool) -> Result<Uri, KeyFeedError> {
    let uri: Uri = url.parse().map_err(|_| KeyFeedError::MalformedUrl(url.into()))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(uri),
        (Some("http"), Some(host)) if insecure_http || is_loopback(host) => Ok(uri),
        (Some("http"), Some(_)) => Err(KeyFeedError::InsecureUrl(url.into())),
        _ => Err(KeyFeedError::MalformedUrl(url.into())),
    }
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
