//! EvaluationContext: the inputs that every cell of one request is evaluated with.

use crate::policy::ConditionId;
use crate::policy::Snapshot;
use crate::policy::entitlements::Entitlements;
use crate::vocabulary::{Scope, Subject, Timestamp};

use super::ApprovalSet;

/// EvaluationContext: the caller, scope, time and policy that every cell of one request is evaluated in.
#[derive(Clone, Copy)]
pub struct EvaluationContext<'a> {
    /// The policy.
    pub policy: &'a Snapshot,
    /// The approvals that are stored outside the policy.
    pub approvals: &'a ApprovalSet,
    /// The time of the request.
    pub now: Timestamp,
    /// The caller.
    pub subject: &'a Subject,
    /// What the policy gives the caller; conditions of assignments are not applied yet.
    pub entitlements: Entitlements<'a>,
    /// The scope.
    pub scope: &'a Scope<'a>,
    /// The declared scopes that a grant need not name, one bit each.
    pub across: u8,
    /// Evaluates a condition.
    pub holds: &'a dyn Fn(ConditionId) -> bool,
}
