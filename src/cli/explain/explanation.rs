//! Explanation: what a decision looked at, by names; its fields are the keys of the JSON output.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::decision::approval::ApprovalKeys;
use crate::decision::query::{QueryTrace, RequestQuery};
use crate::decision::{Decision, Precheck, Reason};
use crate::document::{Sources, Span};
use crate::policy::condition::ConditionId;
use crate::policy::grants::rows_of;
use crate::policy::model::ApprovalKey;
use crate::policy::outline::PolicyOutline;
use crate::policy::routes::Route;
use crate::policy::{NoMatch, RowId, Snapshot};
use crate::vocabulary::{CellId, Cells, Scope, Subject};

use super::caller::{self, ExplainedCaller};
use super::levels::{LevelEvaluator, RowExplanation};
use super::{TraceRecorder, advice};

/// Explanation: one decision and its whole way.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    pub(super) decision: &'static str,
    pub(super) reason: String,
    pub(super) detail: Option<&'static str>,
    /// What the gateway answers; `None` where it forwards.
    pub(super) status: Option<u16>,
    pub(super) meaning: &'static str,
    pub(super) policy: ExplainedVersion,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) canonical_path: Option<String>,
    pub(super) route: Option<String>,
    /// `file:line:column` of the method's entry, else of the route.
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
    /// The gates by approval on rows that have a needed cell.
    pub(super) gates: Vec<ExplainedGate>,
    /// Field sets that are masked in the answer.
    pub(super) masks: Vec<String>,
    /// Gates whose approval the request asks for.
    pub(super) asks: Vec<String>,
    pub(super) caller: ExplainedCaller,
    pub(super) help: Vec<String>,
    /// For a refusal the smallest changes that would permit, those that open least first.
    pub(super) changes: Vec<SuggestedChanges>,
}

/// ExplainedVersion: the policy's name and the hash of its files.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedVersion {
    pub(super) name: String,
    pub(super) hash: String,
}

/// ExplainedCondition: a condition, and whether it holds.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedCondition {
    pub(super) condition: String,
    pub(super) holds: bool,
}

/// ExplainedCell: one cell that the route needs, and who gives it.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedCell {
    /// The media types for which it is needed; `None` where it always is.
    pub(super) answered_as: Option<String>,
    pub(super) operation: String,
    pub(super) resource: String,
    /// `granted`, `lacking`, or `not-judged` where the decision fell before it.
    pub(super) verdict: &'static str,
    pub(super) granted_by: Option<String>,
    pub(super) reason: Option<String>,
    /// Every permission that has the cell.
    pub(super) rows: Vec<RowExplanation>,
}

/// ExplainedGate: a gate by approval on a row that has a needed cell.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedGate {
    pub(super) gate: String,
    pub(super) open: bool,
    /// What an approval would be for; null where the request does not say.
    pub(super) keys: Map<String, Value>,
}

/// SuggestedChanges: what would permit together.
#[derive(Debug, Serialize)]
pub(super) struct SuggestedChanges {
    pub(super) steps: Vec<SuggestedStep>,
    /// How much they open; more is more.
    pub(super) opens: u32,
}

/// SuggestedStep: one change, and where it would be written.
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

/// ExplanationContext: everything that the parts of an account are read from.
pub(super) struct ExplanationContext<'a> {
    pub(super) policy: &'a Snapshot,
    pub(super) outline: &'a PolicyOutline,
    pub(super) sources: &'a Sources,
    pub(super) subject: &'a Subject,
    pub(super) road: &'a QueryTrace<'a>,
    pub(super) decision: &'a Decision,
    pub(super) route: Option<&'a Route>,
    pub(super) path: Option<&'a str>,
    pub(super) scope: Scope<'a>,
    pub(super) across: u8,
}

/// The account of a decision that was watched by `seen`.
pub(super) fn of(
    policy: &Snapshot,
    outline: &PolicyOutline,
    sources: &Sources,
    asked: RequestQuery<'_>,
    road: &QueryTrace<'_>,
    seen: &TraceRecorder,
) -> Explanation {
    let decision = road.decision;
    let placed = road.route_match.ok();
    let route = match road.route_match {
        Ok(placed) => Some(placed.route),
        Err(NoMatch::NoMethod(id)) => policy.routes.route(id),
        Err(_) => None,
    };
    let scope = seen.scope.clone().or_else(|| placed.map(|placed| placed.access.scope.clone())).unwrap_or_default();
    let across = placed.map_or(0, |placed| placed.access.across);
    let path = road.request.ok().map(|request| request.path.as_str());
    let scene = ExplanationContext {
        policy,
        outline,
        sources,
        subject: asked.subject,
        road,
        decision,
        route,
        path,
        scope,
        across,
    };
    let cell = decision.cell.and_then(|cell| policy.cell(cell));
    let method =
        placed.zip(route).and_then(|(placed, route)| outline.method(route.template.text(), &placed.method.name));
    // Full grants of a service app ask neither rows nor gates.
    let judged = seen.scope.is_some() && decision.reason != Reason::ServiceApp;
    let permit = decision.verdict.as_ref().ok();
    let set = |at: usize| policy.model.fields.get(at).map(|set| set.name.to_string());
    let gate = |at: usize| policy.gate(at).map(|gate| gate.name.to_string());
    Explanation {
        decision: if decision.is_permit() { "permit" } else { "refuse" },
        reason: decision.reason.full_code(Some(policy)).to_owned(),
        detail: decision.reason.detail(),
        status: decision.verdict.as_ref().err().map(|refusal| refusal.status),
        meaning: decision.reason.sentence(),
        policy: ExplainedVersion { name: policy.version.name.to_string(), hash: policy.version.hash.to_string() },
        method: asked.method.to_owned(),
        target: asked.target.to_owned(),
        // What a route matches goes on in the policy's spelling, and that is also what the records name.
        canonical_path: scene.path.map(|_| road.facts.path.to_owned()),
        route: route.map(|route| route.template.text().to_owned()),
        place: scene.at(method.or_else(|| route.map(|route| route.span))),
        when: scene.when(),
        resource: cell.map(|cell| cell.resource.to_string()),
        operation: cell.map(|cell| cell.operation.to_string()),
        granted_by: decision.granted_by.map(|row| scene.row_name(row)),
        scope: scene.scope_values(),
        across: scene.across_names(),
        needs: scene.needs(seen),
        gates: if judged { scene.gates() } else { Vec::new() },
        masks: permit.iter().flat_map(|permit| permit.masks()).filter_map(set).collect(),
        asks: permit.iter().flat_map(|permit| permit.asks()).filter_map(gate).collect(),
        caller: caller::of(&scene, judged),
        help: advice::of(&scene),
        changes: Vec::new(),
    }
}

impl ExplanationContext<'_> {
    pub(super) fn row_name(&self, row: RowId) -> String {
        self.policy.row(row).map(|row| row.name.to_string()).unwrap_or_default()
    }

    pub(super) fn has_row(&self, name: &str) -> bool {
        self.policy.model.rows.iter().any(|row| *row.name == *name)
    }

    /// `file:line:column` of a place.
    pub(super) fn at(&self, place: Option<Span>) -> Option<String> {
        self.sources.locate(place?).map(|at| at.to_string())
    }

    pub(super) fn holds(&self, condition: ConditionId) -> bool {
        self.road.condition_holds(condition, self.policy, self.subject, &self.scope)
    }

    fn when(&self) -> Option<ExplainedCondition> {
        let placed = self.road.route_match.ok()?;
        let when = placed.method.when?;
        let holds = self.road.condition_holds(when, self.policy, self.subject, &placed.access.scope);
        Some(ExplainedCondition { condition: self.policy.condition(when)?.text().to_owned(), holds })
    }

    /// The declared scopes and the request's values; null where it has none.
    fn scope_values(&self) -> Map<String, Value> {
        let names = self.policy.model.scopes.iter().zip(&self.scope);
        names.map(|(declared, value)| (declared.name.to_string(), value.as_deref().into())).collect()
    }

    fn across_names(&self) -> Vec<String> {
        let scopes = self.policy.model.scopes.iter().enumerate();
        scopes.filter(|(at, _)| self.across >> at & 1 == 1).map(|(_, scope)| scope.name.to_string()).collect()
    }

    /// Every needed cell, those of each candidate where the answer's type says which are needed.
    fn needs(&self, seen: &TraceRecorder) -> Vec<ExplainedCell> {
        match self.road.route_match.ok().map(|placed| placed.access.cells) {
            Some(Cells::All(needed)) => needed.iter().filter_map(|cell| self.need(*cell, None, seen)).collect(),
            Some(Cells::ByType(candidates)) => candidates
                .iter()
                .flat_map(|candidate| candidate.cells.iter().map(|cell| (*cell, candidate.range.to_string())))
                .filter_map(|(cell, range)| self.need(cell, Some(range), seen))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn need(&self, id: CellId, answered_as: Option<String>, seen: &TraceRecorder) -> Option<ExplainedCell> {
        let cell = self.policy.cell(id)?;
        let row = seen.granted.iter().find(|(granted, _)| *granted == id).map(|(_, row)| *row);
        let lacking = seen.lacking.iter().find(|(lacking, _)| *lacking == id).map(|(_, reason)| *reason);
        let lacking = lacking.or_else(|| {
            let turned = !self.decision.is_permit() && row.is_none() && self.decision.cell == Some(id);
            turned.then_some(self.decision.reason)
        });
        let service = self.decision.reason == Reason::ServiceApp;
        Some(ExplainedCell {
            answered_as,
            operation: cell.operation.to_string(),
            resource: cell.resource.to_string(),
            verdict: match (row.is_some() || service, lacking.is_some()) {
                (true, _) => "granted",
                (false, true) => "lacking",
                (false, false) => "not-judged",
            },
            granted_by: row.map(|row| self.row_name(row)),
            reason: lacking.map(|reason| reason.full_code(Some(self.policy)).to_owned()),
            rows: self.rows(id),
        })
    }

    /// Every row that has the cell, as the judge of this question sees it.
    fn rows(&self, cell: CellId) -> Vec<RowExplanation> {
        let before_the_scope = matches!(self.decision.reason, Reason::Nobody | Reason::Unauthenticated(_));
        if before_the_scope {
            return Vec::new();
        }
        let accounts = self.road.with_context(self.policy, self.subject, |seat, ruling| match ruling {
            Precheck::Rows(judge) => {
                let levels = LevelEvaluator { seat, judge: &judge, outline: self.outline, sources: self.sources };
                rows_of(self.policy.grants.rows_with(cell)).map(|row| levels.row(row)).collect()
            }
            Precheck::Everything | Precheck::Nothing(_) => Vec::new(),
        });
        accounts.unwrap_or_default()
    }

    /// The gates by approval on rows that have a needed cell, as the decision found them.
    fn gates(&self) -> Vec<ExplainedGate> {
        let keys = ApprovalKeys { subject: self.subject, scope: &self.scope };
        let cells = self
            .road
            .route_match
            .ok()
            .map(|placed| crate::decision::eligibility::cell_requirements(placed.access.cells));
        let cells = cells.unwrap_or_default().into_iter().flatten();
        let rows: Vec<RowId> = cells.flat_map(|cell| rows_of(self.policy.grants.rows_with(*cell))).collect();
        let here = self.policy.model.gates.iter().filter(|gate| gate.closes.iter().any(|row| rows.contains(row)));
        let states = here.filter_map(|gate| gate.approval().map(|approval| (gate, approval)));
        states
            .map(|(gate, approval)| ExplainedGate {
                gate: gate.name.to_string(),
                open: self.road.approvals.opens(&gate.name, approval, &keys, self.road.now),
                keys: approval.keys.iter().map(|key| (self.key_name(*key), self.key_value(*key).into())).collect(),
            })
            .collect()
    }

    pub(super) fn key_name(&self, key: ApprovalKey) -> String {
        match key {
            ApprovalKey::Client => "client".to_owned(),
            ApprovalKey::Caller => "caller".to_owned(),
            ApprovalKey::Scope(at) => {
                let scope = self.policy.model.scopes.get(usize::from(at));
                scope.map(|scope| scope.name.to_string()).unwrap_or_default()
            }
        }
    }

    pub(super) fn key_value(&self, key: ApprovalKey) -> Option<String> {
        match key {
            ApprovalKey::Client => self.subject.client.as_deref().map(str::to_owned),
            ApprovalKey::Caller => self.subject.id.as_ref().map(|id| id.to_string()),
            ApprovalKey::Scope(at) => {
                self.scope.get(usize::from(at)).and_then(|value| value.as_deref()).map(str::to_owned)
            }
        }
    }
}
