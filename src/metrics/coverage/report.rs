//! CoverageReport: the coverage of a policy in the form that the admin listener shows.

use serde::Serialize;

use crate::audit::Rfc3339Time;

/// CoverageReport: the coverage of one API's policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoverageReport {
    /// The policy's name; `None` if no policy is live.
    pub policy: Option<Box<str>>,
    /// The hash of the policy's texts.
    pub hash: Option<Box<str>>,
    /// Requests without a route, the most frequent first.
    pub unmapped: Vec<UnmappedTemplate>,
    /// The number of such requests that were left out because the list was full.
    pub unmapped_left_out: u64,
    /// The number of grants in the policy; each is a pair of a row and a cell.
    pub grants: usize,
    /// The grants that no permit has used.
    pub never_used: Vec<UnusedGrant>,
    /// The cells that were refused most often.
    pub refused: Vec<RefusedCell>,
}

/// UnmappedTemplate: requests without a route, grouped by the guessed template of their paths.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnmappedTemplate {
    /// The method.
    pub method: Box<str>,
    /// The guessed template.
    pub template: Box<str>,
    /// The number of requests.
    pub count: u64,
    /// The time of the last request.
    pub last_seen: Rfc3339Time,
}

/// UnusedGrant: a cell of a row that no permit has used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnusedGrant {
    /// The row.
    pub permission: Box<str>,
    /// The cell's operation.
    pub operation: Box<str>,
    /// The cell's resource.
    pub resource: Box<str>,
    /// The time since which its use is counted: the start of the process, or the reload that added the grant.
    pub since: Rfc3339Time,
}

/// RefusedCell: a cell and the number of its refusals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedCell {
    /// The cell's operation.
    pub operation: Box<str>,
    /// The cell's resource.
    pub resource: Box<str>,
    /// The number of refusals.
    pub count: u64,
}
