//! Routes and rows as written: what a method needs, and what a permission gives.

use crate::document::reader::{self, Fields};
use crate::document::{Code, Finding, Findings, Node, Place, Value, text};
use crate::vocabulary::Operation;

use super::{MethodSource, NeedSource, RouteSource, RowSource, Written, names, not_yet, written};

pub(super) fn route(key: &Node, value: &Node, findings: &mut Findings) -> Option<RouteSource> {
    let template = written(key, "a route", findings);
    let mut methods = Vec::new();
    for (method, need) in reader::entries(value, "a route's methods", findings)? {
        let method = written(method, "a method", findings);
        let found = needs(need, findings);
        if let (Some(method), Some(found)) = (method, found) {
            methods.push(MethodSource { method, ..found });
        }
    }
    Some(RouteSource { template: template?, methods })
}

/// What a method needs: a cell, a list of cells, `public`, `nobody`, or a map with `need` and options.
fn needs(node: &Node, findings: &mut Findings) -> Option<MethodSource> {
    let bare = |need| MethodSource {
        method: Written { text: "".into(), place: node.place },
        need,
        websocket: false,
        token_from: None,
        encoded_slash: None,
        across: Vec::new(),
    };
    if !matches!(node.value, Value::Map(_)) {
        return need(node, findings).map(bare);
    }
    let mut fields = Fields::open(node, "a route's method", findings)?;
    let found = fields.required("need", findings).and_then(|node| need(node, findings));
    let websocket = fields.optional("websocket").and_then(|node| reader::boolean(node, "`websocket`", findings));
    let token_from = fields.optional("token-from").and_then(|node| written(node, "`token-from`", findings));
    let encoded_slash = fields.optional("encoded-slash").and_then(|node| written(node, "`encoded-slash`", findings));
    let across = fields.optional("across").map(|node| names(node, "`across`", findings)).unwrap_or_default();
    not_yet(&mut fields, &["when", "by-type"], findings);
    fields.finish(findings);
    Some(MethodSource { websocket: websocket.unwrap_or(false), token_from, encoded_slash, across, ..bare(found?) })
}

fn need(node: &Node, findings: &mut Findings) -> Option<NeedSource> {
    if let Value::List(items) = &node.value {
        if items.is_empty() {
            let finding = Finding::error(Code::EmptyValue, Some(node.place), "a route needs at least one cell");
            findings.push(finding.help("write `public` if nobody has to prove anything, `nobody` to close the route"));
        }
        return Some(NeedSource::Cells(items.iter().filter_map(|item| cell(item, findings)).collect()));
    }
    match text(node, "what a route needs", findings)? {
        "public" => Some(NeedSource::Public),
        "nobody" => Some(NeedSource::Nobody),
        _ => cell(node, findings).map(|cell| NeedSource::Cells(vec![cell])),
    }
}

/// `read Patients`: the operation ends at the first blank, the resource is the rest.
pub(super) fn cell(node: &Node, findings: &mut Findings) -> Option<(Operation, Written)> {
    let written = text(node, "an operation on a resource", findings)?;
    let Some((word, resource)) = written.split_once(' ') else {
        let finding =
            Finding::error(Code::BadValue, Some(node.place), format!("`{written}` is not an operation on a resource"));
        findings.push(finding.help("write an operation, a blank and a resource: `read Patients`"));
        return None;
    };
    let operation = operation(word, node.place, findings)?;
    Some((operation, Written { text: resource.trim().into(), place: node.place }))
}

fn operation(word: &str, place: Place, findings: &mut Findings) -> Option<Operation> {
    let fine = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fine {
        let finding = Finding::error(Code::BadValue, Some(place), format!("`{word}` is not an operation"));
        findings.push(finding.suggest(&word.to_lowercase(), ["create", "read", "update", "delete", "merge"]));
        return None;
    }
    Some(Operation::from_word(word))
}

pub(super) fn row(key: &Node, value: &Node, findings: &mut Findings) -> Option<RowSource> {
    let name = written(key, "a permission", findings);
    if let Value::Scalar { text, plain: true } = &value.value
        && text.is_empty()
    {
        let finding = Finding::error(Code::EmptyValue, Some(key.place), "a permission without a value is unclear");
        findings.push(finding.help("write `{}` behind it if it gives nothing in this API"));
        return None;
    }
    let mut cells = Vec::new();
    for (resource, operations) in reader::entries(value, "a permission", findings)? {
        let resource = written(resource, "a resource", findings);
        let operations = operations_of(operations, findings);
        if let Some(resource) = resource {
            cells.push((resource, operations));
        }
    }
    Some(RowSource { name: name?, cells })
}

/// Letters (`CRU`), a word (`check-in`), or a list of both.
fn operations_of(node: &Node, findings: &mut Findings) -> Vec<(Operation, Place)> {
    if let Value::List(items) = &node.value {
        return items.iter().flat_map(|item| operations_of(item, findings)).collect();
    }
    let Some(written) = text(node, "what a permission gives", findings) else { return Vec::new() };
    if !written.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return operation(written, node.place, findings).map(|operation| (operation, node.place)).into_iter().collect();
    }
    let mut found: Vec<(Operation, Place)> = Vec::new();
    for letter in written.chars() {
        match Operation::from_letter(letter) {
            Some(operation) if found.iter().all(|(known, _)| *known != operation) => {
                found.push((operation, node.place))
            }
            Some(_) => {
                let message = format!("`{letter}` stands twice in `{written}`");
                findings.push(Finding::error(Code::BadValue, Some(node.place), message));
            }
            None => {
                let message = format!("`{letter}` in `{written}` is none of the letters C, R, U, D, M");
                findings.push(
                    Finding::error(Code::BadValue, Some(node.place), message)
                        .help("other operations are words in small letters"),
                );
            }
        }
    }
    found
}
