//! Approvals: what opens an approval gate for a caller and a request.

use crate::policy::model::{Approval, ApprovalKey};
use crate::vocabulary::{Scope, Subject, Timestamp};

/// ApprovalSet: the approvals that are stored outside the policy.
///
/// This version stores none; the policy lists approvals under `granted:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalSet {
    stored: Vec<StoredApproval>,
}

/// StoredApproval: one approval; it names its gate because it outlives the version of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApproval {
    /// The gate that it opens.
    pub gate: Box<str>,
    /// The values that it is for, in the order of the gate's keys.
    pub values: Vec<Box<str>>,
    /// When it expires; `None` is never.
    pub until: Option<Timestamp>,
}

/// ApprovalKeys: the values of a request that the keys of a gate compare.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalKeys<'a> {
    /// The caller.
    pub subject: &'a Subject,
    /// The request's scope.
    pub scope: &'a Scope<'a>,
}

impl ApprovalSet {
    /// A set of stored approvals.
    pub fn new(stored: Vec<StoredApproval>) -> Self {
        Self { stored }
    }

    /// Whether an approval opens the gate `name` for this caller and request at `now`.
    ///
    /// An approval that lacks the value of a key does not open the gate.
    pub fn opens(&self, name: &str, approval: &Approval, keys: &ApprovalKeys<'_>, now: Timestamp) -> bool {
        if keys.subject.approved.iter().any(|approved| **approved == *name) {
            return true;
        }
        let matches = |values: &[Box<str>]| {
            let mut pairs = approval.keys.iter().zip(values);
            values.len() == approval.keys.len() && pairs.all(|(key, value)| keys.has_value(*key, value))
        };
        let is_valid = |stored: &StoredApproval| stored.until.is_none_or(|until| now < until);
        approval.granted.iter().any(|values| matches(values))
            || self.stored.iter().any(|stored| *stored.gate == *name && is_valid(stored) && matches(&stored.values))
    }
}

impl ApprovalKeys<'_> {
    fn has_value(&self, key: ApprovalKey, value: &str) -> bool {
        let source = self.subject.id.as_ref().map_or("", |id| &*id.source);
        match key {
            ApprovalKey::Client => {
                self.subject.client.as_deref().is_some_and(|client| names_subject(value, source, client))
            }
            ApprovalKey::Caller => self.subject.id.as_ref().is_some_and(|id| names_subject(value, source, &id.name)),
            ApprovalKey::Scope(at) => self.scope.get(usize::from(at)).and_then(Option::as_deref) == Some(value),
        }
    }
}

/// Whether `written` is `source/name`.
///
/// A policy that was loaded without settings may omit the source, and so may the caller of a query.
fn names_subject(written: &str, source: &str, name: &str) -> bool {
    let is_of_source =
        |source: &str| written.strip_prefix(source).and_then(|rest| rest.strip_prefix('/')) == Some(name);
    match written.split_once('/') {
        Some((_, rest)) if source.is_empty() => written == name || rest == name,
        Some(_) => is_of_source(source),
        None => written == name,
    }
}
