//! Enumerates the positions of a schema, each with a function that builds a document with a value there.

use std::rc::Rc;

use serde_json::{Map, Value, json};

/// Place: one subschema and its position.
pub(super) struct Place<'s> {
    /// The keys that lead to it.
    pub(super) at: String,
    /// The subschema.
    pub(super) shape: &'s Value,
    root: &'s Value,
    put: Rc<dyn Fn(Value) -> Value + 's>,
}

impl<'s> Place<'s> {
    /// The smallest document that holds `value` at this position.
    pub(super) fn document(&self, value: Value) -> Value {
        (self.put)(value)
    }

    /// The target of a reference.
    pub(super) fn resolved(&self, shape: &'s Value) -> &'s Value {
        resolved(self.root, shape)
    }
}

/// All positions, beginning with the whole schema.
pub(super) fn places(root: &Value) -> Vec<Place<'_>> {
    let mut found = Vec::new();
    visit(root, root, String::new(), Rc::new(|value| value), &mut found);
    found
}

/// The smallest value that a subschema accepts.
pub(super) fn example(root: &Value, shape: &Value) -> Value {
    let shape = resolved(root, shape);
    let shown = [&shape["const"], &shape["enum"][0], &shape["default"], &shape["examples"][0]];
    if let Some(shown) = shown.into_iter().find(|value| !value.is_null() && shape["type"] != "object") {
        return shown.clone();
    }
    if shape["anyOf"].is_array() {
        return example(root, &shape["anyOf"][0]);
    }
    match shape["type"].as_str() {
        Some("object") => {
            let mut keys: Vec<&str> = texts(&shape["required"]);
            keys.extend(texts(&shape["oneOf"][0]["required"]));
            if keys.is_empty() && !shape["minProperties"].is_null() {
                keys.extend(shape["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).next());
            }
            keys.iter()
                .map(|key| ((*key).to_owned(), example(root, &shape["properties"][key])))
                .collect::<Map<_, _>>()
                .into()
        }
        Some("array") if shape["minItems"].is_null() => json!([]),
        Some("array") => json!([example(root, &shape["items"])]),
        Some("integer") => shape["minimum"].clone(),
        Some("boolean") => json!(true),
        _ => json!("x"),
    }
}

fn visit<'s>(
    root: &'s Value,
    shape: &'s Value,
    at: String,
    put: Rc<dyn Fn(Value) -> Value + 's>,
    found: &mut Vec<Place<'s>>,
) {
    let shape = resolved(root, shape);
    found.push(Place { at: at.clone(), shape, root, put: put.clone() });
    for branch in shape["anyOf"].as_array().into_iter().flatten() {
        visit(root, branch, at.clone(), put.clone(), found);
    }
    if shape["items"].is_object() {
        let outer = put.clone();
        visit(root, &shape["items"], format!("{at}/-"), Rc::new(move |value| outer(json!([value]))), found);
    }
    let own = shape["properties"].as_object().into_iter().flatten().map(|(key, inner)| (key.as_str(), inner));
    let named = &shape["propertyNames"];
    let named =
        named.is_object().then(|| (named["examples"][0].as_str().unwrap_or("x"), &shape["additionalProperties"]));
    for (key, inner) in own.chain(named) {
        let outer = put.clone();
        let around = move |value: Value| {
            let mut map = example(root, shape);
            // Of keys that exclude each other only the tested one stays: `file` instead of `discovery`.
            for group in shape["oneOf"].as_array().into_iter().flatten() {
                let keys = texts(&group["required"]);
                let others = shape["oneOf"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|group| texts(&group["required"]).contains(&key));
                if others && !keys.contains(&key) {
                    keys.iter().for_each(|key| drop(map.as_object_mut().unwrap().remove(*key)));
                }
            }
            map[key] = value;
            outer(map)
        };
        visit(root, inner, format!("{at}/{key}"), Rc::new(around), found);
    }
}

fn resolved<'s>(root: &'s Value, shape: &'s Value) -> &'s Value {
    match shape["$ref"].as_str() {
        Some(name) => root.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("nothing is at {name}")),
        None => shape,
    }
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
