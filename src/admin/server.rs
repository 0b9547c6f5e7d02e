//! AdminListener: the admin listener's server, one request a connection.

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

use super::answer::{AdminToken, answer};
use super::listen::{BoundSocket, ListenAddress, SocketFile};
use super::status::Status;

/// AdminPlan: where the admin listener listens and who may ask it.
#[derive(Clone)]
pub struct AdminPlan {
    /// Where.
    pub listen: ListenAddress,
    /// The bearer token that callers need; `None` lets everybody in who can connect.
    pub token: Option<Box<str>>,
    /// How long one connection may take, from its first byte to its last.
    pub time: Duration,
    /// How many connections are served at a time; for a later one the oldest goes that has asked for nothing yet.
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

/// AdminListener: the admin listener, bound and not yet serving.
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
        Self::on(plan, BoundSocket::bind)
    }

    /// The same on a socket that another process has bound, and hands over.
    pub fn adopt(plan: AdminPlan, socket: OwnedFd) -> Result<Self, String> {
        Self::on(plan, |listen| BoundSocket::adopt(listen, socket))
    }

    fn on(plan: AdminPlan, bound: impl FnOnce(&ListenAddress) -> io::Result<BoundSocket>) -> Result<Self, String> {
        let listen = &plan.listen;
        if plan.token.as_deref().is_some_and(str::is_empty) {
            return Err(format!("the admin listener `{listen}` has an empty token"));
        }
        if let (ListenAddress::Tcp(address), None) = (listen, &plan.token)
            && !address.ip().to_canonical().is_loopback()
        {
            return Err(format!("the admin listener `{listen}` can be reached from elsewhere and needs a token"));
        }
        let bound =
            bound(listen).map_err(|error| format!("the admin listener cannot listen on `{listen}`: {error}"))?;
        let token = plan.token.as_deref().map(AdminToken::new);
        Ok(Self { bound, token, time: plan.time, connections: plan.connections.clamp(1, Semaphore::MAX_PERMITS) })
    }

    /// Another handle of the socket, for the process that comes after this one, and what is set where that one has it: a
    /// Unix socket then keeps its name.
    pub fn share(&self) -> io::Result<(OwnedFd, Arc<AtomicBool>)> {
        self.bound.share()
    }

    /// The TCP address that was bound, which tells the port where 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.bound {
            BoundSocket::Tcp(listener) => listener.local_addr().ok(),
            BoundSocket::Unix(..) => None,
        }
    }

    /// Serves until `shutdown` is ready and what is being answered then is answered.
    pub async fn serve(self, status: Arc<dyn Status>, shutdown: impl Future<Output = ()>) {
        let (listener, _file) = match SocketListener::of(self.bound) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "the admin listener cannot be served");
                return;
            }
        };
        let permits = Arc::new(Semaphore::new(self.connections));
        let unheard = Arc::new(PendingConnections::default());
        let mut count = 0;
        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = async {
                    let stream = listener.accept().await;
                    if permits.available_permits() == 0 {
                        unheard.close_oldest();
                    }
                    (Arc::clone(&permits).acquire_owned().await, stream)
                } => accepted,
            };
            while tasks.try_join_next().is_some() {}
            match accepted {
                (Ok(permit), Ok(stream)) => {
                    let (status, token) = (Arc::clone(&status), self.token.clone());
                    count += 1;
                    let place = ConnectionSlot { number: count, unheard: Arc::clone(&unheard), _permit: permit };
                    unheard.enter(count, || tasks.spawn(converse(stream, status, token, self.time, place)));
                }
                // Out of descriptors, most often: a loop without a pause would only make it worse.
                (_, Err(error)) => {
                    tracing::warn!(%error, "the admin listener cannot accept");
                    sleep(Duration::from_millis(200)).await;
                }
                (Err(_), _) => break,
            }
        }
        timeout(LAST, async { while tasks.join_next().await.is_some() {} }).await.ok();
    }
}

/// How long the answers that are under way at the end may take.
const LAST: Duration = Duration::from_secs(1);

/// The most that a request's header may hold.
const HEADER_BYTES: usize = 8 * 1024;
const HEADERS: usize = 64;

/// How long the whole header may take, from the connection's first moment.
const HEADER_TIME: Duration = Duration::from_secs(2);

/// Serves one connection: one request, within `time`.
async fn converse(
    stream: Box<dyn ClientStream>,
    status: Arc<dyn Status>,
    token: Option<AdminToken>,
    time: Duration,
    place: ConnectionSlot,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        place.unheard.leave(place.number);
        let answer = answer(request.method(), request.uri().path(), request.headers(), token.as_ref(), status.as_ref());
        async move { Ok::<_, Infallible>(answer) }
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

/// PendingConnections: the connections whose header is not whole yet, by age; clients that stall here keep nobody else out.
#[derive(Default)]
struct PendingConnections(Mutex<BTreeMap<u64, AbortHandle>>);

impl PendingConnections {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock, so that a connection cannot leave before it has entered.
    fn enter(&self, number: u64, begin: impl FnOnce() -> AbortHandle) {
        let mut all = self.all();
        all.insert(number, begin());
    }

    fn leave(&self, number: u64) {
        self.all().remove(&number);
    }

    fn close_oldest(&self) {
        let oldest = self.all().pop_first();
        if let Some((_, connection)) = oldest {
            tracing::debug!("an admin connection made room before it asked for anything");
            connection.abort();
        }
    }
}

/// ConnectionSlot: one of the connections that are served at a time.
struct ConnectionSlot {
    number: u64,
    unheard: Arc<PendingConnections>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.unheard.leave(self.number);
    }
}

/// ClientStream: the bytes of a connection, TCP or Unix.
trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ClientStream for T {}

/// SocketListener: a bound listener in the runtime's hands.
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
