//! Decisions: one pure function, which the gateway, `explain`, `decide` and the tests call.

pub mod approval;
pub mod cases;
mod context;
mod decide;
pub mod diff;
pub mod eligibility;
mod evaluator;
pub mod mode;
mod precheck;
pub mod query;
mod question;
pub mod reason;
pub mod remediation;
mod scope;
mod trace;
mod verdict;
pub mod view;

pub use approval::ApprovalSet;
pub use context::EvaluationContext;
pub use decide::{decide, decide_traced};
pub use evaluator::{Evaluator, RowStatus};
pub use precheck::Precheck;
pub use question::{Phase, Question};
pub use reason::Reason;
pub use scope::resolve_scope;
pub use trace::{NoTrace, Trace, TraceStep, UsageTrace};
pub use verdict::{Decision, Permit, Refusal};

#[cfg(test)]
mod tests;
