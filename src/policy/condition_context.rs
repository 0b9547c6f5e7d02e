//! ConditionContext: the request, the caller and the policy that a condition is evaluated for.

use crate::vocabulary::{RequestFacts, Scope, Subject, Timestamp};

use super::condition::ConditionVariables;
use super::entitlements::Entitlements;
use super::snapshot::Snapshot;

/// ConditionContext: everything from which the variables of a condition are derived.
#[derive(Debug, Clone, Copy)]
pub struct ConditionContext<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// The caller.
    pub subject: &'a Subject,
    /// The method, path and client address of the request.
    pub facts: RequestFacts<'a>,
    /// The values of the declared scopes, as the request carries them.
    pub scope: &'a Scope<'a>,
    /// The roles, groups and tenants of the caller that the policy accepts.
    pub entitlements: &'a Entitlements<'a>,
    /// The policy, which supplies the names.
    pub policy: &'a Snapshot,
}

impl<'a> ConditionContext<'a> {
    /// The variables of a condition. A `users:` entry replaces the caller's claims; names unknown to the policy are
    /// left out.
    pub fn variables(&self) -> ConditionVariables<'a> {
        let model = &self.policy.model;
        let group = self.entitlements.group().and_then(|group| model.groups.get(usize::try_from(group).ok()?));
        let claimed =
            self.entitlements.effective_claims().map(|subject| subject.permissions.as_slice()).unwrap_or_default();
        let known = claimed.iter().filter(|name| model.rows.iter().any(|row| row.name == **name));
        let scope = self.policy.entitlements.scope_names().iter().zip(self.scope.iter());
        ConditionVariables {
            now: self.now,
            subject: self.subject,
            facts: self.facts,
            tenants: self.entitlements.tenants(),
            roles: self.entitlements.role_names(model),
            group: group.map(|group| &*group.name),
            permissions: known.map(|name| &**name).collect(),
            scope: scope.filter_map(|(name, value)| Some((&**name, value.as_deref()?))).collect(),
        }
    }
}
