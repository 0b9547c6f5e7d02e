//! Pingora, and nothing else: connections in, one decision each request, permits out.

mod account;
pub mod addresses;
pub mod api;
mod candidate;
pub mod connection;
mod cors;
pub mod exchange;
pub mod failures;
mod fault;
mod form;
mod forward;
mod identify;
mod judge;
mod keep;
pub mod lifecycle;
pub mod listener;
mod proxy;
mod rate;
mod reached;
mod read;
pub mod respond;
mod standing;
pub mod tls;
mod told;
pub mod upstream;
mod weigh;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::audit::{DecisionId, Sink};
use crate::decision::ApprovalSet;
use crate::metrics::Metrics;
use crate::reload::Live;
use crate::settings::{Limits, Network, OnFailure};
use crate::vocabulary::AuditMode;

use api::Apis;
use failures::FailedCredentials;
use lifecycle::{Draining, InFlight};

pub use reached::LimitCounters;
pub use told::LogThrottle;

/// Edge: what all requests of the process share; Pingora's `ProxyHttp`.
#[derive(Debug)]
pub struct Edge {
    /// The guarded APIs.
    pub apis: Apis,
    /// The addresses that are bound, each with its listener's name in the settings.
    pub listeners: Vec<(SocketAddr, Box<str>)>,
    /// Peers whose word about the client is believed.
    pub trusted: Vec<Network>,
    /// What one client may use up.
    pub limits: Limits,
    /// Approvals beside those that policies grant.
    pub approvals: Arc<Live<ApprovalSet>>,
    /// Invalid credentials by address.
    pub failures: FailedCredentials,
    /// Where limits are counted that cut or refuse a client.
    pub reached: Arc<LimitCounters>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Where they are audited.
    pub audit: Arc<Sink>,
    /// How decisions are kept on requests that no API claims: as strictly as any API asks.
    pub audit_mode: AuditMode,
    /// What happens where a decision cannot be kept that has to be.
    pub on_audit_failure: OnFailure,
    /// Requests that are under way.
    pub in_flight: InFlight,
    /// Whether the process is on its way out: connections are not kept then.
    pub draining: Draining,
    /// The names of decisions.
    pub ids: DecisionIds,
}

impl Edge {
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

/// DecisionIds: names for decisions, unique over processes by a random first half.
#[derive(Debug)]
pub struct DecisionIds {
    process: u64,
    next: AtomicU64,
}

impl DecisionIds {
    /// The names of a new process.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new() -> Result<Self, String> {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
        Ok(Self { process: u64::from_be_bytes(bytes), next: AtomicU64::new(1) })
    }

    fn next(&self) -> DecisionId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        DecisionId(u128::from(self.process) << 64 | u128::from(count))
    }
}
