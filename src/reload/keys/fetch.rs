//! Fetcher: asks issuers for their keys, within a fixed budget.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::super::http::{HttpClient, permitted};
use super::source::MOST_BYTES;
use super::{KeyFeedError, KeyPlan};

/// Fetcher: a client for one issuer; it follows no redirect and keeps no connection.
pub(super) struct Fetcher {
    http: HttpClient,
    /// Where the key set is, or the issuer whose configuration says where.
    url: Box<str>,
    discovered: bool,
    timeout: Duration,
    insecure_http: bool,
}

impl Fetcher {
    /// The client for a key set at `url`, or for one that the issuer at `url` names where it is `discovered`.
    pub(super) fn new(plan: &KeyPlan, url: &str, discovered: bool) -> Result<Self, KeyFeedError> {
        let http = HttpClient::new(plan.ca_file.as_deref(), 0)?;
        let (timeout, insecure_http) = (plan.timeout, plan.insecure_http);
        let fetcher = Self { http, url: url.into(), discovered, timeout, insecure_http };
        permitted(url, insecure_http).map(|_| fetcher)
    }

    /// The text of the key set, for the issuer `iss`.
    pub(super) async fn key_set(&self, iss: &str) -> Result<String, KeyFeedError> {
        if !self.discovered {
            return self.text(&self.url).await;
        }
        let url = format!("{}/.well-known/openid-configuration", self.url.trim_end_matches('/'));
        self.text(&jwks_uri(&self.text(&url).await?, iss)?).await
    }

    async fn text(&self, url: &str) -> Result<String, KeyFeedError> {
        let request = Request::get(permitted(url, self.insecure_http)?)
            .body(Full::<Bytes>::default())
            .map_err(|error| KeyFeedError::Transport(error.to_string()))?;
        let answer = tokio::time::timeout(self.timeout, self.http.answer(request, MOST_BYTES)).await;
        let (_, body) = answer.unwrap_or(Err(KeyFeedError::Timeout))?;
        String::from_utf8(body.into()).map_err(|error| KeyFeedError::Transport(error.to_string()))
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
