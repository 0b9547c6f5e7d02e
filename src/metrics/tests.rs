//! Tests of metrics that are read back from their text by a separate parser.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::audit::record::tests::{clinician, permitted, refused};
use crate::audit::{SinkCounts, Verdict};

/// Exposition: the kind of each family, and each sample by its name and sorted labels.
#[derive(Default)]
struct Exposition {
    kinds: BTreeMap<String, String>,
    helps: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

fn parse(text: &str) -> Exposition {
    let mut read = Exposition::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(read.helps.insert(name.into(), help.into()).is_none(), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(read.kinds.insert(name.into(), kind.into()).is_none(), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            assert!(family.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            assert!(read.samples.insert(name.into(), value.parse().unwrap()).is_none(), "{line}");
        }
    }
    read
}

fn sample(metrics: &Metrics, name: &str) -> Option<f64> {
    parse(&metrics.render()).samples.get(name).copied()
}

/// Metrics in which every family has at least one child.
fn busy() -> Metrics {
    let metrics = Metrics::new();
    let subject = crate::vocabulary::Subject { kind: subject::SubjectKind::Service, ..clinician() };
    metrics.observe(&Outcome { failure: Some("upstream-timeout"), ..permitted(&subject) });
    metrics.count_token_lookup(CacheResult::Hit);
    metrics.update_keys("hospital", 2, 0, 1);
    metrics.update_introspections("hospital", IntrospectionResult::Withheld, 3);
    metrics.count_reload(ReloadSubject::Policy, "noah", ReloadResult::Refused);
    metrics.publish_policy("noah", "noah-es", "aa", UNIX_EPOCH + Duration::from_millis(1500));
    metrics.set_shadow("noah", true);
    metrics.update_coverage("noah", &Coverage::default());
    metrics.candidate.with_label_values(&["noah", "would-refuse", "Patients", "not-granted", "read"]).inc();
    metrics
}

#[test]
fn the_exposition_holds_the_whole_table_and_nothing_else() {
    let read = parse(&busy().render());
    let names: BTreeSet<&str> = METRICS.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), METRICS.len());
    assert_eq!(read.kinds.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    for family in METRICS {
        let kind = match family.kind {
            table::MetricKind::Counter => "counter",
            table::MetricKind::Gauge => "gauge",
            table::MetricKind::Histogram(_) => "histogram",
        };
        assert_eq!(read.kinds[family.name], kind);
        assert_eq!(read.helps[family.name], family.help);
        assert_eq!(family.name.ends_with("_total"), kind == "counter", "{}", family.name);
        let mut labels: Vec<String> = family.labels.iter().map(|label| format!("{label}=\"")).collect();
        labels.sort();
        let own = |name: &&String| {
            let of = name.split('{').next().unwrap();
            let stem = |end: &str| of.strip_suffix(end) == Some(family.name);
            of == family.name || (kind == "histogram" && (stem("_count") || stem("_sum") || stem("_bucket")))
        };
        let samples: Vec<&String> = read.samples.keys().filter(own).collect();
        assert!(!samples.is_empty(), "{}", family.name);
        for name in samples {
            assert!(labels.iter().all(|label| name.contains(label.as_str())), "{name}");
        }
    }
}

#[test]
fn an_outcome_is_counted_by_its_cell_verdict_and_reason() {
    let metrics = Metrics::new();
    let subject = clinician();
    metrics.observe(&permitted(&subject));
    metrics.observe(&permitted(&subject));
    metrics.observe(&refused());
    let read = parse(&metrics.render()).samples;
    let permitted = r#"portcullis_decisions_total{api="noah",operation="merge",reason="granted",resource="Patients",verdict="permit"}"#;
    let refused =
        r#"portcullis_decisions_total{api="",operation="",reason="bad-spelling",resource="",verdict="refuse"}"#;
    assert_eq!((read[permitted], read[refused]), (2.0, 1.0));
    assert_eq!(read[r#"portcullis_requests_total{api="noah",status_class="2xx"}"#], 2.0);
    assert_eq!(read[r#"portcullis_requests_total{api="",status_class="none"}"#], 1.0);
    assert_eq!(read["portcullis_decision_seconds_count"], 3.0);
    assert_eq!(read[r#"portcullis_decision_seconds_bucket{le="0.000005"}"#], 1.0);
    assert_eq!(read[r#"portcullis_decision_seconds_bucket{le="0.00001"}"#], 3.0);
    assert_eq!(read[r#"portcullis_upstream_seconds_count{api="noah"}"#], 2.0);
    assert!(!read.keys().any(|name| name.starts_with("portcullis_service_decisions")));
}

#[test]
fn service_apps_are_counted_apart_too() {
    let metrics = busy();
    assert_eq!(sample(&metrics, r#"portcullis_service_decisions_total{api="noah",verdict="permit"}"#), Some(1.0));
    let subject = crate::vocabulary::Subject { kind: subject::SubjectKind::Service, ..clinician() };
    metrics.observe(&Outcome { verdict: Verdict::Refuse, ..permitted(&subject) });
    assert_eq!(sample(&metrics, r#"portcullis_service_decisions_total{api="noah",verdict="refuse"}"#), Some(1.0));
}

#[test]
fn what_a_request_carries_is_no_label() {
    let metrics = Metrics::new();
    let subject = clinician();
    for number in 0..50 {
        let (method, path) = (format!("M{number}"), format!("/p{number}"));
        let scope = [("tenant", path.as_str())];
        metrics.observe(&Outcome { method: &method, path: Some(&path), scope: &scope, ..permitted(&subject) });
        metrics.observe(&Outcome { method: &method, path: Some(&path), ..refused() });
    }
    let read = parse(&metrics.render()).samples;
    assert_eq!(read.keys().filter(|name| name.starts_with("portcullis_decisions_total")).count(), 2);
}

#[test]
fn only_failures_of_the_upstream_are_upstream_errors() {
    let metrics = Metrics::new();
    let subject = clinician();
    metrics.observe(&Outcome { failure: Some("upstream-connect"), ..permitted(&subject) });
    metrics.observe(&Outcome { failure: Some("client-gone"), ..permitted(&subject) });
    let read = parse(&metrics.render()).samples;
    let errors: Vec<_> = read.iter().filter(|(name, _)| name.starts_with("portcullis_upstream_errors")).collect();
    assert_eq!(errors, [(&r#"portcullis_upstream_errors_total{api="noah",kind="connect"}"#.to_owned(), &1.0)]);
}

#[test]
fn only_the_live_policy_is_shown() {
    let metrics = busy();
    metrics.publish_policy("dicom", "orthanc", "cc", UNIX_EPOCH);
    metrics.set_policy_refused("noah", true);
    assert_eq!(sample(&metrics, r#"portcullis_policy_refused{api="noah"}"#), Some(1.0));
    metrics.publish_policy("noah", "noah-es", "bb", UNIX_EPOCH + Duration::from_secs(9));
    metrics.publish_policy("noah", "noah-es", "bb", UNIX_EPOCH + Duration::from_secs(9));
    let read = parse(&metrics.render()).samples;
    let shown: Vec<_> = read.keys().filter(|name| name.starts_with("portcullis_policy_info")).collect();
    assert_eq!(
        shown,
        [
            r#"portcullis_policy_info{api="dicom",hash="cc",policy="orthanc"}"#,
            r#"portcullis_policy_info{api="noah",hash="bb",policy="noah-es"}"#
        ]
    );
    assert_eq!(read[r#"portcullis_policy_refused{api="noah"}"#], 0.0);
    assert_eq!(read[r#"portcullis_policy_loaded_timestamp_seconds{api="noah"}"#], 9.0);
}

#[test]
fn what_is_under_way_is_shown_as_it_is() {
    let metrics = Metrics::new();
    metrics.set_traffic(3, 5);
    metrics.set_traffic(1, 4);
    assert_eq!(sample(&metrics, "portcullis_in_flight"), Some(1.0));
    assert_eq!(sample(&metrics, "portcullis_connections"), Some(4.0));
}

#[test]
fn every_limit_has_a_counter_from_the_beginning() {
    let metrics = Metrics::new();
    metrics.count_limit(Limit::HeaderTimeout);
    for limit in Limit::ALL {
        let name = format!("portcullis_limits_reached_total{{limit=\"{}\"}}", limit.key());
        assert_eq!(sample(&metrics, &name), Some(f64::from(u8::from(limit == Limit::HeaderTimeout))), "{name}");
    }
}

#[test]
fn the_audit_sinks_numbers_are_taken_over_and_not_added_up() {
    let metrics = Metrics::new();
    metrics.update_audit(&SinkCounts { dropped: 3, failed: 1, ..SinkCounts::default() }, true);
    metrics.update_audit(&SinkCounts { dropped: 3, failed: 1, ..SinkCounts::default() }, true);
    metrics.update_audit(&SinkCounts { dropped: 5, failed: 1, ..SinkCounts::default() }, true);
    assert_eq!(sample(&metrics, "portcullis_audit_dropped_total"), Some(5.0));
    assert_eq!(sample(&metrics, "portcullis_audit_failed_total"), Some(1.0));
}

#[test]
fn names_from_the_policy_are_escaped() {
    let metrics = Metrics::new();
    let subject = clinician();
    metrics.observe(&Outcome { cell: Some(("read", "a \"b\"\\\nc")), ..permitted(&subject) });
    let text = metrics.render();
    assert!(text.contains(r#"resource="a \"b\"\\\nc""#), "{text}");
}

#[test]
fn neighbouring_names_that_read_the_same_run_together_are_two_counters() {
    let metrics = Metrics::new();
    let subject = clinician();
    metrics.observe(&Outcome { cell: Some(("read", "Patient")), ..permitted(&subject) });
    metrics.observe(&Outcome { cell: Some(("tread", "Patien")), ..permitted(&subject) });
    let read = parse(&metrics.render()).samples;
    assert_eq!(read.keys().filter(|name| name.starts_with("portcullis_decisions_total")).count(), 2);
}

#[test]
fn statuses_fall_into_their_classes() {
    let classes = [Some(101), Some(204), Some(302), Some(404), Some(503), Some(999), None].map(status_class);
    assert_eq!(classes, ["1xx", "2xx", "3xx", "4xx", "5xx", "other", "none"]);
}
