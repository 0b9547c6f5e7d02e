//! Routers: templates in matchit's spelling.

use std::collections::HashMap;

use crate::policy::route::Route;
use crate::policy::template::TemplateSegment;
use crate::vocabulary::RouteId;

/// The router of `routes`, with literals in small letters if it is to `fold` case.
///
/// # Errors
/// A route that matchit does not take beside the others. Templates are whole segments with numbered parameters, and
/// no two are the same: none is known, but if there is one the policy must not load.
pub(super) fn build_router(routes: &[Route], fold: bool) -> Result<matchit::Router<RouteId>, RouteId> {
    let plain = || (0..).zip(routes).map(|(at, route)| (route.template.pattern(fold), RouteId(at)));
    // Matchit takes no parameter and catch-all in one place: only where a policy has both, catch-alls are spelt out.
    insert_patterns(plain()).or_else(|_| insert_patterns(expand_catch_alls(routes, fold).into_iter()))
}

fn insert_patterns(patterns: impl Iterator<Item = (String, RouteId)>) -> Result<matchit::Router<RouteId>, RouteId> {
    let mut router = matchit::Router::new();
    for (pattern, id) in patterns {
        router.insert(pattern, id).map_err(|_| id)?;
    }
    Ok(router)
}

/// All patterns, each `/f/{*rest}` as `/f/{1}`, `/f/{1}/{2}` and so on, as deep as any template goes. Where a
/// template of its own, or a catch-all that begins later, has such a pattern, that one is the closer.
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
            // What a catch-all takes may end in a slash; what a parameter takes does not.
            pattern.push_str(&format!("/{{p{at}}}"));
            patterns.entry(pattern.clone()).or_insert(id);
            patterns.entry(format!("{pattern}/")).or_insert(id);
        }
        patterns.entry(format!("{pattern}/{{*p{}}}", depth + 1)).or_insert(id);
    }
    patterns
}
