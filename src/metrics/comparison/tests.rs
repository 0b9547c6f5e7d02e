//! Tests of comparing two policies by the same requests.

use super::*;
use crate::decision::query::{RequestQuery, decide_query};
use crate::decision::{NoTrace, Phase};
use crate::document::Sources;
use crate::metrics::Metrics;
use crate::vocabulary::{Subject, SubjectKind, Timestamp};

fn policy(letters: &str, shadow: &str) -> Arc<Snapshot> {
    let mut sources = Sources::default();
    let text = format!(
        "version: 1\nname: p\nresources: [A]\nroutes: {{ /a: {{ GET: read A, PUT: update A }} }}\n\
         permissions: {{ One: {{ A: {letters} }} }}\neveryone: [One]\n{shadow}"
    );
    sources.add("p.yaml", &text);
    Arc::new(crate::policy::load(&sources, None).snapshot.unwrap())
}

fn decide(policy: &Arc<Snapshot>, method: &str, path: &str) -> Decision {
    let subject = Subject { kind: SubjectKind::User, ..Subject::default() };
    let query = RequestQuery { subject: &subject, method, target: path, host: None, phase: Phase::Request };
    decide_query(policy, query, Timestamp(0), &mut NoTrace, |trace, _| {
        crate::decision::mode::apply(trace.decision.clone(), policy)
    })
}

fn observe_request(comparison: &Comparison, live: &Arc<Snapshot>, next: &Arc<Snapshot>, method: &str, path: &str) {
    let (one, two) = (decide(live, method, path), decide(next, method, path));
    let request = RequestSample { id: DecisionId(1), time: UNIX_EPOCH, method, route: (path == "/a").then_some("/a") };
    let side = |policy, decision| PolicyDecision { policy, decision };
    comparison.observe(side(live, &one), side(next, &two), request);
}

#[test]
fn differences_are_counted_by_cell_and_both_reasons_with_a_few_examples() {
    let metrics = Metrics::new();
    let comparison = metrics.new_comparison("noah");
    let (live, next) = (policy("R", ""), policy("U", ""));
    comparison.publish_live(Some(&live), UNIX_EPOCH);
    comparison.publish_candidate(Some(&next), UNIX_EPOCH);
    for method in ["GET", "GET", "HEAD", "PUT", "DELETE"] {
        observe_request(&comparison, &live, &next, method, "/a");
    }
    let report = comparison.report();
    assert_eq!(report.compared, 5, "both refuse DELETE, which is no difference");
    let [first, second] = report.differences.as_slice() else { panic!("{report:?}") };
    assert_eq!((first.change, &*first.operation, &*first.resource), (OutcomeChange::WouldRefuse, "read", "A"));
    assert_eq!((&*first.live, &*first.candidate, first.count), ("granted", "not-granted", 3));
    let methods: Vec<&str> = first.examples.iter().map(|example| &*example.method).collect();
    assert_eq!(methods, ["GET", "HEAD"]);
    assert_eq!(first.examples[0].route.as_deref(), Some("/a"));
    assert_eq!(
        (second.change, &*second.operation, &*second.live),
        (OutcomeChange::WouldPermit, "update", "not-granted")
    );
    let text = metrics.render();
    let sample = r#"portcullis_candidate_differences_total{api="noah",change="would-refuse",operation="read",reason="not-granted",resource="A"} 3"#;
    assert!(text.contains(sample), "{text}");
}

#[test]
fn a_refusal_that_shadow_mode_forwards_is_compared_as_a_refusal() {
    let comparison = Metrics::new().new_comparison("noah");
    let (live, next) = (policy("U", "shadow: all\n"), policy("R", ""));
    comparison.publish_live(Some(&live), UNIX_EPOCH);
    comparison.publish_candidate(Some(&next), UNIX_EPOCH);
    observe_request(&comparison, &live, &next, "GET", "/a");
    assert_eq!(comparison.report().differences[0].change, OutcomeChange::WouldPermit);
}

#[test]
fn another_version_of_either_begins_anew_and_older_requests_say_nothing() {
    let comparison = Metrics::new().new_comparison("noah");
    let (live, next) = (policy("R", ""), policy("U", ""));
    comparison.publish_live(Some(&live), UNIX_EPOCH);
    comparison.publish_candidate(Some(&next), UNIX_EPOCH);
    observe_request(&comparison, &live, &next, "GET", "/a");
    assert_eq!(comparison.report().compared, 1);
    let third = policy("RU", "");
    comparison.publish_candidate(Some(&third), UNIX_EPOCH);
    observe_request(&comparison, &live, &next, "GET", "/a");
    assert_eq!((comparison.report().compared, comparison.report().differences.len()), (0, 0));
    observe_request(&comparison, &live, &third, "GET", "/a");
    assert_eq!(comparison.report().compared, 1);
}
