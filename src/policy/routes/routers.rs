//! Routers: templates compiled to matchit routers.

use std::collections::HashMap;

use crate::policy::route::Route;
use crate::policy::template::TemplateSegment;
use crate::vocabulary::RouteId;

/// Builds the router of `routes`; with `fold`, literals are in lower case.
///
/// # Errors
/// Matchit refuses a route beside the others. Templates are distinct and consist of whole segments with numbered
/// parameters, so no such route is known; if there is one, the policy must not load.
pub(super) fn build_router(routes: &[Route], fold: bool) -> Result<matchit::Router<RouteId>, RouteId> {
    let plain = || (0..).zip(routes).map(|(at, route)| (route.template.pattern(fold), RouteId(at)));
    // Matchit refuses a parameter and a catch-all at the same position: only then are catch-alls expanded.
    insert_patterns(plain()).or_else(|_| insert_patterns(expand_catch_alls(routes, fold).into_iter()))
}

fn insert_patterns(patterns: impl Iterator<Item = (String, RouteId)>) -> Result<matchit::Router<RouteId>, RouteId> {
    let mut router = matchit::Router::new();
    for (pattern, id) in patterns {
        router.insert(pattern, id).map_err(|_| id)?;
    }
    Ok(router)
}

/// All patterns, with each `/f/{*rest}` expanded to `/f/{1}`, `/f/{1}/{2}` and so on, to the depth of the deepest
/// template. A template of its own, or a catch-all that begins later, takes precedence over an expanded pattern.
fn expand_catch_alls(routes: &[Route], fold: bool) -> HashMap<String, RouteId> {
    let depth = routes.iter().map(|route| route.template.segments().len()).max().unwrap_or(0);
    let mut patterns = HashMap::new();
    let mut catch_alls: Vec<(usize, &Route, RouteId)> = Vec::new();
    for (at, route) in (0..).zip(routes) {
        let segments = route.template.segments();
        match segments.last() {
            Some(TemplateSegment::Rest(_)) => catch_alls.push((segments.len() - 1, route, RouteId(at))),
            _ => {
                patterns.insert(route.template.pattern(fold), RouteId(at));
            }
        }
    }
    catch_alls.sort_by_key(|(start, ..)| std::cmp::Reverse(*start));
    for (start, route, id) in catch_alls {
        let whole = route.template.pattern(fold);
        let mut pattern = whole.rsplit_once('/').map_or("", |(before, _)| before).to_owned();
        for at in start..=depth {
            // The value of a catch-all may end in a slash, the value of a parameter does not.
            pattern.push_str(&format!("/{{p{at}}}"));
            patterns.entry(pattern.clone()).or_insert(id);
            patterns.entry(format!("{pattern}/")).or_insert(id);
        }
        patterns.entry(format!("{pattern}/{{*p{}}}", depth + 1)).or_insert(id);
    }
    patterns
}
