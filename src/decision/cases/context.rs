//! TrialContext: the policy that the cases are tried with.

use crate::document::Sources;
use crate::policy::Snapshot;
use crate::vocabulary::Timestamp;

/// TrialContext: the policy that the cases are tried with, and its sources.
#[derive(Debug, Clone, Copy)]
pub struct TrialContext<'a> {
    /// The policy.
    pub policy: &'a Snapshot,
    /// The sources of the policy, followed by those of the cases.
    pub sources: &'a Sources,
    /// The number of sources that belong to the policy.
    pub files: u32,
    /// The identity sources that were passed to [`crate::policy::load`].
    pub issuers: Option<&'a [Box<str>]>,
    /// The path of the policy, as commands name it.
    pub path: &'a str,
    /// The time of cases that state none.
    pub now: Timestamp,
}
