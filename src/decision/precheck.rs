//! Precheck: the part of a decision that precedes the evaluation of cells.

use crate::policy::ServiceApps;

use super::{EvaluationContext, Evaluator, Reason};

/// Precheck: the result for a caller before any cell is evaluated.
#[expect(clippy::large_enum_variant, reason = "one is made for a request and is matched at once: a box would allocate")]
pub enum Precheck<'a> {
    /// Every cell is permitted: a service app with full grants.
    Everything,
    /// No cell is permitted, for this reason.
    Nothing(Reason),
    /// The rows decide.
    Rows(Evaluator<'a>),
}

impl<'a> EvaluationContext<'a> {
    /// Performs steps 8 and 9 of a decision: service apps, groups and `one-role`.
    pub fn precheck(&self) -> Precheck<'a> {
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
        // An assignment counts only while its condition holds.
        let entitlements = self.entitlements.apply_conditions(self.holds);
        if model.one_role && !entitlements.has_one_role() {
            return Precheck::Nothing(Reason::NotOneRole);
        }
        Precheck::Rows(Evaluator::new(EvaluationContext { entitlements, ..*self }, false))
    }
}
