//! Gates: what opens them, for which callers, and which requests ask for approval.
//!
//! The comparison of held cells covers the rows that a gate closes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::policy::model::{Approval, ApprovalKey, Gate, GateOpener, Profile};
use crate::policy::{RowId, Snapshot};
use crate::vocabulary::{Cell, Subject, SubjectId};

use super::area::{ScopeArea, ScopeValues};
use super::callers::{example_user, with_groups};
use super::change::{AffectedCallers, Change, Direction, Example};
use super::examples::ExampleFinder;
use super::indexed::{HeldCell, IndexedPolicy, Precondition};

/// GateOpening: one way to open a gate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum GateOpening<'p> {
    /// An approval in the policy for these values, by key.
    Approved(BTreeMap<&'p str, &'p str>),
    /// An approval in the store, by the names of its keys.
    StoredFor(Vec<&'p str>),
    /// A feature, for the members of a group.
    Group(&'p str),
    /// A feature, within a scope area.
    Within(ScopeArea<'p>),
    /// A condition, by its text.
    Condition(&'p str),
}

/// Finds the gates that only changed their names: new name to old name.
///
/// Gates by approval are never renamed, because stored approvals name their gate.
pub(super) fn find_renamed_gates<'p>(old: &'p Snapshot, new: &'p Snapshot) -> HashMap<&'p str, &'p str> {
    let none = HashMap::new();
    let (old, new) = (IndexedPolicy::new(old, &none), IndexedPolicy::new(new, &none));
    let mut removed: Vec<&Gate> = old.policy.model.gates.iter().filter(|gate| new.gate(&gate.name).is_none()).collect();
    let mut found = HashMap::new();
    for gate in new.policy.model.gates.iter().filter(|gate| old.gate(&gate.name).is_none() && gate.approval().is_none())
    {
        let same =
            |other: &&Gate| other.approval().is_none() && gate_openings(&old, other) == gate_openings(&new, gate);
        if let Some(at) = removed.iter().position(same) {
            found.insert(&*gate.name, &*removed.swap_remove(at).name);
        }
    }
    found
}

/// Compares the ways to open each gate, and the cells that ask for its approval.
pub(super) fn compare_gates<'p>(finder: &ExampleFinder<'_, 'p>, aliases: &HashMap<&'p str, &'p str>) -> Vec<Change> {
    let (old, new) = (finder.old, finder.new);
    let mut all = Vec::new();
    for gate in &new.policy.model.gates {
        let name = aliases.get(&*gate.name).copied().unwrap_or(&gate.name);
        let Some(before) = old.gate(name) else { continue };
        let (earlier, later) = (gate_openings(old, before), gate_openings(new, gate));
        for opening in later.difference(&earlier) {
            all.extend(opening_change(finder, opening, gate, Direction::Gained));
        }
        for opening in earlier.difference(&later) {
            all.extend(opening_change(finder, opening, before, Direction::Lost));
        }
    }
    let names = old.policy.model.gates.iter().chain(&new.policy.model.gates).map(|gate| &*gate.name);
    for name in names.collect::<BTreeSet<_>>() {
        compare_approval_requests(finder, name, &mut all);
    }
    all
}

/// Compares the cells that ask for the approval of a gate.
fn compare_approval_requests(finder: &ExampleFinder<'_, '_>, name: &str, all: &mut Vec<Change>) {
    let (old, new) = (finder.old, finder.new);
    let (earlier, later) = (requesting_cells(old, name), requesting_cells(new, name));
    let added = later.difference(&earlier).map(|cell| (*cell, "now asks"));
    let removed = earlier.difference(&later).map(|cell| (*cell, "no longer asks"));
    for (cell, verb) in added.chain(removed) {
        let what = format!("`{cell}` {verb} for its approval");
        let held = HeldCell { cell, preconditions: BTreeSet::new(), area: ScopeArea::default(), row: "" };
        // Only an obligation changes, so any difference shows it.
        let example = finder.find_example(&finder.callers(), &held, Direction::Changed);
        if example.is_some() || (old.methods_by_cell.contains_key(cell) && new.methods_by_cell.contains_key(cell)) {
            all.push(Change::sentence(Direction::Changed, AffectedCallers::Gate(name.to_owned()), what, example));
        }
    }
}

/// The needed cells that ask for the approval of a gate.
fn requesting_cells<'p>(indexed: &IndexedPolicy<'p>, name: &str) -> BTreeSet<&'p Cell> {
    let approval = indexed.gate(name).and_then(Gate::approval);
    let cells = approval.into_iter().flat_map(|approval| &approval.asked_by);
    let cells = cells.filter_map(|cell| indexed.policy.cell(*cell));
    cells.filter(|cell| indexed.methods_by_cell.contains_key(*cell)).collect()
}

/// The ways to open a gate.
fn gate_openings<'p>(indexed: &IndexedPolicy<'p>, gate: &'p Gate) -> BTreeSet<GateOpening<'p>> {
    let model = &indexed.policy.model;
    match &gate.by {
        GateOpener::Approval(approval) => {
            let names: Vec<&str> = approval.keys.iter().map(|key| approval_key_name(indexed, *key)).collect();
            let granted = approval.granted.iter().map(|values| {
                GateOpening::Approved(names.iter().copied().zip(values.iter().map(|value| &**value)).collect())
            });
            granted.chain([GateOpening::StoredFor(names.clone())]).collect()
        }
        GateOpener::Condition(_) => indexed.gate_condition(gate).map(GateOpening::Condition).into_iter().collect(),
        GateOpener::Feature => {
            let at = model.gates.iter().position(|known| known.name == gate.name);
            let lists = |profile: &Profile| profile.features.iter().any(|feature| Some(usize::from(*feature)) == at);
            let within = model.profiles.iter().filter(|profile| lists(profile)).flat_map(|profile| &profile.within);
            let groups = model.groups.iter().filter(|group| {
                let profile = group.profile.and_then(|at| model.profiles.get(usize::try_from(at).ok()?));
                profile.is_some_and(lists)
            });
            let groups = groups.map(|group| GateOpening::Group(&group.name));
            within.map(|bounds| GateOpening::Within(indexed.scope_area(bounds))).chain(groups).collect()
        }
    }
}

fn approval_key_name<'p>(indexed: &IndexedPolicy<'p>, key: ApprovalKey) -> &'p str {
    match key {
        ApprovalKey::Client => "client",
        ApprovalKey::Caller => "caller",
        ApprovalKey::Scope(at) => indexed.scope_name(at),
    }
}

/// The change that one opening makes; `None` if the gate closes no cell that a route needs.
fn opening_change<'p>(
    finder: &ExampleFinder<'_, 'p>,
    opening: &GateOpening<'p>,
    gate: &'p Gate,
    direction: Direction,
) -> Option<Change> {
    let indexed = if direction == Direction::Lost { finder.old } else { finder.new };
    let mut closed = gate.closes.iter().flat_map(|row| cells_behind_gate(indexed, *row, gate)).peekable();
    closed.peek()?;
    let what = match opening {
        GateOpening::Approved(values) => {
            let values = values.iter().map(|(key, value)| format!("{key} {value}"));
            format!("approved for {}", values.collect::<Vec<_>>().join(", "))
        }
        GateOpening::StoredFor(keys) => format!("stored approvals count by {}", keys.join(" and ")),
        GateOpening::Group(group) => format!("open for group {group}"),
        GateOpening::Within(area) if area.0.is_empty() => "open everywhere".to_owned(),
        GateOpening::Within(area) => format!("open in {area}"),
        GateOpening::Condition(text) => format!("open where {text}"),
    };
    let example = closed.take(12).find_map(|held| opening_example(finder, opening, held, direction));
    Some(Change::sentence(direction, AffectedCallers::Gate(gate.name.to_string()), what, example))
}

/// The needed cells of a row, with the preconditions of the row except this gate.
fn cells_behind_gate<'p>(indexed: &IndexedPolicy<'p>, row: RowId, gate: &Gate) -> Vec<HeldCell<'p>> {
    let (cells, preconditions) = indexed.row_terms(row);
    let mut preconditions = preconditions.clone();
    preconditions.remove(&Precondition::Gate(
        indexed.policy.model.gates.iter().find(|known| known.name == gate.name).map_or("", |gate| &gate.name),
    ));
    let needed = cells.into_iter().filter(|cell| indexed.methods_by_cell.contains_key(cell));
    let row = indexed.row_name(row);
    needed
        .map(|cell| HeldCell { cell, preconditions: preconditions.clone(), area: ScopeArea::default(), row })
        .collect()
}

/// A request that shows the effect of one opening on a held cell.
fn opening_example<'p>(
    finder: &ExampleFinder<'_, 'p>,
    opening: &GateOpening<'p>,
    mut held: HeldCell<'p>,
    direction: Direction,
) -> Option<Example> {
    let mut caller = Subject { permissions: vec![held.row.into()], ..example_user(None, None) };
    let policies = [finder.old, finder.new];
    let mut groups: BTreeSet<&str> = policies.iter().flat_map(|indexed| indexed.groups.keys().copied()).collect();
    match opening {
        GateOpening::Approved(values) => {
            for (key, value) in values {
                match *key {
                    "client" => caller.client = Some(value.rsplit('/').next().unwrap_or(value).into()),
                    "caller" => caller.id = Some(SubjectId::parse(value)),
                    scope => drop(held.area.0.insert(scope, ScopeValues::bound_to([*value].into_iter()))),
                }
            }
        }
        GateOpening::Group(group) => {
            groups = [*group].into();
        }
        GateOpening::Within(area) => held.area = area.clone(),
        GateOpening::StoredFor(_) | GateOpening::Condition(_) => {}
    }
    finder.find_example(&with_groups(&caller, &groups), &held, direction)
}

/// The names of the rows whose holders may grant an approval.
pub(super) fn approver_rows<'p>(policy: &'p Snapshot, approval: &Approval) -> BTreeSet<&'p str> {
    approval.approvers.iter().filter_map(|row| policy.row(*row)).map(|row| &*row.name).collect()
}
