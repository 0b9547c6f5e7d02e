//! EvaluationContext: a caller in a scope, before anybody says which cells are asked about.

use crate::policy::ConditionId;
use crate::policy::entitlements::Entitlements;
use crate::policy::{ServiceApps, Snapshot};
use crate::vocabulary::{Scope, Subject, Timestamp};

use super::evaluator::Evaluator;
use super::{ApprovalSet, Reason};

/// EvaluationContext: everything that a judgement about cells looks at.
#[derive(Clone, Copy)]
pub struct EvaluationContext<'a> {
    /// The policy.
    pub policy: &'a Snapshot,
    /// The approvals that are stored beside it.
    pub approvals: &'a ApprovalSet,
    /// The moment.
    pub now: Timestamp,
    /// The caller.
    pub subject: &'a Subject,
    /// What the policy says of the caller, conditions apart.
    pub entitlements: Entitlements<'a>,
    /// The scope.
    pub scope: &'a Scope<'a>,
    /// Declared scopes that a grant need not name, a bit each.
    pub across: u8,
    /// Whether a condition holds.
    pub holds: &'a dyn Fn(ConditionId) -> bool,
}

/// Precheck: how far a caller comes before single cells are asked about.
#[expect(clippy::large_enum_variant, reason = "one is made for a request and is matched at once: a box would allocate")]
pub enum Precheck<'a> {
    /// Every cell is open: a service app with full grants.
    Everything,
    /// None is, for this reason.
    Nothing(Reason),
    /// It depends on the rows.
    Rows(Evaluator<'a>),
}

impl<'a> EvaluationContext<'a> {
    /// Steps 8 and 9 of a decision.
    pub fn ruling(&self) -> Precheck<'a> {
        let model = &self.policy.model;
        if self.entitlements.is_unlisted_service() {
            match model.service_apps {
                Some(ServiceApps::All) => return Precheck::Everything,
                Some(ServiceApps::EveryPermission) => return Precheck::Rows(Evaluator::new(*self, true)),
                None => {}
            }
        }
        if !model.groups.is_empty() && self.entitlements.group().is_none() {
            return Precheck::Nothing(Reason::NoGroup);
        }
        // An assignment whose condition does not hold is not there.
        let entitlements = self.entitlements.apply_conditions(self.holds);
        if model.one_role && !entitlements.has_one_role() {
            return Precheck::Nothing(Reason::NotOneRole);
        }
        Precheck::Rows(Evaluator::new(EvaluationContext { entitlements, ..*self }, false))
    }
}
