//! Upstream: a Noah-like HTTP API in memory, which shows what the gateway told it and remembers what it saw.

mod api;
mod frame;
mod journal;
mod place;
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
use place::ResourcePath;
use store::Store;

pub use journal::{Journal, JournalEntry};

/// The longest request body, in bytes.
const BODY: usize = 1024 * 1024;
/// How long a request body may take.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How many WebSockets are open at once.
const SOCKETS: usize = 256;
/// What the gateway says about the caller, and the name under which a response shows it.
const SHOWN: [(HeaderName, HeaderName); 4] = [
    (HeaderName::from_static("x-portcullis-subject"), HeaderName::from_static("x-seen-subject")),
    (HeaderName::from_static("x-portcullis-roles"), HeaderName::from_static("x-seen-roles")),
    (HeaderName::from_static("x-portcullis-tenant"), HeaderName::from_static("x-seen-tenant")),
    (HeaderName::from_static("x-portcullis-decision"), HeaderName::from_static("x-seen-decision")),
];

/// Upstream: the running server; it ends when it is dropped.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
    journal: Journal,
}

impl Upstream {
    /// Server at `address`, with the records that tenants `t1` and `t2` begin with.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let journal = Journal::default();
        let shared = Arc::new(UpstreamState {
            store: Mutex::new(seed::store()),
            journal: journal.clone(),
            sockets: Arc::new(Semaphore::new(SOCKETS)),
        });
        let serve = move |request, stopped| serve(Arc::clone(&shared), request, stopped);
        Ok(Self { server: Server::start(listener, serve)?, journal })
    }

    /// Address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Journal of the requests that reached it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// End of the server: returns when the port is free again.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

struct UpstreamState {
    store: Mutex<Store>,
    journal: Journal,
    sockets: Arc<Semaphore>,
}

async fn serve(shared: Arc<UpstreamState>, mut request: Request<Incoming>, stopped: ServerEnd) -> Reply {
    // First of all, and whatever becomes of it: the journal proves what never arrived.
    shared.journal.record(JournalEntry::of(&request));
    let shown = shown(request.headers());
    let mut reply = match ResourcePath::of(request.uri().path()) {
        ResourcePath::Hub => socket::open(&mut request, &shared.sockets, stopped),
        place => reply(records(&shared, request, &place).await),
    };
    reply.headers_mut().extend(shown);
    reply
}

async fn records(shared: &UpstreamState, request: Request<Incoming>, place: &ResourcePath) -> ApiResponse {
    let (head, body) = request.into_parts();
    match read(body).await {
        Ok(body) => {
            let mut store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
            api::answer(&mut store, &head.method, place, head.uri.path(), &body)
        }
        Err(refused) => refused,
    }
}

async fn read(body: Incoming) -> Result<Bytes, ApiResponse> {
    let too_large = || ApiResponse::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB");
    if body.size_hint().lower() > BODY as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiResponse::error(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(ApiResponse::error(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

fn reply(answer: ApiResponse) -> Reply {
    let ApiResponse { status, allow, location, body } = answer;
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
        // Set here, because for HEAD the body is left out and its length still belongs there (RFC 9110, section 8.6).
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *reply.body_mut() = Full::new(Bytes::from(body));
    }
    reply
}

fn shown(headers: &HeaderMap) -> HeaderMap {
    let mut shown = HeaderMap::new();
    for (told, seen) in SHOWN {
        for value in headers.get_all(told) {
            shown.append(seen.clone(), value.clone());
        }
    }
    shown
}

#[cfg(test)]
mod tests;
