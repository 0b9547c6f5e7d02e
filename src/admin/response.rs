//! Responses of the admin listener: dispatches each path, and checks the token, `Origin` and `Host` of the request.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, digest};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN, WWW_AUTHENTICATE,
};
use hyper::{Method, Response, StatusCode};
use serde_json::json;

use super::status::{Rollback, Status, StatusReport};

/// AdminToken: the bearer token of the admin listener, kept as a digest.
#[derive(Clone)]
pub(super) struct AdminToken(digest::Digest);

impl AdminToken {
    pub(super) fn new(text: &str) -> Self {
        Self(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    /// Whether `headers` hold exactly one `Authorization`, with this token. Digests of equal length are compared in
    /// constant time.
    fn matches(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = value.as_bytes().split_at_checked("Bearer ".len()) else { return false };
        let presented = digest::digest(&digest::SHA256, token);
        scheme.eq_ignore_ascii_case(b"bearer ")
            && constant_time::verify_slices_are_equal(presented.as_ref(), self.0.as_ref()).is_ok()
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("AdminToken")
    }
}

/// Responds to a request. Where a token is required, callers without it get only the bare `/live` and `/ready`.
pub(super) fn respond(
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    token: Option<&AdminToken>,
    status: &dyn Status,
) -> Response<Full<Bytes>> {
    // Browsers send an `Origin` with every POST of a page: a page must not act with its reader's access.
    if method == Method::POST && headers.contains_key(ORIGIN) {
        return problem(StatusCode::FORBIDDEN, "this is not for web pages: the request has an Origin");
    }
    let host_accepted = token.is_some() || is_local_host(headers);
    let authorized = host_accepted && token.is_none_or(|token| token.matches(headers));
    match (path, method) {
        ("/live", &Method::GET) => response(StatusCode::OK, JSON, json!({ "live": true }).to_string()),
        ("/ready", &Method::GET) => ready(&status.report(), authorized),
        ("/live" | "/ready", _) => not_allowed("GET"),
        _ if !host_accepted => problem(
            StatusCode::MISDIRECTED_REQUEST,
            "without a token the admin listener answers under an IP address or `localhost` only, not under another Host",
        ),
        _ if !authorized => {
            let mut response = problem(StatusCode::UNAUTHORIZED, "this needs the admin listener's bearer token");
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"admin\""));
            response
        }
        ("/metrics", &Method::GET) => response(StatusCode::OK, METRICS, status.metrics_text()),
        ("/policy", &Method::GET) => {
            response(StatusCode::OK, JSON, json!({ "apis": status.report().apis }).to_string())
        }
        ("/reload", &Method::POST) => {
            status.reload();
            response(StatusCode::ACCEPTED, JSON, json!({ "reload": "asked" }).to_string())
        }
        ("/metrics" | "/policy", _) => not_allowed("GET"),
        ("/reload", _) => not_allowed("POST"),
        _ => match path.strip_prefix("/apis/").and_then(|rest| rest.strip_suffix("/rollback")) {
            Some(api) if method == Method::POST => rollback(api, status),
            Some(_) => not_allowed("POST"),
            None => api_report(method, path, status),
        },
    }
}

fn rollback(api: &str, status: &dyn Status) -> Response<Full<Bytes>> {
    match status.rollback(api) {
        Some(Rollback::Live(policy)) => {
            response(StatusCode::OK, JSON, json!({ "api": api, "policy": policy }).to_string())
        }
        Some(Rollback::Nothing) => {
            problem(StatusCode::CONFLICT, "there is no version before the live one to go back to")
        }
        None => problem(StatusCode::NOT_FOUND, "there is no such API"),
    }
}

/// Whether the `Host` is an IP address or `localhost`.
///
/// This prevents DNS rebinding: a browser treats a page whose name resolves to this machine as the same origin, and
/// sends that name.
fn is_local_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return headers.get(HOST).is_none() };
    let Ok(host) = host.to_str() else { return false };
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// The report about one API that `path` names.
fn api_report(method: &Method, path: &str, status: &dyn Status) -> Response<Full<Bytes>> {
    let report = match path.strip_prefix("/apis/").and_then(|rest| rest.split_once('/')) {
        Some((api, "coverage")) => status.coverage(api).map(|report| json!(report)),
        Some((api, "diff")) => status.diff(api).map(|diff| json!({ "api": api, "diff": diff })),
        Some((api, "candidate")) => status.candidate(api).map(|report| json!(report)),
        _ => None,
    };
    match report {
        Some(report) if method == Method::GET => response(StatusCode::OK, JSON, report.to_string()),
        Some(_) => not_allowed("GET"),
        None => problem(
            StatusCode::NOT_FOUND,
            "there are /live, /ready, /metrics, /policy, /reload, /apis/NAME/diff, /apis/NAME/coverage, \
             /apis/NAME/rollback and, where the API has one, /apis/NAME/candidate",
        ),
    }
}

fn ready(report: &StatusReport, authorized: bool) -> Response<Full<Bytes>> {
    let ready = report.ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({ "ready": ready });
    if authorized {
        body = json!({
            "ready": ready, "draining": report.draining, "apis": report.apis, "issuers": report.issuers,
            "certificates": report.certificates, "audit": report.audit,
        });
    }
    response(status, JSON, body.to_string())
}

/// A problem document of RFC 9457; `about:blank` means that the status alone names the problem (section 4.2.1).
fn problem(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    response(status, "application/problem+json", body.to_string())
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "this path supports another method");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn response(status: StatusCode, media: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
