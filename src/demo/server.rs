//! Server: an HTTP/1.1 listener, bound before anything is promised, that ends with its handle.

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

/// Reply: what both embedded servers answer with.
pub(super) type Reply = Response<Full<Bytes>>;

/// How many connections are served at once; more wait in the listener's queue.
const CONNECTIONS: usize = 1024;
/// Longer than a proxy keeps an idle connection, so that its reuse does not race with our close.
const HEADER_TIME: Duration = Duration::from_secs(120);
/// The longest request header, in bytes.
const HEADER_BYTES: usize = 64 * 1024;

/// Server: a bound address and the tasks behind it, which end when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    /// Never sent on: every task waits for its end.
    running: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// A server on `listener` that answers each request through `serve`.
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

    /// The address it listens on, with the port that the system chose where 0 was asked for.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, and returns when the port is free again.
    pub(super) async fn stop(self) {
        let Self { running, accepting, .. } = self;
        drop(running);
        // An error is a panic or an abort of that task, and either way the listener is closed.
        accepting.await.ok();
    }
}

/// ServerEnd: the news that a server has ended.
#[derive(Debug, Clone)]
pub(super) struct ServerEnd(watch::Receiver<()>);

impl ServerEnd {
    /// Returns when the server has ended.
    pub(super) async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

async fn accept<S, F>(listener: TcpListener, serve: S, mut stopped: ServerEnd)
where
    S: Fn(Request<Incoming>, ServerEnd) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stopped.wait() => return,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: trying again at once would only burn a core.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (serve, stopped) = (serve.clone(), stopped.clone());
        tokio::spawn(async move {
            connection(stream, serve, stopped).await;
            drop(place);
        });
    }
}

async fn connection<S, F>(stream: TcpStream, serve: S, mut stopped: ServerEnd)
where
    S: Fn(Request<Incoming>, ServerEnd) -> F + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    stream.set_nodelay(true).ok();
    let news = stopped.clone();
    let service = service_fn(move |request| {
        let answer = serve(request, news.clone());
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        // A connection that breaks is the peer's affair: there is nobody left to tell.
        _ = served => {}
        () = stopped.wait() => {}
    }
}
