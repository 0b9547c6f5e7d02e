//! What happened, for ever.

pub mod chain;
pub mod log;
pub mod moment;
pub mod outcome;
pub mod record;
pub mod sink;
pub mod verify;

pub use moment::Moment;
pub use outcome::{DecisionId, Outcome, Verdict};
pub use record::Sort;
pub use sink::{Pending, Rotation, Sink, SinkCounts, SinkPlan, Target, Trouble, WhenFull};
