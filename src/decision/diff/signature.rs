//! DecisionSignature: the effect of a decision, as far as a comparison looks at it.

use std::collections::BTreeSet;

use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{NoTrace, Phase};
use crate::policy::Snapshot;
use crate::vocabulary::{Subject, Timestamp};

use super::change::Direction;
use super::probe::ProbeRequest;

/// DecisionSignature: whether a decision permits, its obligations by name, and its reason.
///
/// The reason is only printed; it does not make two decisions different.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DecisionSignature {
    permit: bool,
    masks: BTreeSet<Box<str>>,
    asks: BTreeSet<Box<str>>,
    reason: String,
}

impl DecisionSignature {
    /// The signature of the decision about one request.
    pub(super) fn of(policy: &Snapshot, subject: &Subject, request: &ProbeRequest, now: Timestamp) -> Self {
        let content_type = request.content_type.as_deref();
        let phase = content_type.map_or(Phase::Request, |content_type| Phase::Response(Some(content_type)));
        let query = RequestQuery { subject, method: &request.method, target: &request.path, host: None, phase };
        decide_query(policy, query, now, &mut NoTrace, |trace, _| {
            let permit = trace.decision.verdict.as_ref().ok();
            let fields = permit.into_iter().flat_map(|permit| permit.masks());
            let gates = permit.into_iter().flat_map(|permit| permit.asks());
            Self {
                permit: permit.is_some(),
                masks: fields.filter_map(|at| policy.model.fields.get(at)).map(|set| set.name.clone()).collect(),
                asks: gates.filter_map(|at| policy.gate(at)).map(|gate| gate.name.clone()).collect(),
                reason: trace.decision.reason.full_code(Some(policy)).to_owned(),
            }
        })
    }

    /// Whether the step from this decision to `new` goes in the direction.
    pub(super) fn changes_to(&self, new: &Self, direction: Direction) -> bool {
        match direction {
            Direction::Gained => new.permits_more_than(self),
            Direction::Lost => self.permits_more_than(new),
            Direction::Changed => (self.permit, &self.masks, &self.asks) != (new.permit, &new.masks, &new.asks),
        }
    }

    fn permits_more_than(&self, other: &Self) -> bool {
        self.permit && (!other.permit || (self.masks != other.masks && self.masks.is_subset(&other.masks)))
    }

    /// The decision in one line.
    pub(super) fn describe(&self) -> String {
        let verdict = if self.permit { "permit" } else { "refuse" };
        let list = |what: &str, names: &BTreeSet<Box<str>>| {
            if names.is_empty() {
                String::new()
            } else {
                format!(", {what} {}", names.iter().map(|name| &**name).collect::<Vec<_>>().join(", "))
            }
        };
        format!("{verdict} ({}){}{}", self.reason, list("masks", &self.masks), list("asks", &self.asks))
    }
}
