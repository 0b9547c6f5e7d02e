//! RouteTable: matches method and path to an access; only this file and its folder use matchit.

mod interpretations;
mod routers;
pub(crate) mod suffixes;

use std::borrow::Cow;

use crate::request::{CanonicalPath, Dialect, RejectedRequest, Treatment, path, query};
use crate::vocabulary::{Access, RouteId, Scope};

use super::route::{Method, Route, ScopeLocation};
use super::template::TemplateSegment;
use interpretations::PathInterpretations;

/// RouteTable: all routes of a policy, compiled for matching.
#[derive(Debug, Clone)]
pub struct RouteTable {
    dialect: Dialect,
    exact: matchit::Router<RouteId>,
    folded: matchit::Router<RouteId>,
    interpretations: PathInterpretations,
    routes: Box<[Route]>,
}

/// NoMatch: why a request matches no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMatch {
    /// The request cannot be read, or servers would disagree about its route.
    Rejected(RejectedRequest),
    /// No template matches.
    NoRoute,
    /// The matching template does not list the method.
    NoMethod(RouteId),
}

/// RouteMatch: the route of a request.
#[derive(Debug, Clone)]
pub struct RouteMatch<'r> {
    /// The route.
    pub route: &'r Route,
    /// The method's entry.
    pub method: &'r Method,
    /// The access that the request would perform.
    pub access: Access<'r>,
}

impl RouteMatch<'_> {
    /// The path to forward: literals as the policy spells them, values as the request does.
    pub fn forwarded_path(&self, path: &CanonicalPath<'_>) -> String {
        let mut out = String::with_capacity(path.as_str().len());
        self.route.template.write_path(path.as_str(), &mut out);
        out
    }
}

/// The access of a matched request, in the form that `decide` expects.
pub fn access_of<'r>(route: &'r Result<RouteMatch<'_>, NoMatch>) -> Result<&'r Access<'r>, NoMatch> {
    route.as_ref().map(|route| &route.access).map_err(|no_match| *no_match)
}

/// RouteConflict: two templates that match the same paths.
pub(super) struct RouteConflict {
    pub(super) first: RouteId,
    pub(super) second: RouteId,
}

impl RouteTable {
    /// The table of `routes`.
    ///
    /// # Errors
    /// All pairs of templates that match the same paths, with case ignored.
    pub(super) fn build(routes: Vec<Route>, dialect: Dialect) -> Result<Self, Vec<RouteConflict>> {
        let mut conflicts = Vec::new();
        let mut first_by_pattern = std::collections::HashMap::new();
        for (at, route) in (0..).zip(&routes) {
            if let Some(first) = first_by_pattern.insert(route.template.pattern(true), RouteId(at)) {
                conflicts.push(RouteConflict { first, second: RouteId(at) });
            }
        }
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        let (exact, folded) = (routers::build_router(&routes, false), routers::build_router(&routes, true));
        match (exact, folded) {
            (Ok(exact), Ok(folded)) => {
                let interpretations = PathInterpretations::new(dialect.traits(), &routes);
                Ok(Self { dialect, exact, folded, interpretations, routes: routes.into() })
            }
            (Err(id), _) | (_, Err(id)) => Err(vec![RouteConflict { first: id, second: id }]),
        }
    }

    /// The routes in policy order.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route with that id.
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.get(usize::try_from(id.0).ok()?)
    }

    /// The dialect whose matching rules apply.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The entry of a method in a route, by index.
    pub fn method(&self, route: RouteId, method: u16) -> Option<&Method> {
        self.route(route)?.methods.get(usize::from(method))
    }

    /// Matches a request to its route; HEAD matches as GET. Only scopes are read from the query.
    ///
    /// # Errors
    /// No template matches, the template lacks the method, or the upstream could read another path or scope.
    pub fn match_route<'r>(
        &'r self,
        method: &str,
        path: &'r CanonicalPath<'_>,
        query: Option<&'r str>,
    ) -> Result<RouteMatch<'r>, NoMatch> {
        let text = path.as_str();
        let ambiguous = |_| NoMatch::Rejected(RejectedRequest::AmbiguousPath);
        let id = self.find_route(path).map_err(ambiguous)?;
        // An encoded slash is permitted inside one parameter only: elsewhere servers would split the path there.
        let encoded_slash = NoMatch::Rejected(RejectedRequest::EncodedSlash);
        let id = id.ok_or(if path.has_encoded_slash() { encoded_slash } else { NoMatch::NoRoute })?;
        let route = self.route(id).ok_or(NoMatch::NoRoute)?;
        let mut scope: Scope<'r> = Default::default();
        for (value, location) in scope.iter_mut().zip(route.scopes) {
            *value = match location {
                Some(ScopeLocation::Segment(at)) => self.segment_value(route, at, text)?,
                Some(ScopeLocation::Query(at)) => self.query_value(route, at, query.unwrap_or_default())?,
                None => None,
            };
        }
        let listed_method = if method == "HEAD" { "GET" } else { method };
        let mut methods = (0..).zip(&route.methods);
        let (at, entry) = methods.find(|(_, entry)| &*entry.name == listed_method).ok_or(NoMatch::NoMethod(id))?;
        if path.has_encoded_slash() {
            check_encoded_slashes(text, entry.encoded_slash)?;
        }
        Ok(RouteMatch {
            route,
            method: entry,
            access: Access { route: id, method: at, cells: &entry.cells, scope, across: entry.across },
        })
    }

    fn segment_value<'p>(&self, route: &Route, at: u16, text: &'p str) -> Result<Option<Cow<'p, str>>, NoMatch> {
        let value = nth_segment(text, usize::from(at)).map(path::decode_segment);
        // A server that strips extensions reads the scope of `/tenants/t2.json` as `t2`.
        let mut remainder = route.template.segments().iter().skip(usize::from(at) + 1);
        // A template's trailing slash is an empty segment, which some of these servers ignore first.
        let last = remainder.all(|segment| matches!(segment, TemplateSegment::Literal(literal) if literal.is_empty()));
        let cut = last && self.dialect.traits().extensions == Treatment::Either;
        match value {
            Some(value) if cut && value.contains('.') => Err(NoMatch::Rejected(RejectedRequest::AmbiguousScope)),
            value => Ok(value),
        }
    }

    fn query_value<'q>(&self, route: &Route, at: u16, query: &'q str) -> Result<Option<Cow<'q, str>>, NoMatch> {
        let Some((parameter, _)) = route.template.query().get(usize::from(at)) else { return Ok(None) };
        query::scope_value(query, parameter, self.dialect.traits().query_name_case).map_err(NoMatch::Rejected)
    }

    /// The route that a canonical path matches.
    ///
    /// # Errors
    /// The server could match another route, which is returned; or none, in which case the same route is returned.
    pub(super) fn find_route(&self, path: &CanonicalPath<'_>) -> Result<Option<RouteId>, RouteId> {
        let text = path.as_str();
        let case = self.dialect.traits().case;
        let found = if case == Treatment::Folded { self.match_folded(text) } else { self.match_exact(text) };
        let Some(id) = found else { return Ok(None) };
        if case == Treatment::Either
            && let Some(other) = self.match_folded(text).filter(|other| *other != id)
        {
            return Err(other);
        }
        if self.interpretations.is_unambiguous(path) {
            return Ok(found);
        }
        let Some(route) = self.route(id) else { return Ok(None) };
        // If the policy spells the last segment, only another template that spells its last segment is a conflict.
        let ends_in_literal = route.template.ends_in_literal();
        let is_literal = |other: &RouteId| self.route(*other).is_some_and(|route| route.template.ends_in_literal());
        let reach = |text: &str, by_name: bool| {
            self.find_other_route(text, id).filter(|other| !(ends_in_literal || by_name) || is_literal(other))
        };
        match self.interpretations.find_other_route(text, &route.template, id, &reach) {
            Some(other) => Err(other),
            None => Ok(found),
        }
    }

    /// A route other than `id` that a path matches, with the dialect's treatment of case.
    fn find_other_route(&self, text: &str, id: RouteId) -> Option<RouteId> {
        let case = self.dialect.traits().case;
        let exact = if case == Treatment::Folded { None } else { self.match_exact(text) };
        let folded = || if case == Treatment::Exact { None } else { self.match_folded(text) };
        exact.filter(|other| *other != id).or_else(|| folded().filter(|other| *other != id))
    }

    fn match_exact(&self, text: &str) -> Option<RouteId> {
        self.exact.at(text).ok().map(|found| *found.value)
    }

    fn match_folded(&self, text: &str) -> Option<RouteId> {
        if !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.folded.at(text).ok().map(|found| *found.value);
        }
        // Most paths fit into a buffer on the stack, so that a request allocates nothing.
        let mut buffer = [0_u8; 256];
        match buffer.get_mut(..text.len()) {
            Some(lower) => {
                lower.copy_from_slice(text.as_bytes());
                lower.make_ascii_lowercase();
                let lower = std::str::from_utf8(lower).ok()?;
                self.folded.at(lower).ok().map(|found| *found.value)
            }
            None => self.folded.at(&text.to_ascii_lowercase()).ok().map(|found| *found.value),
        }
    }
}

fn nth_segment(text: &str, at: usize) -> Option<&str> {
    text.strip_prefix('/')?.split('/').nth(at)
}

fn check_encoded_slashes(text: &str, allowed: Option<u16>) -> Result<(), NoMatch> {
    let inner = text.strip_prefix('/').unwrap_or(text);
    let is_stray = inner
        .split('/')
        .enumerate()
        .any(|(at, segment)| segment.contains("%2F") && allowed.is_none_or(|allowed| usize::from(allowed) != at));
    if is_stray { Err(NoMatch::Rejected(RejectedRequest::EncodedSlash)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
