//! Reports: a comparison as the admin listener shows it.

use serde::Serialize;

use crate::audit::Rfc3339Time;

use super::OutcomeChange;

/// ComparisonReport: the differences between an API's two policies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonReport {
    /// The policy that decides.
    pub live: PolicyName,
    /// The policy that is compared with it.
    pub candidate: PolicyName,
    /// Since when these two are compared.
    pub since: Rfc3339Time,
    /// How many requests both have decided.
    pub compared: u64,
    /// How many differences came when the list was full.
    pub left_out: u64,
    /// The differences, the most frequent first.
    pub differences: Vec<DifferenceReport>,
}

/// PolicyName: which version of which policy; empty where none could be loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyName {
    /// The policy's name.
    pub name: Option<Box<str>>,
    /// The hash of its texts.
    pub hash: Option<Box<str>>,
}

/// DifferenceReport: one sort of difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferenceReport {
    /// What would become of such requests.
    pub change: OutcomeChange,
    /// The operation of the cell that the refusal turned on; empty where it turned on none.
    pub operation: Box<str>,
    /// The resource of it.
    pub resource: Box<str>,
    /// The live policy's reason.
    pub live: Box<str>,
    /// The candidate's.
    pub candidate: Box<str>,
    /// How many there were.
    pub count: u64,
    /// The first sorts of requests among them.
    pub examples: Vec<ExampleReport>,
}

/// ExampleReport: a sort of request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExampleReport {
    /// The method.
    pub method: Box<str>,
    /// The route's template; `None` where no route covers it.
    pub route: Option<Box<str>>,
}
