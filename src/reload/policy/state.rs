//! PolicyState: the state of one API's policy, and the events that change it.

use std::time::SystemTime;

use crate::policy::PolicyVersion;

/// PolicyRole: the use of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRole {
    /// The policy decides requests.
    Live,
    /// The policy is compared with the one that decides.
    Candidate,
}

/// PolicyState: the state of one API's policy that `/policy` and `/ready` report.
#[derive(Debug, Clone)]
pub struct PolicyState {
    /// The live version; without one, every request is refused.
    pub version: Option<PolicyVersion>,
    /// The time since which this version is live.
    pub since: SystemTime,
    /// The last refused reload, until a later one is published or the live version's files are back.
    pub refused: Option<RefusedReload>,
    /// The version that was rolled back, until the files change.
    pub withdrawn: Option<PolicyVersion>,
}

/// RefusedReload: files that could not be loaded as a policy.
#[derive(Debug, Clone)]
pub struct RefusedReload {
    /// The time of the refusal.
    pub at: SystemTime,
    /// Whether the file or folder does not exist.
    pub gone: bool,
    /// The findings, one line each: `file:line:column: error[code]: …`.
    pub findings: Vec<String>,
    /// The findings as JSON objects.
    pub json: serde_json::Value,
}

/// PolicyRefresh: the result of checking the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyRefresh {
    /// The files have not changed since the last check, or are the live version's again.
    Unchanged,
    /// The files are live now.
    Published(PolicyVersion),
    /// The files were refused, and the live version stays.
    Refused,
    /// The files do not exist, and the live version stays.
    Gone,
}

/// PolicyEvent: a change of a policy's state, for metrics and for components that depend on the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyEvent {
    /// A new version is live.
    Published(PolicyVersion),
    /// After a refusal the files of the live version are back.
    Restored(PolicyVersion),
    /// The previous version is live again, on request.
    RolledBack(PolicyVersion),
    /// New files were refused.
    Refused,
    /// The files no longer exist.
    Gone,
}
