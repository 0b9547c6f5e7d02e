//! What happened, for ever.

pub mod outcome;

pub use outcome::{DecisionId, Outcome, Verdict};
