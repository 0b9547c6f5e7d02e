//! What happened, for ever.

pub mod log;
pub mod moment;
pub mod outcome;
pub mod record;
pub mod sink;

pub use moment::Moment;
pub use outcome::{DecisionId, Outcome, Verdict};
pub use sink::{Sink, SinkPlan, Target, WhenFull};
