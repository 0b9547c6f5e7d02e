//! Matrix: the policy's table of permissions and resources, as the vendor prints it.

use crate::vocabulary::{Cell, Operation};

use super::ids::RowId;
use super::model::Gate;
use super::snapshot::Snapshot;

/// Matrix: one printed table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The table's name; `None` if the policy has one table.
    pub title: Option<String>,
    /// The heading of the rows.
    pub heading: &'static str,
    /// The columns.
    pub resources: Vec<String>,
    /// The rows: a name and a field for each column.
    pub rows: Vec<(String, Vec<String>)>,
}

/// The tables of a policy, and a table of its field sets if it has any.
///
/// A table omits rows of `everyone` that are empty in it, as the vendors do.
pub fn tables(policy: &Snapshot) -> Vec<Matrix> {
    let tables = policy.model.tables.iter().map(|table| {
        let resources: Vec<String> = table.resources.iter().map(|name| name.to_string()).collect();
        let rows = (0..).zip(&policy.model.rows).filter_map(|(at, row)| {
            let fields: Vec<String> =
                table.resources.iter().map(|resource| format_field(policy, RowId(at), resource)).collect();
            let left_out = policy.model.everyone.contains(&RowId(at)) && fields.iter().all(String::is_empty);
            (!left_out).then(|| (row.name.to_string(), fields))
        });
        Matrix {
            title: table.title.as_ref().map(|title| title.to_string()),
            heading: "permission",
            resources: resources.clone(),
            rows: rows.collect(),
        }
    });
    tables.chain(field_set_table(policy)).collect()
}

/// The table of field sets and the rows that may read them.
fn field_set_table(policy: &Snapshot) -> Option<Matrix> {
    let sets: Vec<String> = policy.model.fields.iter().map(|set| set.name.to_string()).collect();
    let rows = (0..).zip(&policy.model.rows).filter_map(|(at, row)| {
        let fields: Vec<String> = sets.iter().map(|set| format_field(policy, RowId(at), set)).collect();
        fields.iter().any(|field| !field.is_empty()).then(|| (row.name.to_string(), fields))
    });
    let rows = rows.collect();
    let title = Some("Field sets".to_owned());
    (!sets.is_empty()).then_some(Matrix { title, heading: "permission", resources: sets, rows })
}

/// Formats operations as tables print them: letters in order, then names.
pub fn format_operations<'c>(cells: impl Iterator<Item = &'c Cell>) -> String {
    let place = |cell: &Cell| Operation::LETTERED.iter().position(|known| *known == cell.operation);
    let mut sorted: Vec<(usize, &Cell)> = cells.map(|cell| (place(cell).unwrap_or(usize::MAX), cell)).collect();
    sorted.sort();
    let letters: String = sorted.iter().filter_map(|(_, cell)| cell.operation.letter()).collect();
    let words = sorted.iter().filter(|(_, cell)| cell.operation.letter().is_none());
    let words = words.map(|(_, cell)| cell.operation.name().to_owned());
    (!letters.is_empty()).then_some(letters).into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// Formats one field: letters in the order of the tables, then names, then whether an approval is required.
fn format_field(policy: &Snapshot, row: RowId, resource: &str) -> String {
    let ids = policy.row(row).map(|row| row.cells.as_slice()).unwrap_or_default().iter();
    let cells: Vec<&Cell> = ids.filter_map(|id| policy.cell(*id)).filter(|cell| &*cell.resource == resource).collect();
    let letters = format_operations(cells.iter().copied());
    let mut parts: Vec<String> = (!letters.is_empty()).then_some(letters).into_iter().collect();
    let asks = policy.model.gates.iter().filter_map(Gate::approval).any(|approval| {
        let requesting_cells = approval.asked_by.iter().filter_map(|cell| policy.cell(*cell));
        requesting_cells.into_iter().any(|cell| cells.contains(&cell))
    });
    if asks {
        parts.push("Requires approval".to_owned());
    }
    parts.join(" ")
}
