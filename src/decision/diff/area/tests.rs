//! Differences and intersections of scope areas.

use super::*;

fn area(bounds: &[(&'static str, &[&'static str])]) -> ScopeArea<'static> {
    ScopeArea(bounds.iter().map(|(name, values)| (*name, ScopeValues::bound_to(values.iter().copied()))).collect())
}

fn difference(of: &ScopeArea<'static>, others: &[ScopeArea<'static>]) -> Vec<String> {
    of.subtract_all(others.iter()).iter().map(ToString::to_string).collect()
}

#[test]
fn an_area_covered_in_parts_is_covered() {
    let both = area(&[("pacs", &["p7", "p8"])]);
    assert!(difference(&both, &[area(&[("pacs", &["p7"])]), area(&[("pacs", &["p8"])])]).is_empty());
    assert!(difference(&both, &[ScopeArea::default()]).is_empty());
    assert_eq!(difference(&both, &[area(&[("pacs", &["p7"])])]), ["pacs p8"]);
    assert_eq!(difference(&ScopeArea::default(), &[area(&[("pacs", &["p7"])])]), ["pacs not p7"]);
}

#[test]
fn tuples_are_not_mixed() {
    let pair = area(&[("tenant", &["t1"]), ("pacs", &["p8"])]);
    let others = [area(&[("tenant", &["t1"]), ("pacs", &["p7"])]), area(&[("tenant", &["t2"]), ("pacs", &["p8"])])];
    assert_eq!(difference(&pair, &others), ["pacs p8, tenant t1"]);
    assert!(difference(&pair, &[area(&[("tenant", &["t1"])])]).is_empty());
}

#[test]
fn bounds_without_a_common_value_intersect_only_on_routes_across_the_scope() {
    let common = area(&[("ward", &["w1"])]).intersect(&area(&[("ward", &["w2"])])).unwrap();
    assert_eq!(common.to_string(), "across every ward");
}
