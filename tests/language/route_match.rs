//! Route matching in the reference evaluator, and the scope values of a request.

use crate::model::{Name, PolicyModel, Request, Route};

/// RouteMatch: the result of step 3 for a path.
pub(crate) enum RouteMatch<'w> {
    Route(&'w Route),
    None,
    /// Ambiguous by its query if a route is given, otherwise by its path.
    Ambiguous,
}

/// The route of a request.
pub(crate) fn match_route<'w>(model: &'w PolicyModel, request: &Request) -> RouteMatch<'w> {
    let folded = best(model, &request.path, true);
    if ["aspnet", "iis", "express"].contains(&model.dialect) {
        // Express treats parameter names differently.
        return ambiguous_query(folded, request, model.dialect != "express");
    }
    let case_may_not_count = !["tomcat", "wsgi"].contains(&model.dialect);
    let exact = best(model, &request.path, false);
    match (exact, folded) {
        // Another template would match if case were ignored.
        (Some(exact), Some(folded)) if case_may_not_count && exact.path != folded.path => RouteMatch::Ambiguous,
        _ => ambiguous_query(exact, request, false),
    }
}

/// Ambiguous if a parameter occurs twice, also under names that the dialect folds together. A dialect without folding
/// rejects a name that another dialect would fold.
fn ambiguous_query<'w>(found: Option<&'w Route>, request: &Request, fold: bool) -> RouteMatch<'w> {
    let Some(route) = found else { return RouteMatch::None };
    for scope in &route.query {
        let alike = request.query.iter().filter(|(name, _)| name.eq_ignore_ascii_case(scope));
        if alike.clone().count() > 1 || (!fold && alike.into_iter().any(|(name, _)| name != scope)) {
            return RouteMatch::Ambiguous;
        }
    }
    RouteMatch::Route(route)
}

/// In each segment a literal precedes a parameter, and a parameter precedes a catch-all: of all matching templates, the
/// one whose segment kinds come first.
fn best<'w>(model: &'w PolicyModel, path: &str, fold: bool) -> Option<&'w Route> {
    let matching = model.routes.iter().filter_map(|route| Some((sorts(route.path, path, fold)?, route)));
    matching.min_by_key(|(sorts, _)| sorts.clone()).map(|(_, route)| route)
}

/// For each segment of a matching template: 0 for a literal, 1 for a parameter, 2 for a catch-all.
fn sorts(template: &str, path: &str, fold: bool) -> Option<Vec<u8>> {
    let segments: Vec<&str> = path.split('/').collect();
    let mut sorts = Vec::new();
    for (at, part) in template.split('/').enumerate() {
        let segment = segments.get(at)?;
        if part.starts_with("{*") {
            sorts.push(2);
            return Some(sorts);
        }
        let same = if fold { part.eq_ignore_ascii_case(segment) } else { part == *segment };
        match (part.starts_with('{'), same) {
            (true, _) => sorts.push(1),
            (false, true) => sorts.push(0),
            (false, false) => return None,
        }
    }
    (sorts.len() == segments.len()).then_some(sorts)
}

/// The values of the declared scopes in path and query.
pub(crate) fn values(model: &PolicyModel, route: &Route, request: &Request) -> Vec<(Name, String)> {
    let mut found = Vec::new();
    for (scope, _) in &model.scopes {
        for (part, segment) in route.path.split('/').zip(request.path.split('/')) {
            if part == format!("{{{scope}}}") {
                found.push((*scope, segment.to_owned()));
            }
        }
        if route.query.contains(scope) {
            let values = request.query.iter().filter(|(name, _)| name.eq_ignore_ascii_case(scope));
            found.extend(values.map(|(_, value)| (*scope, (*value).to_owned())));
        }
    }
    found
}
