//! Prints tables as one JSON object, without empty fields.

use serde_json::{Map, Value, json};

use crate::policy::PolicyVersion;
use crate::policy::matrix::Matrix;

/// The object, indented.
pub(super) fn tables_json(version: &PolicyVersion, tables: &[Matrix], notes: &[String]) -> String {
    let tables: Vec<Value> = tables.iter().map(table).collect();
    let policy = json!({ "name": version.name, "hash": version.hash });
    format!("{:#}\n", json!({ "policy": policy, "notes": notes, "tables": tables }))
}

fn table(table: &Matrix) -> Value {
    let rows = table.rows.iter().map(|(name, fields)| {
        let filled = table.resources.iter().zip(fields).filter(|(_, field)| !field.is_empty());
        let fields: Map<String, Value> =
            filled.map(|(column, field)| (column.clone(), field.as_str().into())).collect();
        json!({ table.heading: name, "fields": fields })
    });
    json!({ "title": table.title, "columns": table.resources, "rows": rows.collect::<Vec<_>>() })
}
