//! ExampleFinder: searches for a request that the two policies decide differently, as the evidence for a change.

use std::cell::Cell as Counter;
use std::collections::{BTreeMap, BTreeSet};

use crate::policy::model::{ApprovalKey, GateOpener, Row};
use crate::policy::route::Method;
use crate::vocabulary::{Cell, Subject, SubjectKind, Timestamp};

use super::callers::{caller_json, example_service, example_user, with_groups};
use super::change::{Direction, Example};
use super::indexed::{HeldCell, IndexedPolicy, Precondition, needed_cells};
use super::probe::{FRESH_VALUE, ProbeRequest, probe_requests};
use super::signature::DecisionSignature;

/// The maximum number of decisions for one comparison; further changes of a large one have no examples.
const MAX_DECISIONS: u32 = 2_000_000;

/// The maximum number of routes that are tried for one cell.
const MAX_ROUTES: usize = 12;

/// The maximum number of hints that are tried on a route.
const MAX_HINTS: usize = 8;

/// The maximum number of times at which a request is tried.
const MAX_TIMES: usize = 5;

/// The maximum number of roles, and of rows, that are tried on a route.
const MAX_ROLES: usize = 100;

/// ProbeHint: scope values and a client that a policy names, for which something may be permitted.
#[derive(Debug, Clone, Default)]
struct ProbeHint<'p> {
    scopes: BTreeMap<&'p str, &'p str>,
    client: Option<&'p str>,
}

/// ExampleFinder: the two policies, and the values in them that may permit something.
pub(super) struct ExampleFinder<'f, 'p> {
    pub(super) old: &'f IndexedPolicy<'p>,
    pub(super) new: &'f IndexedPolicy<'p>,
    hints: Vec<ProbeHint<'p>>,
    approval_gates: Vec<Box<str>>,
    claims: serde_json::Map<String, serde_json::Value>,
    client: Option<Box<str>>,
    /// The time of the comparison, followed by the times that conditions name.
    times: Vec<Timestamp>,
    remaining: Counter<u32>,
}

impl<'f, 'p> ExampleFinder<'f, 'p> {
    pub(super) fn new(old: &'f IndexedPolicy<'p>, new: &'f IndexedPolicy<'p>, now: Timestamp) -> Self {
        let mut finder = Self {
            old,
            new,
            hints: vec![ProbeHint::default()],
            approval_gates: Vec::new(),
            claims: serde_json::Map::new(),
            client: None,
            times: vec![now],
            remaining: Counter::new(MAX_DECISIONS),
        };
        for indexed in [old, new] {
            finder.collect_hints(indexed);
        }
        finder.hints.truncate(MAX_HINTS);
        finder.times.truncate(MAX_TIMES);
        finder
    }

    fn collect_hints(&mut self, indexed: &IndexedPolicy<'p>) {
        let model = &indexed.policy.model;
        for bounds in model.profiles.iter().flat_map(|profile| &profile.within) {
            let scopes = bounds.iter().filter_map(|(at, values)| Some((indexed.scope_name(*at), &**values.first()?)));
            self.hints.push(ProbeHint { scopes: scopes.collect(), client: None });
        }
        for gate in &model.gates {
            let GateOpener::Approval(approval) = &gate.by else { continue };
            self.approval_gates.push(gate.name.clone());
            for granted in &approval.granted {
                let mut hint = ProbeHint::default();
                for (key, value) in approval.keys.iter().zip(granted) {
                    match key {
                        ApprovalKey::Scope(at) => drop(hint.scopes.insert(indexed.scope_name(*at), value)),
                        ApprovalKey::Client => hint.client = Some(value.rsplit('/').next().unwrap_or(value)),
                        ApprovalKey::Caller => {}
                    }
                }
                self.hints.push(hint);
            }
        }
        for condition in &model.conditions {
            let text = condition.text();
            for (name, value) in compared_texts(text, "caller.claims.") {
                self.claims.insert(name.to_owned(), value.into());
            }
            self.client = compared_texts(text, "caller.")
                .find(|(name, _)| *name == "client")
                .map(|(_, value)| value.into())
                .or(self.client.take());
            let mut times = text.split("timestamp('").skip(1).filter_map(|rest| rest.split('\'').next());
            if let Some(time) = times.next().and_then(Timestamp::parse) {
                self.times.extend([time.minus(1), time]);
            }
        }
    }

    /// Finds a request by one of `subjects` that shows the gain or the loss of a held cell.
    pub(super) fn find_example(
        &self,
        subjects: &[Subject],
        held: &HeldCell<'p>,
        direction: Direction,
    ) -> Option<Example> {
        let indexed = if direction == Direction::Lost { self.old } else { self.new };
        let methods = indexed.methods_by_cell.get(held.cell)?;
        for &(route, method) in methods.iter().take(MAX_ROUTES) {
            for hint in &self.hints {
                for request in probe_requests(indexed, route, method, &held.area, &hint.scopes) {
                    for subject in subjects {
                        let callers = self.vary_caller(indexed, subject, &request, hint, held, method);
                        let found = self.find_difference(&callers, std::slice::from_ref(&request), direction);
                        if found.is_some() {
                            return found;
                        }
                    }
                }
            }
        }
        None
    }

    /// Finds the first of the requests, each sent by each subject, whose decision changes in this direction.
    pub(super) fn find_difference(
        &self,
        subjects: &[Subject],
        requests: &[ProbeRequest],
        direction: Direction,
    ) -> Option<Example> {
        let pairs = subjects.iter().flat_map(|subject| requests.iter().map(move |request| (subject, request)));
        for (subject, request) in pairs {
            // A credential that names the tenant, and one that names none.
            let mut callers = vec![subject.clone()];
            if subject.tenants.is_empty() && subject.kind != SubjectKind::Anonymous && request.tenant.is_some() {
                let tenants = request.tenant.iter().map(|tenant| (&**tenant).into()).collect();
                callers.insert(0, Subject { tenants, ..subject.clone() });
            }
            for (subject, now) in callers.iter().flat_map(|one| self.times.iter().map(move |now| (one, now))) {
                let remaining = self.remaining.get().checked_sub(1)?;
                self.remaining.set(remaining);
                let old = DecisionSignature::of(self.old.policy, subject, request, *now);
                let new = DecisionSignature::of(self.new.policy, subject, request, *now);
                if !old.changes_to(&new, direction) {
                    continue;
                }
                return Some(Example {
                    caller: caller_json(subject),
                    method: request.method.clone(),
                    path: request.path.clone(),
                    answered_as: request.content_type.clone(),
                    at: (self.times.first() != Some(now)).then(|| now.to_string()),
                    old: old.describe(),
                    new: new.describe(),
                });
            }
        }
        None
    }

    /// Callers of every kind that the policies distinguish, each with a name and with all approvals.
    pub(super) fn named_callers(&self) -> Vec<(String, Subject)> {
        let policies = [self.new, self.old];
        let names = |of: fn(&IndexedPolicy<'p>) -> Vec<&'p str>| {
            policies.iter().flat_map(|indexed| of(indexed)).collect::<BTreeSet<&str>>()
        };
        let groups = names(|indexed| indexed.groups.keys().copied().collect());
        let roles = names(|indexed| indexed.roles.keys().copied().collect());
        let rows = names(|indexed| indexed.rows.keys().copied().collect());
        let approved = |subject: Subject| Subject { approved: self.approval_gates.clone(), ..subject };
        let mut all = vec![("service apps".to_owned(), approved(example_service()))];
        let has_hints = !self.claims.is_empty() || self.client.is_some();
        let mut add = |name: String, subject: Subject| {
            let plain = approved(subject);
            let hinted = Subject { claims: self.claims.clone(), client: self.client.clone(), ..plain.clone() };
            for one in [Some(plain), has_hints.then_some(hinted)].into_iter().flatten() {
                all.extend(with_groups(&one, &groups).into_iter().map(|one| (name.clone(), one)));
            }
        };
        add("everyone".to_owned(), example_user(None, None));
        for role in roles.iter().take(MAX_ROLES) {
            add(format!("role {role}"), example_user(Some(role), None));
        }
        let permissions = rows.iter().map(|row| Box::from(*row)).collect();
        add("a token that claims every row".to_owned(), Subject { permissions, ..example_user(None, None) });
        for row in rows.iter().take(MAX_ROLES) {
            let permissions = vec![Box::from(*row)];
            add(format!("callers given `{row}` by name"), Subject { permissions, ..example_user(None, None) });
        }
        all
    }

    /// The callers of [`Self::named_callers`] without their names.
    pub(super) fn callers(&self) -> Vec<Subject> {
        self.named_callers().into_iter().map(|(_, subject)| subject).collect()
    }

    /// Variants of the subject that meet the preconditions of the held cell and hold the method's other cells.
    fn vary_caller(
        &self,
        indexed: &IndexedPolicy<'p>,
        subject: &Subject,
        request: &ProbeRequest,
        hint: &ProbeHint<'p>,
        held: &HeldCell<'p>,
        method: &Method,
    ) -> Vec<Subject> {
        let mut base = subject.clone();
        if base.client.is_none() {
            base.client = hint.client.map(Into::into);
        }
        for precondition in &held.preconditions {
            let (Precondition::NamedScope(scope), Some(role)) = (precondition, base.roles.first_mut()) else {
                continue;
            };
            role.scope.push(((*scope).into(), vec![request.tenant.as_deref().unwrap_or(FRESH_VALUE).into()]));
        }
        let gates = held.preconditions.iter().filter_map(|precondition| match precondition {
            Precondition::Gate(name) => Some(Box::from(*name)),
            Precondition::Condition(_) | Precondition::NamedScope(_) => None,
        });
        let rows = rows_for_other_cells(indexed, held, method);
        let mut all = Vec::new();
        for approved in [gates.collect(), self.approval_gates.clone(), Vec::new()] {
            for with_hints in [false, true] {
                for with_rows in [false, true] {
                    let mut one = Subject { approved: approved.clone(), ..base.clone() };
                    if with_hints {
                        one.claims = self.claims.clone();
                        one.client = self.client.clone().or(one.client);
                    }
                    if with_rows {
                        one.permissions.extend(rows.iter().cloned());
                    }
                    if !all.contains(&one) {
                        all.push(one);
                    }
                }
            }
        }
        all
    }
}

/// For each other cell that the method needs, a row that has it and does not have the held cell.
fn rows_for_other_cells(indexed: &IndexedPolicy<'_>, held: &HeldCell<'_>, method: &Method) -> Vec<Box<str>> {
    let policy = indexed.policy;
    let others = needed_cells(&method.cells).filter_map(|cell| policy.cell(cell)).filter(|cell| *cell != held.cell);
    let others: BTreeSet<&Cell> = others.collect();
    let mut rows = Vec::new();
    for cell in others {
        let has = |row: &&Row, wanted| row.cells.iter().any(|id| policy.cell(*id) == Some(wanted));
        let mut fitting = policy.model.rows.iter().filter(|row| has(row, cell) && !has(row, held.cell));
        rows.extend(fitting.next().map(|row| row.name.clone()));
    }
    rows
}

/// The names and texts that a condition compares, as in `caller.claims.acr == 'mfa'`; `prefix` precedes the name.
fn compared_texts<'t>(text: &'t str, prefix: &'static str) -> impl Iterator<Item = (&'t str, &'t str)> {
    text.split(prefix).skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("==")?;
        let value = rest.trim_start().strip_prefix(['\'', '"'])?;
        Some((name.trim(), value.split(['\'', '"']).next()?))
    })
}
