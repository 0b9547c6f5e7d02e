//! Audit: the records of all decisions and outcomes, and the program's log.

pub mod chain;
mod control_line;
pub mod log;
pub mod rfc3339;
pub mod outcome;
pub mod record;
pub mod sink;
pub mod verify;

pub use outcome::{DecisionId, Outcome, Verdict};
pub use record::RecordKind;
pub use rfc3339::Rfc3339Time;
pub use sink::{PendingDecision, Rotation, Sink, SinkCounts, SinkPlan, SinkTarget, WhenFull, WriteFailure};
