//! Tables as one JSON object; fields that are empty are left out.

use serde_json::{Map, Value, json};

use crate::policy::PolicyVersion;
use crate::policy::matrix::Matrix;

/// The object, in lines.
pub(super) fn object(version: &PolicyVersion, tables: &[Matrix], notes: &[String]) -> String {
    let tables: Vec<Value> = tables.iter().map(table).collect();
    let policy = json!({ "name": version.name, "hash": version.hash });
    format!("{:#}\n", json!({ "policy": policy, "notes": notes, "tables": tables }))
}

fn table(table: &Matrix) -> Value {
    let rows = table.rows.iter().map(|(name, fields)| {
        let given = table.resources.iter().zip(fields).filter(|(_, field)| !field.is_empty());
        let given: Map<String, Value> = given.map(|(column, field)| (column.clone(), field.as_str().into())).collect();
        json!({ table.heading: name, "fields": given })
    });
    json!({ "title": table.title, "columns": table.resources, "rows": rows.collect::<Vec<_>>() })
}
