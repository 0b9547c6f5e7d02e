//! AdminListener: the server of the admin listener; each connection serves one request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::listen::{BoundSocket, ListenAddress, SocketFile};
use super::response::{AdminToken, respond};
use super::status::Status;

/// AdminPlan: the address, token and limits of the admin listener.
#[derive(Clone)]
pub struct AdminPlan {
    /// The address.
    pub listen: ListenAddress,
    /// The bearer token that callers need; with `None` every client that can connect has access.
    pub token: Option<Box<str>>,
    /// The longest duration of a connection, from its first byte to its last.
    pub time: Duration,
    /// The most concurrent connections; a further one closes the oldest that has not sent a complete header.
    pub connections: usize,
}

impl AdminPlan {
    /// A plan with the safe defaults: no token, 10 seconds, 32 connections.
    pub fn new(listen: ListenAddress) -> Self {
        Self { listen, token: None, time: Duration::from_secs(10), connections: 32 }
    }
}

impl std::fmt::Debug for AdminPlan {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("AdminPlan").field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// AdminListener: the admin listener, bound but not serving yet.
#[derive(Debug)]
pub struct AdminListener {
    bound: BoundSocket,
    token: Option<AdminToken>,
    time: Duration,
    connections: usize,
}

impl AdminListener {
    /// Binds the address; the error is one line for the operator.
    pub fn bind(plan: AdminPlan) -> Result<Self, String> {
        Self::open(plan, BoundSocket::bind)
    }

    /// Adopts a socket that another process has bound and hands over; the error is one line for the operator.
    pub fn adopt(plan: AdminPlan, socket: OwnedFd) -> Result<Self, String> {
        Self::open(plan, |listen| BoundSocket::adopt(listen, socket))
    }

    fn open(plan: AdminPlan, bind: impl FnOnce(&ListenAddress) -> io::Result<BoundSocket>) -> Result<Self, String> {
        let listen = &plan.listen;
        if plan.token.as_deref().is_some_and(str::is_empty) {
            return Err(format!("the admin listener `{listen}` has an empty token"));
        }
        if let (ListenAddress::Tcp(address), None) = (listen, &plan.token)
            && !address.ip().to_canonical().is_loopback()
        {
            return Err(format!("the admin listener `{listen}` can be reached from elsewhere and needs a token"));
        }
        let bound = bind(listen).map_err(|error| format!("the admin listener cannot listen on `{listen}`: {error}"))?;
        let token = plan.token.as_deref().map(AdminToken::new);
        Ok(Self { bound, token, time: plan.time, connections: plan.connections.clamp(1, Semaphore::MAX_PERMITS) })
    }

    /// Duplicates the socket for the successor process. The flag is set once that process serves: the file of a Unix
    /// socket then stays.
    pub fn share(&self) -> io::Result<(OwnedFd, Arc<AtomicBool>)> {
        self.bound.share()
    }

    /// The bound TCP address, with the actual port where the settings have port 0.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.bound {
            BoundSocket::Tcp(listener) => listener.local_addr().ok(),
            BoundSocket::Unix(..) => None,
        }
    }

    /// Serves until `shutdown` is ready, then finishes the requests in flight.
    pub async fn serve(self, status: Arc<dyn Status>, shutdown: impl Future<Output = ()>) {
        let (listener, _file) = match SocketListener::of(self.bound) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "the admin listener cannot be served");
                return;
            }
        };
        let permits = Arc::new(Semaphore::new(self.connections));
        let pending = Arc::new(PendingConnections::default());
        let mut count = 0;
        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = async {
                    let stream = listener.accept().await;
                    if permits.available_permits() == 0 {
                        pending.close_oldest();
                    }
                    (Arc::clone(&permits).acquire_owned().await, stream)
                } => accepted,
            };
            while tasks.try_join_next().is_some() {}
            match accepted {
                (Ok(permit), Ok(stream)) => {
                    let (status, token) = (Arc::clone(&status), self.token.clone());
                    count += 1;
                    let slot = ConnectionSlot { number: count, pending: Arc::clone(&pending), _permit: permit };
                    pending.add(count, || tasks.spawn(serve_connection(stream, status, token, self.time, slot)));
                }
                // The usual cause is a lack of descriptors: without a pause the loop would make it worse.
                (_, Err(error)) => {
                    tracing::warn!(%error, "the admin listener cannot accept");
                    sleep(Duration::from_millis(200)).await;
                }
                (Err(_), _) => break,
            }
        }
        timeout(SHUTDOWN_GRACE, async { while tasks.join_next().await.is_some() {} }).await.ok();
    }
}

/// The longest time that the requests in flight may take at the end.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// The most bytes in the header of a request.
const HEADER_BYTES: usize = 8 * 1024;

/// The most fields in the header of a request.
const HEADERS: usize = 64;

/// The longest time for the whole header, from the accept of the connection.
const HEADER_TIME: Duration = Duration::from_secs(2);

/// Serves one connection: one request, within `time`.
async fn serve_connection(
    stream: Box<dyn ClientStream>,
    status: Arc<dyn Status>,
    token: Option<AdminToken>,
    time: Duration,
    slot: ConnectionSlot,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        slot.pending.remove(slot.number);
        let response =
            respond(request.method(), request.uri().path(), request.headers(), token.as_ref(), status.as_ref());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(time.min(HEADER_TIME))
        .keep_alive(false)
        .max_headers(HEADERS)
        .max_header_size(HEADER_BYTES)
        .max_buf_size(2 * HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(time, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an admin connection failed"),
        Err(_) => tracing::debug!("an admin connection took too long"),
    }
}

/// PendingConnections: the connections without a complete header, by age; those that stall are closed to make room.
#[derive(Default)]
struct PendingConnections(Mutex<BTreeMap<u64, AbortHandle>>);

impl PendingConnections {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a connection under the lock, so that it cannot be removed before it has been added.
    fn add(&self, number: u64, begin: impl FnOnce() -> AbortHandle) {
        let mut all = self.all();
        all.insert(number, begin());
    }

    fn remove(&self, number: u64) {
        self.all().remove(&number);
    }

    fn close_oldest(&self) {
        let oldest = self.all().pop_first();
        if let Some((_, connection)) = oldest {
            tracing::debug!("an admin connection without a request was closed to make room");
            connection.abort();
        }
    }
}

/// ConnectionSlot: the share of one connection in the limit of concurrent connections.
struct ConnectionSlot {
    number: u64,
    pending: Arc<PendingConnections>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.pending.remove(self.number);
    }
}

/// ClientStream: the byte stream of a connection, TCP or Unix.
trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ClientStream for T {}

/// SocketListener: a bound listener, registered with the async runtime.
enum SocketListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl SocketListener {
    fn of(bound: BoundSocket) -> std::io::Result<(Self, Option<SocketFile>)> {
        Ok(match bound {
            BoundSocket::Tcp(listener) => (Self::Tcp(TcpListener::from_std(listener)?), None),
            BoundSocket::Unix(listener, file) => (Self::Unix(UnixListener::from_std(listener)?), Some(file)),
        })
    }

    async fn accept(&self) -> std::io::Result<Box<dyn ClientStream>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}
