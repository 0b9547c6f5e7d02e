//! Fetcher: fetches the keys of an issuer, with limits on time and size.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::source::{KeyPlan, MAX_BYTES};
use crate::reload::http::{HttpClient, check_url};
use crate::reload::issuer_error::IssuerError;

/// Fetcher: a client for the keys of one issuer; it follows no redirect and keeps no connection.
pub(super) struct Fetcher {
    http: HttpClient,
    /// The URL of the key set, or of the issuer whose configuration names that URL.
    url: Box<str>,
    discovered: bool,
    timeout: Duration,
    insecure_http: bool,
}

impl Fetcher {
    /// A client for the key set at `url`, or if `discovered`, for the key set that the issuer at `url` names.
    pub(super) fn new(plan: &KeyPlan, url: &str, discovered: bool) -> Result<Self, IssuerError> {
        let http = HttpClient::new(plan.ca_file.as_deref(), 0)?;
        let (timeout, insecure_http) = (plan.timeout, plan.insecure_http);
        let fetcher = Self { http, url: url.into(), discovered, timeout, insecure_http };
        check_url(url, insecure_http).map(|_| fetcher)
    }

    /// Fetches the text of the key set of the issuer `iss`.
    pub(super) async fn key_set(&self, iss: &str) -> Result<String, IssuerError> {
        if !self.discovered {
            return self.text(&self.url).await;
        }
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        self.text(&jwks_uri(&self.text(&url).await?, iss)?).await
    }

    async fn text(&self, url: &str) -> Result<String, IssuerError> {
        let request = Request::get(check_url(url, self.insecure_http)?)
            .body(Full::<Bytes>::default())
            .map_err(|error| IssuerError::Transport(error.to_string()))?;
        let answer = tokio::time::timeout(self.timeout, self.http.fetch(request, MAX_BYTES)).await;
        let (_, body) = answer.unwrap_or(Err(IssuerError::Timeout))?;
        String::from_utf8(body.into()).map_err(|error| IssuerError::Transport(error.to_string()))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

/// Reads the key set's URL in a discovery document, whose issuer must be exactly `iss`
/// (OpenID Connect Discovery 1.0, section 4.3).
fn jwks_uri(document: &str, iss: &str) -> Result<String, IssuerError> {
    #[derive(serde::Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let document: Document = serde_json::from_str(document).map_err(|_| IssuerError::MalformedDiscovery)?;
    if document.issuer == iss { Ok(document.jwks_uri) } else { Err(IssuerError::WrongIssuer(document.issuer.into())) }
}
