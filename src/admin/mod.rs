//! The admin listener: health, readiness, metrics, live policies and the request for a reload; never on a data port.

pub mod answer;
pub mod listen;
pub mod server;
pub mod status;

pub use listen::ListenAddress;
pub use server::{AdminListener, AdminPlan};
pub use status::{
    ApiStatus, AuditState, AuditStatus, CandidateStatus, IssuerStatus, KeysState, LivePolicy, RefusedReload, Rollback,
    ShadowMode, Status, StatusReport,
};

#[cfg(test)]
mod tests;
