//! Roles and users as written.

use crate::document::reader::{self, Fields};
use crate::document::{Code, Finding, Findings, Node, Value};

use super::{AssignmentSource, RoleSource, UserSource, names, not_yet, written};

pub(super) fn role(key: &Node, value: &Node, findings: &mut Findings) -> Option<RoleSource> {
    let name = written(key, "a role", findings);
    let mut fields = Fields::open(value, "a role", findings)?;
    let includes = fields.optional("includes").map(|node| names(node, "`includes`", findings)).unwrap_or_default();
    let permissions =
        fields.optional("permissions").map(|node| names(node, "`permissions`", findings)).unwrap_or_default();
    not_yet(&mut fields, &["within", "assign", "assign-within", "locked"], findings);
    fields.finish(findings);
    Some(RoleSource { name: name?, includes, permissions })
}

pub(super) fn user(key: &Node, value: &Node, findings: &mut Findings) -> Option<UserSource> {
    let id = written(key, "a user's id", findings);
    let mut fields = Fields::open(value, "a user", findings)?;
    let roles = fields.optional("roles").map(|node| {
        let items = reader::list(node, "`roles`", findings).unwrap_or_default();
        items.iter().flat_map(|item| assignment(item, findings)).collect()
    });
    let tenants = fields.optional("tenants").map(|node| names(node, "`tenants`", findings));
    let permissions =
        fields.optional("permissions").map(|node| names(node, "`permissions`", findings)).unwrap_or_default();
    let without = fields.optional("without").map(|node| names(node, "`without`", findings)).unwrap_or_default();
    not_yet(&mut fields, &["group"], findings);
    fields.finish(findings);
    Some(UserSource { id: id?, roles, tenants, permissions, without })
}

/// `Level 2`, or `{ Level 2: { tenant: t1 } }`.
fn assignment(node: &Node, findings: &mut Findings) -> Vec<AssignmentSource> {
    if !matches!(node.value, Value::Map(_)) {
        let role = written(node, "a role", findings);
        return role.map(|role| AssignmentSource { role, scope: Vec::new() }).into_iter().collect();
    }
    let mut found = Vec::new();
    for (role, bounds) in reader::entries(node, "a role", findings).unwrap_or_default() {
        let role = written(role, "a role", findings);
        let mut scope = Vec::new();
        for (name, values) in reader::entries(bounds, "a role's scope", findings).unwrap_or_default() {
            if let Value::Scalar { text, .. } = &name.value
                && &**text == "when"
            {
                let message = "`when` is part of the policy language, but this version does not enforce it yet";
                findings.push(Finding::error(Code::NotYet, Some(name.place), message));
                continue;
            }
            let values = match &values.value {
                Value::List(_) => names(values, "a scope's value", findings),
                _ => written(values, "a scope's value", findings).into_iter().collect(),
            };
            if let Some(name) = written(name, "a scope's name", findings) {
                scope.push((name, values));
            }
        }
        if let Some(role) = role {
            found.push(AssignmentSource { role, scope });
        }
    }
    found
}
