//! Pingora, and nothing else: connections from clients, the phases of an exchange, and connections to upstreams.

pub mod crypto;
pub mod downstream;
mod exchange;
pub mod lifecycle;
pub mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::guard::Guard;
use crate::guard::api::Api;

use lifecycle::Draining;
use upstream::UpstreamTarget;

/// Proxy: the front door that forwards requests itself; Pingora's `ProxyHttp`.
#[derive(Debug)]
pub struct Proxy {
    /// The enforcement core.
    pub guard: Arc<Guard>,
    /// The upstream of each API, in the order of [`ApiId`](crate::guard::api::ApiId).
    pub upstreams: Vec<UpstreamTarget>,
    /// The bound addresses, each with its listener's name in the settings.
    pub listeners: Vec<(SocketAddr, Box<str>)>,
    /// Whether the process is ending: connections are not kept open then.
    pub draining: Draining,
}

impl Proxy {
    /// The upstream of an API.
    fn upstream(&self, api: &Api) -> Option<&UpstreamTarget> {
        self.upstreams.get(api.id.0)
    }

    /// The name of the listener that accepted on `local`: the one bound to this very address, else to every address.
    fn listener(&self, local: SocketAddr) -> Option<&str> {
        let address = local.ip().to_canonical();
        let bound = |any: bool| {
            self.listeners.iter().find(|(bound, _)| {
                let here = if any { bound.ip().is_unspecified() } else { bound.ip().to_canonical() == address };
                bound.port() == local.port() && here
            })
        };
        bound(false).or_else(|| bound(true)).map(|(_, name)| &**name)
    }
}
