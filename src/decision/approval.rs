//! Approvals: what opens a gate, for whom.

use crate::policy::model::{Approval, ApprovalKey};
use crate::vocabulary::{Scope, Subject, Timestamp};

/// ApprovalSet: the approvals that are stored beside the policy.
///
/// This version stores none; approvals are those that the policy lists under `granted:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalSet {
    stored: Vec<StoredApproval>,
}

/// StoredApproval: one approval, its gate by name because it outlives the policy's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApproval {
    /// The gate that it opens.
    pub gate: Box<str>,
    /// What it is for, in the order of the gate's keys.
    pub values: Vec<Box<str>>,
    /// When it ends; `None` is never.
    pub until: Option<Timestamp>,
}

/// ApprovalKeys: whom and what a request is about, as gates ask for it.
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

    /// Whether an approval opens the gate `name` for this caller and request at `now`; a missing key is no approval.
    pub fn opens(&self, name: &str, approval: &Approval, keys: &ApprovalKeys<'_>, now: Timestamp) -> bool {
        if keys.subject.approved.iter().any(|approved| **approved == *name) {
            return true;
        }
        let fits = |values: &[Box<str>]| {
            let mut pairs = approval.keys.iter().zip(values);
            values.len() == approval.keys.len() && pairs.all(|(key, value)| keys.is(*key, value))
        };
        let live = |stored: &StoredApproval| stored.until.is_none_or(|until| now < until);
        approval.granted.iter().any(|values| fits(values))
            || self.stored.iter().any(|stored| *stored.gate == *name && live(stored) && fits(&stored.values))
    }
}

impl ApprovalKeys<'_> {
    fn is(&self, key: ApprovalKey, value: &str) -> bool {
        let source = self.subject.id.as_ref().map_or("", |id| &*id.source);
        match key {
            ApprovalKey::Client => self.subject.client.as_deref().is_some_and(|client| is_named(value, source, client)),
            ApprovalKey::Caller => self.subject.id.as_ref().is_some_and(|id| is_named(value, source, &id.name)),
            ApprovalKey::Scope(at) => self.scope.get(usize::from(at)).and_then(Option::as_deref) == Some(value),
        }
    }
}

/// Whether `written` is `source/name`. A policy that was read on its own may leave the source out, and so may a
/// caller that was stated.
fn is_named(written: &str, source: &str, name: &str) -> bool {
    let behind = |source: &str| written.strip_prefix(source).and_then(|rest| rest.strip_prefix('/')) == Some(name);
    match written.split_once('/') {
        Some((_, rest)) if source.is_empty() => written == name || rest == name,
        Some(_) => behind(source),
        None => written == name,
    }
}
