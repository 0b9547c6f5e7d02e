//! Profiles, groups, roles and users as read.

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Span, Value};

use super::spanned::{Spanned, read_bounds, read_condition, read_names, read_text};

/// BoundsSource: the accepted values of each bound scope.
type BoundsSource = Vec<(Spanned, Vec<Spanned>)>;

/// ProfileSource: the enabled features, for groups or within scopes.
#[derive(Debug, Clone)]
pub(crate) struct ProfileSource {
    pub(crate) name: Spanned,
    pub(crate) locked: bool,
    pub(crate) features: Vec<Spanned>,
    pub(crate) within: Vec<BoundsSource>,
}

#[derive(Debug, Clone)]
pub(crate) struct GroupSource {
    pub(crate) name: Spanned,
    pub(crate) profile: Option<Spanned>,
    pub(crate) permissions: Vec<Spanned>,
    pub(crate) without: Vec<Spanned>,
}

#[derive(Debug, Clone)]
pub(crate) struct RoleSource {
    pub(crate) name: Spanned,
    pub(crate) includes: Vec<Spanned>,
    pub(crate) permissions: Vec<Spanned>,
    pub(crate) within: Vec<WithinSource>,
    pub(crate) policy_only: bool,
    pub(crate) assign_within: Vec<Spanned>,
    pub(crate) locked: bool,
}

/// WithinSource: rows that a role grants in one scope.
#[derive(Debug, Clone)]
pub(crate) struct WithinSource {
    pub(crate) scope: BoundsSource,
    pub(crate) permissions: Vec<Spanned>,
}

#[derive(Debug, Clone)]
pub(crate) struct UserSource {
    pub(crate) id: Spanned,
    pub(crate) group: Option<Spanned>,
    pub(crate) roles: Option<Vec<AssignmentSource>>,
    pub(crate) tenants: Option<Vec<Spanned>>,
    pub(crate) permissions: Vec<Spanned>,
    pub(crate) without: Vec<Spanned>,
}

#[derive(Debug, Clone)]
pub(crate) struct AssignmentSource {
    pub(crate) role: Spanned,
    pub(crate) scope: BoundsSource,
    pub(crate) when: Option<Spanned>,
}

pub(super) fn read_profile(key: &Node, value: &Node, findings: &mut Findings) -> Option<ProfileSource> {
    let name = read_text(key, "a profile", findings);
    let mut fields = MapReader::open(value, "a profile", findings)?;
    let locked = read_locked(&mut fields, findings);
    let features = optional_names(&mut fields, "features", "`features`", findings);
    let mut within = Vec::new();
    if let Some(node) = fields.optional("within") {
        for item in reader::list(node, "`within`", findings).unwrap_or_default() {
            within.push(read_within_scope(item, &[], findings));
        }
    }
    fields.finish(findings);
    Some(ProfileSource { name: name?, locked, features, within })
}

pub(super) fn read_group(key: &Node, value: &Node, findings: &mut Findings) -> Option<GroupSource> {
    let name = read_text(key, "a group", findings);
    let mut fields = MapReader::open(value, "a group", findings)?;
    let profile = fields.optional("profile").and_then(|node| read_one_name(node, "a group has one profile", findings));
    let permissions = optional_names(&mut fields, "permissions", "`permissions`", findings);
    let without = optional_names(&mut fields, "without", "`without`", findings);
    fields.finish(findings);
    Some(GroupSource { name: name?, profile, permissions, without })
}

pub(super) fn read_role(key: &Node, value: &Node, findings: &mut Findings) -> Option<RoleSource> {
    let name = read_text(key, "a role", findings);
    let mut fields = MapReader::open(value, "a role", findings)?;
    let includes = optional_names(&mut fields, "includes", "`includes`", findings);
    let permissions = optional_names(&mut fields, "permissions", "`permissions`", findings);
    let mut within = Vec::new();
    if let Some(node) = fields.optional("within") {
        for item in reader::list(node, "`within`", findings).unwrap_or_default() {
            within.extend(read_rows_within(item, findings));
        }
    }
    let assign = fields.optional("assign");
    let policy_only = assign.and_then(|node| reader::keyword(node, "`assign`", &[("policy-only", ())], findings));
    let assign_within = optional_names(&mut fields, "assign-within", "`assign-within`", findings);
    let locked = read_locked(&mut fields, findings);
    fields.finish(findings);
    let policy_only = policy_only.is_some();
    Some(RoleSource { name: name?, includes, permissions, within, policy_only, assign_within, locked })
}

pub(super) fn read_user(key: &Node, value: &Node, findings: &mut Findings) -> Option<UserSource> {
    let id = read_text(key, "a user's id", findings);
    let mut fields = MapReader::open(value, "a user", findings)?;
    let group = fields.optional("group").and_then(|node| read_one_name(node, "a user has one group", findings));
    let roles = fields.optional("roles").map(|node| {
        let items = reader::list(node, "`roles`", findings).unwrap_or_default();
        items.iter().flat_map(|item| read_assignments(item, findings)).collect()
    });
    let tenants = fields.optional("tenants").map(|node| read_names(node, "`tenants`", findings));
    let permissions = optional_names(&mut fields, "permissions", "`permissions`", findings);
    let without = optional_names(&mut fields, "without", "`without`", findings);
    fields.finish(findings);
    Some(UserSource { id: id?, group, roles, tenants, permissions, without })
}

/// Reads `Level 2`, or `{ Level 2: { tenant: t1, when: "…" } }`.
fn read_assignments(node: &Node, findings: &mut Findings) -> Vec<AssignmentSource> {
    if !matches!(node.value, Value::Map(_)) {
        let role = read_text(node, "a role", findings);
        return role.map(|role| AssignmentSource { role, scope: Vec::new(), when: None }).into_iter().collect();
    }
    let mut found = Vec::new();
    for (role, bound) in reader::entries(node, "a role", findings).unwrap_or_default() {
        let role = read_text(role, "a role", findings);
        let scope = read_bounds(bound, "a role's scope", &["when"], findings);
        let when = find_value(bound, "when").and_then(|node| read_condition(node, findings));
        if let Some(role) = role {
            found.push(AssignmentSource { role, scope, when });
        }
    }
    found
}

/// Reads `{ workspace: w1, permissions: [View PHI] }`.
fn read_rows_within(node: &Node, findings: &mut Findings) -> Option<WithinSource> {
    let scope = read_within_scope(node, &["permissions"], findings);
    let Some(rows) = find_value(node, "permissions") else {
        if matches!(node.value, Value::Map(_)) {
            let message = "an entry of `within` needs `permissions`, the rows that are given there";
            findings.push(Finding::error(FindingCode::MissingKey, Some(first_byte(node.span)), message));
        }
        return None;
    };
    Some(WithinSource { scope, permissions: read_names(rows, "`permissions`", findings) })
}

/// Reads the scope of an entry of `within`, which must name at least one.
fn read_within_scope(node: &Node, others: &[&str], findings: &mut Findings) -> BoundsSource {
    let found = read_bounds(node, "an entry of `within`", others, findings);
    if found.is_empty() && matches!(node.value, Value::Map(_)) {
        let message = "an entry of `within` names no scope";
        let finding = Finding::error(FindingCode::EmptyValue, Some(first_byte(node.span)), message);
        findings.push(finding.help("write the scope it holds in, `{ tenant: t1, … }`"));
    }
    found
}

fn find_value<'n>(node: &'n Node, wanted: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    let named = |key: &Node| matches!(&key.value, Value::Scalar { text, .. } if **text == *wanted);
    entries.iter().find(|(key, _)| named(key)).map(|(_, value)| value)
}

fn optional_names(fields: &mut MapReader<'_>, key: &'static str, what: &str, findings: &mut Findings) -> Vec<Spanned> {
    fields.optional(key).map(|node| read_names(node, what, findings)).unwrap_or_default()
}

fn read_locked(fields: &mut MapReader<'_>, findings: &mut Findings) -> bool {
    let node = fields.optional("locked");
    node.and_then(|node| reader::boolean(node, "`locked`", findings)).unwrap_or(false)
}

/// Reads a single name; a list violates `rule`, which the finding quotes.
fn read_one_name(node: &Node, rule: &str, findings: &mut Findings) -> Option<Spanned> {
    if let Value::List(_) = node.value {
        findings.push(Finding::error(FindingCode::WrongSort, Some(node.span), format!("{rule}, not a list of them")));
        return None;
    }
    read_text(node, "a name", findings)
}

fn first_byte(span: Span) -> Span {
    Span { end: span.start + 1, ..span }
}
