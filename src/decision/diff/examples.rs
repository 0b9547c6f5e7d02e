//! ExampleFinder: looks for a request that the two policies answer differently, so that a change is seen and not only read.

use std::cell::Cell as Counter;
use std::collections::{BTreeMap, BTreeSet};

use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{NoTrace, Phase};
use crate::policy::Template;
use crate::policy::model::{ApprovalKey, GateOpener};
use crate::policy::routes::{Method, Route, ScopeLocation};
use crate::policy::template::TemplateSegment;
use crate::vocabulary::{Assignment, Cells, MediaRange, Subject, SubjectKind, Timestamp};

use super::area::{ScopeArea, ScopeValues};
use super::holders::{in_groups, service, subject};
use super::indexed::{HeldCell, IndexedPolicy, Precondition, needed};
use super::{Direction, Example};

/// The most decisions that one diff asks for: a diff that is larger is told without examples at its end.
const MOST_QUESTIONS: u32 = 2_000_000;

/// The most routes that are tried for one cell, and the most circumstances.
const MOST_ROUTES: usize = 12;
const MOST_HINTS: usize = 8;

/// The most roles, and rows, that are tried on a route.
const MOST_ROLES: usize = 100;

/// The value of a scope that no policy names.
pub(super) const FRESH: &str = "any-value-0";

/// ProbeRequest: a request, and as what it is answered.
#[derive(Debug, Clone)]
pub(super) struct ProbeRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) content_type: Option<String>,
    /// The value of the scope that must be one of the caller's.
    pub(super) tenant: Option<String>,
}

/// ProbeHint: circumstances that a policy names, under which something may open.
#[derive(Debug, Clone, Default)]
struct ProbeHint<'p> {
    scopes: BTreeMap<&'p str, &'p str>,
    client: Option<&'p str>,
}

/// ExampleFinder: both sides, and what they name that may open something.
pub(super) struct ExampleFinder<'f, 'p> {
    pub(super) old: &'f IndexedPolicy<'p>,
    pub(super) new: &'f IndexedPolicy<'p>,
    hints: Vec<ProbeHint<'p>>,
    gates: Vec<Box<str>>,
    claims: serde_json::Map<String, serde_json::Value>,
    client: Option<Box<str>>,
    moments: Vec<Timestamp>,
    left: Counter<u32>,
}

/// DecisionSignature: what of a decision counts: a permit and its obligations; reasons and the rows' names are words about it.
#[derive(Debug, PartialEq, Eq)]
struct DecisionSignature {
    permit: bool,
    masks: BTreeSet<Box<str>>,
    asks: BTreeSet<Box<str>>,
    reason: String,
}

impl<'f, 'p> ExampleFinder<'f, 'p> {
    pub(super) fn new(old: &'f IndexedPolicy<'p>, new: &'f IndexedPolicy<'p>, now: Timestamp) -> Self {
        let mut finder = Self {
            old,
            new,
            hints: vec![ProbeHint::default()],
            gates: Vec::new(),
            claims: serde_json::Map::new(),
            client: None,
            moments: vec![now],
            left: Counter::new(MOST_QUESTIONS),
        };
        for side in [old, new] {
            finder.learn(side);
        }
        finder.hints.truncate(MOST_HINTS);
        finder.moments.truncate(5);
        finder
    }

    fn learn(&mut self, side: &IndexedPolicy<'p>) {
        let model = &side.policy.model;
        for bounds in model.profiles.iter().flat_map(|profile| &profile.within) {
            let scopes = bounds.iter().filter_map(|(at, values)| Some((side.scope_name(*at), &**values.first()?)));
            self.hints.push(ProbeHint { scopes: scopes.collect(), client: None });
        }
        for gate in &model.gates {
            let GateOpener::Approval(approval) = &gate.by else { continue };
            self.gates.push(gate.name.clone());
            for granted in &approval.granted {
                let mut hint = ProbeHint::default();
                for (key, value) in approval.keys.iter().zip(granted) {
                    match key {
                        ApprovalKey::Scope(at) => drop(hint.scopes.insert(side.scope_name(*at), value)),
                        ApprovalKey::Client => hint.client = Some(value.rsplit('/').next().unwrap_or(value)),
                        ApprovalKey::Caller => {}
                    }
                }
                self.hints.push(hint);
            }
        }
        for condition in &model.conditions {
            let text = condition.text();
            for (name, value) in compared(text, "caller.claims.") {
                self.claims.insert(name.to_owned(), value.into());
            }
            self.client = compared(text, "caller.")
                .find(|(name, _)| *name == "client")
                .map(|(_, value)| value.into())
                .or(self.client.take());
            let mut moments = text.split("timestamp('").skip(1).filter_map(|rest| rest.split('\'').next());
            if let Some(turn) = moments.next().and_then(Timestamp::parse) {
                self.moments.extend([turn.minus(1), turn]);
            }
        }
    }

    /// A request by one of `subjects` that shows the gain or the loss of `atom`.
    pub(super) fn show(&self, subjects: &[Subject], atom: &HeldCell<'p>, direction: Direction) -> Option<Example> {
        let side = if direction == Direction::Lost { self.old } else { self.new };
        let uses = side.uses.get(atom.cell)?;
        for &(route, method) in uses.iter().take(MOST_ROUTES) {
            for hint in &self.hints {
                for target in self.targets(side, route, method, &atom.area, &hint.scopes) {
                    for subject in subjects {
                        let asking = self.asking(side, subject, &target, hint, atom, method);
                        if let Some(example) = self.probe(&asking, std::slice::from_ref(&target), direction) {
                            return Some(example);
                        }
                    }
                }
            }
        }
        None
    }

    /// The first of the questions that is answered differently in this direction.
    pub(super) fn probe(
        &self,
        subjects: &[Subject],
        targets: &[ProbeRequest],
        direction: Direction,
    ) -> Option<Example> {
        let pairs = subjects.iter().flat_map(|subject| targets.iter().map(move |target| (subject, target)));
        for (subject, target) in pairs {
            // A credential that names the tenant, and one that names none.
            let mut callers = vec![subject.clone()];
            if subject.tenants.is_empty() && subject.kind != SubjectKind::Anonymous && target.tenant.is_some() {
                let tenants = target.tenant.iter().map(|tenant| (&**tenant).into()).collect();
                callers.insert(0, Subject { tenants, ..subject.clone() });
            }
            for (subject, now) in callers.iter().flat_map(|one| self.moments.iter().map(move |now| (one, now))) {
                let left = self.left.get().checked_sub(1)?;
                self.left.set(left);
                let (old, new) = (outcome(self.old, subject, target, *now), outcome(self.new, subject, target, *now));
                if !is(direction, &old, &new) {
                    continue;
                }
                return Some(Example {
                    caller: stated(subject),
                    method: target.method.clone(),
                    path: target.path.clone(),
                    answered_as: target.content_type.clone(),
                    at: (self.moments.first() != Some(now)).then(|| now.to_string()),
                    old: told(&old),
                    new: told(&new),
                });
            }
        }
        None
    }

    /// Requests over the routes of one side, so many at most.
    pub(super) fn sample(&self, side: &IndexedPolicy<'p>, most: usize) -> Vec<ProbeRequest> {
        let routes = side.policy.routes.routes().iter();
        let methods = routes.flat_map(|route| route.methods.iter().map(move |method| (route, method)));
        let targets = methods
            .flat_map(|(route, method)| self.targets(side, route, method, &ScopeArea::default(), &BTreeMap::new()));
        targets.take(most).collect()
    }

    /// Callers of every sort that the policies tell apart, with all approvals.
    pub(super) fn callers(&self) -> Vec<(String, Subject)> {
        let sides = [self.new, self.old];
        let names = |of: fn(&IndexedPolicy<'p>) -> Vec<&'p str>| {
            sides.iter().flat_map(|side| of(side)).collect::<BTreeSet<&str>>()
        };
        let groups = names(|side| side.groups.keys().copied().collect());
        let roles = names(|side| side.roles.keys().copied().collect());
        let rows = names(|side| side.rows.keys().copied().collect());
        let approved = |subject: Subject| Subject { approved: self.gates.clone(), ..subject };
        let mut all = vec![("service apps".to_owned(), approved(service()))];
        let circumstances = !self.claims.is_empty() || self.client.is_some();
        let mut add = |name: String, subject: Subject| {
            let plain = approved(subject);
            let hinted = Subject { claims: self.claims.clone(), client: self.client.clone(), ..plain.clone() };
            for one in [Some(plain), circumstances.then_some(hinted)].into_iter().flatten() {
                all.extend(in_groups(&one, &groups).into_iter().map(|one| (name.clone(), one)));
            }
        };
        add("everyone".to_owned(), subject(None, None));
        for role in roles.iter().take(MOST_ROLES) {
            add(format!("role {role}"), subject(Some(role), None));
        }
        let every = Subject { permissions: rows.iter().map(|row| Box::from(*row)).collect(), ..subject(None, None) };
        add("a token that claims every row".to_owned(), every);
        for row in rows.iter().take(MOST_ROLES) {
            add(
                format!("whoever is given `{row}` by name"),
                Subject { permissions: vec![Box::from(*row)], ..subject(None, None) },
            );
        }
        all
    }

    /// Requests that reach the method in an area; none where the route cannot carry its values.
    pub(super) fn targets(
        &self,
        side: &IndexedPolicy<'p>,
        route: &Route,
        method: &Method,
        area: &ScopeArea<'_>,
        hint: &BTreeMap<&str, &str>,
    ) -> Vec<ProbeRequest> {
        let mut values: BTreeMap<&str, Option<String>> = BTreeMap::new();
        for (at, scope) in (0_u8..).zip(&side.policy.model.scopes) {
            let carried = route.scopes.get(usize::from(at)).copied().flatten().is_some();
            let hinted = hint.get(&*scope.name).copied().unwrap_or(FRESH);
            let value = match area.0.get(&*scope.name) {
                None => Some(hinted),
                Some(ScopeValues::But(set)) if set.contains(&Some(hinted)) => Some(FRESH),
                Some(ScopeValues::But(_)) => Some(hinted),
                Some(ScopeValues::Of(set)) if set.contains(&Some(hinted)) => Some(hinted),
                Some(ScopeValues::Of(set)) => set.iter().find_map(|value| *value),
            };
            if value.is_none()
                && carried
                && !matches!(route.scopes.get(usize::from(at)), Some(Some(ScopeLocation::Query(_))))
            {
                return Vec::new();
            }
            values.insert(&scope.name, value.map(str::to_owned));
        }
        let tenant = side.caller_scope().and_then(|name| values.get(name).cloned().flatten());
        let path = path(&route.template, &values);
        let mut paths = vec![path];
        if !route.template.query().is_empty() {
            paths.push(self::path(&route.template, &BTreeMap::new()));
        }
        let types = match &method.cells {
            Cells::ByType(candidates) => candidates.iter().map(|one| Some(example_of(&one.range))).collect(),
            _ => vec![None],
        };
        let (paths, tenant) = (&paths, &tenant);
        let each = types.into_iter().flat_map(|content_type| {
            paths.iter().map(move |path| ProbeRequest {
                method: method.name.to_string(),
                path: path.clone(),
                content_type: content_type.clone(),
                tenant: tenant.clone(),
            })
        });
        each.collect()
    }

    /// The subject in the circumstances under which the atom counts and nothing else stands in the way.
    fn asking(
        &self,
        side: &IndexedPolicy<'p>,
        subject: &Subject,
        target: &ProbeRequest,
        hint: &ProbeHint<'p>,
        atom: &HeldCell<'p>,
        method: &Method,
    ) -> Vec<Subject> {
        let mut base = subject.clone();
        if base.client.is_none() {
            base.client = hint.client.map(Into::into);
        }
        for lock in &atom.locks {
            let (Precondition::Named(scope), Some(role)) = (lock, base.roles.first_mut()) else { continue };
            role.scope.push(((*scope).into(), vec![target.tenant.as_deref().unwrap_or(FRESH).into()]));
        }
        let gates = atom.locks.iter().filter_map(|lock| match lock {
            Precondition::Gate(name) => Some(Box::from(*name)),
            Precondition::When(_) | Precondition::Named(_) => None,
        });
        let others = needed(&method.cells).filter_map(|cell| side.policy.cell(cell)).filter(|cell| *cell != atom.cell);
        let others: BTreeSet<_> = others.collect();
        let mut rows = Vec::new();
        for cell in others {
            let has = |row: &&crate::policy::model::Row, wanted| {
                row.cells.iter().any(|id| side.policy.cell(*id) == Some(wanted))
            };
            let mut fitting = side.policy.model.rows.iter().filter(|row| has(row, cell) && !has(row, atom.cell));
            rows.extend(fitting.next().map(|row| row.name.clone()));
        }
        let mut all = Vec::new();
        for approved in [gates.collect(), self.gates.clone(), Vec::new()] {
            for hinted in [false, true] {
                for completed in [false, true] {
                    let mut one = Subject { approved: approved.clone(), ..base.clone() };
                    if hinted {
                        one.claims = self.claims.clone();
                        one.client = self.client.clone().or(one.client);
                    }
                    if completed {
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

/// `caller.claims.acr == 'mfa'`: what a condition compares with a text.
fn compared<'t>(text: &'t str, before: &'static str) -> impl Iterator<Item = (&'t str, &'t str)> {
    text.split(before).skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("==")?;
        let value = rest.trim_start().strip_prefix(['\'', '"'])?;
        Some((name.trim(), value.split(['\'', '"']).next()?))
    })
}

fn path(template: &Template, values: &BTreeMap<&str, Option<String>>) -> String {
    let mut out = String::new();
    for segment in template.segments() {
        out.push('/');
        match segment {
            TemplateSegment::Literal(literal) => out.push_str(literal),
            TemplateSegment::Parameter(name) => {
                out.push_str(values.get(&**name).and_then(Option::as_deref).unwrap_or("x1"))
            }
            TemplateSegment::Rest(_) => out.push_str("x1"),
        }
    }
    let mut mark = '?';
    for (parameter, scope) in template.query() {
        if let Some(Some(value)) = values.get(&**scope) {
            out.push(mark);
            out.push_str(&format!("{parameter}={value}"));
            mark = '&';
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

pub(super) fn example_of(range: &MediaRange) -> String {
    match range {
        MediaRange::Exact(exact) => exact.to_string(),
        MediaRange::Kind(kind) => format!("{kind}/x-any"),
        MediaRange::Otherwise => "x-any/x-any".to_owned(),
    }
}

fn outcome(side: &IndexedPolicy<'_>, subject: &Subject, target: &ProbeRequest, now: Timestamp) -> DecisionSignature {
    let phase = target.content_type.as_deref().map_or(Phase::Request, |answered| Phase::Response(Some(answered)));
    let asked = RequestQuery { subject, method: &target.method, target: &target.path, host: None, phase };
    let policy = side.policy;
    decide_query(policy, asked, now, &mut NoTrace, |road, _| {
        let permit = road.decision.verdict.as_ref().ok();
        let fields = permit.into_iter().flat_map(|permit| permit.masks());
        let gates = permit.into_iter().flat_map(|permit| permit.asks());
        DecisionSignature {
            permit: permit.is_some(),
            masks: fields.filter_map(|at| policy.model.fields.get(at)).map(|set| set.name.clone()).collect(),
            asks: gates.filter_map(|at| policy.gate(at)).map(|gate| gate.name.clone()).collect(),
            reason: road.decision.reason.full_code(Some(policy)).to_owned(),
        }
    })
}

fn is(direction: Direction, old: &DecisionSignature, new: &DecisionSignature) -> bool {
    let more = |less: &DecisionSignature, more: &DecisionSignature| {
        more.permit && (!less.permit || (more.masks != less.masks && more.masks.is_subset(&less.masks)))
    };
    match direction {
        Direction::Gained => more(old, new),
        Direction::Lost => more(new, old),
        Direction::Changed => (old.permit, &old.masks, &old.asks) != (new.permit, &new.masks, &new.asks),
    }
}

fn told(outcome: &DecisionSignature) -> String {
    let word = if outcome.permit { "permit" } else { "refuse" };
    let list = |what: &str, names: &BTreeSet<Box<str>>| {
        if names.is_empty() {
            String::new()
        } else {
            format!(", {what} {}", names.iter().map(|name| &**name).collect::<Vec<_>>().join(", "))
        }
    };
    format!("{word} ({}){}{}", outcome.reason, list("masks", &outcome.masks), list("asks", &outcome.asks))
}

/// A caller as `--as` takes it.
fn stated(subject: &Subject) -> serde_json::Value {
    let mut out = serde_json::Map::new();
    if subject.kind != SubjectKind::User {
        out.insert("kind".into(), subject.kind.word().into());
    }
    out.extend(subject.id.as_ref().map(|id| ("id".into(), id.to_string().into())));
    out.extend(subject.client.as_ref().map(|client| ("client".into(), (**client).into())));
    let lists = [
        ("tenants", &subject.tenants),
        ("groups", &subject.groups),
        ("permissions", &subject.permissions),
        ("approved", &subject.approved),
    ];
    for (key, names) in lists {
        if !names.is_empty() {
            out.insert(key.into(), names.iter().map(|name| &**name).collect());
        }
    }
    if !subject.roles.is_empty() {
        out.insert("roles".into(), subject.roles.iter().map(role).collect());
    }
    if !subject.claims.is_empty() {
        out.insert("claims".into(), subject.claims.clone().into());
    }
    out.into()
}

fn role(claimed: &Assignment) -> serde_json::Value {
    if claimed.scope.is_empty() {
        return (*claimed.role).into();
    }
    let scope = claimed
        .scope
        .iter()
        .map(|(name, values)| (name.to_string(), values.iter().map(|value| &**value).collect::<serde_json::Value>()));
    serde_json::json!({ &*claimed.role: scope.collect::<serde_json::Map<_, _>>() })
}
