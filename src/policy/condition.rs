//! Condition: a CEL expression over `now`, `caller` and `request`; only this file uses the CEL crate.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr};
use cel::{Context, IdedExpr, Program, Value};

use crate::vocabulary::name::nearest;
use crate::vocabulary::{RequestFacts, Subject, Timestamp};

/// Condition: a boolean expression.
#[derive(Clone)]
pub struct Condition {
    text: Box<str>,
    program: Arc<Program>,
    environment: ConditionEnvironment,
}

/// ConditionEnvironment: the functions that all conditions of a policy share.
#[derive(Clone)]
pub(super) struct ConditionEnvironment(Arc<cel::Env>);

/// ConditionVariables: the values of `now`, `caller` and `request`.
#[derive(Debug, Clone)]
pub struct ConditionVariables<'a> {
    /// The time of the request: `now`.
    pub now: Timestamp,
    /// The caller: `caller.id`, `source`, `kind`, `client` and `claims`.
    pub subject: &'a Subject,
    /// The request: `request.method`, `path` and `address`.
    pub facts: RequestFacts<'a>,
    /// The caller's tenants: `caller.tenants`.
    pub tenants: &'a [Box<str>],
    /// The names of the caller's roles: `caller.roles`.
    pub roles: Vec<&'a str>,
    /// The name of the caller's group: `caller.groups`, a list of at most one.
    pub group: Option<&'a str>,
    /// The permissions that the caller claims and the policy knows: `caller.permissions`.
    pub permissions: Vec<&'a str>,
    /// The values of the declared scopes by name: `request.scope`.
    pub scope: Vec<(&'a str, &'a str)>,
}

/// The greatest length of a condition in bytes.
const MAX_TEXT: usize = 1_000;

/// The greatest number of nodes of an expression.
///
/// A request evaluates each node once, or once per element of one list of the token. The size of tokens is limited, and
/// therefore the number of steps.
const MAX_NODES: usize = 200;

const CALLER_FIELDS: [&str; 9] =
    ["id", "source", "kind", "client", "tenants", "roles", "groups", "permissions", "claims"];
const REQUEST_FIELDS: [&str; 4] = ["method", "path", "address", "scope"];
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
    /// Parses and checks a condition.
    ///
    /// # Errors
    /// A syntax error, an unknown name, or an exceeded limit, as a clause of a message.
    pub(super) fn read(text: &str, environment: &ConditionEnvironment) -> Result<Self, String> {
        if text.len() > MAX_TEXT {
            return Err(format!("it is longer than {MAX_TEXT} bytes"));
        }
        let program = environment.0.compile(text).map_err(|errors| parser_message(&errors.to_string()))?;
        let mut check = ExpressionChecker { nodes: 0, names: vec!["now", "caller", "request"] };
        check.check_node(program.expression(), false)?;
        Ok(Self { text: text.into(), program: Arc::new(program), environment: environment.clone() })
    }

    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the expression evaluates to true; an error or any other value counts as false.
    pub fn holds(&self, variables: &ConditionVariables<'_>) -> bool {
        let mut context = Context::with_env(Arc::clone(&self.environment.0));
        let seconds = i64::try_from(variables.now.0).ok();
        let now = seconds.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
        let Some(now) = now else { return false };
        context.add_variable_from_value("now", Value::Timestamp(now.into()));
        context.add_variable_from_value("caller", caller_value(variables));
        context.add_variable_from_value("request", request_value(variables));
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

fn caller_value(variables: &ConditionVariables<'_>) -> HashMap<String, Value> {
    let subject = variables.subject;
    let id = subject.id.as_ref();
    [
        ("id", id.map_or(Value::Null, |id| text_value(&id.name))),
        ("source", id.map_or(Value::Null, |id| text_value(&id.source))),
        ("kind", text_value(subject.kind.as_str())),
        ("client", subject.client.as_deref().map_or(Value::Null, text_value)),
        ("tenants", list_value(variables.tenants.iter().map(|name| &**name))),
        ("roles", list_value(variables.roles.iter().copied())),
        ("groups", list_value(variables.group.into_iter())),
        ("permissions", list_value(variables.permissions.iter().copied())),
        ("claims", map_value(subject.claims.iter().map(|(name, value)| (name.clone(), json_value(value))))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn request_value(variables: &ConditionVariables<'_>) -> HashMap<String, Value> {
    let facts = variables.facts;
    let scope = variables.scope.iter().map(|(name, value)| ((*name).to_owned(), text_value(value)));
    [
        ("method", text_value(facts.method)),
        ("path", text_value(facts.path)),
        ("address", facts.address.map_or(Value::Null, |address| text_value(&address.to_string()))),
        ("scope", map_value(scope)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn text_value(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn list_value<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::List(Arc::new(texts.map(text_value).collect()))
}

fn map_value(entries: impl Iterator<Item = (String, Value)>) -> Value {
    entries.collect::<HashMap<String, Value>>().into()
}

/// Converts JSON; whole numbers become `int`, so that they compare with integer literals.
fn json_value(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(float)) => Value::Float(float),
            (None, None) => Value::Null,
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(json_value).collect())),
        serde_json::Value::Object(entries) => {
            map_value(entries.iter().map(|(name, value)| (name.clone(), json_value(value))))
        }
    }
}

/// ExpressionChecker: checks the names and the size of an expression at load.
struct ExpressionChecker<'e> {
    nodes: usize,
    names: Vec<&'e str>,
}

impl<'e> ExpressionChecker<'e> {
    fn check_node(&mut self, node: &'e IdedExpr, in_loop: bool) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(format!("it has more than {MAX_NODES} parts"));
        }
        match &node.expr {
            Expr::Ident(name) if name.starts_with('@') || self.names.contains(&&**name) => Ok(()),
            Expr::Ident(name) => Err(unknown_name("nothing", name, &["now", "caller", "request"])),
            Expr::Select(select) => {
                let known: Option<(&str, &[&str])> = match &select.operand.expr {
                    Expr::Ident(name) if name == "caller" => Some(("`caller` has nothing that", &CALLER_FIELDS)),
                    Expr::Ident(name) if name == "request" => Some(("`request` has nothing that", &REQUEST_FIELDS)),
                    _ => None,
                };
                match known {
                    Some((what, known)) if !known.contains(&&*select.field) => {
                        Err(unknown_name(what, &select.field, known))
                    }
                    _ => self.check_node(&select.operand, in_loop),
                }
            }
            Expr::Call(call) => {
                let operator = !call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !operator && !FUNCTIONS.contains(&&*call.func_name) {
                    let known: Vec<&str> = FUNCTIONS.iter().chain(&MACROS).copied().collect();
                    return Err(unknown_name("no function", &call.func_name, &known));
                }
                call.target
                    .iter()
                    .map(|target| &**target)
                    .chain(&call.args)
                    .try_for_each(|node| self.check_node(node, in_loop))
            }
            Expr::Comprehension(_) if in_loop => {
                Err("a loop over a list is inside another loop; a condition has one level of loops".to_owned())
            }
            Expr::Comprehension(walk) => {
                self.check_node(&walk.iter_range, true)?;
                let depth = self.names.len();
                self.names.extend([&*walk.iter_var, &*walk.accu_var]);
                self.names.extend(walk.iter_var2.as_deref());
                for node in [&walk.accu_init, &walk.loop_cond, &walk.loop_step, &walk.result] {
                    self.check_node(node, true)?;
                }
                self.names.truncate(depth);
                Ok(())
            }
            Expr::List(list) => list.elements.iter().try_for_each(|node| self.check_node(node, in_loop)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.check_node(&entry.key, in_loop)?;
                    self.check_node(&entry.value, in_loop)
                }
                EntryExpr::StructField(field) => self.check_node(&field.value, in_loop),
            }),
            Expr::Struct(_) => Err("a condition cannot construct objects".to_owned()),
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }
}

fn unknown_name(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("{what} is called `{name}`; did you mean `{near}`?"),
        None => format!("{what} is called `{name}`; there are {}", known.join(", ")),
    }
}

/// The first message of the parser on one line.
fn parser_message(errors: &str) -> String {
    let line = errors.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it cannot be read");
    let line = line.strip_prefix("ERROR:").unwrap_or(line).trim();
    // The part after `expecting` lists all tokens of the parser.
    let line = line.split(" expecting {").next().unwrap_or(line).trim_start_matches("<input>:").trim_end_matches('.');
    line.replace("Syntax error: mismatched input '<EOF>'", "it ends too early")
}

#[cfg(test)]
mod tests;
