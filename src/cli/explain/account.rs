//! Account: what a decision looked at, by names; its fields are the keys of the JSON output.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::decision::Reason;
use crate::decision::approval::Keys;
use crate::decision::stated::{Asked, Road};
use crate::document::Sources;
use crate::policy::grants::rows_of;
use crate::policy::model::{By, Key};
use crate::policy::routes::Route;
use crate::policy::{RowId, Snapshot, Unplaced};
use crate::vocabulary::{CellId, Cells, Scope, Subject};

use super::caller::{self, Caller};
use super::{Recorder, advice, through};

/// Account: one decision and its whole way.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    pub(super) decision: &'static str,
    pub(super) reason: String,
    pub(super) detail: Option<&'static str>,
    /// What the gateway answers; `None` where it forwards.
    pub(super) status: Option<u16>,
    pub(super) meaning: &'static str,
    pub(super) policy: Version,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) canonical_path: Option<String>,
    pub(super) route: Option<String>,
    /// `file:line:column` of the route.
    pub(super) place: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) granted_by: Option<String>,
    pub(super) scope: Map<String, Value>,
    pub(super) needs: Vec<Need>,
    pub(super) gates: Vec<GateState>,
    pub(super) caller: Caller,
    pub(super) help: Vec<String>,
}

/// Version: the policy's name and the hash of its files.
#[derive(Debug, Serialize)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) hash: String,
}

/// Need: one cell that the route needs, and who gives it.
#[derive(Debug, Serialize)]
pub(super) struct Need {
    pub(super) operation: String,
    pub(super) resource: String,
    /// `granted`, `lacking`, or `not-judged` where the decision fell before it.
    pub(super) verdict: &'static str,
    pub(super) granted_by: Option<String>,
    pub(super) through: Vec<String>,
    pub(super) reason: Option<String>,
}

/// GateState: a gate on a row that has a needed cell.
#[derive(Debug, Serialize)]
pub(super) struct GateState {
    pub(super) gate: String,
    pub(super) open: bool,
    /// What an approval would be for; null where the request does not say.
    pub(super) keys: Map<String, Value>,
}

impl Account {
    pub(super) fn is_permit(&self) -> bool {
        self.decision == "permit"
    }
}

/// Scene: everything that the parts of an account are read from.
pub(super) struct Scene<'a> {
    pub(super) policy: &'a Snapshot,
    pub(super) subject: &'a Subject,
    pub(super) reason: Reason,
    pub(super) route: Option<&'a Route>,
    pub(super) path: Option<&'a str>,
    pub(super) needed: &'a [CellId],
    pub(super) cell: Option<CellId>,
    pub(super) scope: Scope<'a>,
    pub(super) across: u8,
}

/// The account of a decision that was watched by `seen`.
pub(super) fn of(policy: &Snapshot, sources: &Sources, asked: Asked<'_>, road: &Road<'_>, seen: &Recorder) -> Account {
    let decision = road.decision;
    let access = road.placed.ok().map(|placed| &placed.access);
    let route = match road.placed {
        Ok(placed) => Some(placed.route),
        Err(Unplaced::NoMethod(id)) => policy.routes.route(id),
        Err(_) => None,
    };
    let needed: &[CellId] = match access.map(|access| access.cells) {
        Some(Cells::All(needed)) => needed,
        _ => &[],
    };
    // What a route matches goes on in the policy's spelling, and that is also what the records name.
    let forwarded = road.placed.ok().zip(road.request.ok()).map(|(placed, request)| {
        let mut path = String::new();
        placed.route.template.print(request.path.as_str(), &mut path);
        path
    });
    let scene = Scene {
        policy,
        subject: asked.subject,
        reason: decision.reason,
        route,
        path: road.request.ok().map(|request| request.path.as_str()),
        needed,
        cell: decision.cell,
        scope: seen.scope.clone().or_else(|| access.map(|access| access.scope.clone())).unwrap_or_default(),
        across: access.map_or(0, |access| access.across),
    };
    let cell = decision.cell.and_then(|cell| policy.cell(cell));
    // Full grants of a service app ask neither rows nor gates.
    let judged = seen.scope.is_some() && decision.reason != Reason::ServiceApp;
    Account {
        decision: if decision.is_permit() { "permit" } else { "refuse" },
        reason: decision.reason.full_code(Some(policy)).to_owned(),
        detail: decision.reason.detail(),
        status: decision.verdict.as_ref().err().map(|refusal| refusal.status),
        meaning: meaning(decision.reason),
        policy: Version { name: policy.version.name.to_string(), hash: policy.version.hash.to_string() },
        method: asked.method.to_owned(),
        target: asked.target.to_owned(),
        canonical_path: forwarded.or_else(|| scene.path.map(str::to_owned)),
        route: route.map(|route| route.template.text().to_owned()),
        place: route.and_then(|route| sources.locate(route.place)).map(|at| at.to_string()),
        resource: cell.map(|cell| cell.resource.to_string()),
        operation: cell.map(|cell| cell.operation.to_string()),
        granted_by: decision.granted_by.map(|row| scene.row_name(row)),
        scope: scene.scope_values(),
        needs: scene.needs(seen),
        gates: if judged { scene.gates(road) } else { Vec::new() },
        caller: caller::of(&scene, judged),
        help: advice::of(&scene),
    }
}

fn meaning(reason: Reason) -> &'static str {
    let found = Reason::TABLE.iter().find(|(code, ..)| *code == reason.code());
    found.map_or("", |(.., sentence)| sentence)
}

impl Scene<'_> {
    pub(super) fn row_name(&self, row: RowId) -> String {
        self.policy.row(row).map(|row| row.name.to_string()).unwrap_or_default()
    }

    /// The declared scopes and the request's values; null where it has none.
    fn scope_values(&self) -> Map<String, Value> {
        let names = self.policy.model.scopes.iter().zip(&self.scope);
        names.map(|(declared, value)| (declared.name.to_string(), value.as_deref().into())).collect()
    }

    fn needs(&self, seen: &Recorder) -> Vec<Need> {
        let cells = self.needed.iter().filter_map(|id| self.policy.cell(*id).map(|cell| (*id, cell)));
        let needs = cells.map(|(id, cell)| {
            let row = seen.granted.iter().find(|(granted, _)| *granted == id).map(|(_, row)| *row);
            let lacking = !self.reason.is_permit() && row.is_none() && self.cell == Some(id);
            let service = self.reason == Reason::ServiceApp;
            Need {
                operation: cell.operation.to_string(),
                resource: cell.resource.to_string(),
                verdict: match (row.is_some() || service, lacking) {
                    (true, _) => "granted",
                    (false, true) => "lacking",
                    (false, false) => "not-judged",
                },
                granted_by: row.map(|row| self.row_name(row)),
                through: match row {
                    Some(row) => through::of(self, row),
                    None if service => vec!["`service-apps: all`".to_owned()],
                    None => Vec::new(),
                },
                reason: lacking.then(|| self.reason.full_code(Some(self.policy)).to_owned()),
            }
        });
        needs.collect()
    }

    /// The gates on rows that have a needed cell, as the decision found them.
    fn gates(&self, road: &Road<'_>) -> Vec<GateState> {
        let keys = Keys { subject: self.subject, scope: &self.scope };
        let rows: Vec<RowId> =
            self.needed.iter().flat_map(|cell| rows_of(self.policy.grants.rows_with(*cell))).collect();
        let here = self.policy.model.gates.iter().filter(|gate| gate.closes.iter().any(|row| rows.contains(row)));
        let states = here.map(|gate| GateState {
            gate: gate.name.to_string(),
            open: match &gate.by {
                By::Approval(approval) => road.approvals.opens(&gate.name, approval, &keys, road.now),
                By::Feature | By::Condition(_) => false,
            },
            keys: gate
                .approval()
                .iter()
                .flat_map(|approval| &approval.keys)
                .map(|key| (self.key_name(*key), self.key_value(*key).into()))
                .collect(),
        });
        states.collect()
    }

    pub(super) fn key_name(&self, key: Key) -> String {
        match key {
            Key::Client => "client".to_owned(),
            Key::Caller => "caller".to_owned(),
            Key::Scope(at) => {
                let scope = self.policy.model.scopes.get(usize::from(at));
                scope.map(|scope| scope.name.to_string()).unwrap_or_default()
            }
        }
    }

    pub(super) fn key_value(&self, key: Key) -> Option<String> {
        match key {
            Key::Client => self.subject.client.as_deref().map(str::to_owned),
            Key::Caller => self.subject.id.as_ref().map(|id| id.to_string()),
            Key::Scope(at) => self.scope.get(usize::from(at)).and_then(|value| value.as_deref()).map(str::to_owned),
        }
    }
}
