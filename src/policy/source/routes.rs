//! Routes and rows as read: the cells that methods require and permissions grant.

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Span, Value, text};
use crate::vocabulary::{AuditMode, Operation};

use super::spanned::{Spanned, read_condition, read_names, read_text};

/// RouteSource: a template and the requirements of its methods.
#[derive(Debug, Clone)]
pub(crate) struct RouteSource {
    pub(crate) template: Spanned,
    pub(crate) methods: Vec<MethodSource>,
    /// Whether the route lists no method, valid or not.
    pub(crate) is_empty: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct MethodSource {
    pub(crate) method: Spanned,
    pub(crate) need: NeedSource,
    pub(crate) websocket: bool,
    pub(crate) token_from: Option<Spanned>,
    pub(crate) encoded_slash: Option<Spanned>,
    pub(crate) across: Vec<Spanned>,
    pub(crate) when: Option<Spanned>,
    pub(crate) audit: Option<AuditMode>,
}

/// NeedSource: the requirement of a method; cells are operation and resource in source order.
#[derive(Debug, Clone)]
pub(crate) enum NeedSource {
    Public,
    Nobody,
    Cells(Vec<(Operation, Spanned)>),
    /// By the media type of the response.
    ByType(Vec<(Spanned, Vec<(Operation, Spanned)>)>),
}

/// RowSource: a permission of the vendor's table.
#[derive(Debug, Clone)]
pub(crate) struct RowSource {
    pub(crate) name: Spanned,
    pub(crate) cells: Vec<(Spanned, Vec<(Operation, Span)>)>,
}

pub(super) fn read_route(key: &Node, value: &Node, findings: &mut Findings) -> Option<RouteSource> {
    let template = read_text(key, "a route", findings);
    let mut methods = Vec::new();
    let entries = reader::entries(value, "a route's methods", findings)?;
    for (method, need) in entries {
        let method = read_text(method, "a method", findings);
        let found = read_method(need, findings);
        if let (Some(method), Some(found)) = (method, found) {
            methods.push(MethodSource { method, ..found });
        }
    }
    Some(RouteSource { template: template?, methods, is_empty: entries.is_empty() })
}

/// Reads a requirement: a cell, a list of cells, `public`, `nobody`, or a map with `need` or `by-type` and options.
fn read_method(node: &Node, findings: &mut Findings) -> Option<MethodSource> {
    let bare = |need| MethodSource {
        method: Spanned { text: "".into(), span: node.span },
        need,
        websocket: false,
        token_from: None,
        encoded_slash: None,
        across: Vec::new(),
        when: None,
        audit: None,
    };
    if !matches!(node.value, Value::Map(_)) {
        return read_need(node, findings).map(bare);
    }
    let mut fields = MapReader::open(node, "a route's method", findings)?;
    let found = match (fields.optional("need"), fields.optional("by-type")) {
        (Some(node), None) => read_need(node, findings),
        (None, Some(node)) => read_by_type(node, findings),
        (need, _) => {
            let message = "a route's method has either a `need` or a `by-type`";
            let span = Span { end: node.span.start + 1, ..node.span };
            findings.push(Finding::error(
                if need.is_some() { FindingCode::Contradiction } else { FindingCode::MissingKey },
                Some(span),
                message,
            ));
            None
        }
    };
    let when = fields.optional("when").and_then(|node| read_condition(node, findings));
    let websocket = fields.optional("websocket").and_then(|node| reader::boolean(node, "`websocket`", findings));
    let token_from = fields.optional("token-from").and_then(|node| read_text(node, "`token-from`", findings));
    let encoded_slash = fields.optional("encoded-slash").and_then(|node| read_text(node, "`encoded-slash`", findings));
    let audit =
        fields.optional("audit").and_then(|node| reader::keyword(node, "`audit`", &AuditMode::KEYWORDS, findings));
    let across = fields.optional("across").map(|node| read_names(node, "`across`", findings)).unwrap_or_default();
    fields.finish(findings);
    Some(MethodSource {
        websocket: websocket.unwrap_or(false),
        token_from,
        encoded_slash,
        across,
        when,
        audit,
        ..bare(found?)
    })
}

/// Reads `{ image/*: read Images, otherwise: read Files }`.
fn read_by_type(node: &Node, findings: &mut Findings) -> Option<NeedSource> {
    let mut found = Vec::new();
    let entries = reader::entries(node, "`by-type`", findings)?;
    if entries.is_empty() {
        let message = "`by-type` names no media type";
        findings.push(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
    }
    for (range, cells) in entries {
        let range = read_text(range, "a media type", findings);
        let cells = match read_need(cells, findings) {
            Some(NeedSource::Cells(cells)) => cells,
            Some(_) => {
                let message = "a media type needs cells: neither `public` nor `nobody`";
                findings.push(Finding::error(FindingCode::BadValue, Some(cells.span), message));
                continue;
            }
            None => continue,
        };
        if let Some(range) = range {
            found.push((range, cells));
        }
    }
    Some(NeedSource::ByType(found))
}

fn read_need(node: &Node, findings: &mut Findings) -> Option<NeedSource> {
    if let Value::List(items) = &node.value {
        if items.is_empty() {
            let finding = Finding::error(FindingCode::EmptyValue, Some(node.span), "a route needs at least one cell");
            findings.push(finding.help("write `public` to permit every caller, `nobody` to close the route"));
        }
        return Some(NeedSource::Cells(items.iter().filter_map(|item| read_cell(item, findings)).collect()));
    }
    match text(node, "what a route needs", findings)? {
        "public" => Some(NeedSource::Public),
        "nobody" => Some(NeedSource::Nobody),
        _ => read_cell(node, findings).map(|cell| NeedSource::Cells(vec![cell])),
    }
}

/// Reads `read Patients`: the operation ends at the first space, the resource is the rest.
pub(super) fn read_cell(node: &Node, findings: &mut Findings) -> Option<(Operation, Spanned)> {
    let input = text(node, "an operation on a resource", findings)?;
    let Some((word, resource)) = input.split_once(' ') else {
        let finding = Finding::error(
            FindingCode::BadValue,
            Some(node.span),
            format!("`{input}` is not an operation on a resource"),
        );
        findings.push(finding.help("write an operation, a space and a resource: `read Patients`"));
        return None;
    };
    let operation = read_operation(word, node.span, findings)?;
    Some((operation, Spanned { text: resource.trim().into(), span: node.span }))
}

fn read_operation(word: &str, span: Span, findings: &mut Findings) -> Option<Operation> {
    let fine = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fine {
        let finding = Finding::error(FindingCode::BadValue, Some(span), format!("`{word}` is not an operation"));
        findings.push(finding.suggest(&word.to_lowercase(), ["create", "read", "update", "delete", "merge"]));
        return None;
    }
    Some(Operation::from_name(word))
}

pub(super) fn read_row(key: &Node, value: &Node, findings: &mut Findings) -> Option<RowSource> {
    let name = read_text(key, "a permission", findings);
    if let Value::Scalar { text, plain: true } = &value.value
        && text.is_empty()
    {
        let finding =
            Finding::error(FindingCode::EmptyValue, Some(key.span), "a permission without a value is unclear");
        findings.push(finding.help("write `{}` after it if it grants nothing in this API"));
        return None;
    }
    let mut cells = Vec::new();
    for (resource, operations) in reader::entries(value, "a permission", findings)? {
        let resource = read_text(resource, "a resource", findings);
        let operations = read_operations(operations, findings);
        if let Some(resource) = resource {
            cells.push((resource, operations));
        }
    }
    Some(RowSource { name: name?, cells })
}

/// Reads letters (`CRU`), a name (`check-in`), or a list of both.
fn read_operations(node: &Node, findings: &mut Findings) -> Vec<(Operation, Span)> {
    if let Value::List(items) = &node.value {
        return items.iter().flat_map(|item| read_operations(item, findings)).collect();
    }
    let Some(input) = text(node, "what a permission gives", findings) else { return Vec::new() };
    if !input.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return read_operation(input, node.span, findings)
            .map(|operation| (operation, node.span))
            .into_iter()
            .collect();
    }
    let mut found: Vec<(Operation, Span)> = Vec::new();
    for letter in input.chars() {
        match Operation::from_letter(letter) {
            Some(operation) if found.iter().all(|(known, _)| *known != operation) => found.push((operation, node.span)),
            Some(_) => {
                let message = format!("`{letter}` occurs twice in `{input}`");
                findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
            }
            None => {
                let message = format!("`{letter}` in `{input}` is none of the letters C, R, U, D, M");
                findings.push(
                    Finding::error(FindingCode::BadValue, Some(node.span), message)
                        .help("other operations are words in small letters"),
                );
            }
        }
    }
    found
}
