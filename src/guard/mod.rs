//! The enforcement core behind every front door: an [`Arrival`] goes in, a [`Judgement`] comes out.
//!
//! A door opens an [`Exchange`], lets [`Guard::judge`] decide on the arrival, writes the decision to the audit with
//! [`Guard::persist_decision`], forwards only what [`Exchange::permit`] permits, and drops the exchange at the end.

pub mod address_limits;
pub mod api;
pub mod arrival;
mod audit_state;
mod candidate;
mod clock;
pub mod cors;
pub mod exchange;
pub mod forwarding;
mod identify;
pub mod in_flight;
mod inquiry;
mod judge;
pub mod judgement;
pub mod limit_counters;
pub mod peer_certificate;
mod persist;
pub mod problem;
mod reauthorize;
pub mod stream;
pub mod transfer;
mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::audit::{DecisionId, Sink};
use crate::decision::ApprovalSet;
use crate::metrics::Metrics;
use crate::reload::Live;
use crate::settings::{Limits, Network, OnFailure};
use crate::vocabulary::AuditMode;

use address_limits::FailedCredentials;
use api::Apis;
use in_flight::InFlight;

pub use arrival::{Arrival, Client, Protocol, TlsFacts};
pub use clock::now;
pub use exchange::Exchange;
pub use judgement::Judgement;
pub use limit_counters::LimitCounters;

#[cfg(test)]
mod tests;

/// Guard: what all requests of the process share, behind all its front doors.
#[derive(Debug)]
pub struct Guard {
    /// The guarded APIs.
    pub apis: Apis,
    /// The networks of trusted forwarders, which name the client.
    pub trusted: Vec<Network>,
    /// The limits of one client.
    pub limits: Limits,
    /// The approvals beside those that policies grant.
    pub approvals: Arc<Live<ApprovalSet>>,
    /// The invalid credentials of each client address.
    pub failed_credentials: FailedCredentials,
    /// The counters of clients that hit a limit.
    pub limit_counters: Arc<LimitCounters>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// The audit of the process.
    pub audit: Arc<Sink>,
    /// The audit mode of requests that no API claims: the strictest of all APIs.
    pub audit_mode: AuditMode,
    /// What happens to a decision that must be on disk and cannot be written.
    pub on_audit_failure: OnFailure,
    /// The count of open exchanges.
    pub in_flight: InFlight,
    /// The source of decision ids.
    pub ids: DecisionIds,
}

/// DecisionIds: ids of decisions, unique over processes by a random first half.
#[derive(Debug)]
pub struct DecisionIds {
    process: u64,
    next: AtomicU64,
}

impl DecisionIds {
    /// The ids of a new process.
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
