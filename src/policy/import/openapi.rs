//! Imports routes from an OpenAPI document, each with a guess of its operation and resource.

mod base;
mod draft;
mod fit;
mod guess;
mod options;
mod print;
mod read;
mod tally;

pub use options::OpenapiOptions;

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings, Sources, Span, parse_lenient};
use crate::policy::routes::suffixes::strip_all_suffixes;
use crate::vocabulary::access::MAX_SCOPES;

use super::count::count_noun;
use super::result::ImportResult;
use draft::{MethodDraft, PathDraft, RouteDraft};
use guess::GuessedResources;
use read::OperationDescription;

/// Imports a policy from the document `file` of `sources`.
pub fn import(sources: &Sources, file: u32, options: &OpenapiOptions) -> ImportResult {
    let mut findings = Findings::default();
    let done = parse_lenient(sources, file, &mut findings).and_then(|root| {
        let name = sources.source(file).map_or("", |source| &source.name);
        let document = read::read_document(&root, options.base.as_deref(), &mut findings)?;
        let mut shared = SharedOperationFacts::default();
        let (taken, other): (Vec<_>, Vec<_>) =
            document.operations.iter().partition(|operation| operation.has_one_of(&options.tags));
        let mut routes =
            RouteDrafts { entries: Vec::new(), known: HashMap::new(), loose: HashMap::new(), findings: &mut findings };
        for operation in &taken {
            routes.add(operation, &mut shared);
        }
        let entries = routes.entries;
        check_scopes(&entries, &options.scopes, &mut findings);
        shared.tally.report(&mut findings);
        let live = |entry: &&PathDraft| matches!(entry, PathDraft::Route(route) if route.is_live());
        let count = entries.iter().filter(live).count();
        if count == 0 {
            let finding = Finding::error(FindingCode::MissingKey, None, format!("nothing in `{name}` can be a route"));
            findings.push(finding.help("a policy needs at least one path with a method"));
            return None;
        }
        let mut understood = vec![format!(
            "`{name}`: {} with {} on {}, base path `{}`",
            count_noun(count, "route"),
            count_noun(entries.iter().map(PathDraft::count_methods).sum(), "method"),
            count_noun(shared.resources.names().len(), "resource"),
            document.bases.join("`, `"),
        )];
        if !other.is_empty() {
            understood.push(format!("{} without a selected tag left out", count_noun(other.len(), "operation")));
        }
        let from = print::PolicyOrigin { file: name, title: document.title, version: document.version };
        Some((print::print_policy(&from, options, &entries, shared.resources.names()), understood))
    });
    let (policy, understood) = done.map_or((None, Vec::new()), |(policy, understood)| (Some(policy), understood));
    ImportResult { policy, understood, findings }
}

/// SharedOperationFacts: the resources and notes that the operations share.
#[derive(Default)]
struct SharedOperationFacts {
    resources: GuessedResources,
    tally: tally::NoteTally,
}

struct RouteDrafts<'f> {
    entries: Vec<PathDraft>,
    /// The index of the entry of each pattern, regardless of parameter names and case.
    known: HashMap<String, usize>,
    /// The template of each pattern in the form of the loosest server.
    loose: HashMap<String, String>,
    findings: &'f mut Findings,
}

impl RouteDrafts<'_> {
    fn add(&mut self, operation: &OperationDescription<'_>, shared: &mut SharedOperationFacts) {
        for extension in &operation.extensions {
            let message = format!("`{}` is not read: permissions belong in rows and roles", extension.0);
            shared.tally.count(message, extension.1);
        }
        let fitted = match fit::fit_path(&operation.full_path(), operation.span) {
            Ok(fitted) => fitted,
            Err(finding) => return self.leave_out(operation, *finding),
        };
        let at = match self.known.get(&fitted.pattern) {
            Some(at) => *at,
            None => {
                if let Some(finding) = self.find_conflict(&fitted, operation.span) {
                    return self.leave_out(operation, finding);
                }
                let original = (fitted.template != operation.full_path()).then(|| operation.full_path());
                let route = RouteDraft {
                    template: fitted.template.clone(),
                    original,
                    methods: Vec::new(),
                    span: operation.span,
                };
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
            let message = format!("`{} {}` occurs twice; the first is used", operation.method, route.template);
            self.findings.push(Finding::note(FindingCode::DuplicateKey, Some(operation.span), message));
            return;
        }
        route.methods.extend(draft_method(operation, shared, self.findings));
    }

    /// Finds the conflict of a new template with an earlier one that some servers treat as the same path.
    fn find_conflict(&mut self, fitted: &fit::FittedPath, span: Span) -> Option<Finding> {
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
                self.entries.push(PathDraft::LeftOut { path, methods, reason: finding.message.clone() });
                self.findings.push(Finding { message: format!("left out: {}", finding.message), ..finding });
            }
        }
    }
}

/// Drafts the line of one operation; `None` for HEAD beside GET, because HEAD is decided as GET.
fn draft_method(
    operation: &OperationDescription<'_>,
    shared: &mut SharedOperationFacts,
    findings: &mut Findings,
) -> Option<MethodDraft> {
    let name = operation.method.clone();
    let remark = |remark: &str| Some(MethodDraft { name: name.clone(), cell: None, remarks: vec![remark.to_owned()] });
    match &*operation.method {
        "HEAD" if operation.has_get => return None,
        "HEAD" => {
            let message = format!("`HEAD {}` is decided as GET, which this path does not list", operation.full_path());
            let finding = Finding::error(FindingCode::BadRoute, Some(operation.span), message);
            findings.push(finding.help("add GET by hand, if callers may use it too"));
            return remark("decided as GET, which is not listed here");
        }
        "OPTIONS" => {
            shared.tally.count("OPTIONS left out: preflights are for `cors:`".to_owned(), operation.span);
            return remark("a preflight is answered by `cors:`");
        }
        "TRACE" | "CONNECT" => {
            shared.tally.count(format!("{name} left out: it is never forwarded"), operation.span);
            return remark("never forwarded");
        }
        _ => {}
    }
    let guess = guess::guess_operation(&operation.method, operation.path);
    let resource = shared.resources.guess_resource(operation);
    let mut remarks = vec![match guess.word {
        Some(word) => format!("guessed: {word}"),
        None => "guessed".to_owned(),
    }];
    if operation.public {
        remarks.push("public?".to_owned());
    }
    if operation.deprecated {
        remarks.push("deprecated".to_owned());
    }
    Some(MethodDraft { name, cell: Some(format!("{} {resource}", guess.operation)), remarks })
}

/// Reports scopes that no route carries: a misspelt scope would limit nothing.
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
            let message = format!("no route has a parameter `{scope}`, so this scope would limit nothing");
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
