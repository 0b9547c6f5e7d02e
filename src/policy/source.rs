//! The policy as written: every key read strictly, nothing resolved yet.

mod fields;
mod gates;
mod people;
mod routes;

pub(super) use fields::{FieldSource, ShadowSource};
pub(super) use gates::{ApprovalSource, BySource, CorsSource, GateSource};
pub(super) use people::{AssignmentSource, GroupSource, ProfileSource, RoleSource, UserSource};
pub(super) use routes::{MethodSource, NeedSource, RouteSource, RowSource};

use crate::document::reader::{self, MapReader};
use crate::document::{Finding, FindingCode, Findings, Node, Span, Value, text};
use crate::request::Dialect;

/// Spanned: a name or a text, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) text: Box<str>,
    pub(crate) span: Span,
}

/// PolicySource: all files of one policy, joined.
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
    /// The policy's cases must pass before it is loaded.
    pub(crate) cases_must_pass: bool,
    /// Where each key stands that may stand once only.
    once: Vec<(&'static str, Span)>,
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

/// ServiceApps: what the policy's `service-apps` says of service apps that `users:` does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceApps {
    /// They pass on every mapped operation of their tenant.
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
            self.routes.extend(routes::route(key, value, findings));
        }
        for (key, value) in entries("fields", "`fields`", findings).unwrap_or_default() {
            self.fields.extend(fields::field_set(key, value, findings));
        }
        for (key, value) in entries("permissions", "`permissions`", findings).unwrap_or_default() {
            self.rows.extend(routes::row(key, value, findings));
        }
        for (key, value) in entries("gates", "`gates`", findings).unwrap_or_default() {
            self.gates.extend(gates::gate(key, value, findings));
        }
        for (key, value) in entries("profiles", "`profiles`", findings).unwrap_or_default() {
            self.profiles.extend(people::profile(key, value, findings));
        }
        for (key, value) in entries("groups", "`groups`", findings).unwrap_or_default() {
            self.groups.extend(people::group(key, value, findings));
        }
        for (key, value) in entries("roles", "`roles`", findings).unwrap_or_default() {
            self.roles.extend(people::role(key, value, findings));
        }
        for (key, value) in entries("users", "`users`", findings).unwrap_or_default() {
            self.users.extend(people::user(key, value, findings));
        }
        fields.finish(findings);
    }

    /// Whether some file says which version of the language it is written in.
    pub(crate) fn has_version(&self) -> bool {
        self.once.iter().any(|(key, _)| *key == "version")
    }

    /// Where the policy says whose refusals forward.
    pub(crate) fn shadow_place(&self) -> Option<Span> {
        self.once.iter().find(|(key, _)| *key == "shadow").map(|(_, span)| *span)
    }

    /// The keys that stand once in all files together.
    fn read_singles(&mut self, fields: &mut MapReader<'_>, findings: &mut Findings) {
        if let Some(node) = self.single(fields, "version", findings) {
            reader::integer(node, "`version`", 1, 1, findings);
        }
        if let Some(node) = self.single(fields, "name", findings) {
            self.name = written(node, "`name`", findings);
        }
        if let Some(node) = self.single(fields, "dialect", findings)
            && let Some(dialect) = reader::word(node, "`dialect`", &Dialect::WORDS, findings)
        {
            self.dialect = dialect;
        }
        if let Some(node) = self.single(fields, "service-apps", findings) {
            let words = [("all", ServiceApps::All), ("every-permission", ServiceApps::EveryPermission)];
            self.service_apps = reader::word(node, "`service-apps`", &words, findings);
        }
        if let Some(node) = self.single(fields, "everyone", findings) {
            self.everyone = names(node, "`everyone`", findings);
        }
        if let Some(node) = self.single(fields, "one-role", findings) {
            self.one_role = reader::boolean(node, "`one-role`", findings) == Some(true);
        }
        if let Some(node) = self.single(fields, "cors", findings) {
            self.cors = gates::cors(node, findings);
        }
        if let Some(node) = self.single(fields, "shadow", findings) {
            self.shadow = fields::shadow(node, findings);
        }
        if let Some(node) = self.single(fields, "cases", findings) {
            self.cases_must_pass = reader::word(node, "`cases`", &[("must-pass", true)], findings) == Some(true);
        }
    }

    fn single<'n>(
        &mut self,
        fields: &mut MapReader<'n>,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<&'n Node> {
        let node = fields.optional(key)?;
        match self.once.iter().find(|(known, _)| *known == key) {
            Some((_, first)) => {
                let message = format!("`{key}` stands in two files of the policy");
                let finding = Finding::error(FindingCode::DuplicateKey, Some(node.span), message);
                findings.push(finding.also(*first, "first here"));
            }
            None => self.once.push((key, node.span)),
        }
        Some(node)
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

fn written(node: &Node, what: &str, findings: &mut Findings) -> Option<Spanned> {
    let text = text(node, what, findings)?;
    if text.chars().any(is_unseen) {
        let message = format!("{what} holds a character that does not show, or that turns the text around it");
        findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
        return None;
    }
    Some(Spanned { text: text.into(), span: node.span })
}

fn names(node: &Node, what: &str, findings: &mut Findings) -> Vec<Spanned> {
    let items = reader::list(node, what, findings).unwrap_or_default();
    items.iter().filter_map(|item| written(item, what, findings)).collect()
}

/// Whether a character would change how terminals and tables show what stands beside it.
fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    turns || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `{ tenant: t1, pacs: [p7, p8] }`: for each bound scope the values that fit; `others` are keys of another meaning.
fn bounds(node: &Node, what: &str, others: &[&str], findings: &mut Findings) -> Vec<(Spanned, Vec<Spanned>)> {
    let mut found = Vec::new();
    for (name, values) in reader::entries(node, what, findings).unwrap_or_default() {
        if matches!(&name.value, Value::Scalar { text, .. } if others.contains(&&**text)) {
            continue;
        }
        let fitting = match &values.value {
            Value::List(items) if items.is_empty() => {
                let finding =
                    Finding::error(FindingCode::EmptyValue, Some(values.span), "a scope without a value fits nothing");
                findings.push(finding.help("leave the scope out if every value fits"));
                Vec::new()
            }
            Value::List(_) => names(values, "a scope's value", findings),
            _ => written(values, "a scope's value", findings).into_iter().collect(),
        };
        if let Some(name) = written(name, "a scope's name", findings) {
            found.push((name, fitting));
        }
    }
    found
}

/// A condition: quoted, because `#`, `:` and `!` mean something to YAML.
fn condition(node: &Node, findings: &mut Findings) -> Option<Spanned> {
    if let Value::Scalar { text, plain: true } = &node.value
        && !text.is_empty()
    {
        let finding = Finding::error(FindingCode::NeedsQuotes, Some(node.span), "a condition stands in quotes");
        findings.push(finding.help(format!("write \"{text}\"")));
        return None;
    }
    written(node, "a condition", findings)
}
