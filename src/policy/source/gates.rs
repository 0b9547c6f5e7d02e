//! Gates and CORS as read.

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Span};
use crate::vocabulary::Operation;

use super::routes;
use super::spanned::{Spanned, read_condition, read_names, read_text};

/// GateSource: a gate, the rows that it closes and the way to open it.
#[derive(Debug, Clone)]
pub(crate) struct GateSource {
    pub(crate) name: Spanned,
    /// `except` lists the rows that stay open, `permissions` the rows to close.
    pub(crate) except: Option<Vec<Spanned>>,
    pub(crate) permissions: Option<Vec<Spanned>>,
    pub(crate) by: GateOpenerSource,
}

/// GateOpenerSource: the way to open a gate.
#[derive(Debug, Clone)]
pub(crate) enum GateOpenerSource {
    Approval(ApprovalSource),
    /// A profile that lists the gate among its features.
    Feature,
    Condition(Spanned),
}

#[derive(Debug, Default, Clone)]
pub(crate) struct ApprovalSource {
    pub(crate) keys: Vec<Spanned>,
    pub(crate) asked_by: Vec<(Operation, Spanned)>,
    pub(crate) approvers: Vec<Spanned>,
    pub(crate) granted: Vec<(Span, Vec<(Spanned, Spanned)>)>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct CorsSource {
    pub(crate) origins: Vec<Spanned>,
    pub(crate) headers: Vec<Spanned>,
    pub(crate) exposed: Vec<Spanned>,
    pub(crate) credentials: bool,
    pub(crate) max_age: Option<u64>,
}

#[derive(Clone, Copy)]
enum GateKeyword {
    Approval,
    Feature,
    Condition,
}

pub(super) fn read_gate(key: &Node, value: &Node, findings: &mut Findings) -> Option<GateSource> {
    let name = read_text(key, "a gate", findings);
    let mut fields = MapReader::open(value, "a gate", findings)?;
    let words =
        [("approval", GateKeyword::Approval), ("feature", GateKeyword::Feature), ("condition", GateKeyword::Condition)];
    let by = fields.required("by", findings).and_then(|node| reader::keyword(node, "`by`", &words, findings));
    let except = fields.optional("except").map(|node| read_names(node, "`except`", findings));
    let permissions = fields.optional("permissions").map(|node| read_names(node, "`permissions`", findings));
    if except.is_some() == permissions.is_some() {
        let message = "a gate closes either all rows `except` some, or the `permissions` it lists";
        findings.push(Finding::error(FindingCode::MissingKey, Some(key.span), message));
    }
    // Without `by` the set of valid keys is unknown.
    let by = match by? {
        GateKeyword::Approval => GateOpenerSource::Approval(read_approval(&mut fields, findings)),
        GateKeyword::Feature => GateOpenerSource::Feature,
        GateKeyword::Condition => {
            let node = fields.required("when", findings);
            GateOpenerSource::Condition(node.and_then(|node| read_condition(node, findings))?)
        }
    };
    fields.finish(findings);
    Some(GateSource { name: name?, except, permissions, by })
}

fn read_approval(fields: &mut MapReader<'_>, findings: &mut Findings) -> ApprovalSource {
    let keys = fields.required("keys", findings).map(|node| read_names(node, "`keys`", findings)).unwrap_or_default();
    let asked_by = match fields.optional("asked-by") {
        Some(node) => reader::list(node, "`asked-by`", findings)
            .unwrap_or_default()
            .iter()
            .filter_map(|item| routes::read_cell(item, findings))
            .collect(),
        None => Vec::new(),
    };
    let approvers =
        fields.optional("approvers").map(|node| read_names(node, "`approvers`", findings)).unwrap_or_default();
    let mut granted = Vec::new();
    if let Some(node) = fields.optional("granted") {
        for item in reader::list(node, "`granted`", findings).unwrap_or_default() {
            let pairs = reader::entries(item, "an approval", findings).unwrap_or_default();
            let pairs = pairs.iter().filter_map(|(key, value)| {
                Some((read_text(key, "a key", findings)?, read_text(value, "an approval's value", findings)?))
            });
            granted.push((item.span, pairs.collect()));
        }
    }
    ApprovalSource { keys, asked_by, approvers, granted }
}

pub(super) fn read_cors(node: &Node, findings: &mut Findings) -> Option<CorsSource> {
    let mut fields = MapReader::open(node, "`cors`", findings)?;
    let origins =
        fields.required("origins", findings).map(|node| read_names(node, "an origin", findings)).unwrap_or_default();
    let headers = fields.optional("headers").map(|node| read_names(node, "a header", findings)).unwrap_or_default();
    let exposed = fields.optional("expose").map(|node| read_names(node, "a header", findings)).unwrap_or_default();
    let credentials = fields.optional("credentials").and_then(|node| reader::boolean(node, "`credentials`", findings));
    let max_age = fields.optional("max-age").and_then(|node| reader::integer(node, "`max-age`", 0, 86_400, findings));
    fields.finish(findings);
    Some(CorsSource { origins, headers, exposed, credentials: credentials.unwrap_or(false), max_age })
}
