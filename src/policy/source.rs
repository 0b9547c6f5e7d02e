//! The policy as written: every key read strictly, nothing resolved yet.

mod gates;
mod people;
mod routes;

use crate::document::reader::{self, Fields};
use crate::document::{Code, Finding, Findings, Node, Place, Value, text};
use crate::request::Dialect;
use crate::vocabulary::Operation;

/// Written: a name or a text, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) text: Box<str>,
    pub(crate) place: Place,
}

/// Source: all files of one policy, joined.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) name: Option<Written>,
    pub(crate) dialect: Dialect,
    pub(crate) scopes: Vec<ScopeSource>,
    pub(crate) routes: Vec<RouteSource>,
    pub(crate) tables: Vec<TableSource>,
    pub(crate) rows: Vec<RowSource>,
    pub(crate) everyone: Vec<Written>,
    pub(crate) service_apps: Option<ServiceApps>,
    pub(crate) gates: Vec<GateSource>,
    pub(crate) roles: Vec<RoleSource>,
    pub(crate) users: Vec<UserSource>,
    pub(crate) cors: Option<CorsSource>,
}

#[derive(Debug)]
pub(crate) struct ScopeSource {
    pub(crate) name: Written,
    pub(crate) caller: bool,
}

#[derive(Debug)]
pub(crate) struct RouteSource {
    pub(crate) template: Written,
    pub(crate) methods: Vec<MethodSource>,
}

#[derive(Debug)]
pub(crate) struct MethodSource {
    pub(crate) method: Written,
    pub(crate) need: NeedSource,
    pub(crate) websocket: bool,
    pub(crate) token_from: Option<Written>,
    pub(crate) encoded_slash: Option<Written>,
    pub(crate) across: Vec<Written>,
}

#[derive(Debug)]
pub(crate) enum NeedSource {
    Public,
    Nobody,
    /// Operation and resource, in the order in which they are written.
    Cells(Vec<(Operation, Written)>),
}

#[derive(Debug)]
pub(crate) struct TableSource {
    pub(crate) title: Option<Written>,
    pub(crate) resources: Vec<Written>,
}

#[derive(Debug)]
pub(crate) struct RowSource {
    pub(crate) name: Written,
    pub(crate) cells: Vec<(Written, Vec<(Operation, Place)>)>,
}

/// ServiceApps: what the policy's `service-apps` says of service apps that `users:` does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceApps {
    /// They pass on every mapped operation of their tenant.
    All,
    /// They hold every row.
    EveryPermission,
}

#[derive(Debug)]
pub(crate) struct GateSource {
    pub(crate) name: Written,
    /// `except` closes all other rows, `permissions` these.
    pub(crate) except: Option<Vec<Written>>,
    pub(crate) permissions: Option<Vec<Written>>,
    pub(crate) keys: Vec<Written>,
    pub(crate) asked_by: Vec<(Operation, Written)>,
    pub(crate) approvers: Vec<Written>,
    pub(crate) granted: Vec<(Place, Vec<(Written, Written)>)>,
}

#[derive(Debug)]
pub(crate) struct RoleSource {
    pub(crate) name: Written,
    pub(crate) includes: Vec<Written>,
    pub(crate) permissions: Vec<Written>,
}

#[derive(Debug)]
pub(crate) struct UserSource {
    pub(crate) id: Written,
    pub(crate) roles: Option<Vec<AssignmentSource>>,
    pub(crate) tenants: Option<Vec<Written>>,
    pub(crate) permissions: Vec<Written>,
    pub(crate) without: Vec<Written>,
}

#[derive(Debug)]
pub(crate) struct AssignmentSource {
    pub(crate) role: Written,
    pub(crate) scope: Vec<(Written, Vec<Written>)>,
}

#[derive(Debug, Default)]
pub(crate) struct CorsSource {
    pub(crate) origins: Vec<Written>,
    pub(crate) headers: Vec<Written>,
    pub(crate) exposed: Vec<Written>,
    pub(crate) credentials: bool,
    pub(crate) max_age: Option<u64>,
}

/// Parts of the language that this version refuses rather than ignores.
const NOT_YET: [&str; 5] = ["fields", "one-role", "profiles", "groups", "modes"];

impl Source {
    /// Reads one file and adds it to those read before.
    pub(crate) fn read(&mut self, root: &Node, version_seen: &mut Option<Place>, findings: &mut Findings) {
        let Some(mut fields) = Fields::open(root, "a policy", findings) else { return };
        if let Some(node) = fields.optional("version") {
            once(version_seen, "version", node.place, findings);
            reader::integer(node, "`version`", 1, 1, findings);
        }
        if let Some(node) = fields.optional("name") {
            let before = self.name.as_ref().map(|name| name.place);
            once(&mut before.into_iter().next(), "name", node.place, findings);
            self.name = written(node, "`name`", findings);
        }
        if let Some(node) = fields.optional("dialect")
            && let Some(dialect) = reader::word(node, "`dialect`", &Dialect::WORDS, findings)
        {
            self.dialect = dialect;
        }
        if let Some(node) = fields.optional("scopes") {
            self.read_scopes(node, findings);
        }
        if let Some(node) = fields.optional("routes") {
            for (key, value) in reader::entries(node, "`routes`", findings).unwrap_or_default() {
                self.routes.extend(routes::route(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("resources") {
            self.read_resources(node, findings);
        }
        if let Some(node) = fields.optional("permissions") {
            for (key, value) in reader::entries(node, "`permissions`", findings).unwrap_or_default() {
                self.rows.extend(routes::row(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("everyone") {
            self.everyone.extend(names(node, "`everyone`", findings));
        }
        if let Some(node) = fields.optional("service-apps") {
            let words = [("all", ServiceApps::All), ("every-permission", ServiceApps::EveryPermission)];
            self.service_apps = reader::word(node, "`service-apps`", &words, findings);
        }
        if let Some(node) = fields.optional("gates") {
            for (key, value) in reader::entries(node, "`gates`", findings).unwrap_or_default() {
                self.gates.extend(gates::gate(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("roles") {
            for (key, value) in reader::entries(node, "`roles`", findings).unwrap_or_default() {
                self.roles.extend(people::role(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("users") {
            for (key, value) in reader::entries(node, "`users`", findings).unwrap_or_default() {
                self.users.extend(people::user(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("cors") {
            self.cors = gates::cors(node, findings);
        }
        not_yet(&mut fields, &NOT_YET, findings);
        fields.finish(findings);
    }

    fn read_scopes(&mut self, node: &Node, findings: &mut Findings) {
        for (key, value) in reader::entries(node, "`scopes`", findings).unwrap_or_default() {
            let caller = reader::word(value, "a scope", &[("caller", true), ("grant", false)], findings);
            if let (Some(name), Some(caller)) = (written(key, "a scope's name", findings), caller) {
                self.scopes.push(ScopeSource { name, caller });
            }
        }
    }

    fn read_resources(&mut self, node: &Node, findings: &mut Findings) {
        if let Value::List(_) = node.value {
            self.tables.push(TableSource { title: None, resources: names(node, "a resource", findings) });
            return;
        }
        for (key, value) in reader::entries(node, "`resources`", findings).unwrap_or_default() {
            let title = written(key, "a table's name", findings);
            self.tables.push(TableSource { title, resources: names(value, "a resource", findings) });
        }
    }
}

fn once(before: &mut Option<Place>, key: &str, place: Place, findings: &mut Findings) {
    if let Some(first) = before.replace(place) {
        let finding =
            Finding::error(Code::DuplicateKey, Some(place), format!("`{key}` stands in two files of the policy"));
        findings.push(finding.also(first, "first here"));
    }
}

fn not_yet(fields: &mut Fields<'_>, keys: &[&'static str], findings: &mut Findings) {
    for key in keys {
        if let Some(node) = fields.optional(key) {
            let message = format!("`{key}` is part of the policy language, but this version does not enforce it yet");
            findings.push(Finding::error(Code::NotYet, Some(node.place), message));
        }
    }
}

fn written(node: &Node, what: &str, findings: &mut Findings) -> Option<Written> {
    text(node, what, findings).map(|text| Written { text: text.into(), place: node.place })
}

fn names(node: &Node, what: &str, findings: &mut Findings) -> Vec<Written> {
    let found = reader::texts(node, what, findings);
    found.into_iter().map(|(text, place)| Written { text: text.into(), place }).collect()
}
