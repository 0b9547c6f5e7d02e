//! Matrix: the policy's permissions × resources, as the vendor prints them.

use crate::vocabulary::{Cell, Operation};

use super::model::Gate;
use super::snapshot::Snapshot;
use super::standing::RowId;

/// Matrix: one printed table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The table's name; `None` where the policy has one table.
    pub title: Option<String>,
    /// The columns.
    pub resources: Vec<String>,
    /// The rows: a permission and a field for each column.
    pub rows: Vec<(String, Vec<String>)>,
}

/// The tables of a policy. A row of `everyone` that is empty in a table is left out there, as the vendors do.
pub fn tables(policy: &Snapshot) -> Vec<Matrix> {
    policy
        .model
        .tables
        .iter()
        .map(|table| {
            let resources: Vec<String> = table.resources.iter().map(|name| name.to_string()).collect();
            let rows = (0..).zip(&policy.model.rows).filter_map(|(at, row)| {
                let fields: Vec<String> =
                    table.resources.iter().map(|resource| field(policy, RowId(at), resource)).collect();
                let left_out = policy.model.everyone.contains(&RowId(at)) && fields.iter().all(String::is_empty);
                (!left_out).then(|| (row.name.to_string(), fields))
            });
            Matrix {
                title: table.title.as_ref().map(|title| title.to_string()),
                resources: resources.clone(),
                rows: rows.collect(),
            }
        })
        .collect()
}

/// One field: letters in the order of the tables, then words, then what an approval asks.
fn field(policy: &Snapshot, row: RowId, resource: &str) -> String {
    let cells: Vec<(usize, &Cell)> = policy
        .row(row)
        .map(|row| row.cells.as_slice())
        .unwrap_or_default()
        .iter()
        .filter_map(|id| policy.cell(*id).filter(|cell| &*cell.resource == resource))
        .map(|cell| (Operation::LETTERED.iter().position(|known| *known == cell.operation).unwrap_or(usize::MAX), cell))
        .collect();
    let mut sorted = cells;
    sorted.sort();
    let letters: String = sorted.iter().filter_map(|(_, cell)| cell.operation.letter()).collect();
    let words = sorted
        .iter()
        .filter(|(_, cell)| cell.operation.letter().is_none())
        .map(|(_, cell)| cell.operation.word().to_owned());
    let mut parts: Vec<String> = (!letters.is_empty()).then_some(letters).into_iter().chain(words).collect();
    let asks = policy.model.gates.iter().filter_map(Gate::approval).any(|approval| {
        let asked = approval.asked_by.iter().filter_map(|cell| policy.cell(*cell));
        asked.into_iter().any(|cell| sorted.iter().any(|(_, known)| *known == cell))
    });
    if asks {
        parts.push("Requires approval".to_owned());
    }
    parts.join(" ")
}
