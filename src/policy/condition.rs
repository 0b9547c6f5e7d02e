//! Condition: a CEL expression over `now`, `caller` and `request`; the one file that names the CEL crate.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, IdedExpr, Program, Value};

use crate::vocabulary::name::nearest;
use crate::vocabulary::{RequestFacts, Scope, Subject, Timestamp};

use super::entitlements::Entitlements;
use super::snapshot::Snapshot;

/// ConditionId: a condition by its place in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConditionId(pub u32);

/// Condition: an expression that holds or does not.
#[derive(Clone)]
pub struct Condition {
    text: Box<str>,
    program: Arc<Program>,
    environment: ConditionEnvironment,
}

/// ConditionEnvironment: the functions that all conditions of a policy share.
#[derive(Clone)]
pub(super) struct ConditionEnvironment(Arc<cel::Env>);

/// ConditionContext: everything that a condition may look at.
#[derive(Debug, Clone, Copy)]
pub struct ConditionContext<'a> {
    /// The moment of the request.
    pub now: Timestamp,
    /// Who asks.
    pub subject: &'a Subject,
    /// What is asked.
    pub facts: RequestFacts<'a>,
    /// The values of the declared scopes, as the request carries them.
    pub scope: &'a Scope<'a>,
    /// What of the caller's roles, groups and tenants counts.
    pub entitlements: &'a Entitlements<'a>,
    /// The policy, for names.
    pub policy: &'a Snapshot,
}

/// Longer texts are no conditions but programs.
const MAX_TEXT: usize = 1_000;

/// The most nodes of an expression. Each is looked at once a request, or once for each element of one list that a
/// token holds: with tokens of a bounded size that bounds the steps.
const MAX_NODES: usize = 200;

const CALLER: [&str; 9] = ["id", "source", "kind", "client", "tenants", "roles", "groups", "permissions", "claims"];
const REQUEST: [&str; 4] = ["method", "path", "address", "scope"];
const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];
const FUNCTIONS: [&str; 26] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "timestamp",
    "duration",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "type",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "max",
    "min",
    "dyn",
    "bytes",
];

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong with it, in half a sentence: syntax, an unknown name, or a size beyond the bounds.
    pub(super) fn read(text: &str, environment: &ConditionEnvironment) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("it is longer than {MAX_TEXT} bytes"));
        }
        let program = environment.0.compile(text).map_err(|errors| told(&errors.to_string()))?;
        let mut check = ExpressionChecker { nodes: 0, names: vec!["now", "caller", "request"] };
        check.node(program.expression(), false)?;
        Ok(Self { text: text.into(), program: Arc::new(program), environment: environment.clone() })
    }

    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds; an error, or anything but true, does not.
    pub fn holds(&self, at: &ConditionContext<'_>) -> bool {
        let mut context = Context::with_env(Arc::clone(&self.environment.0));
        let moment = i64::try_from(at.now.0).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
        let Some(moment) = moment else { return false };
        context.add_variable_from_value("now", Value::Timestamp(moment.into()));
        context.add_variable_from_value("caller", caller(at));
        context.add_variable_from_value("request", request(at));
        matches!(self.program.execute(&context), Ok(Value::Bool(true)))
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl Default for ConditionEnvironment {
    fn default() -> Self {
        Self(Arc::new(cel::Env::stdlib()))
    }
}

/// The caller as the policy takes it: what a `users:` entry replaces is replaced, what does not count is left out.
fn caller(at: &ConditionContext<'_>) -> HashMap<String, Value> {
    let (subject, model) = (at.subject, &at.policy.model);
    let group = at.entitlements.group().and_then(|group| model.groups.get(usize::try_from(group).ok()?));
    let claimed = at.entitlements.claims().map(|subject| subject.permissions.as_slice()).unwrap_or_default();
    let known = claimed.iter().filter(|name| model.rows.iter().any(|row| row.name == **name));
    let text = |text: &str| Value::String(Arc::new(text.to_owned()));
    let texts = |list: &mut dyn Iterator<Item = &str>| Value::List(Arc::new(list.map(text).collect()));
    let id = subject.id.as_ref();
    let named = |names: &[Box<str>]| texts(&mut names.iter().map(|name| &**name));
    [
        ("id", id.map_or(Value::Null, |id| text(&id.name))),
        ("source", id.map_or(Value::Null, |id| text(&id.source))),
        ("kind", text(subject.kind.word())),
        ("client", subject.client.as_deref().map_or(Value::Null, text)),
        ("tenants", named(at.entitlements.tenants())),
        ("roles", texts(&mut at.entitlements.role_names(model).into_iter())),
        ("groups", texts(&mut group.iter().map(|group| &*group.name))),
        ("permissions", texts(&mut known.map(|name| &**name))),
        ("claims", map(subject.claims.iter().map(|(name, value)| (name.clone(), json(value))))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn request(at: &ConditionContext<'_>) -> HashMap<String, Value> {
    let text = |text: &str| Value::String(Arc::new(text.to_owned()));
    let scope = at.policy.entitlements.scope_names().iter().zip(at.scope.iter());
    let scope = scope.filter_map(|(name, value)| Some((name.to_string(), text(value.as_deref()?))));
    [
        ("method", text(at.facts.method)),
        ("path", text(at.facts.path)),
        ("address", at.facts.address.map_or(Value::Null, |address| text(&address.to_string()))),
        ("scope", map(scope)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn map(entries: impl Iterator<Item = (String, Value)>) -> Value {
    entries.collect::<HashMap<String, Value>>().into()
}

/// Whole numbers become `int`, so that they compare with the numbers that people write.
fn json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(float)) => Value::Float(float),
            (None, None) => Value::Null,
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(json).collect())),
        serde_json::Value::Object(entries) => map(entries.iter().map(|(name, value)| (name.clone(), json(value)))),
    }
}

/// ExpressionChecker: walks an expression once, at load.
struct ExpressionChecker<'e> {
    nodes: usize,
    names: Vec<&'e str>,
}

impl<'e> ExpressionChecker<'e> {
    fn node(&mut self, node: &'e IdedExpr, in_loop: bool) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(format!("it has more than {MAX_NODES} parts"));
        }
        match &node.expr {
            Expr::Ident(name) if name.starts_with('@') || self.names.contains(&&**name) => Ok(()),
            Expr::Ident(name) => Err(unknown("nothing", name, &["now", "caller", "request"])),
            Expr::Select(select) => {
                let known: Option<(&str, &[&str])> = match &select.operand.expr {
                    Expr::Ident(name) if name == "caller" => Some(("`caller` has nothing that", &CALLER)),
                    Expr::Ident(name) if name == "request" => Some(("`request` has nothing that", &REQUEST)),
                    _ => None,
                };
                match known {
                    Some((what, known)) if !known.contains(&&*select.field) => Err(unknown(what, &select.field, known)),
                    _ => self.node(&select.operand, in_loop),
                }
            }
            Expr::Call(call) => {
                let operator = !call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !operator && !FUNCTIONS.contains(&&*call.func_name) {
                    let known: Vec<&str> = FUNCTIONS.iter().chain(&MACROS).copied().collect();
                    return Err(unknown("no function", &call.func_name, &known));
                }
                call.target
                    .iter()
                    .map(|target| &**target)
                    .chain(&call.args)
                    .try_for_each(|node| self.node(node, in_loop))
            }
            Expr::Comprehension(_) if in_loop => {
                Err("one list is walked inside another; a condition walks one at a time".to_owned())
            }
            Expr::Comprehension(walk) => {
                self.node(&walk.iter_range, true)?;
                let depth = self.names.len();
                self.names.extend([&*walk.iter_var, &*walk.accu_var]);
                self.names.extend(walk.iter_var2.as_deref());
                for node in [&walk.accu_init, &walk.loop_cond, &walk.loop_step, &walk.result] {
                    self.node(node, true)?;
                }
                self.names.truncate(depth);
                Ok(())
            }
            Expr::List(list) => list.elements.iter().try_for_each(|node| self.node(node, in_loop)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.node(&entry.key, in_loop)?;
                    self.node(&entry.value, in_loop)
                }
                EntryExpr::StructField(field) => self.node(&field.value, in_loop),
            }),
            Expr::Struct(_) => Err("a condition makes no objects".to_owned()),
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("{what} is called `{name}`; did you mean `{near}`?"),
        None => format!("{what} is called `{name}`; there are {}", known.join(", ")),
    }
}

/// The parser's first message in one line.
fn told(errors: &str) -> String {
    let line = errors.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it cannot be read");
    let line = line.strip_prefix("ERROR:").unwrap_or(line).trim();
    // What the parser would have liked instead is a list of all its tokens.
    let line = line.split(" expecting {").next().unwrap_or(line).trim_start_matches("<input>:").trim_end_matches('.');
    line.replace("Syntax error: mismatched input '<EOF>'", "it ends too early")
}

#[cfg(test)]
mod tests;
