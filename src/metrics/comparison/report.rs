//! ComparisonReport: a comparison in the form that the admin listener shows.

use serde::Serialize;

use crate::audit::Rfc3339Time;

/// ComparisonReport: the differences between an API's two policies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonReport {
    /// The policy that decides.
    pub live: PolicyName,
    /// The policy that is compared with it.
    pub candidate: PolicyName,
    /// The time since which these two are compared.
    pub since: Rfc3339Time,
    /// The number of requests that both have decided.
    pub compared: u64,
    /// The number of differences that were left out because the list was full.
    pub left_out: u64,
    /// The differences, the most frequent first.
    pub differences: Vec<DifferenceReport>,
}

/// PolicyName: the name and version of a policy; empty if none could be loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyName {
    /// The policy's name.
    pub name: Option<Box<str>>,
    /// The hash of the policy's texts.
    pub hash: Option<Box<str>>,
}

/// DifferenceReport: one kind of difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferenceReport {
    /// The outcome of such requests under the candidate.
    pub change: OutcomeChange,
    /// The operation of the cell that caused the refusal; empty if no cell caused it.
    pub operation: Box<str>,
    /// The resource of that cell.
    pub resource: Box<str>,
    /// The live policy's reason.
    pub live: Box<str>,
    /// The candidate's reason.
    pub candidate: Box<str>,
    /// The number of such requests.
    pub count: u64,
    /// The first kinds of requests among them.
    pub examples: Vec<ExampleReport>,
}

/// OutcomeChange: how the candidate would change the outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeChange {
    /// The live policy refuses, the candidate permits.
    WouldPermit,
    /// The live policy permits, the candidate refuses.
    WouldRefuse,
}

impl OutcomeChange {
    /// The name of the change in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::WouldPermit => "would-permit",
            Self::WouldRefuse => "would-refuse",
        }
    }
}

/// ExampleReport: an example of a kind of request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExampleReport {
    /// The method.
    pub method: Box<str>,
    /// The route's template; `None` if no route matches the request.
    pub route: Option<Box<str>>,
}
