//! AcceptLoop: accepts the connections of one listener within its limits.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pingora::apps::ServerApp;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::{GetSocketDigest, SocketDigest, Stream, TcpKeepalive};
use pingora::server::ShutdownWatch;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::bound::{BACKLOG, BoundListener};
use super::counters::ConnectionCounters;
use super::plan::ListenerLimits;
use crate::guard::LimitCounters;
use crate::guard::address_limits::{AddressGuard, ConnectionsByAddress};
use crate::guard::arrival::is_trusted;
use crate::guard::in_flight::InFlightGuard;
use crate::metrics::Limit;
use crate::proxy::downstream::connection::{BufferedSocket, Connection, ConnectionRules, H2_PREFACE};
use crate::proxy::downstream::tls::LiveCertificates;

/// The pause after an accept that failed for lack of a resource, such as descriptors: without it the loop would spin.
const CALM: Duration = Duration::from_millis(200);

/// Detects a vanished client within five minutes, so that it does not hold its connection.
const KEEPALIVE: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(120),
    interval: Duration::from_secs(30),
    count: 6,
    user_timeout: Duration::ZERO,
};

/// AcceptLoop: a listener at work, without its socket.
///
/// Connections keep the loop alive and must not keep the socket open.
pub(super) struct AcceptLoop {
    address: SocketAddr,
    certificates: Option<Arc<LiveCertificates>>,
    h2c: bool,
    limits: ListenerLimits,
    limit_counters: Arc<LimitCounters>,
    counters: Arc<ConnectionCounters>,
    addresses: ConnectionsByAddress,
}

/// ConnectionAdmission: one connection in the count of all, and in that of its address.
type ConnectionAdmission = (InFlightGuard, Option<AddressGuard>);

impl AcceptLoop {
    /// The loop of a listener, and its socket on this event loop.
    pub(super) fn open(bound: BoundListener) -> io::Result<(Arc<Self>, TcpListener)> {
        let BoundListener { socket, address, certificates, h2c, limits, limit_counters, counters } = bound;
        let socket = TcpListener::from_std(socket)?;
        let addresses = ConnectionsByAddress::default();
        Ok((Arc::new(Self { address, certificates, h2c, limits, limit_counters, counters, addresses }), socket))
    }

    /// Accepts connections until `closed`, then those that are queued already, and closes the socket.
    ///
    /// A client that comes later is refused at once, and does not wait for the end of the process.
    pub(super) async fn accept<A>(self: Arc<Self>, socket: TcpListener, app: Arc<A>, closed: ShutdownWatch)
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
                    self.counters.accepts_failed.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(address = %self.address, %error, "cannot accept connections, pausing");
                    tokio::select! {
                        _ = closed.wait_for(|closed| *closed) => return,
                        () = sleep(CALM) => {}
                    }
                }
            }
        }
    }

    /// Serves a connection, or closes it at once where a limit is reached.
    ///
    /// A client or load balancer that sees the close can go elsewhere. One that waited in the queue would see nothing,
    /// and clients that hold all connections would stop the service silently.
    fn admit<A>(self: Arc<Self>, socket: TcpStream, peer: SocketAddr, app: &Arc<A>, closed: &ShutdownWatch)
    where
        A: ServerApp + Send + Sync + 'static,
    {
        let admitted = match self.count_in(peer.ip()) {
            Ok(admitted) => admitted,
            Err(limit) => return self.limit_counters.count(limit, Some(peer.ip())),
        };
        self.counters.accepted.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(self.serve(socket, peer, app.clone(), closed.clone(), admitted));
    }

    /// Counts a connection of `address` in, or returns the limit that is reached.
    fn count_in(&self, address: IpAddr) -> Result<ConnectionAdmission, Limit> {
        let open = self.counters.open.enter_below(self.limits.connections).ok_or(Limit::Connections)?;
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
                self.counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
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
            self.limit_counters.count(limit, Some(peer.ip()));
            pingora::Error::explain(pingora::ErrorType::HandshakeError, limit.key())
        };
        let rules = ConnectionRules {
            header_time: self.limits.header,
            budget: self.limits.budget,
            limit_counters: Arc::clone(&self.limit_counters),
            address: Some(peer.ip()),
        };
        let Some(certificates) = &self.certificates else {
            let deadline = Instant::now() + self.limits.header;
            let begun = if self.h2c {
                timeout_at(deadline, read_preface(&mut socket)).await.map_err(|_| late(Limit::HeaderTimeout))?.map_err(
                    |error| pingora::Error::because(pingora::ErrorType::ReadError, "no first request", error),
                )?
            } else {
                Vec::new()
            };
            let mut socket = pingora_stream(socket, peer)?;
            socket.rewind(&begun);
            return Ok(Box::new(Connection::new(BufferedSocket::plain(socket), deadline, rules, begun == H2_PREFACE)));
        };
        let acceptor = certificates.acceptor();
        let handshake = acceptor.tls_handshake(BufferedSocket::for_tls(pingora_stream(socket, peer)?));
        let shaken = timeout_at(Instant::now() + self.limits.handshake, handshake)
            .await
            .map_err(|_| late(Limit::TlsHandshake))??;
        Ok(Box::new(Connection::new(shaken, Instant::now() + self.limits.header, rules, false)))
    }
}

/// The socket as Pingora's own listener would make it, with the peer's address and the TCP options set.
pub(super) fn pingora_stream(socket: TcpStream, peer: SocketAddr) -> Result<L4Stream, Box<pingora::Error>> {
    let digest = SocketDigest::from_raw_fd(socket.as_raw_fd());
    // A listener on `[::]` sees IPv4 clients as `::ffff:…`, which no list of networks uses.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let _ = digest.peer_addr.set(Some(PingoraAddr::Inet(peer)));
    let mut stream = L4Stream::from(socket);
    stream.set_socket_digest(digest);
    stream.set_nodelay()?;
    stream.set_keepalive(&KEEPALIVE)?;
    Ok(stream)
}

/// The first bytes of the client, up to the first one that differs from the HTTP/2 preface.
async fn read_preface(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut begun = Vec::with_capacity(H2_PREFACE.len());
    while begun.len() < H2_PREFACE.len() && H2_PREFACE.starts_with(&begun) {
        let missing = H2_PREFACE.len() - begun.len();
        if (&mut *socket).take(missing as u64).read_buf(&mut begun).await? == 0 {
            break;
        }
    }
    Ok(begun)
}

/// Whether a failed accept concerns only the one connection, so that the next may succeed.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
