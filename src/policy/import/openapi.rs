//! Routes from an OpenAPI document, each with a guess of what it does to which resource.

mod base;
mod fit;
mod guess;
mod print;
mod read;
mod tally;

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings, Sources, Span, parse_lenient};
use crate::policy::routes::suffixes::strip_all_suffixes;
use crate::vocabulary::access::MAX_SCOPES;

use super::{ImportResult, plural};
use guess::GuessedResources;
use read::OperationDescription;

/// OpenapiOptions: what is to be taken from a document, and how.
#[derive(Debug, Clone, Default)]
pub struct OpenapiOptions {
    /// The policy's name; the document's title where there is none.
    pub name: Option<String>,
    /// What stands before every path, instead of what the document says.
    pub base: Option<String>,
    /// Parameters that are scopes; the first holds the caller's tenants.
    pub scopes: Vec<String>,
    /// The tags whose operations are taken; all where there is none.
    pub tags: Vec<String>,
    /// Whether another file of the policy has its `resources:`.
    pub resources_elsewhere: bool,
}

/// RouteDraft: a path in the policy's spelling and its methods.
struct RouteDraft {
    template: String,
    /// The document's spelling, where it is another.
    was: Option<String>,
    methods: Vec<MethodDraft>,
    span: Span,
}

/// MethodDraft: one line below a route; without a cell it is a comment.
struct MethodDraft {
    name: String,
    cell: Option<String>,
    remarks: Vec<String>,
}

/// PathDraft: what is written for a path.
enum PathDraft {
    Route(RouteDraft),
    /// What cannot be a route, and why.
    LeftOut {
        path: String,
        methods: Vec<String>,
        why: String,
    },
}

/// The policy that the document `file` of `sources` describes.
pub fn import(sources: &Sources, file: u32, wanted: &OpenapiOptions) -> ImportResult {
    let mut findings = Findings::default();
    let done = parse_lenient(sources, file, &mut findings).and_then(|root| {
        let name = sources.source(file).map_or("", |source| &source.name);
        let document = read::document(&root, wanted.base.as_deref(), &mut findings)?;
        let mut collected = SharedOperationFacts::default();
        let (taken, other): (Vec<_>, Vec<_>) =
            document.operations.iter().partition(|operation| operation.has_one_of(&wanted.tags));
        let mut routes =
            RouteDrafts { entries: Vec::new(), known: HashMap::new(), loose: HashMap::new(), findings: &mut findings };
        for operation in &taken {
            routes.add(operation, &mut collected);
        }
        let entries = routes.entries;
        check_scopes(&entries, &wanted.scopes, &mut findings);
        collected.tally.report(&mut findings);
        let live = |entry: &&PathDraft| matches!(entry, PathDraft::Route(route) if route.is_live());
        let count = entries.iter().filter(live).count();
        if count == 0 {
            let finding = Finding::error(FindingCode::MissingKey, None, format!("nothing in `{name}` can be a route"));
            findings.push(finding.help("a policy needs at least one path with a method"));
            return None;
        }
        let mut understood = vec![format!(
            "`{name}`: {} with {} on {}, base path `{}`",
            plural(count, "route"),
            plural(entries.iter().map(PathDraft::lines).sum(), "method"),
            plural(collected.resources.names().len(), "resource"),
            document.bases.join("`, `"),
        )];
        if !other.is_empty() {
            understood
                .push(format!("{} without a tag that was asked for left aside", plural(other.len(), "operation")));
        }
        let from = print::PolicyOrigin { file: name, title: document.title, version: document.version };
        Some((print::policy(&from, wanted, &entries, collected.resources.names()), understood))
    });
    let (policy, understood) = done.map_or((None, Vec::new()), |(policy, understood)| (Some(policy), understood));
    ImportResult { policy, understood, findings }
}

/// SharedOperationFacts: what the operations have in common.
#[derive(Default)]
struct SharedOperationFacts {
    resources: GuessedResources,
    tally: tally::NoteTally,
}

struct RouteDrafts<'f> {
    entries: Vec<PathDraft>,
    /// For each pattern, parameter names and case apart, where its entry stands.
    known: HashMap<String, usize>,
    /// For each pattern as the loosest server reads it, its template.
    loose: HashMap<String, String>,
    findings: &'f mut Findings,
}

impl RouteDrafts<'_> {
    fn add(&mut self, operation: &OperationDescription<'_>, collected: &mut SharedOperationFacts) {
        for extension in &operation.extensions {
            let message = format!("`{}` is not read: who may do what is for rows and roles to say", extension.0);
            collected.tally.count(message, extension.1);
        }
        let fitted = match fit::path(&operation.full_path(), operation.span) {
            Ok(fitted) => fitted,
            Err(finding) => return self.leave_out(operation, *finding),
        };
        let at = match self.known.get(&fitted.pattern) {
            Some(at) => *at,
            None => {
                if let Some(finding) = self.conflict(&fitted, operation.span) {
                    return self.leave_out(operation, finding);
                }
                let was = (fitted.template != operation.full_path()).then(|| operation.full_path());
                let route =
                    RouteDraft { template: fitted.template.clone(), was, methods: Vec::new(), span: operation.span };
                self.entries.push(PathDraft::Route(route));
                self.known.insert(fitted.pattern, self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        let Some(PathDraft::Route(route)) = self.entries.get_mut(at) else { return };
        if route.template != fitted.template {
            let message = format!("`{}` and `{}` match the same requests", fitted.template, route.template);
            let finding = Finding::error(FindingCode::RouteConflict, Some(operation.span), message);
            let finding = finding.also(route.span, "the first");
            return self.leave_out(operation, finding.help("add its methods to the first by hand, if they are meant"));
        }
        if route.methods.iter().any(|method| method.name == operation.method) {
            let message = format!("`{} {}` stands twice, the first counts", operation.method, route.template);
            self.findings.push(Finding::note(FindingCode::DuplicateKey, Some(operation.span), message));
            return;
        }
        route.methods.extend(method(operation, collected, self.findings));
    }

    /// Why a new template cannot stand beside those before: some servers would take the one's paths for the other.
    fn conflict(&mut self, fitted: &fit::FittedPath, span: Span) -> Option<Finding> {
        let loose = strip_all_suffixes(&fitted.pattern).to_owned();
        if let Some(other) = self.loose.get(&loose) {
            let message = format!("`{}` and `{other}` are one path to some servers", fitted.template);
            return Some(Finding::error(FindingCode::RouteConflict, Some(span), message));
        }
        self.loose.insert(loose, fitted.template.clone());
        None
    }

    fn leave_out(&mut self, operation: &OperationDescription<'_>, finding: Finding) {
        let path = operation.full_path();
        let methods = vec![operation.method.clone()];
        match self.entries.last_mut() {
            Some(PathDraft::LeftOut { path: last, methods: known, .. }) if *last == path => known.extend(methods),
            _ => {
                self.entries.push(PathDraft::LeftOut { path, methods, why: finding.message.clone() });
                self.findings.push(Finding { message: format!("left out: {}", finding.message), ..finding });
            }
        }
    }
}

/// The line of one operation; none where HEAD is decided as the GET beside it.
fn method(
    operation: &OperationDescription<'_>,
    collected: &mut SharedOperationFacts,
    findings: &mut Findings,
) -> Option<MethodDraft> {
    let name = operation.method.clone();
    let remark = |remark: &str| Some(MethodDraft { name: name.clone(), cell: None, remarks: vec![remark.to_owned()] });
    match &*operation.method {
        "HEAD" if operation.beside_get => return None,
        "HEAD" => {
            let message = format!("`HEAD {}` is decided as GET, which this path does not list", operation.full_path());
            let finding = Finding::error(FindingCode::BadRoute, Some(operation.span), message);
            findings.push(finding.help("add GET by hand, if it may be asked too"));
            return remark("decided as GET, which is not listed here");
        }
        "OPTIONS" => {
            collected.tally.count("OPTIONS left out: preflights are for `cors:`".to_owned(), operation.span);
            return remark("a preflight is answered by `cors:`");
        }
        "TRACE" | "CONNECT" => {
            collected.tally.count(format!("{name} left out: it is never forwarded"), operation.span);
            return remark("never forwarded");
        }
        _ => {}
    }
    let guess = guess::operation(&operation.method, operation.path);
    let resource = collected.resources.of(operation);
    let mut remarks = vec![match guess.word {
        Some(word) => format!("guessed: {word}"),
        None => "guessed".to_owned(),
    }];
    if operation.open {
        remarks.push("public?".to_owned());
    }
    if operation.deprecated {
        remarks.push("deprecated".to_owned());
    }
    Some(MethodDraft { name, cell: Some(format!("{} {resource}", guess.operation)), remarks })
}

impl RouteDraft {
    /// Whether it can be written as a route: one of its methods is more than a comment.
    fn is_live(&self) -> bool {
        self.methods.iter().any(|method| method.cell.is_some())
    }
}

impl PathDraft {
    fn lines(&self) -> usize {
        match self {
            Self::Route(route) => route.methods.iter().filter(|method| method.cell.is_some()).count(),
            Self::LeftOut { .. } => 0,
        }
    }
}

/// Findings about scopes that no route carries: what is misspelt there would bound nothing.
fn check_scopes(entries: &[PathDraft], scopes: &[String], findings: &mut Findings) {
    let segments = entries.iter().flat_map(|entry| match entry {
        PathDraft::Route(route) => route.template.split('/').collect(),
        PathDraft::LeftOut { .. } => Vec::new(),
    });
    let mut known: Vec<&str> = segments.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    known.sort_unstable();
    known.dedup();
    for scope in scopes {
        if !known.contains(&&**scope) {
            let message = format!("no route has a parameter `{scope}`, so that this scope would bound nothing");
            findings
                .push(Finding::error(FindingCode::UnknownName, None, message).suggest(scope, known.iter().copied()));
        }
    }
    if scopes.len() > MAX_SCOPES {
        let message = format!("a policy has at most {MAX_SCOPES} scopes");
        findings.push(Finding::error(FindingCode::BadValue, None, message));
    }
}

#[cfg(test)]
mod tests;
