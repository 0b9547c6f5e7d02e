//! CaseCaller: a caller of a cases file, read from the tree with the same keys as the JSON of [`Subject`].

use serde_json::{Map, Number, Value as Json, json};

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Span, Value, text};
use crate::vocabulary::{Assignment, Proof, Subject, SubjectId, SubjectKind};

use super::name::SpannedName;

/// CaseCaller: a named caller of a cases file.
#[derive(Debug)]
pub(super) struct CaseCaller {
    pub(super) name: Box<str>,
    pub(super) span: Span,
    pub(super) subject: Subject,
    /// The gates that are approved for the caller, as written.
    pub(super) approved: Vec<SpannedName>,
}

pub(super) fn read_caller(key: &Node, value: &Node, findings: &mut Findings) -> Option<CaseCaller> {
    let name = text(key, "a caller's name", findings)?;
    let mut fields = MapReader::open(value, "a caller", findings)?;
    let kinds = [("user", SubjectKind::User), ("service", SubjectKind::Service), ("anonymous", SubjectKind::Anonymous)];
    let kind = fields.optional("kind").map(|node| reader::keyword(node, "`kind`", &kinds, findings));
    let id = read_text(&mut fields, "id", findings);
    let client = read_text(&mut fields, "client", findings);
    let tenants = read_text_or_list(&mut fields, "tenant", "tenants", findings);
    let groups = read_text_or_list(&mut fields, "group", "groups", findings);
    let roles = fields.optional("roles").and_then(|node| reader::list(node, "`roles`", findings)).unwrap_or_default();
    let roles = roles.iter().flat_map(|node| read_assignments(node, findings)).collect();
    let permissions = read_list(&mut fields, "permissions", findings);
    let claims = fields.optional("claims").map(|node| read_claims(node, findings)).unwrap_or_default();
    let approved = fields
        .optional("approved")
        .map(|node| SpannedName::read_list(node, "`approved`", findings))
        .unwrap_or_default();
    fields.finish(findings);
    let kind = kind.unwrap_or(Some(SubjectKind::User))?;
    let subject = Subject {
        kind,
        id: id.as_deref().map(SubjectId::parse),
        client,
        tenants,
        roles,
        groups,
        permissions,
        claims,
        approved: approved.iter().map(|gate| gate.text.clone()).collect(),
        proof: if kind == SubjectKind::Anonymous { Proof::None } else { Proof::Stated },
    };
    Some(CaseCaller { name: name.into(), span: key.span, subject, approved })
}

/// The caller as JSON for `--as`; empty fields are omitted.
pub(super) fn caller_json(subject: &Subject) -> String {
    let mut object = Map::new();
    let mut put = |key: &str, value: Json| {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            object.insert(key.to_owned(), value);
        }
    };
    put("kind", if subject.kind == SubjectKind::User { Json::Null } else { subject.kind.as_str().into() });
    put("id", json!(subject.id.as_ref().map(ToString::to_string)));
    put("client", json!(subject.client));
    put("tenants", json!(subject.tenants));
    put("groups", json!(subject.groups));
    let role = |role: &Assignment| match role.scope.as_slice() {
        [] => json!(role.role),
        bound => {
            let scope: Map<String, Json> =
                bound.iter().map(|(name, values)| (name.to_string(), json!(values))).collect();
            let named: Map<String, Json> = [(role.role.to_string(), Json::Object(scope))].into_iter().collect();
            Json::Object(named)
        }
    };
    put("roles", subject.roles.iter().map(role).collect());
    put("permissions", json!(subject.permissions));
    put("claims", if subject.claims.is_empty() { Json::Null } else { Json::Object(subject.claims.clone()) });
    put("approved", json!(subject.approved));
    Json::Object(object).to_string()
}

fn read_text(fields: &mut MapReader<'_>, key: &'static str, findings: &mut Findings) -> Option<Box<str>> {
    fields.optional(key).and_then(|node| text(node, &format!("`{key}`"), findings)).map(Into::into)
}

fn read_list(fields: &mut MapReader<'_>, key: &'static str, findings: &mut Findings) -> Vec<Box<str>> {
    let node = fields.optional(key);
    let texts = node.map(|node| reader::texts(node, &format!("`{key}`"), findings)).unwrap_or_default();
    texts.into_iter().map(|(text, _)| text.into()).collect()
}

/// Reads `tenant: t1` or `tenants: [t1, t2]`.
fn read_text_or_list(
    fields: &mut MapReader<'_>,
    single: &'static str,
    list: &'static str,
    findings: &mut Findings,
) -> Vec<Box<str>> {
    if let (Some(first), Some(second)) = (fields.optional(single), fields.optional(list)) {
        let message = format!("`{single}` and `{list}` exclude each other: write one of them");
        findings
            .push(Finding::error(FindingCode::Contradiction, Some(second.span), message).also(first.span, "the other"));
    }
    read_text(fields, single, findings).into_iter().chain(read_list(fields, list, findings)).collect()
}

/// Reads `Level 2` or `{ Level 2: { tenant: t1, pacs: [p7, p8] } }`.
fn read_assignments(node: &Node, findings: &mut Findings) -> Vec<Assignment> {
    if !matches!(node.value, Value::Map(_)) {
        return text(node, "a role", findings).map(Assignment::unbound).into_iter().collect();
    }
    let mut found = Vec::new();
    for (role, bound) in reader::entries(node, "a role", findings).unwrap_or_default() {
        let role = text(role, "a role", findings);
        let mut scope = Vec::new();
        for (name, values) in reader::entries(bound, "a role's scope", findings).unwrap_or_default() {
            let what = "a scope's value";
            let values = match &values.value {
                Value::List(_) => {
                    reader::texts(values, what, findings).into_iter().map(|(text, _)| text.into()).collect()
                }
                _ => text(values, what, findings).map(Into::into).into_iter().collect(),
            };
            if let Some(name) = text(name, "a scope's name", findings) {
                scope.push((name.into(), values));
            }
        }
        if let Some(role) = role {
            found.push(Assignment { role: role.into(), scope });
        }
    }
    found
}

fn read_claims(node: &Node, findings: &mut Findings) -> Map<String, Json> {
    let entries = reader::entries(node, "`claims`", findings).unwrap_or_default();
    let mut claims = Map::new();
    for (key, value) in entries {
        if let (Some(key), Some(value)) = (text(key, "a claim's name", findings), read_json(value, findings)) {
            claims.insert(key.to_owned(), value);
        }
    }
    claims
}

/// Reads a value as a token would carry it: unquoted numbers, booleans and `null` are not texts.
fn read_json(node: &Node, findings: &mut Findings) -> Option<Json> {
    match &node.value {
        Value::Scalar { text: plain, plain: true } => match &**plain {
            "null" => Some(Json::Null),
            "true" => Some(true.into()),
            "false" => Some(false.into()),
            number if let Ok(number) = serde_json::from_str::<Number>(number) => Some(Json::Number(number)),
            _ => text(node, "a claim", findings).map(Into::into),
        },
        Value::Scalar { text, .. } => Some((&**text).into()),
        Value::List(items) => items.iter().map(|item| read_json(item, findings)).collect(),
        Value::Map(_) => Some(Json::Object(read_claims(node, findings))),
    }
}
