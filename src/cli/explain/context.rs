//! ExplanationContext: the decision and the policy that the parts of an explanation read from.

use serde_json::{Map, Value};

use crate::decision::Decision;
use crate::decision::query::QueryTrace;
use crate::document::{Sources, Span};
use crate::policy::ConditionId;
use crate::policy::model::ApprovalKey;
use crate::policy::outline::PolicyOutline;
use crate::policy::route::Route;
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{Scope, Subject};

/// ExplanationContext: everything that the parts of an explanation read from.
pub(super) struct ExplanationContext<'a> {
    pub(super) policy: &'a Snapshot,
    pub(super) outline: &'a PolicyOutline,
    pub(super) sources: &'a Sources,
    pub(super) subject: &'a Subject,
    pub(super) trace: &'a QueryTrace<'a>,
    pub(super) decision: &'a Decision,
    pub(super) route: Option<&'a Route>,
    pub(super) path: Option<&'a str>,
    pub(super) scope: Scope<'a>,
    pub(super) across: u8,
}

impl ExplanationContext<'_> {
    pub(super) fn row_name(&self, row: RowId) -> String {
        self.policy.row(row).map(|row| row.name.to_string()).unwrap_or_default()
    }

    pub(super) fn has_row(&self, name: &str) -> bool {
        self.policy.model.rows.iter().any(|row| *row.name == *name)
    }

    /// `file:line:column` of a span.
    pub(super) fn locate(&self, span: Option<Span>) -> Option<String> {
        self.sources.locate(span?).map(|location| location.to_string())
    }

    /// Whether the condition holds for this request.
    pub(super) fn holds(&self, condition: ConditionId) -> bool {
        self.trace.condition_holds(condition, self.policy, self.subject, &self.scope)
    }

    /// The declared scopes with the request's values; null where the request has none.
    pub(super) fn scope_values(&self) -> Map<String, Value> {
        let names = self.policy.model.scopes.iter().zip(&self.scope);
        names.map(|(declared, value)| (declared.name.to_string(), value.as_deref().into())).collect()
    }

    /// The names of the scopes that a grant need not name on this route.
    pub(super) fn across_names(&self) -> Vec<String> {
        let scopes = self.policy.model.scopes.iter().enumerate();
        scopes.filter(|(index, _)| self.across >> index & 1 == 1).map(|(_, scope)| scope.name.to_string()).collect()
    }

    pub(super) fn key_name(&self, key: ApprovalKey) -> String {
        match key {
            ApprovalKey::Client => "client".to_owned(),
            ApprovalKey::Caller => "caller".to_owned(),
            ApprovalKey::Scope(index) => {
                let scope = self.policy.model.scopes.get(usize::from(index));
                scope.map(|scope| scope.name.to_string()).unwrap_or_default()
            }
        }
    }

    pub(super) fn key_value(&self, key: ApprovalKey) -> Option<String> {
        match key {
            ApprovalKey::Client => self.subject.client.as_deref().map(str::to_owned),
            ApprovalKey::Caller => self.subject.id.as_ref().map(|id| id.to_string()),
            ApprovalKey::Scope(index) => {
                self.scope.get(usize::from(index)).and_then(|value| value.as_deref()).map(str::to_owned)
            }
        }
    }
}
