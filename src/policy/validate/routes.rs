//! Resolution of routes with their cells, scopes and conditions.

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::model::ScopeName;
use crate::policy::route::{Method, Route, ScopeLocation};
use crate::policy::source::{MethodSource, NeedSource, PolicySource, RouteSource, Spanned};
use crate::policy::template::{Template, TemplateSegment};
use crate::vocabulary::{CellId, Cells, MediaRange, MediaTypeCells, Operation, access::MAX_SCOPES};

use super::cells::CellIndex;
use super::conditions::ConditionRegistry;
use super::scopes::DeclaredScopes;

/// Methods that a policy never lists, and why.
const NEVER_LISTED: [(&str, &str); 3] = [
    ("HEAD", "HEAD is decided as GET"),
    ("CONNECT", "CONNECT is never forwarded"),
    ("TRACE", "TRACE is never forwarded"),
];

/// The greatest number of candidates: a permit stores the candidates of a route as bits of one word.
const MAX_CANDIDATES: usize = 64;

/// RouteResolver: the definitions to which routes refer.
pub(super) struct RouteResolver<'a, 'n> {
    pub(super) policy: &'a PolicySource,
    pub(super) scopes: DeclaredScopes<'a>,
    pub(super) cells: &'a mut CellIndex<'n>,
    pub(super) conditions: &'a mut ConditionRegistry,
}

impl RouteResolver<'_, '_> {
    pub(super) fn resolve_routes(&mut self, findings: &mut Findings) -> Vec<Route> {
        self.policy.routes.iter().filter_map(|source| self.resolve_route(source, findings)).collect()
    }

    fn resolve_route(&mut self, source: &RouteSource, findings: &mut Findings) -> Option<Route> {
        let template = match Template::read(&source.template, self.policy.dialect) {
            Ok(template) => template,
            Err(finding) => {
                findings.push(finding);
                return None;
            }
        };
        if source.is_empty {
            let message = format!("the route `{}` lists no method", template.text());
            findings.push(Finding::error(FindingCode::EmptyValue, Some(source.template.span), message));
        }
        let scopes = resolve_scope_locations(source, &template, self.scopes, findings);
        let methods = source.methods.iter().filter_map(|method| self.resolve_method(method, &template, findings));
        Some(Route { methods: methods.collect(), scopes, span: source.template.span, template })
    }

    fn resolve_method(
        &mut self,
        source: &MethodSource,
        template: &Template,
        findings: &mut Findings,
    ) -> Option<Method> {
        let name = &*source.method.text;
        check_method(source, findings);
        let needed =
            match &source.need {
                NeedSource::Public => Cells::Public,
                NeedSource::Nobody => Cells::Nobody,
                NeedSource::Cells(needed) => Cells::All(self.resolve_cells(needed, findings)?),
                NeedSource::ByType(candidates) => {
                    if name != "GET" {
                        let message = "`by-type` selects by response, so it is allowed at GET only";
                        let finding = Finding::error(FindingCode::BadRoute, Some(source.method.span), message);
                        findings.push(finding.help(
                            "list the cells of all candidates: a written document must be permitted as any of them",
                        ));
                    }
                    Cells::ByType(self.resolve_media_types(candidates, findings)?)
                }
            };
        let when = source.when.as_ref().map(|when| self.conditions.read(when, findings));
        let slash = source.encoded_slash.as_ref();
        Some(Method {
            name: name.into(),
            cells: needed,
            across: self.scopes.resolve_bits(&source.across, findings),
            websocket: source.websocket,
            token_from: source.token_from.as_ref().map(|name| name.text.clone()),
            encoded_slash: slash.and_then(|name| resolve_slash_segment(name, template, self.scopes.0, findings)),
            // An invalid condition is an error, so that a policy without it is never loaded.
            when: when.flatten(),
            audit: source.audit,
        })
    }

    fn resolve_cells(&mut self, needed: &[(Operation, Spanned)], findings: &mut Findings) -> Option<Box<[CellId]>> {
        let found = needed.iter().map(|(operation, resource)| self.cells.cell(operation, resource, findings));
        found.collect::<Vec<_>>().into_iter().collect()
    }

    fn resolve_media_types(
        &mut self,
        sources: &[(Spanned, Vec<(Operation, Spanned)>)],
        findings: &mut Findings,
    ) -> Option<Box<[MediaTypeCells]>> {
        let mut found: Vec<MediaTypeCells> = Vec::with_capacity(sources.len());
        for (range, needed) in sources {
            let cells = self.resolve_cells(needed, findings);
            let Some(parsed) = MediaRange::parse(&range.text) else {
                let message = format!("`{}` is not a media type", range.text);
                let finding = Finding::error(FindingCode::BadValue, Some(range.span), message);
                findings.push(finding.help("write `image/png`, `image/*`, or `otherwise` for all that remains"));
                continue;
            };
            if found.iter().any(|known| known.range == parsed) {
                let message = format!("the media type `{parsed}` occurs twice");
                findings.push(Finding::error(FindingCode::DuplicateName, Some(range.span), message));
            }
            if found.len() == MAX_CANDIDATES {
                let message = format!("a route distinguishes at most {MAX_CANDIDATES} media types");
                findings.push(Finding::error(FindingCode::BadValue, Some(range.span), message));
            }
            found.push(MediaTypeCells { range: parsed, cells: cells? });
        }
        Some(found.into())
    }
}

/// The location of each declared scope in this route.
fn resolve_scope_locations(
    source: &RouteSource,
    template: &Template,
    scopes: DeclaredScopes<'_>,
    findings: &mut Findings,
) -> [Option<ScopeLocation>; MAX_SCOPES] {
    let mut locations = [None; MAX_SCOPES];
    for (location, scope) in locations.iter_mut().zip(scopes.0) {
        let segment = template.parameter(&scope.name).and_then(|at| u16::try_from(at).ok());
        *location = segment.map(ScopeLocation::Segment);
        let rest = template
            .segments()
            .iter()
            .any(|segment| matches!(segment, TemplateSegment::Rest(name) if *name == scope.name));
        if rest {
            let message = format!("the scope `{}` cannot be the rest of a path", scope.name);
            findings.push(Finding::error(FindingCode::BadRoute, Some(source.template.span), message));
        }
    }
    for (at, (_, name)) in (0..).zip(template.query()) {
        let scope_name = Spanned { text: name.clone(), span: source.template.span };
        let Some(scope) = scopes.resolve(&scope_name, findings) else { continue };
        let Some(location) = locations.get_mut(usize::from(scope)) else { continue };
        if location.replace(ScopeLocation::Query(at)).is_some() {
            let message = format!("the scope `{name}` occurs in the path and in the query");
            findings.push(Finding::error(FindingCode::BadRoute, Some(source.template.span), message));
        }
    }
    locations
}

fn check_method(source: &MethodSource, findings: &mut Findings) {
    let name = &*source.method.text;
    let bad = |message: String| Finding::error(FindingCode::BadRoute, Some(source.method.span), message);
    if let Some((_, why)) = NEVER_LISTED.iter().find(|(known, _)| *known == name) {
        findings.push(bad(format!("`{name}` is never listed: {why}")));
    } else if !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        findings.push(bad(format!("`{name}` is not a method in capitals")).suggest(name, known));
    }
    if source.websocket && name != "GET" {
        findings.push(bad("a WebSocket is opened by GET".to_owned()));
    }
    if source.websocket && matches!(source.need, NeedSource::ByType(_)) {
        findings.push(bad("WebSocket messages have no media type: `by-type` does not apply".to_owned()));
    }
    let closed = matches!(source.need, NeedSource::Public | NeedSource::Nobody);
    if closed && source.when.is_some() {
        findings.push(bad("a condition changes nothing here: `public` and `nobody` are decided before it".to_owned()));
    }
}

fn resolve_slash_segment(
    name: &Spanned,
    template: &Template,
    scopes: &[ScopeName],
    findings: &mut Findings,
) -> Option<u16> {
    let found = template.parameter(&name.text).and_then(|at| u16::try_from(at).ok());
    if found.is_none() || scopes.iter().any(|scope| scope.name == name.text) {
        let message = format!("`{}` is not a parameter of this route that may hold an encoded slash", name.text);
        findings.push(
            Finding::error(FindingCode::UnknownName, Some(name.span), message)
                .help("name a parameter that is not a scope"),
        );
    }
    found
}
