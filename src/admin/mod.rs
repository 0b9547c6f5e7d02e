//! The admin listener: health, readiness, metrics, live policies and the reload request; never on a data port.

pub mod listen;
pub mod response;
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
