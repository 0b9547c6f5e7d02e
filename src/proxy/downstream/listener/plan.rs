//! ListenerPlan: where a listener listens, and the limits of its clients.

use std::net::SocketAddr;
use std::time::Duration;

use crate::proxy::downstream::connection::FrameBudget;
use crate::proxy::downstream::tls::TlsPlan;
use crate::settings::Network;

/// ListenerPlan: where to listen and how.
#[derive(Debug, Clone)]
pub struct ListenerPlan {
    /// The address to bind; port 0 takes any free port.
    pub address: SocketAddr,
    /// TLS, or cleartext.
    pub tls: Option<TlsPlan>,
    /// Whether a cleartext client may begin with HTTP/2; under TLS, ALPN decides.
    ///
    /// The application's own option is on for every listener, as [`http_options`](super::http_options) sets it.
    pub h2c: bool,
    /// The limits of clients.
    pub limits: ListenerLimits,
}

/// ListenerLimits: how many connections a listener holds, and how long each may take until its first request.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// Open connections; a further one is closed at once.
    pub connections: usize,
    /// Open connections of one address; `None` is no limit. A further one is closed at once.
    pub per_address: Option<usize>,
    /// The networks of trusted forwarders, which carry many clients and have no limit of their own.
    pub trusted: Vec<Network>,
    /// The time for a TLS handshake.
    pub handshake: Duration,
    /// The time from the handshake until the first header block, or the HTTP/2 preface, is complete.
    ///
    /// A later header on the same connection has this time from its first byte on.
    pub header: Duration,
    /// The frames and header bytes that one connection may send.
    pub budget: FrameBudget,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 4096,
            per_address: None,
            trusted: Vec::new(),
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            budget: FrameBudget::default(),
        }
    }
}
