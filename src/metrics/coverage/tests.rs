//! Tests of used grants, refused cells and paths without a route across reloads.

use super::*;
use crate::decision::{Trace, TraceStep};
use crate::document::Sources;

/// A policy with these rows and additional routes.
fn policy(rows: &str, routes: &str) -> Arc<Snapshot> {
    let mut sources = Sources::default();
    let text = format!(
        "version: 1\nname: p\nresources: [A, B]\nroutes: {{ /a: {{ GET: read A, PUT: update A }}, /b: {{ GET: read B }}{routes} }}\n\
         permissions: {{ {rows} }}\n"
    );
    sources.add("p.yaml", &text);
    let loaded = crate::policy::load(&sources, None);
    assert!(loaded.snapshot.is_some(), "{:?}", loaded.findings);
    Arc::new(loaded.snapshot.unwrap())
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

/// The usage of the cell `cell` through the row `row`, by their names.
fn usage(policy: &Arc<Snapshot>, row: &str, cell: &str) -> UsageTrace {
    let row = policy.model.rows.iter().position(|known| &*known.name == row).unwrap();
    let mut uses = UsageTrace::default();
    uses.record(TraceStep::Granted { cell: cell_id(policy, cell), row: RowId(u32::try_from(row).unwrap()) });
    uses
}

fn cell_id(policy: &Snapshot, cell: &str) -> CellId {
    CellId(u32::try_from(policy.model.cells.iter().position(|known| known.to_string() == cell).unwrap()).unwrap())
}

/// `row: operation resource @second` of each grant that was never used.
fn never_used(coverage: &Coverage) -> Vec<String> {
    let report = coverage.tally().report();
    let mut lines: Vec<String> = report
        .never_used
        .iter()
        .map(|grant| {
            let since = grant.since.0.duration_since(UNIX_EPOCH).unwrap().as_secs();
            format!("{}: {} {} @{since}", grant.permission, grant.operation, grant.resource)
        })
        .collect();
    lines.sort();
    assert_eq!(coverage.tally().grant_counts(), (report.grants, report.never_used.len()));
    lines
}

#[test]
fn a_grant_that_was_used_stays_so_over_reloads_that_keep_its_names() {
    let coverage = Coverage::default();
    let first = policy("One: { A: RU, B: R }, Two: { A: R }", "");
    coverage.publish(Some(&first), at(1));
    coverage.tally().mark_used(&usage(&first, "One", "read A"));
    coverage.tally().mark_used(&usage(&first, "One", "read A"));
    assert_eq!(never_used(&coverage), ["One: read B @1", "One: update A @1", "Two: read A @1"]);

    // Another order, one row less and one row more: a grant that keeps its name keeps its counts.
    coverage.publish(Some(&policy("Three: { B: R }, Zero: { A: R }, One: { A: RU, B: R }", "")), at(2));
    let expected = ["One: read B @1", "One: update A @1", "Three: read B @2", "Zero: read A @2"];
    assert_eq!(never_used(&coverage), expected);
    assert!(!coverage.tally().is_of(&first));
}

#[test]
fn the_cells_that_are_refused_most_come_first_and_stay_over_reloads() {
    let coverage = Coverage::default();
    let first = policy("One: { A: RU, B: R }", "");
    coverage.publish(Some(&first), at(1));
    let cell = |name: &str| Some(cell_id(&first, name));
    for name in ["read A", "read B", "read B"] {
        coverage.tally().count_refusal(cell(name));
    }
    coverage.tally().count_refusal(None);
    coverage.publish(Some(&policy("Two: { B: R }, One: { A: RU }", "")), at(2));
    let refused = coverage.tally().report().refused;
    let refused: Vec<_> = refused.iter().map(|cell| (&*cell.operation, &*cell.resource, cell.count)).collect();
    assert_eq!(refused, [("read", "B", 2), ("read", "A", 1)]);
}

#[test]
fn paths_without_a_route_are_kept_as_templates_until_a_policy_maps_them() {
    let coverage = Coverage::default();
    coverage.publish(Some(&policy("One: { A: RU, B: R }", "")), at(1));
    let tally = coverage.tally();
    for (method, path, second) in
        [("GET", "/things/17", 5), ("GET", "/things/18", 9), ("GET", "/things/19", 7), ("POST", "/things/17", 2)]
    {
        tally.count_unmapped(method, path, at(second));
    }
    tally.count_unmapped("GET", "/elsewhere", at(3));
    let list_unmapped = |coverage: &Coverage| -> Vec<(String, String, u64, SystemTime)> {
        let report = coverage.tally().report();
        let entries = report.unmapped.into_iter();
        entries.map(|one| (one.method.into(), one.template.into(), one.count, one.last_seen.0)).collect()
    };
    let own = |method: &str, template: &str, count, last| (method.to_owned(), template.to_owned(), count, at(last));
    let elsewhere = own("GET", "/elsewhere", 1, 3);
    let post = own("POST", "/things/{id}", 1, 2);
    assert_eq!(list_unmapped(&coverage), [own("GET", "/things/{id}", 3, 9), elsewhere.clone(), post.clone()]);

    coverage.publish(Some(&policy("One: { A: RU, B: R }", ", \"/things/{thing}\": { GET: read A }")), at(10));
    assert_eq!(list_unmapped(&coverage), [elsewhere, post]);
}

#[test]
fn random_paths_fill_no_more_than_the_list() {
    let coverage = Coverage::default();
    let tally = coverage.tally();
    for number in 0..2000_u32 {
        let word: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        tally.count_unmapped("GET", &format!("/{word}/x"), at(1));
    }
    let report = tally.report();
    assert_eq!((report.unmapped.len(), report.unmapped_left_out), (MAX_UNMAPPED, 1500));
}

#[test]
fn the_log_gets_a_few_lines_in_a_second() {
    let coverage = Coverage::default();
    coverage.publish(Some(&policy("One: { A: RU, B: R }", "")), at(1));
    let tally = coverage.tally();
    let passed = |cell, second| (0..100).filter(|_| tally.admit_sample(cell, at(second))).count();
    assert_eq!((passed(Some(CellId(0)), 5), passed(Some(CellId(1)), 5), passed(None, 5)), (2, 2, 2));
    assert_eq!(passed(Some(CellId(0)), 6), 2);
    assert_eq!(passed(Some(CellId(999)), 6), 0);
}
