//! Server: an HTTP/1.1 server that is bound at its start and stops when its handle is dropped.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Reply: the response type of both embedded servers.
pub(super) type Reply = Response<Full<Bytes>>;

/// The most concurrent connections; further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 1024;
/// The time to read a header: longer than a proxy keeps an idle connection, so that a reuse does not race with a close.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// The longest request header, in bytes.
const HEADER_BYTES: usize = 64 * 1024;

/// Server: a bound address and its tasks, which end when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    /// Never used to send: each task ends when it is dropped.
    running: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts a server on `listener` that answers each request with `serve`.
    pub(super) fn start<S, F>(listener: TcpListener, serve: S) -> io::Result<Self>
    where
        S: Fn(Request<Incoming>, ServerEnd) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let address = listener.local_addr()?;
        let (running, stopped) = watch::channel(());
        let accepting = tokio::spawn(accept(listener, serve, ServerEnd(stopped)));
        Ok(Self { address, running, accepting })
    }

    /// The address on which it listens, with the actual port where port 0 was requested.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, and returns when the port is free again.
    pub(super) async fn stop(self) {
        let Self { running, accepting, .. } = self;
        drop(running);
        // An error means a panic or an abort of that task; in both cases the listener is closed.
        accepting.await.ok();
    }
}

/// ServerEnd: a signal that the server has stopped.
#[derive(Debug, Clone)]
pub(super) struct ServerEnd(watch::Receiver<()>);

impl ServerEnd {
    /// Waits until the server has stopped.
    pub(super) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

async fn accept<S, F>(listener: TcpListener, serve: S, mut stopped: ServerEnd)
where
    S: Fn(Request<Incoming>, ServerEnd) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = stopped.wait() => return,
        };
        let Ok((stream, _)) = accepted else {
            // The usual cause is a lack of descriptors: an immediate retry would only use up a core.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (serve, stopped) = (serve.clone(), stopped.clone());
        tokio::spawn(async move {
            serve_connection(stream, serve, stopped).await;
            drop(permit);
        });
    }
}

async fn serve_connection<S, F>(stream: TcpStream, serve: S, mut stopped: ServerEnd)
where
    S: Fn(Request<Incoming>, ServerEnd) -> F + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    stream.set_nodelay(true).ok();
    let server_end = stopped.clone();
    let service = service_fn(move |request| {
        let reply = serve(request, server_end.clone());
        async move { Ok::<_, Infallible>(reply.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        // An error of the connection cannot be reported to the client.
        _ = served => {}
        () = stopped.wait() => {}
    }
}
