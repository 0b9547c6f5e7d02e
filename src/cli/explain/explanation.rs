//! Explanation: the inputs and steps of one decision, by names; the field names are the keys of the JSON output.

use serde::Serialize;
use serde_json::{Map, Value};

use super::caller::ExplainedCaller;
use super::levels::RowExplanation;

/// Explanation: one decision with all its steps.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    pub(super) decision: &'static str,
    pub(super) reason: String,
    pub(super) detail: Option<&'static str>,
    /// The status of the gateway's own response; `None` where it forwards the request.
    pub(super) status: Option<u16>,
    pub(super) meaning: &'static str,
    pub(super) policy: ExplainedVersion,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) canonical_path: Option<String>,
    pub(super) route: Option<String>,
    /// `file:line:column` of the method's entry, or else of the route.
    pub(super) place: Option<String>,
    /// The route's condition.
    pub(super) when: Option<ExplainedCondition>,
    pub(super) resource: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) granted_by: Option<String>,
    pub(super) scope: Map<String, Value>,
    /// The scopes that a grant need not name on this route.
    pub(super) across: Vec<String>,
    pub(super) needs: Vec<ExplainedCell>,
    /// The approval gates on permissions that have a needed cell.
    pub(super) gates: Vec<ExplainedGate>,
    /// The field sets that are masked in the response.
    pub(super) masks: Vec<String>,
    /// The gates for which the request files an approval request.
    pub(super) asks: Vec<String>,
    pub(super) caller: ExplainedCaller,
    pub(super) help: Vec<String>,
    /// For a refusal, the smallest changes that would permit the request; those that open least come first.
    pub(super) changes: Vec<SuggestedChanges>,
}

/// ExplainedVersion: the policy's name and the hash of its files.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedVersion {
    pub(super) name: String,
    pub(super) hash: String,
}

/// ExplainedCondition: a condition and whether it holds.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedCondition {
    pub(super) condition: String,
    pub(super) holds: bool,
}

/// ExplainedCell: one cell that the route needs, and the permissions that have it.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedCell {
    /// The media types of the response for which it is needed; `None` for all.
    pub(super) answered_as: Option<String>,
    pub(super) operation: String,
    pub(super) resource: String,
    /// `granted`, `lacking`, or `not-judged` where the decision was made before this cell was evaluated.
    pub(super) verdict: &'static str,
    pub(super) granted_by: Option<String>,
    pub(super) reason: Option<String>,
    /// Every permission that has the cell.
    pub(super) rows: Vec<RowExplanation>,
}

/// ExplainedGate: an approval gate on a permission that has a needed cell.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedGate {
    pub(super) gate: String,
    pub(super) open: bool,
    /// The key values of the approval; null where the request has no value.
    pub(super) keys: Map<String, Value>,
}

/// SuggestedChanges: a set of policy changes that together would permit the request.
#[derive(Debug, Serialize)]
pub(super) struct SuggestedChanges {
    pub(super) steps: Vec<SuggestedStep>,
    /// A measure of how much they open; a higher number opens more.
    pub(super) opens: u32,
}

/// SuggestedStep: one change and its position in the policy files.
#[derive(Debug, Serialize)]
pub(super) struct SuggestedStep {
    pub(super) text: String,
    pub(super) place: Option<String>,
}

impl Explanation {
    pub(super) fn is_permit(&self) -> bool {
        self.decision == "permit"
    }
}
