//! Issuer: a token issuer with discovery and a key set, which generates its keys at the start.

mod key;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::server::{Reply, Server};
use key::SigningKey;

/// The most published keys; beyond it the oldest are removed.
const MAX_PUBLISHED: usize = 8;
const DISCOVERY: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/jwks.json";

/// Issuer: the running server and its keys; it stops when it is dropped.
#[derive(Debug)]
pub struct Issuer {
    server: Server,
    state: Arc<IssuerState>,
}

impl Issuer {
    /// Starts an issuer at `address`, with one key.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let state = Arc::new(IssuerState {
            url: format!("http://{}", listener.local_addr()?),
            keys: RwLock::new(IssuerKeys { newest: SigningKey::generate()?, older: Vec::new() }),
            key_set_requests: AtomicU64::new(0),
        });
        let serving = Arc::clone(&state);
        let serve = move |request, _| {
            let state = Arc::clone(&serving);
            async move { state.respond(&request) }
        };
        Ok(Self { server: Server::start(listener, serve)?, state })
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The `iss` of its tokens and the base URL of its documents: `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        self.state.url.clone()
    }

    /// The URL of its key set (RFC 7517, section 5).
    pub fn jwks_url(&self) -> String {
        self.url() + KEYS
    }

    /// A token with exactly these claims, signed with the newest key.
    pub fn token(&self, claims: &Value) -> String {
        self.state.keys.read().unwrap_or_else(PoisonError::into_inner).newest.sign(claims)
    }

    /// Rotates to a new key; the old one stays published.
    pub fn rotate(&self) -> io::Result<()> {
        let fresh = SigningKey::generate()?;
        let mut keys = self.state.keys.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut keys.newest, fresh);
        keys.older.insert(0, old);
        keys.older.truncate(MAX_PUBLISHED - 1);
        Ok(())
    }

    /// Withdraws all keys except the newest.
    pub fn withdraw(&self) {
        self.state.keys.write().unwrap_or_else(PoisonError::into_inner).older.clear();
    }

    /// The number of requests for the key set.
    pub fn key_set_requests(&self) -> u64 {
        self.state.key_set_requests.load(Ordering::Relaxed)
    }

    /// Stops the server, and returns when the port is free again.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

#[derive(Debug)]
struct IssuerState {
    url: String,
    keys: RwLock<IssuerKeys>,
    key_set_requests: AtomicU64,
}

#[derive(Debug)]
struct IssuerKeys {
    newest: SigningKey,
    /// The older keys, newest first.
    older: Vec<SigningKey>,
}

impl IssuerState {
    fn respond<B>(&self, request: &Request<B>) -> Reply {
        let path = request.uri().path();
        if path != DISCOVERY && path != KEYS {
            return reply(StatusCode::NOT_FOUND, &json!({ "error": "there is nothing at this path" }));
        }
        if *request.method() != Method::GET && *request.method() != Method::HEAD {
            let mut reply = reply(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "this path is read-only" }));
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return reply;
        }
        if path == KEYS {
            self.key_set_requests.fetch_add(1, Ordering::Relaxed);
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let set: Vec<Value> =
                std::iter::once(&keys.newest).chain(&keys.older).map(SigningKey::public_jwk).collect();
            return reply(StatusCode::OK, &json!({ "keys": set }));
        }
        reply(StatusCode::OK, &discovery(&self.url))
    }
}

/// The metadata of OpenID Connect Discovery 1.0, section 3, without an authorization endpoint: there is no login, the
/// demo prints the tokens.
fn discovery(url: &str) -> Value {
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}{KEYS}"),
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    })
}

fn reply(status: StatusCode, body: &Value) -> Reply {
    let mut reply = Reply::new(Full::new(Bytes::from(body.to_string())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

#[cfg(test)]
mod tests;
