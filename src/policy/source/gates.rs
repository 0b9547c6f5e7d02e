//! Gates and CORS as written.

use crate::document::reader::{self, Fields};
use crate::document::{Code, Finding, Findings, Node, text};

use super::{CorsSource, GateSource, names, routes, written};

pub(super) fn gate(key: &Node, value: &Node, findings: &mut Findings) -> Option<GateSource> {
    let name = written(key, "a gate", findings);
    let mut fields = Fields::open(value, "a gate", findings)?;
    if let Some(node) = fields.required("by", findings) {
        match text(node, "`by`", findings) {
            Some("approval") | None => {}
            Some(word @ ("feature" | "condition")) => {
                let message = format!(
                    "gates by `{word}` are part of the policy language, but this version does not enforce them yet"
                );
                findings.push(Finding::error(Code::NotYet, Some(node.place), message));
            }
            Some(other) => {
                let finding =
                    Finding::error(Code::BadValue, Some(node.place), format!("a gate cannot be by `{other}`"));
                findings.push(finding.suggest(other, ["approval", "feature", "condition"]));
            }
        }
    }
    let except = fields.optional("except").map(|node| names(node, "`except`", findings));
    let permissions = fields.optional("permissions").map(|node| names(node, "`permissions`", findings));
    if except.is_some() == permissions.is_some() {
        let message = "a gate closes either all rows `except` some, or the `permissions` it lists";
        findings.push(Finding::error(Code::MissingKey, Some(key.place), message));
    }
    let keys = fields.required("keys", findings).map(|node| names(node, "`keys`", findings)).unwrap_or_default();
    let asked_by = match fields.optional("asked-by") {
        Some(node) => reader::list(node, "`asked-by`", findings)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| routes::cell(item, findings))
            .collect(),
        None => Vec::new(),
    };
    let approvers = fields.optional("approvers").map(|node| names(node, "`approvers`", findings)).unwrap_or_default();
    let mut granted = Vec::new();
    if let Some(node) = fields.optional("granted") {
        for item in reader::list(node, "`granted`", findings).unwrap_or_default() {
            let pairs = reader::entries(item, "an approval", findings).unwrap_or_default();
            let pairs = pairs.iter().filter_map(|(key, value)| {
                Some((written(key, "a key", findings)?, written(value, "an approval's value", findings)?))
            });
            granted.push((item.place, pairs.collect()));
        }
    }
    fields.finish(findings);
    Some(GateSource { name: name?, except, permissions, keys, asked_by, approvers, granted })
}

pub(super) fn cors(node: &Node, findings: &mut Findings) -> Option<CorsSource> {
    let mut fields = Fields::open(node, "`cors`", findings)?;
    let origins =
        fields.required("origins", findings).map(|node| names(node, "an origin", findings)).unwrap_or_default();
    let headers = fields.optional("headers").map(|node| names(node, "a header", findings)).unwrap_or_default();
    let exposed = fields.optional("expose").map(|node| names(node, "a header", findings)).unwrap_or_default();
    let credentials = fields.optional("credentials").and_then(|node| reader::boolean(node, "`credentials`", findings));
    let max_age = fields.optional("max-age").and_then(|node| reader::integer(node, "`max-age`", 0, 86_400, findings));
    fields.finish(findings);
    Some(CorsSource { origins, headers, exposed, credentials: credentials.unwrap_or(false), max_age })
}
