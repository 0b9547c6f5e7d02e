//! The policy as written: every key read strictly, nothing resolved yet.

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
                self.routes.extend(route(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("resources") {
            self.read_resources(node, findings);
        }
        if let Some(node) = fields.optional("permissions") {
            for (key, value) in reader::entries(node, "`permissions`", findings).unwrap_or_default() {
                self.rows.extend(row(key, value, findings));
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
                self.gates.extend(gate(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("roles") {
            for (key, value) in reader::entries(node, "`roles`", findings).unwrap_or_default() {
                self.roles.extend(role(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("users") {
            for (key, value) in reader::entries(node, "`users`", findings).unwrap_or_default() {
                self.users.extend(user(key, value, findings));
            }
        }
        if let Some(node) = fields.optional("cors") {
            self.cors = cors(node, findings);
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

fn route(key: &Node, value: &Node, findings: &mut Findings) -> Option<RouteSource> {
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
fn cell(node: &Node, findings: &mut Findings) -> Option<(Operation, Written)> {
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

fn row(key: &Node, value: &Node, findings: &mut Findings) -> Option<RowSource> {
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

fn gate(key: &Node, value: &Node, findings: &mut Findings) -> Option<GateSource> {
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
            .filter_map(|item| cell(item, findings))
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

fn role(key: &Node, value: &Node, findings: &mut Findings) -> Option<RoleSource> {
    let name = written(key, "a role", findings);
    let mut fields = Fields::open(value, "a role", findings)?;
    let includes = fields.optional("includes").map(|node| names(node, "`includes`", findings)).unwrap_or_default();
    let permissions =
        fields.optional("permissions").map(|node| names(node, "`permissions`", findings)).unwrap_or_default();
    not_yet(&mut fields, &["within", "assign", "assign-within", "locked"], findings);
    fields.finish(findings);
    Some(RoleSource { name: name?, includes, permissions })
}

fn user(key: &Node, value: &Node, findings: &mut Findings) -> Option<UserSource> {
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

fn cors(node: &Node, findings: &mut Findings) -> Option<CorsSource> {
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

fn written(node: &Node, what: &str, findings: &mut Findings) -> Option<Written> {
    text(node, what, findings).map(|text| Written { text: text.into(), place: node.place })
}

fn names(node: &Node, what: &str, findings: &mut Findings) -> Vec<Written> {
    let found = reader::texts(node, what, findings);
    found.into_iter().map(|(text, place)| Written { text: text.into(), place }).collect()
}
