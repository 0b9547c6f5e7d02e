//! Listener: bound before anything starts, then accepting connections within limits for one Pingora application.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerOptions, ServerApp};
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::{GetSocketDigest, SocketDigest, Stream, TcpKeepalive};
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::{BufferedSocket, Connection, ConnectionRules, FrameBudget, H2_PREFACE};
use super::tls::{LiveCertificates, TlsPlan};
use crate::guard::LimitCounters;
use crate::guard::address_limits::{AddressGuard, ConnectionsByAddress};
use crate::guard::arrival::is_trusted;
use crate::guard::in_flight::InFlightGuard;
use crate::metrics::Limit;
use crate::proxy::lifecycle::Draining;
use crate::settings::Network;

pub use bind_error::BindError;
pub use counters::ConnectionCounters;

mod bind_error;
mod counters;

#[cfg(test)]
mod tests;

const BACKLOG: u32 = 1024;
/// The pause after an accept that failed for want of something, such as descriptors: trying again at once would spin.
const CALM: Duration = Duration::from_millis(200);
/// Finds a client that has vanished within five minutes, so that it does not hold a connection for ever.
const KEEPALIVE: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(120),
    interval: Duration::from_secs(30),
    count: 6,
    user_timeout: Duration::ZERO,
};

/// ListenerPlan: where to listen and how, as the settings say.
#[derive(Debug, Clone)]
pub struct ListenerPlan {
    /// The address to bind; port 0 takes any free port.
    pub address: SocketAddr,
    /// TLS, or cleartext.
    pub tls: Option<TlsPlan>,
    /// Whether a cleartext client may begin with HTTP/2; without meaning under TLS, where ALPN says.
    ///
    /// The application's own option must be on for every listener, as [`http_options`] has it: this one decides.
    pub h2c: bool,
    /// Bounds on what clients may hold.
    pub limits: ListenerLimits,
}

/// ListenerLimits: how many connections a listener holds and how long one may take to become useful.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// Connections at one time; one more is closed at once.
    pub connections: usize,
    /// Connections of one address at one time, `None` for as many as there are; one more is closed at once.
    pub per_address: Option<usize>,
    /// Addresses that stand for many clients: they have as many connections as there are.
    pub trusted: Vec<Network>,
    /// The time for a TLS handshake.
    pub handshake: Duration,
    /// The time from then until the first request's header block, or the HTTP/2 preface, is complete; for a later
    /// header on a kept connection, the time from its first byte on.
    pub opening: Duration,
    /// What one connection may send.
    pub budget: FrameBudget,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_address: None,
            trusted: Vec::new(),
            handshake: Duration::from_secs(10),
            opening: Duration::from_secs(10),
            budget: FrameBudget::default(),
        }
    }
}

/// The options of an `HttpProxy` behind a [`ListenerService`]: HTTP/2 connections end after `idle` without a request, which Pingora
/// leaves open for ever, and CONNECT is refused by a decision like everything else, which Pingora would answer itself.
pub fn http_options(idle: Duration) -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(idle);
    options.allow_connect_method_proxying = true;
    options
}

/// BoundListener: a listening socket that nobody accepts from yet.
pub struct BoundListener {
    socket: StdTcpListener,
    address: SocketAddr,
    tls: Option<Arc<LiveCertificates>>,
    h2c: bool,
    limits: ListenerLimits,
    reached: Arc<LimitCounters>,
    traffic: Arc<ConnectionCounters>,
}

impl fmt::Debug for BoundListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("address", &self.address).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl BoundListener {
    /// A socket bound as `plan` says, with its certificates loaded; `reached` counts whom its limits cut off.
    pub fn bind(plan: &ListenerPlan, reached: Arc<LimitCounters>) -> Result<Self, BindError> {
        Self::on(plan, reached, || listen(plan.address))
    }

    /// A socket that another process has bound as `plan` says, and hands over.
    pub fn adopt(plan: &ListenerPlan, reached: Arc<LimitCounters>, socket: OwnedFd) -> Result<Self, BindError> {
        Self::on(plan, reached, || {
            let socket = StdTcpListener::from(socket);
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
    }

    fn on(
        plan: &ListenerPlan,
        reached: Arc<LimitCounters>,
        socket: impl FnOnce() -> io::Result<StdTcpListener>,
    ) -> Result<Self, BindError> {
        let tls = plan.tls.as_ref().map(LiveCertificates::load).transpose();
        let tls = tls.map_err(|error| BindError::Tls(plan.address, error))?.map(Arc::new);
        let refused = |error| BindError::Address(plan.address, error);
        let socket = socket().map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        let (limits, traffic) = (plan.limits.clone(), Arc::default());
        Ok(Self { socket, address, tls, h2c: plan.h2c, limits, reached, traffic })
    }

    /// Another handle of the socket, for the process that comes after this one; the socket listens while it is there.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone().map(OwnedFd::from)
    }

    /// The address as bound, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The live certificates, for whoever reloads them.
    pub fn tls(&self) -> Option<Arc<LiveCertificates>> {
        self.tls.clone()
    }

    /// The counters of this listener.
    pub fn traffic(&self) -> Arc<ConnectionCounters> {
        self.traffic.clone()
    }
}

fn listen(address: SocketAddr) -> io::Result<StdTcpListener> {
    // The standard library fixes the backlog at 128; tokio takes one but wants an event loop to register with.
    let event_loop = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let bound = {
        let _entered = event_loop.enter();
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    event_loop.shutdown_background();
    bound
}

/// ListenerService: a Pingora service that accepts on bound sockets for one application.
pub struct ListenerService<A> {
    name: String,
    app: Arc<A>,
    doors: Vec<BoundListener>,
    draining: Draining,
    on_open: Option<OnOpen>,
}

type OnOpen = Box<dyn FnOnce() + Send + Sync>;

impl<A> fmt::Debug for ListenerService<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("name", &self.name).field("doors", &self.doors).finish_non_exhaustive()
    }
}

impl<A> ListenerService<A> {
    /// A front of `app`, which closes when `draining` does or the server shuts down.
    pub fn new(name: impl Into<String>, app: A, draining: Draining) -> Self {
        Self { name: name.into(), app: Arc::new(app), doors: Vec::new(), draining, on_open: None }
    }

    /// The same front, which calls `told` once it accepts.
    #[must_use]
    pub fn telling(mut self, told: impl FnOnce() + Send + Sync + 'static) -> Self {
        self.on_open = Some(Box::new(told));
        self
    }

    /// The same front, which also accepts on `bound`.
    #[must_use]
    pub fn listening(mut self, bound: BoundListener) -> Self {
        self.doors.push(bound);
        self
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> Service for ListenerService<A> {
    async fn start_service(&mut self, _fds: Option<ListenFds>, mut shutdown: ShutdownWatch, _listeners_per_fd: usize) {
        let draining = self.draining.clone();
        tokio::spawn(async move {
            let _ = shutdown.wait_for(|begun| *begun).await;
            draining.hang_up();
        });
        let mut accepting = Vec::new();
        let mut traffic = Vec::new();
        for bound in self.doors.drain(..) {
            traffic.push(bound.traffic());
            match AcceptLoop::open(bound) {
                Ok((door, socket)) => {
                    accepting.push(tokio::spawn(door.accept(socket, self.app.clone(), self.draining.watch())));
                }
                Err(error) => {
                    // A listener that the event loop cannot take: `/ready` says so for the whole process.
                    tracing::error!(%error, service = self.name, "cannot accept connections");
                    self.draining.leave();
                }
            }
        }
        if let Some(told) = self.on_open.take() {
            told();
        }
        for door in accepting {
            let _ = door.await;
        }
        self.draining.hung_up().await;
        // Wakes the idle keep-alive connections of an `HttpProxy`, which then close.
        self.app.cleanup().await;
        for traffic in traffic {
            traffic.open.idle().await;
        }
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// AcceptLoop: one listener at work, without its socket: connections keep the door, and must not keep the socket open.
struct AcceptLoop {
    address: SocketAddr,
    tls: Option<Arc<LiveCertificates>>,
    h2c: bool,
    limits: ListenerLimits,
    reached: Arc<LimitCounters>,
    traffic: Arc<ConnectionCounters>,
    addresses: ConnectionsByAddress,
}

/// ConnectionAdmission: a connection's place among all, and among those of its address.
type ConnectionAdmission = (InFlightGuard, Option<AddressGuard>);

impl AcceptLoop {
    /// A door and its socket on this event loop.
    fn open(bound: BoundListener) -> io::Result<(Arc<Self>, TcpListener)> {
        let BoundListener { socket, address, tls, h2c, limits, reached, traffic } = bound;
        let socket = TcpListener::from_std(socket)?;
        let addresses = ConnectionsByAddress::default();
        Ok((Arc::new(Self { address, tls, h2c, limits, reached, traffic, addresses }), socket))
    }

    /// Accepts until `closed`, and then who is in the queue already; behind them the socket closes, so that whoever comes
    /// later is told so and does not wait for the end of the process.
    async fn accept<A>(self: Arc<Self>, socket: TcpListener, app: Arc<A>, closed: ShutdownWatch)
    where
        A: ServerApp + Send + Sync + 'static,
    {
        self.accept_until_closed(&socket, &app, closed.clone()).await;
        let Ok(socket) = socket.into_std() else { return };
        for _ in 0..BACKLOG {
            match socket.accept() {
                Ok((stream, peer)) => {
                    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    if let Ok(stream) = stream {
                        self.clone().admit(stream, peer, &app, &closed);
                    }
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(_) => return,
            }
        }
    }

    async fn accept_until_closed<A>(self: &Arc<Self>, socket: &TcpListener, app: &Arc<A>, mut closed: ShutdownWatch)
    where
        A: ServerApp + Send + Sync + 'static,
    {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.clone().admit(stream, peer, app, &closed),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.traffic.accepts_failed.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(address = %self.address, %error, "cannot accept connections, pausing");
                    tokio::select! {
                        _ = closed.wait_for(|closed| *closed) => return,
                        () = sleep(CALM) => {}
                    }
                }
            }
        }
    }

    /// Closes at once what is over the limit: a client or balancer that sees it can go elsewhere, one that waits in the
    /// queue sees nothing, and those who hold all connections would stop the service in silence.
    fn admit<A>(self: Arc<Self>, socket: TcpStream, peer: SocketAddr, app: &Arc<A>, closed: &ShutdownWatch)
    where
        A: ServerApp + Send + Sync + 'static,
    {
        let admitted = match self.place(peer.ip()) {
            Ok(admitted) => admitted,
            Err(limit) => return self.reached.count(limit, Some(peer.ip())),
        };
        self.traffic.accepted.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(self.serve(socket, peer, app.clone(), closed.clone(), admitted));
    }

    /// A place for a connection of `address`, or the limit that leaves none.
    fn place(&self, address: IpAddr) -> Result<ConnectionAdmission, Limit> {
        let open = self.traffic.open.enter_below(self.limits.connections).ok_or(Limit::Connections)?;
        let counted = self.limits.per_address.filter(|_| !is_trusted(address, &self.limits.trusted));
        let of_address = counted
            .map(|most| self.addresses.enter_below(address, most).ok_or(Limit::ConnectionsPerAddress))
            .transpose()?;
        Ok((open, of_address))
    }

    async fn serve<A>(
        self: Arc<Self>,
        socket: TcpStream,
        peer: SocketAddr,
        app: Arc<A>,
        closed: ShutdownWatch,
        _admitted: ConnectionAdmission,
    ) where
        A: ServerApp + Send + Sync + 'static,
    {
        let mut next = match self.establish(socket, peer).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                self.traffic.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%peer, %error, "connection ended before its first request");
                return;
            }
        };
        while let Some(stream) = next {
            next = app.process_new(stream, &closed).await;
        }
    }

    async fn establish(&self, mut socket: TcpStream, peer: SocketAddr) -> Result<Stream, Box<pingora::Error>> {
        let late = |limit: Limit| {
            self.reached.count(limit, Some(peer.ip()));
            pingora::Error::explain(pingora::ErrorType::HandshakeError, limit.key())
        };
        let rules = ConnectionRules {
            header_time: self.limits.opening,
            budget: self.limits.budget,
            reached: Arc::clone(&self.reached),
            address: Some(peer.ip()),
        };
        let Some(tls) = &self.tls else {
            let deadline = Instant::now() + self.limits.opening;
            let begun = if self.h2c {
                timeout_at(deadline, beginning(&mut socket)).await.map_err(|_| late(Limit::HeaderTimeout))?.map_err(
                    |error| pingora::Error::because(pingora::ErrorType::ReadError, "no first request", error),
                )?
            } else {
                Vec::new()
            };
            let mut socket = known(socket, peer)?;
            socket.rewind(&begun);
            return Ok(Box::new(Connection::new(BufferedSocket::plain(socket), deadline, rules, begun == H2_PREFACE)));
        };
        let acceptor = tls.acceptor();
        let handshake = acceptor.tls_handshake(BufferedSocket::for_tls(known(socket, peer)?));
        let shaken = timeout_at(Instant::now() + self.limits.handshake, handshake)
            .await
            .map_err(|_| late(Limit::TlsHandshake))??;
        Ok(Box::new(Connection::new(shaken, Instant::now() + self.limits.opening, rules, false)))
    }
}

/// The socket as Pingora's own listener would hand it on, with the peer known and TCP set up.
fn known(socket: TcpStream, peer: SocketAddr) -> Result<L4Stream, Box<pingora::Error>> {
    let digest = SocketDigest::from_raw_fd(socket.as_raw_fd());
    // A listener on `[::]` sees IPv4 clients as `::ffff:…`, which no list of peers is written in.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let _ = digest.peer_addr.set(Some(PingoraAddr::Inet(peer)));
    let mut stream = L4Stream::from(socket);
    stream.set_socket_digest(digest);
    stream.set_nodelay()?;
    stream.set_keepalive(&KEEPALIVE)?;
    Ok(stream)
}

/// What the client begins with, up to the first byte that tells whether this is the HTTP/2 preface.
async fn beginning(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut begun = Vec::with_capacity(H2_PREFACE.len());
    while begun.len() < H2_PREFACE.len() && H2_PREFACE.starts_with(&begun) {
        let missing = H2_PREFACE.len() - begun.len();
        if (&mut *socket).take(missing as u64).read_buf(&mut begun).await? == 0 {
            break;
        }
    }
    Ok(begun)
}

/// Whether the failed accept was about the one connection that it was to take, so that the next may go well.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
