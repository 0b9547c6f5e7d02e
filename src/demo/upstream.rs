//! Upstream: a Noah-like HTTP API in memory that returns the gateway's identity headers and records its requests.

mod api;
mod frame;
mod journal;
mod resource_path;
mod seed;
mod socket;
mod store;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::server::{Reply, Server, ServerEnd};
use api::ApiResponse;
use resource_path::ResourcePath;
use store::Store;

pub use journal::{Journal, JournalEntry};

/// The longest request body, in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// The longest time for a request body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The most concurrent WebSockets.
const MAX_SOCKETS: usize = 256;
/// The gateway's identity headers, each with the response header that returns its value.
const SHOWN_HEADERS: [(HeaderName, HeaderName); 4] = [
    (HeaderName::from_static("x-portcullis-subject"), HeaderName::from_static("x-seen-subject")),
    (HeaderName::from_static("x-portcullis-roles"), HeaderName::from_static("x-seen-roles")),
    (HeaderName::from_static("x-portcullis-tenant"), HeaderName::from_static("x-seen-tenant")),
    (HeaderName::from_static("x-portcullis-decision"), HeaderName::from_static("x-seen-decision")),
];

/// Upstream: the running server; it stops when it is dropped.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
    journal: Journal,
}

impl Upstream {
    /// Starts a server at `address`, with the initial records of tenants `t1` and `t2`.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let journal = Journal::default();
        let state = Arc::new(UpstreamState {
            store: Mutex::new(seed::store()),
            journal: journal.clone(),
            sockets: Arc::new(Semaphore::new(MAX_SOCKETS)),
        });
        let serve = move |request, stopped| serve(Arc::clone(&state), request, stopped);
        Ok(Self { server: Server::start(listener, serve)?, journal })
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The journal of the requests that reached it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Stops the server, and returns when the port is free again.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

struct UpstreamState {
    store: Mutex<Store>,
    journal: Journal,
    sockets: Arc<Semaphore>,
}

async fn serve(state: Arc<UpstreamState>, mut request: Request<Incoming>, stopped: ServerEnd) -> Reply {
    // The request is recorded first, whatever its result: the journal proves which requests never arrived.
    state.journal.record(JournalEntry::of(&request));
    let shown = shown_headers(request.headers());
    let mut reply = match ResourcePath::of(request.uri().path()) {
        ResourcePath::Hub => socket::open(&mut request, &state.sockets, stopped),
        resource => into_reply(serve_record(&state, request, &resource).await),
    };
    reply.headers_mut().extend(shown);
    reply
}

async fn serve_record(state: &UpstreamState, request: Request<Incoming>, resource: &ResourcePath) -> ApiResponse {
    let (head, body) = request.into_parts();
    match read_body(body).await {
        Ok(body) => {
            let mut store = state.store.lock().unwrap_or_else(PoisonError::into_inner);
            api::respond(&mut store, &head.method, resource, head.uri.path(), &body)
        }
        Err(refused) => refused,
    }
}

async fn read_body(body: Incoming) -> Result<Bytes, ApiResponse> {
    let too_large = || ApiResponse::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB");
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiResponse::error(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(ApiResponse::error(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn into_reply(response: ApiResponse) -> Reply {
    let ApiResponse { status, allow, location, body } = response;
    let mut reply = Reply::new(Full::new(Bytes::new()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if let Some(allow) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        headers.insert(LOCATION, location);
    }
    if let Some(body) = body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // For HEAD the server omits the body, but the response still has its length (RFC 9110, section 8.6).
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *reply.body_mut() = Full::new(Bytes::from(body));
    }
    reply
}

fn shown_headers(headers: &HeaderMap) -> HeaderMap {
    let mut shown = HeaderMap::new();
    for (request_name, response_name) in SHOWN_HEADERS {
        for value in headers.get_all(request_name) {
            shown.append(response_name.clone(), value.clone());
        }
    }
    shown
}

#[cfg(test)]
mod tests;
