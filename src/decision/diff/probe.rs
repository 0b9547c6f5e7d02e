//! ProbeRequest: the example requests that reach a method of a policy.

use std::collections::BTreeMap;

use crate::policy::Template;
use crate::policy::route::{Method, Route, ScopeLocation};
use crate::policy::template::TemplateSegment;
use crate::vocabulary::{Cells, MediaRange};

use super::area::{ScopeArea, ScopeValues};
use super::indexed::IndexedPolicy;

/// The value of a scope that no policy names.
pub(super) const FRESH_VALUE: &str = "any-value-0";

/// The value of a path segment that is no scope.
pub(super) const SEGMENT_VALUE: &str = "x1";

/// ProbeRequest: one example request and the media type of its response.
#[derive(Debug, Clone)]
pub(super) struct ProbeRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) content_type: Option<String>,
    /// The tenant that the caller must be a member of.
    pub(super) tenant: Option<String>,
}

/// Builds requests to a method within a scope area; none if the route cannot carry the scope values.
///
/// `hints` are the preferred values of scopes, by scope name.
pub(super) fn probe_requests(
    indexed: &IndexedPolicy<'_>,
    route: &Route,
    method: &Method,
    area: &ScopeArea<'_>,
    hints: &BTreeMap<&str, &str>,
) -> Vec<ProbeRequest> {
    let mut values: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for (at, scope) in (0_u8..).zip(&indexed.policy.model.scopes) {
        let carried = route.scopes.get(usize::from(at)).copied().flatten().is_some();
        let hinted = hints.get(&*scope.name).copied().unwrap_or(FRESH_VALUE);
        let value = match area.0.get(&*scope.name) {
            None => Some(hinted),
            Some(ScopeValues::Except(set)) if set.contains(&Some(hinted)) => Some(FRESH_VALUE),
            Some(ScopeValues::Except(_)) => Some(hinted),
            Some(ScopeValues::Only(set)) if set.contains(&Some(hinted)) => Some(hinted),
            Some(ScopeValues::Only(set)) => set.iter().find_map(|value| *value),
        };
        if value.is_none()
            && carried
            && !matches!(route.scopes.get(usize::from(at)), Some(Some(ScopeLocation::Query(_))))
        {
            return Vec::new();
        }
        values.insert(&scope.name, value.map(str::to_owned));
    }
    let tenant = indexed.caller_scope().and_then(|name| values.get(name).cloned().flatten());
    let path = fill_template(&route.template, &values);
    let mut paths = vec![path];
    if !route.template.query().is_empty() {
        paths.push(fill_template(&route.template, &BTreeMap::new()));
    }
    let content_types = response_types(method);
    let (paths, tenant) = (&paths, &tenant);
    let each = content_types.into_iter().flat_map(|content_type| {
        paths.iter().map(move |path| ProbeRequest {
            method: method.name.to_string(),
            path: path.clone(),
            content_type: content_type.clone(),
            tenant: tenant.clone(),
        })
    });
    each.collect()
}

/// Builds requests to the methods of a policy, `max` at most.
pub(super) fn sample_requests(indexed: &IndexedPolicy<'_>, max: usize) -> Vec<ProbeRequest> {
    let routes = indexed.policy.routes.routes().iter();
    let methods = routes.flat_map(|route| route.methods.iter().map(move |method| (route, method)));
    let (area, hints) = (ScopeArea::default(), BTreeMap::new());
    let requests = methods.flat_map(|(route, method)| probe_requests(indexed, route, method, &area, &hints));
    requests.take(max).collect()
}

/// An example media type for each candidate of a method by type; `None` for other methods.
pub(super) fn response_types(method: &Method) -> Vec<Option<String>> {
    match &method.cells {
        Cells::ByType(candidates) => candidates.iter().map(|one| Some(example_media_type(&one.range))).collect(),
        _ => vec![None],
    }
}

/// Fills a template with scope values by name.
fn fill_template(template: &Template, values: &BTreeMap<&str, Option<String>>) -> String {
    let mut out = String::new();
    for segment in template.segments() {
        out.push('/');
        match segment {
            TemplateSegment::Literal(literal) => out.push_str(literal),
            TemplateSegment::Parameter(name) => {
                out.push_str(values.get(&**name).and_then(Option::as_deref).unwrap_or(SEGMENT_VALUE))
            }
            TemplateSegment::Rest(_) => out.push_str(SEGMENT_VALUE),
        }
    }
    let mut mark = '?';
    for (parameter, scope) in template.query() {
        if let Some(Some(value)) = values.get(&**scope) {
            out.push(mark);
            out.push_str(&format!("{parameter}={value}"));
            mark = '&';
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

fn example_media_type(range: &MediaRange) -> String {
    match range {
        MediaRange::Exact(exact) => exact.to_string(),
        MediaRange::Wildcard(kind) => format!("{kind}/x-any"),
        MediaRange::Otherwise => "x-any/x-any".to_owned(),
    }
}
