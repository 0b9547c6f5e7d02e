//! Gates: what opens them, for whom, and what asks for it; which rows they close shows in what is held.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::policy::model::{Approval, ApprovalKey, Gate, GateOpener};
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{Subject, SubjectId};

use super::area::{ScopeArea, ScopeValues};
use super::examples::ExampleFinder;
use super::holders::{in_groups, subject};
use super::indexed::{HeldCell, IndexedPolicy, Precondition};
use super::{AffectedCallers, Change, Direction, Example};

/// GateOpening: one way in which a gate is open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum GateOpening<'p> {
    Approved(BTreeMap<&'p str, &'p str>),
    StoredFor(Vec<&'p str>),
    Group(&'p str),
    Within(ScopeArea<'p>),
    Holds(&'p str),
}

/// Gates that only changed their names: approvals are kept by the gate's name, so theirs count.
pub(super) fn renamed<'p>(old: &'p Snapshot, new: &'p Snapshot) -> HashMap<&'p str, &'p str> {
    let none = HashMap::new();
    let (old, new) = (IndexedPolicy::new(old, &none), IndexedPolicy::new(new, &none));
    let mut free: Vec<&Gate> = old.policy.model.gates.iter().filter(|gate| new.gate(&gate.name).is_none()).collect();
    let mut found = HashMap::new();
    for gate in new.policy.model.gates.iter().filter(|gate| old.gate(&gate.name).is_none() && gate.approval().is_none())
    {
        let same = |other: &&Gate| other.approval().is_none() && openers(&old, other) == openers(&new, gate);
        if let Some(at) = free.iter().position(same) {
            found.insert(&*gate.name, &*free.swap_remove(at).name);
        }
    }
    found
}

pub(super) fn changes<'p>(finder: &ExampleFinder<'_, 'p>, alias: &HashMap<&'p str, &'p str>) -> Vec<Change> {
    let (old, new) = (finder.old, finder.new);
    let mut all = Vec::new();
    for gate in &new.policy.model.gates {
        let name = alias.get(&*gate.name).copied().unwrap_or(&gate.name);
        let Some(before) = old.gate(name) else { continue };
        let (then, now) = (openers(old, before), openers(new, gate));
        for opener in now.difference(&then) {
            all.extend(told(finder, opener, gate, Direction::Gained));
        }
        for opener in then.difference(&now) {
            all.extend(told(finder, opener, before, Direction::Lost));
        }
    }
    let names = old.policy.model.gates.iter().chain(&new.policy.model.gates).map(|gate| &*gate.name);
    for name in names.collect::<BTreeSet<_>>() {
        let asked = |side: &IndexedPolicy<'p>| {
            let approval = side.gate(name).and_then(Gate::approval);
            let cells = approval.into_iter().flat_map(|approval| &approval.asked_by);
            cells
                .filter_map(|cell| side.policy.cell(*cell))
                .filter(|cell| side.uses.contains_key(*cell))
                .collect::<BTreeSet<_>>()
        };
        let (then, now) = (asked(old), asked(new));
        for (cell, word) in now
            .difference(&then)
            .map(|cell| (cell, "now asks"))
            .chain(then.difference(&now).map(|cell| (cell, "no longer asks")))
        {
            let what = format!("`{cell}` {word} for its approval");
            let callers: Vec<Subject> = finder.callers().into_iter().map(|(_, subject)| subject).collect();
            let atom = HeldCell { cell, locks: BTreeSet::new(), area: ScopeArea::default(), row: "" };
            // Only an obligation differs: any difference shows it.
            let example = finder.show(&callers, &atom, Direction::Changed);
            if example.is_some() || (old.uses.contains_key(*cell) && new.uses.contains_key(*cell)) {
                all.push(Change::said(Direction::Changed, AffectedCallers::Gate(name.to_owned()), what, example));
            }
        }
    }
    all
}

fn openers<'p>(side: &IndexedPolicy<'p>, gate: &'p Gate) -> BTreeSet<GateOpening<'p>> {
    let model = &side.policy.model;
    match &gate.by {
        GateOpener::Approval(approval) => {
            let names: Vec<&str> = approval.keys.iter().map(|key| key_name(side, *key)).collect();
            let granted = approval.granted.iter().map(|values| {
                GateOpening::Approved(names.iter().copied().zip(values.iter().map(|value| &**value)).collect())
            });
            granted.chain([GateOpening::StoredFor(names.clone())]).collect()
        }
        GateOpener::Condition(_) => side.gate_text(gate).map(GateOpening::Holds).into_iter().collect(),
        GateOpener::Feature => {
            let at = model.gates.iter().position(|known| known.name == gate.name);
            let lists = |profile: &crate::policy::model::Profile| {
                profile.features.iter().any(|feature| Some(usize::from(*feature)) == at)
            };
            let within = model.profiles.iter().filter(|profile| lists(profile)).flat_map(|profile| &profile.within);
            let groups = model.groups.iter().filter(|group| {
                let profile = group.profile.and_then(|at| model.profiles.get(usize::try_from(at).ok()?));
                profile.is_some_and(lists)
            });
            let groups = groups.map(|group| GateOpening::Group(&group.name));
            within.map(|bounds| GateOpening::Within(side.area(bounds))).chain(groups).collect()
        }
    }
}

fn key_name<'p>(side: &IndexedPolicy<'p>, key: ApprovalKey) -> &'p str {
    match key {
        ApprovalKey::Client => "client",
        ApprovalKey::Caller => "caller",
        ApprovalKey::Scope(at) => side.scope_name(at),
    }
}

/// The change that one way of opening makes, where some row behind the gate is of use.
fn told<'p>(
    finder: &ExampleFinder<'_, 'p>,
    opener: &GateOpening<'p>,
    gate: &'p Gate,
    direction: Direction,
) -> Option<Change> {
    let side = if direction == Direction::Lost { finder.old } else { finder.new };
    let mut closed = gate.closes.iter().flat_map(|row| behind(side, *row, gate)).peekable();
    closed.peek()?;
    let what = match opener {
        GateOpening::Approved(values) => {
            let values = values.iter().map(|(key, value)| format!("{key} {value}"));
            format!("approved for {}", values.collect::<Vec<_>>().join(", "))
        }
        GateOpening::StoredFor(keys) => format!("stored approvals count by {}", keys.join(" and ")),
        GateOpening::Group(group) => format!("open for group {group}"),
        GateOpening::Within(area) if area.0.is_empty() => "open everywhere".to_owned(),
        GateOpening::Within(area) => format!("open in {area}"),
        GateOpening::Holds(text) => format!("open where {text}"),
    };
    let example = closed.take(12).find_map(|atom| shown(finder, opener, atom, direction));
    Some(Change::said(direction, AffectedCallers::Gate(gate.name.to_string()), what, example))
}

/// What the row gives, behind its other gates only.
fn behind<'p>(side: &IndexedPolicy<'p>, row: RowId, gate: &Gate) -> Vec<HeldCell<'p>> {
    let (cells, locks) = side.row_says(row);
    let mut locks = locks.clone();
    locks.remove(&Precondition::Gate(
        side.policy.model.gates.iter().find(|known| known.name == gate.name).map_or("", |gate| &gate.name),
    ));
    let used = cells.into_iter().filter(|cell| side.uses.contains_key(cell));
    used.map(|cell| HeldCell { cell, locks: locks.clone(), area: ScopeArea::default(), row: side.row_name(row) })
        .collect()
}

fn shown<'p>(
    finder: &ExampleFinder<'_, 'p>,
    opener: &GateOpening<'p>,
    mut atom: HeldCell<'p>,
    direction: Direction,
) -> Option<Example> {
    let mut claims = Subject { permissions: vec![atom.row.into()], ..subject(None, None) };
    let sides = [finder.old, finder.new];
    let mut groups: BTreeSet<&str> = sides.iter().flat_map(|side| side.groups.keys().copied()).collect();
    match opener {
        GateOpening::Approved(values) => {
            for (key, value) in values {
                match *key {
                    "client" => claims.client = Some(value.rsplit('/').next().unwrap_or(value).into()),
                    "caller" => claims.id = Some(SubjectId::parse(value)),
                    scope => drop(atom.area.0.insert(scope, ScopeValues::bound([*value].into_iter()))),
                }
            }
        }
        GateOpening::Group(group) => {
            groups = [*group].into();
        }
        GateOpening::Within(area) => atom.area = area.clone(),
        GateOpening::StoredFor(_) | GateOpening::Holds(_) => {}
    }
    finder.show(&in_groups(&claims, &groups), &atom, direction)
}

/// What an approval says beside its keys: who may grant it.
pub(super) fn approvers<'p>(policy: &'p Snapshot, approval: &Approval) -> BTreeSet<&'p str> {
    approval.approvers.iter().filter_map(|row| policy.row(*row)).map(|row| &*row.name).collect()
}
