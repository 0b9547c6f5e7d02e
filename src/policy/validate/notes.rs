//! Notes: valid entries that are probably mistakes.

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::ids::RowId;
use crate::policy::model::{GateOpener, Model, Row};
use crate::policy::source::{NeedSource, PolicySource, Spanned};
use crate::vocabulary::{Cell, Operation};

use super::cells::CellIndex;

pub(super) fn note_empty_columns(policy: &PolicySource, rows: &[Row], cells: &CellIndex<'_>, findings: &mut Findings) {
    let filled: std::collections::HashSet<&str> = rows
        .iter()
        .flat_map(|row| &row.cells)
        .filter_map(|cell| cells.cells.get(usize::try_from(cell.0).ok()?))
        .map(|cell| &*cell.resource)
        .collect();
    let columns = policy.tables.iter().flat_map(|table| &table.resources);
    for resource in columns.chain(policy.fields.iter().map(|set| &set.name)) {
        if !filled.contains(&*resource.text) {
            let message = format!("no permission has anything in `{}`", resource.text);
            findings.push(Finding::note(FindingCode::EmptyColumn, Some(resource.span), message));
        }
    }
}

/// Notes named operations of routes that no row has: at most service apps may use them, so they are probably misspelt.
pub(super) fn note_unused_operations(
    policy: &PolicySource,
    rows: &[Row],
    cells: &CellIndex<'_>,
    findings: &mut Findings,
) {
    let held = |cell: &Cell| cells.known.get(cell).is_some_and(|id| rows.iter().any(|row| row.cells.contains(id)));
    for need in policy.routes.iter().flat_map(|route| &route.methods).map(|method| &method.need) {
        let needed: Vec<&(Operation, Spanned)> = match need {
            NeedSource::Cells(needed) => needed.iter().collect(),
            NeedSource::ByType(candidates) => candidates.iter().flat_map(|(_, needed)| needed).collect(),
            NeedSource::Public | NeedSource::Nobody => continue,
        };
        for (operation, resource) in needed.into_iter().filter(|(operation, _)| operation.letter().is_none()) {
            if !held(&Cell { operation: operation.clone(), resource: resource.text.clone() }) {
                let message = format!("no permission has `{operation} {}`", resource.text);
                let known = Operation::LETTERED;
                let finding = Finding::note(FindingCode::UnusedCell, Some(resource.span), message);
                findings.push(finding.suggest(operation.name(), known.iter().map(Operation::name)));
            }
        }
    }
}

/// Notes ineffective entries of groups and users: withdrawn rows that stay granted, and rows that no profile opens.
pub(super) fn note_ineffective_grants(policy: &PolicySource, model: &Model, findings: &mut Findings) {
    for (source, group) in policy.groups.iter().zip(&model.groups) {
        let granted: Vec<RowId> = model.everyone.iter().chain(&group.permissions).copied().collect();
        note_still_granted(&source.without, &group.without, &granted, model, findings);
        let profile = group.profile;
        note_missing_feature(&source.permissions, &group.permissions, profile, model, findings);
    }
    let features = model.gates.iter().any(|gate| matches!(gate.by, GateOpener::Feature));
    for (source, user) in policy.users.iter().zip(&model.users) {
        if user.without.is_empty() && (user.permissions.is_empty() || !features) {
            continue;
        }
        let group = user.group.and_then(|at| model.groups.get(usize::try_from(at).ok()?));
        let roles = user.roles.iter().flatten().filter_map(|bound| model.roles.get(usize::try_from(bound.role).ok()?));
        let mut granted: Vec<RowId> =
            model.everyone.iter().copied().chain(roles.flat_map(|role| role.rows())).collect();
        if let Some(group) = group {
            granted.extend(group.permissions.iter().filter(|row| !group.without.contains(row)));
        }
        granted.extend(&user.permissions);
        note_still_granted(&source.without, &user.without, &granted, model, findings);
        if let Some(group) = group {
            note_missing_feature(&source.permissions, &user.permissions, group.profile, model, findings);
        }
    }
}

/// Notes withdrawn rows of which another row still grants cells.
fn note_still_granted(
    names: &[Spanned],
    withdrawn: &[RowId],
    granted: &[RowId],
    model: &Model,
    findings: &mut Findings,
) {
    let row = |id: &RowId| model.rows.get(usize::try_from(id.0).ok()?);
    for (name, id) in names.iter().zip(withdrawn) {
        let Some(cells) = row(id).map(|row| &row.cells) else { continue };
        let others = granted.iter().filter(|other| !withdrawn.contains(other)).filter_map(row);
        let other = others.into_iter().find(|other| other.cells.iter().any(|cell| cells.contains(cell)));
        if let Some(other) = other {
            let shared = other.cells.iter().filter(|cell| cells.contains(cell));
            let shared = shared.filter_map(|cell| model.cells.get(usize::try_from(cell.0).ok()?));
            let shared: Vec<String> = shared.map(|cell| format!("`{cell}`")).collect();
            let message =
                format!("`{}` is withdrawn, but `{}` still grants {}", name.text, other.name, shared.join(", "));
            findings.push(Finding::note(FindingCode::StillGiven, Some(name.span), message));
        }
    }
}

/// Notes granted rows whose feature the group's profile does not enable.
fn note_missing_feature(
    names: &[Spanned],
    granted: &[RowId],
    profile: Option<u32>,
    model: &Model,
    findings: &mut Findings,
) {
    let profile = profile.and_then(|at| model.profiles.get(usize::try_from(at).ok()?));
    // A profile that applies within a scope may enable features that the group's profile does not.
    let elsewhere =
        |at: u8| model.profiles.iter().any(|other| !other.within.is_empty() && other.features.contains(&at));
    for (name, id) in names.iter().zip(granted) {
        let mut gates = (0_u8..).zip(&model.gates).filter(|(_, gate)| matches!(gate.by, GateOpener::Feature));
        let closed = gates.find(|(at, gate)| {
            gate.closes.contains(id) && !profile.is_some_and(|profile| profile.features.contains(at)) && !elsewhere(*at)
        });
        if let Some((_, gate)) = closed {
            let whose = profile.map_or("the group has no profile".to_owned(), |profile| {
                format!("the group's profile `{}` does not list it", profile.name)
            });
            let message = format!("`{}` needs the feature `{}`, and {whose}", name.text, gate.name);
            findings.push(Finding::note(FindingCode::FeatureMissing, Some(name.span), message));
        }
    }
}
