//! BoundListener: a listening socket, bound before anything starts.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::net::TcpSocket;

use super::bind_error::BindError;
use super::counters::ConnectionCounters;
use super::plan::{ListenerLimits, ListenerPlan};
use crate::guard::LimitCounters;
use crate::proxy::downstream::tls::LiveCertificates;

/// The connections that the system queues before they are accepted.
pub(super) const BACKLOG: u32 = 1024;

/// BoundListener: a listening socket that accepts no connections yet.
pub struct BoundListener {
    pub(super) socket: StdTcpListener,
    pub(super) address: SocketAddr,
    pub(super) certificates: Option<Arc<LiveCertificates>>,
    pub(super) h2c: bool,
    pub(super) limits: ListenerLimits,
    pub(super) limit_counters: Arc<LimitCounters>,
    pub(super) counters: Arc<ConnectionCounters>,
}

impl fmt::Debug for BoundListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundListener")
            .field("address", &self.address)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl BoundListener {
    /// Binds the address of `plan` and loads its certificates; `limit_counters` counts the clients that hit a limit.
    ///
    /// # Errors
    /// The address cannot be bound, or a certificate cannot be used.
    pub fn bind(plan: &ListenerPlan, limit_counters: Arc<LimitCounters>) -> Result<Self, BindError> {
        Self::on(plan, limit_counters, || listen(plan.address))
    }

    /// Takes over a socket that another process has bound for `plan`.
    ///
    /// # Errors
    /// The socket or a certificate cannot be used.
    pub fn adopt(plan: &ListenerPlan, limit_counters: Arc<LimitCounters>, socket: OwnedFd) -> Result<Self, BindError> {
        Self::on(plan, limit_counters, || {
            let socket = StdTcpListener::from(socket);
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
    }

    fn on(
        plan: &ListenerPlan,
        limit_counters: Arc<LimitCounters>,
        socket: impl FnOnce() -> io::Result<StdTcpListener>,
    ) -> Result<Self, BindError> {
        let loaded = plan.tls.as_ref().map(LiveCertificates::load).transpose();
        let certificates = loaded.map_err(|error| BindError::Tls(plan.address, error))?.map(Arc::new);
        let unusable = |error| BindError::Address(plan.address, error);
        let socket = socket().map_err(unusable)?;
        let address = socket.local_addr().map_err(unusable)?;
        let (limits, counters) = (plan.limits.clone(), Arc::default());
        Ok(Self { socket, address, certificates, h2c: plan.h2c, limits, limit_counters, counters })
    }

    /// Another handle of the socket, for the next process; the socket listens as long as a handle exists.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone().map(OwnedFd::from)
    }

    /// The bound address, with the actual port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The live certificates, which can be reloaded.
    pub fn certificates(&self) -> Option<Arc<LiveCertificates>> {
        self.certificates.clone()
    }

    /// The counters of this listener.
    pub fn counters(&self) -> Arc<ConnectionCounters> {
        self.counters.clone()
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
