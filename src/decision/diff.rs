//! Diff: what two versions of a policy decide differently, for which callers, in which scopes and through which rows.
//!
//! The comparison covers the effect of a decision: the permit with its masks and approvals. It ignores reasons, the row
//! in `granted_by` and the order of cells. A row may be renamed or split: its name matters only where a token claims
//! it. Holdings are compared by cell, scope and gate. Each change then gets an example request that the two versions
//! decide differently, if the search finds one.

mod area;
mod callers;
mod change;
mod entries;
mod examples;
mod gates;
mod holders;
mod indexed;
mod probe;
mod routes;
mod signature;
mod switches;
mod users;

pub use change::{AffectedCallers, Change, Diff, Direction, Example};

use std::collections::HashMap;

use crate::policy::{PolicyVersion, Snapshot};
use crate::vocabulary::Timestamp;

use examples::ExampleFinder;
use indexed::IndexedPolicy;

/// Compares two versions of a policy; conditions are tried at `now` and at the times that they name.
pub fn diff(old: &Snapshot, new: &Snapshot, now: Timestamp) -> Diff {
    let aliases = gates::find_renamed_gates(old, new);
    let (old_index, new_index) = (IndexedPolicy::new(old, &HashMap::new()), IndexedPolicy::new(new, &aliases));
    let finder = ExampleFinder::new(&old_index, &new_index, now);
    let mut changes = switches::compare_switches(&finder);
    changes.extend(routes::compare_routes(&finder));
    changes.extend(gates::compare_gates(&finder, &aliases));
    let (held, reported) = holders::compare_holders(&finder);
    changes.extend(held);
    changes.extend(users::compare_users(&finder, &reported));
    let mut changes = merge_changes(changes);
    changes.sort_by(|one, other| (&one.who, one.direction).cmp(&(&other.who, other.direction)));
    let settings = switches::compare_settings(old, new);
    Diff { old: name_and_hash(&old.version), new: name_and_hash(&new.version), changes, settings }
}

/// Merges changes that differ only in their cells and examples.
fn merge_changes(changes: Vec<Change>) -> Vec<Change> {
    let mut merged: Vec<Change> = Vec::new();
    let mut positions: HashMap<_, usize> = HashMap::new();
    for change in changes {
        let Change { direction, who, through, scope, behind, example, .. } = &change;
        let key = (*direction, who.clone(), through.clone(), scope.clone(), behind.clone(), example.is_some());
        match positions.get(&key).copied().and_then(|at| merged.get_mut(at)) {
            Some(one) => one.what.extend(change.what),
            None => {
                positions.insert(key, merged.len());
                merged.push(change);
            }
        }
    }
    merged
}

fn name_and_hash(version: &PolicyVersion) -> [Box<str>; 2] {
    [version.name.clone(), version.hash.clone()]
}

#[cfg(test)]
mod tests;
