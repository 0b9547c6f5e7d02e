//! Areas taken from each other.

use super::*;

fn area(bounds: &[(&'static str, &[&'static str])]) -> ScopeArea<'static> {
    ScopeArea(bounds.iter().map(|(name, values)| (*name, ScopeValues::bound(values.iter().copied()))).collect())
}

fn left(of: &ScopeArea<'static>, others: &[ScopeArea<'static>]) -> Vec<String> {
    of.outside(others.iter()).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_covered_in_parts_is_covered() {
    let both = area(&[("pacs", &["p7", "p8"])]);
    assert!(left(&both, &[area(&[("pacs", &["p7"])]), area(&[("pacs", &["p8"])])]).is_empty());
    assert!(left(&both, &[ScopeArea::default()]).is_empty());
    assert_eq!(left(&both, &[area(&[("pacs", &["p7"])])]), ["pacs p8"]);
    assert_eq!(left(&ScopeArea::default(), &[area(&[("pacs", &["p7"])])]), ["pacs not p7"]);
}

#[test]
fn tuples_are_not_mixed() {
    let pair = area(&[("tenant", &["t1"]), ("pacs", &["p8"])]);
    let others = [area(&[("tenant", &["t1"]), ("pacs", &["p7"])]), area(&[("tenant", &["t2"]), ("pacs", &["p8"])])];
    assert_eq!(left(&pair, &others), ["pacs p8, tenant t1"]);
    assert!(left(&pair, &[area(&[("tenant", &["t1"])])]).is_empty());
}

#[test]
fn bounds_that_share_no_value_meet_only_on_routes_across_them() {
    let met = area(&[("ward", &["w1"])]).and(&area(&[("ward", &["w2"])])).unwrap();
    assert_eq!(met.to_string(), "across every ward");
}
