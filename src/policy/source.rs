//! PolicySource: the policy files as read: keys are checked strictly, names are not resolved yet.

mod fields;
mod gates;
mod people;
mod routes;
mod spanned;

pub(crate) use fields::{FieldSource, ShadowSource};
pub(crate) use gates::{ApprovalSource, CorsSource, GateOpenerSource, GateSource};
pub(crate) use people::{AssignmentSource, GroupSource, ProfileSource, RoleSource, UserSource};
pub(crate) use routes::{MethodSource, NeedSource, RouteSource, RowSource};
pub(crate) use spanned::Spanned;

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Span, Value};
use crate::request::Dialect;

use spanned::{read_names, read_text};

/// PolicySource: the merged files of one policy.
#[derive(Debug, Default, Clone)]
pub(crate) struct PolicySource {
    pub(crate) name: Option<Spanned>,
    pub(crate) dialect: Dialect,
    pub(crate) scopes: Vec<ScopeSource>,
    pub(crate) routes: Vec<RouteSource>,
    pub(crate) tables: Vec<TableSource>,
    pub(crate) fields: Vec<FieldSource>,
    pub(crate) rows: Vec<RowSource>,
    pub(crate) everyone: Vec<Spanned>,
    pub(crate) service_apps: Option<ServiceApps>,
    pub(crate) one_role: bool,
    pub(crate) gates: Vec<GateSource>,
    pub(crate) profiles: Vec<ProfileSource>,
    pub(crate) groups: Vec<GroupSource>,
    pub(crate) roles: Vec<RoleSource>,
    pub(crate) users: Vec<UserSource>,
    pub(crate) cors: Option<CorsSource>,
    pub(crate) shadow: Option<ShadowSource>,
    /// Whether the policy's cases must pass before it is loaded.
    pub(crate) cases_must_pass: bool,
    /// The spans of the keys that may occur once only.
    single_keys: Vec<(&'static str, Span)>,
}

#[derive(Debug, Clone)]
pub(crate) struct ScopeSource {
    pub(crate) name: Spanned,
    pub(crate) caller: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct TableSource {
    pub(crate) title: Option<Spanned>,
    pub(crate) resources: Vec<Spanned>,
}

/// ServiceApps: the permissions of service apps that `users:` does not list, from the key `service-apps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceApps {
    /// They may perform every mapped operation of their tenant.
    All,
    /// They hold every row.
    EveryPermission,
}

impl PolicySource {
    /// Reads one file and adds it to those read before.
    pub(crate) fn read(&mut self, root: &Node, findings: &mut Findings) {
        let Some(mut fields) = MapReader::open(root, "a policy", findings) else { return };
        self.read_singles(&mut fields, findings);
        if let Some(node) = fields.optional("scopes") {
            self.read_scopes(node, findings);
        }
        if let Some(node) = fields.optional("resources") {
            self.read_resources(node, findings);
        }
        let mut entries = |key, what: &str, findings: &mut Findings| {
            let node = fields.optional(key)?;
            reader::entries(node, what, findings)
        };
        for (key, value) in entries("routes", "`routes`", findings).unwrap_or_default() {
            self.routes.extend(routes::read_route(key, value, findings));
        }
        for (key, value) in entries("fields", "`fields`", findings).unwrap_or_default() {
            self.fields.extend(fields::read_field_set(key, value, findings));
        }
        for (key, value) in entries("permissions", "`permissions`", findings).unwrap_or_default() {
            self.rows.extend(routes::read_row(key, value, findings));
        }
        for (key, value) in entries("gates", "`gates`", findings).unwrap_or_default() {
            self.gates.extend(gates::read_gate(key, value, findings));
        }
        for (key, value) in entries("profiles", "`profiles`", findings).unwrap_or_default() {
            self.profiles.extend(people::read_profile(key, value, findings));
        }
        for (key, value) in entries("groups", "`groups`", findings).unwrap_or_default() {
            self.groups.extend(people::read_group(key, value, findings));
        }
        for (key, value) in entries("roles", "`roles`", findings).unwrap_or_default() {
            self.roles.extend(people::read_role(key, value, findings));
        }
        for (key, value) in entries("users", "`users`", findings).unwrap_or_default() {
            self.users.extend(people::read_user(key, value, findings));
        }
        fields.finish(findings);
    }

    /// Whether a file declares the version of the policy language.
    pub(crate) fn has_version(&self) -> bool {
        self.single_keys.iter().any(|(key, _)| *key == "version")
    }

    /// The span of `shadow`.
    pub(crate) fn shadow_span(&self) -> Option<Span> {
        self.single_keys.iter().find(|(key, _)| *key == "shadow").map(|(_, span)| *span)
    }

    /// Reads the keys that may occur once in all files together.
    fn read_singles(&mut self, fields: &mut MapReader<'_>, findings: &mut Findings) {
        if let Some(node) = self.single_value(fields, "version", findings) {
            reader::integer(node, "`version`", 1, 1, findings);
        }
        if let Some(node) = self.single_value(fields, "name", findings) {
            self.name = read_text(node, "`name`", findings);
        }
        if let Some(node) = self.single_value(fields, "dialect", findings)
            && let Some(dialect) = reader::keyword(node, "`dialect`", &Dialect::KEYWORDS, findings)
        {
            self.dialect = dialect;
        }
        if let Some(node) = self.single_value(fields, "service-apps", findings) {
            let words = [("all", ServiceApps::All), ("every-permission", ServiceApps::EveryPermission)];
            self.service_apps = reader::keyword(node, "`service-apps`", &words, findings);
        }
        if let Some(node) = self.single_value(fields, "everyone", findings) {
            self.everyone = read_names(node, "`everyone`", findings);
        }
        if let Some(node) = self.single_value(fields, "one-role", findings) {
            self.one_role = reader::boolean(node, "`one-role`", findings) == Some(true);
        }
        if let Some(node) = self.single_value(fields, "cors", findings) {
            self.cors = gates::read_cors(node, findings);
        }
        if let Some(node) = self.single_value(fields, "shadow", findings) {
            self.shadow = fields::read_shadow(node, findings);
        }
        if let Some(node) = self.single_value(fields, "cases", findings) {
            self.cases_must_pass = reader::keyword(node, "`cases`", &[("must-pass", true)], findings) == Some(true);
        }
    }

    fn single_value<'n>(
        &mut self,
        fields: &mut MapReader<'n>,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<&'n Node> {
        let node = fields.optional(key)?;
        match self.single_keys.iter().find(|(known, _)| *known == key) {
            Some((_, first)) => {
                let message = format!("`{key}` occurs in two files of the policy");
                let finding = Finding::error(FindingCode::DuplicateKey, Some(node.span), message);
                findings.push(finding.also(*first, "first here"));
            }
            None => self.single_keys.push((key, node.span)),
        }
        Some(node)
    }

    fn read_scopes(&mut self, node: &Node, findings: &mut Findings) {
        for (key, value) in reader::entries(node, "`scopes`", findings).unwrap_or_default() {
            let caller = reader::keyword(value, "a scope", &[("caller", true), ("grant", false)], findings);
            if let (Some(name), Some(caller)) = (read_text(key, "a scope's name", findings), caller) {
                self.scopes.push(ScopeSource { name, caller });
            }
        }
    }

    fn read_resources(&mut self, node: &Node, findings: &mut Findings) {
        if let Value::List(_) = node.value {
            self.tables.push(TableSource { title: None, resources: read_names(node, "a resource", findings) });
            return;
        }
        for (key, value) in reader::entries(node, "`resources`", findings).unwrap_or_default() {
            let title = read_text(key, "a table's name", findings);
            self.tables.push(TableSource { title, resources: read_names(value, "a resource", findings) });
        }
    }
}
