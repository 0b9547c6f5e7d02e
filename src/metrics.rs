//! Metrics: the metrics of the process, and how an outcome is counted; only this layer names prometheus.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{
    Counter, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::audit::{Outcome, SinkCounts};
use crate::vocabulary::subject;

pub mod comparison;
pub mod coverage;
pub mod event;
mod guess;
pub mod limit;
mod sampler;
mod slots;
pub mod table;

pub use comparison::{Comparison, ComparisonReport};
pub use coverage::{Coverage, CoverageReport};
pub use event::{CacheResult, FetchResult, IntrospectionResult, ReloadResult, ReloadSubject};
pub use limit::Limit;
pub use table::METRICS;

/// Metrics: the metrics of one process, in their own registry.
///
/// Label values come from the settings, the policy and closed enums, never from a request. Their number is therefore
/// bounded by the operator's configuration. Counting allocates only for a new combination of labels; otherwise it only
/// takes prometheus' read lock to find the counter.
pub struct Metrics {
    registry: Registry,
    decisions: IntCounterVec,
    service_decisions: IntCounterVec,
    decision_seconds: Histogram,
    requests: IntCounterVec,
    in_flight: IntGauge,
    upstream_seconds: HistogramVec,
    upstream_errors: IntCounterVec,
    connections: IntGauge,
    limits_reached: IntCounterVec,
    token_cache: IntCounterVec,
    keys_available: IntGaugeVec,
    key_fetches: IntCounterVec,
    introspections: IntCounterVec,
    reloads: IntCounterVec,
    policy_info: IntGaugeVec,
    policy_loaded: GaugeVec,
    policy_refused: IntGaugeVec,
    shadow: IntGaugeVec,
    candidate: IntCounterVec,
    grants: IntGaugeVec,
    grants_never_used: IntGaugeVec,
    unmapped: IntGaugeVec,
    audit_written: IntCounter,
    audit_dropped: IntCounter,
    audit_failed: IntCounter,
    audit_waiting: IntGauge,
    audit_writing: IntGauge,
    audit_syncs: IntCounter,
    audit_sync_failures: IntCounter,
    audit_sync_seconds: Counter,
    log_dropped: IntCounter,
    /// The live policy of each API, whose info metric is removed when the next policy is published.
    live: Mutex<HashMap<Box<str>, DisplayedPolicy>>,
}

impl Metrics {
    /// Creates metrics with all counters at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let to = &registry;
        let metrics = Self {
            decisions: register_counters(to, table::DECISIONS),
            service_decisions: register_counters(to, table::SERVICE_DECISIONS),
            decision_seconds: register(to, Histogram::with_opts(histogram_options(table::DECISION_SECONDS))),
            requests: register_counters(to, table::REQUESTS),
            in_flight: register(to, IntGauge::with_opts(options(table::IN_FLIGHT))),
            upstream_seconds: register(
                to,
                HistogramVec::new(histogram_options(table::UPSTREAM_SECONDS), table::UPSTREAM_SECONDS.labels),
            ),
            upstream_errors: register_counters(to, table::UPSTREAM_ERRORS),
            connections: register(to, IntGauge::with_opts(options(table::CONNECTIONS))),
            limits_reached: register_counters(to, table::LIMITS_REACHED),
            token_cache: register_counters(to, table::TOKEN_CACHE),
            keys_available: register_gauges(to, table::KEYS_AVAILABLE),
            key_fetches: register_counters(to, table::KEY_FETCHES),
            introspections: register_counters(to, table::INTROSPECTIONS),
            reloads: register_counters(to, table::RELOADS),
            policy_info: register_gauges(to, table::POLICY_INFO),
            policy_loaded: register(to, GaugeVec::new(options(table::POLICY_LOADED), table::POLICY_LOADED.labels)),
            policy_refused: register_gauges(to, table::POLICY_REFUSED),
            shadow: register_gauges(to, table::SHADOW),
            candidate: register_counters(to, table::CANDIDATE_DIFFERENCES),
            grants: register_gauges(to, table::GRANTS),
            grants_never_used: register_gauges(to, table::GRANTS_NEVER_USED),
            unmapped: register_gauges(to, table::UNMAPPED),
            audit_written: register(to, IntCounter::with_opts(options(table::AUDIT_RECORDS))),
            audit_dropped: register(to, IntCounter::with_opts(options(table::AUDIT_DROPPED))),
            audit_failed: register(to, IntCounter::with_opts(options(table::AUDIT_FAILED))),
            audit_waiting: register(to, IntGauge::with_opts(options(table::AUDIT_WAITING))),
            audit_writing: register(to, IntGauge::with_opts(options(table::AUDIT_WRITING))),
            audit_syncs: register(to, IntCounter::with_opts(options(table::AUDIT_SYNCS))),
            audit_sync_failures: register(to, IntCounter::with_opts(options(table::AUDIT_SYNC_FAILURES))),
            audit_sync_seconds: register(to, Counter::with_opts(options(table::AUDIT_SYNC_SECONDS))),
            log_dropped: register(to, IntCounter::with_opts(options(table::LOG_DROPPED))),
            live: Mutex::default(),
            registry,
        };
        // A rate misses the first event of a counter that appears with it. These counters are created beforehand.
        for result in CacheResult::ALL {
            increment(&metrics.token_cache, &[result.word()], 0);
        }
        for limit in Limit::ALL {
            increment(&metrics.limits_reached, &[limit.key()], 0);
        }
        metrics
    }

    /// Counts a request that has ended.
    pub fn observe(&self, outcome: &Outcome<'_>) {
        let api = outcome.api.unwrap_or_default();
        let verdict = outcome.verdict.word();
        let (operation, resource) = outcome.cell.unwrap_or_default();
        increment(&self.decisions, &[api, verdict, resource, outcome.reason, operation], 1);
        if outcome.subject.is_some_and(|subject| subject.kind == subject::SubjectKind::Service) {
            increment(&self.service_decisions, &[api, verdict], 1);
        }
        self.decision_seconds.observe(outcome.decision.as_secs_f64());
        increment(&self.requests, &[api, status_class(outcome.status)], 1);
        if let Some(upstream) = outcome.upstream
            && let Ok(seconds) = self.upstream_seconds.get_metric_with_label_values(&[api])
        {
            seconds.observe(upstream.as_secs_f64());
        }
        if let Some(kind) = outcome.failure.and_then(|failure| failure.strip_prefix("upstream-")) {
            increment(&self.upstream_errors, &[api, kind], 1);
        }
    }

    /// Sets the current numbers of requests and connections.
    pub fn set_traffic(&self, in_flight: usize, connections: usize) {
        let narrow = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(narrow(in_flight));
        self.connections.set(narrow(connections));
    }

    /// Counts a client that a limit has disconnected or refused.
    pub fn count_limit(&self, limit: Limit) {
        increment(&self.limits_reached, &[limit.key()], 1);
    }

    /// Counts a look-up in the cache of verified tokens.
    pub fn count_token_lookup(&self, result: CacheResult) {
        increment(&self.token_cache, &[result.word()], 1);
    }

    /// Updates the number of an issuer's keys and the totals of its fetches since the start.
    pub fn update_keys(&self, issuer: &str, held: usize, fetched: u64, failed: u64) {
        set_gauge(&self.keys_available, &[issuer], i64::try_from(held).unwrap_or(i64::MAX));
        self.raise_counter_to(&self.key_fetches, [issuer, FetchResult::Fetched.word()], fetched);
        self.raise_counter_to(&self.key_fetches, [issuer, FetchResult::Failed.word()], failed);
    }

    /// Updates the total of an issuer's introspections with this result since the start.
    pub fn update_introspections(&self, issuer: &str, result: IntrospectionResult, total: u64) {
        self.raise_counter_to(&self.introspections, [issuer, result.word()], total);
    }

    /// Raises a counter to a total that is counted elsewhere.
    fn raise_counter_to(&self, counters: &IntCounterVec, labels: [&str; 2], total: u64) {
        // Under a lock, so that two concurrent calls do not add the same difference twice.
        let _one = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(counter) = counters.get_metric_with_label_values(&labels) {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// Counts a reload; `api` is empty if the reload does not belong to an API.
    pub fn count_reload(&self, what: ReloadSubject, api: &str, result: ReloadResult) {
        increment(&self.reloads, &[what.word(), api, result.word()], 1);
    }

    /// Shows this policy as the live policy of `api`, instead of the previous one.
    pub fn publish_policy(&self, api: &str, policy: &str, hash: &str, since: SystemTime) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let next = DisplayedPolicy { hash: hash.into(), policy: policy.into() };
        if let Some(last) = live.insert(api.into(), next)
            && (&*last.hash, &*last.policy) != (hash, policy)
        {
            // This fails only if the metric has no such labels.
            self.policy_info.remove_label_values(&[api, &last.hash, &last.policy]).ok();
        }
        set_gauge(&self.policy_info, &[api, hash, policy], 1);
        if let Ok(loaded) = self.policy_loaded.get_metric_with_label_values(&[api]) {
            loaded.set(since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        }
        set_gauge(&self.policy_refused, &[api], 0);
    }

    /// Sets whether the newest policy of `api` was refused; `false` if the policy on disk is live again.
    pub fn set_policy_refused(&self, api: &str, refused: bool) {
        set_gauge(&self.policy_refused, &[api], i64::from(refused));
    }

    /// Sets whether the live policy of `api` forwards all or some refusals.
    pub fn set_shadow(&self, api: &str, forwards: bool) {
        set_gauge(&self.shadow, &[api], i64::from(forwards));
    }

    /// Creates the comparison of `api`'s candidate with its live policy.
    pub fn new_comparison(&self, api: &str) -> Comparison {
        Comparison::new(api, self.candidate.clone())
    }

    /// Updates the metrics of the live policy's coverage of `api`.
    pub fn update_coverage(&self, api: &str, coverage: &Coverage) {
        let narrow = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let tally = coverage.tally();
        let (grants, never_used) = tally.grant_counts();
        set_gauge(&self.grants, &[api], narrow(grants));
        set_gauge(&self.grants_never_used, &[api], narrow(never_used));
        set_gauge(&self.unmapped, &[api], narrow(tally.unmapped_count()));
    }

    /// Updates the number of dropped log lines since the start.
    pub fn update_log(&self, dropped: u64) {
        let _one = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        self.log_dropped.inc_by(dropped.saturating_sub(self.log_dropped.get()));
    }

    /// Updates the audit sink's counters since the start, and whether the sink can write.
    pub fn update_audit(&self, counts: &SinkCounts, writing: bool) {
        // Under a lock, so that two concurrent calls do not add the same difference twice.
        let _one = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        for (counter, total) in [
            (&self.audit_written, counts.written),
            (&self.audit_dropped, counts.dropped),
            (&self.audit_failed, counts.failed),
            (&self.audit_syncs, counts.syncs),
            (&self.audit_sync_failures, counts.sync_failures),
        ] {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        self.audit_sync_seconds.inc_by((counts.sync_time.as_secs_f64() - self.audit_sync_seconds.get()).max(0.0));
        self.audit_waiting.set(i64::try_from(counts.waiting).unwrap_or(i64::MAX));
        self.audit_writing.set(i64::from(writing));
    }

    /// Renders all metrics in prometheus' text format.
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics cannot be written");
            String::new()
        })
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// DisplayedPolicy: the policy in an API's info metric.
struct DisplayedPolicy {
    hash: Box<str>,
    policy: Box<str>,
}

fn status_class(status: Option<u16>) -> &'static str {
    match status {
        None => "none",
        Some(100..=199) => "1xx",
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(500..=599) => "5xx",
        Some(_) => "other",
    }
}

// The only error below is a wrong number of label values; a test covers every call.

fn increment(counters: &IntCounterVec, labels: &[&str], by: u64) {
    if let Ok(counter) = counters.get_metric_with_label_values(labels) {
        counter.inc_by(by);
    }
}

fn set_gauge(gauges: &IntGaugeVec, labels: &[&str], value: i64) {
    if let Ok(gauge) = gauges.get_metric_with_label_values(labels) {
        gauge.set(value);
    }
}

fn options(family: table::MetricFamily) -> Opts {
    Opts::new(family.name, family.help)
}

fn histogram_options(family: table::MetricFamily) -> HistogramOpts {
    let bounds = if let table::MetricKind::Histogram(bounds) = family.kind { bounds } else { &[] };
    HistogramOpts::new(family.name, family.help).buckets(bounds.to_vec())
}

fn register_counters(to: &Registry, family: table::MetricFamily) -> IntCounterVec {
    register(to, IntCounterVec::new(options(family), family.labels))
}

fn register_gauges(to: &Registry, family: table::MetricFamily) -> IntGaugeVec {
    register(to, IntGaugeVec::new(options(family), family.labels))
}

#[expect(clippy::expect_used, reason = "names and labels are constants, and every test of metrics registers them")]
fn register<C: Collector + Clone + 'static>(to: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("the table of metrics is valid");
    to.register(Box::new(metric.clone())).expect("no two metrics have one name");
    metric
}

#[cfg(test)]
mod tests;
