//! HTTP servers on loopback with the responses that a test sets.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};
use tokio::net::TcpListener;

/// Answer: the server's response for a path.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: Option<String>,
    pub(super) delay: Duration,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn text(body: String) -> Self {
        Self { status: 200, location: None, delay: Duration::ZERO, body }
    }

    pub(super) fn status(status: u16) -> Self {
        Self { status, ..Self::text(String::new()) }
    }
}

/// Server: a server that exists as long as the runtime of its test.
pub(super) struct Server {
    port: u16,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    hits: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, answers: Arc::default(), hits: Arc::default() };
        let (answers, hits) = (Arc::clone(&server.answers), Arc::clone(&server.hits));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, hits) = (Arc::clone(&answers), Arc::clone(&hits));
                let service = service_fn(move |request: Request<Incoming>| {
                    hits.fetch_add(1, Ordering::SeqCst);
                    let answer = answers.lock().unwrap().get(request.uri().path()).cloned();
                    async move { Ok::<_, Infallible>(respond(answer.unwrap_or_else(|| Answer::status(404))).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> Box<str> {
        format!("http://127.0.0.1:{}{path}", self.port).into()
    }

    pub(super) fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// The number of requests to all paths.
    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

async fn respond(answer: Answer) -> Response<Full<Bytes>> {
    tokio::time::sleep(answer.delay).await;
    let mut response = Response::builder().status(answer.status);
    if let Some(location) = answer.location {
        response = response.header("location", location);
    }
    response.body(Full::from(answer.body)).unwrap()
}

/// Starts an HTTPS server with a certificate of its own authority, which sends `body` once on each connection.
///
/// Returns its URL and the authority's certificate in PEM.
pub(super) fn https_once_per_connection(body: String) -> (Box<str>, String) {
    let (authority, key) = {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap(), rcgen::Issuer::new(params, key))
    };
    let own = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&own, &key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(own.serialize_der().into()))
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // The thread ends with the test process. A client that disconnects ends only its own connection.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = || -> std::io::Result<()> {
                let mut stream = stream?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                let mut session = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
                let mut tls = rustls::Stream::new(&mut session, &mut stream);
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    tls.read_exact(&mut byte)?;
                    request.extend(byte);
                }
                write!(tls, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())?;
                tls.flush()?;
                session.send_close_notify();
                session.complete_io(&mut stream).map(|_| ())
            };
            drop(answer());
        }
    });
    (format!("https://localhost:{port}/keys").into(), authority.pem())
}
