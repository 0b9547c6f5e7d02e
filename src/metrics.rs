//! Metrics: what is counted, and how one outcome is counted; the one file that names prometheus.

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

/// Metrics: the metrics of one process, in a registry of their own.
///
/// Label values come from the settings, the policy and closed enums, never from a request, so their number is
/// bounded by what the operator wrote. Counting allocates only for a combination of labels that is new; otherwise it
/// takes prometheus' lock for reading to find the counter, and nothing else.
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
    /// Each API's live policy: what has to vanish when the next one is published.
    live: Mutex<HashMap<Box<str>, DisplayedPolicy>>,
}

impl Metrics {
    /// Metrics that have counted nothing yet.
    pub fn new() -> Self {
        let registry = Registry::new();
        let to = &registry;
        let metrics = Self {
            decisions: counters(to, table::DECISIONS),
            service_decisions: counters(to, table::SERVICE_DECISIONS),
            decision_seconds: registered(to, Histogram::with_opts(buckets(table::DECISION_SECONDS))),
            requests: counters(to, table::REQUESTS),
            in_flight: registered(to, IntGauge::with_opts(opts(table::IN_FLIGHT))),
            upstream_seconds: registered(
                to,
                HistogramVec::new(buckets(table::UPSTREAM_SECONDS), table::UPSTREAM_SECONDS.labels),
            ),
            upstream_errors: counters(to, table::UPSTREAM_ERRORS),
            connections: registered(to, IntGauge::with_opts(opts(table::CONNECTIONS))),
            limits_reached: counters(to, table::LIMITS_REACHED),
            token_cache: counters(to, table::TOKEN_CACHE),
            keys_available: gauges(to, table::KEYS_AVAILABLE),
            key_fetches: counters(to, table::KEY_FETCHES),
            introspections: counters(to, table::INTROSPECTIONS),
            reloads: counters(to, table::RELOADS),
            policy_info: gauges(to, table::POLICY_INFO),
            policy_loaded: registered(to, GaugeVec::new(opts(table::POLICY_LOADED), table::POLICY_LOADED.labels)),
            policy_refused: gauges(to, table::POLICY_REFUSED),
            shadow: gauges(to, table::SHADOW),
            candidate: counters(to, table::CANDIDATE_DIFFERENCES),
            grants: gauges(to, table::GRANTS),
            grants_never_used: gauges(to, table::GRANTS_NEVER_USED),
            unmapped: gauges(to, table::UNMAPPED),
            audit_written: registered(to, IntCounter::with_opts(opts(table::AUDIT_RECORDS))),
            audit_dropped: registered(to, IntCounter::with_opts(opts(table::AUDIT_DROPPED))),
            audit_failed: registered(to, IntCounter::with_opts(opts(table::AUDIT_FAILED))),
            audit_waiting: registered(to, IntGauge::with_opts(opts(table::AUDIT_WAITING))),
            audit_writing: registered(to, IntGauge::with_opts(opts(table::AUDIT_WRITING))),
            audit_syncs: registered(to, IntCounter::with_opts(opts(table::AUDIT_SYNCS))),
            audit_sync_failures: registered(to, IntCounter::with_opts(opts(table::AUDIT_SYNC_FAILURES))),
            audit_sync_seconds: registered(to, Counter::with_opts(opts(table::AUDIT_SYNC_SECONDS))),
            log_dropped: registered(to, IntCounter::with_opts(opts(table::LOG_DROPPED))),
            live: Mutex::default(),
            registry,
        };
        // A counter that appears with its first event hides that event from a rate: these are known beforehand.
        for result in CacheResult::ALL {
            count(&metrics.token_cache, &[result.word()], 0);
        }
        for limit in Limit::ALL {
            count(&metrics.limits_reached, &[limit.key()], 0);
        }
        metrics
    }

    /// Counts a request that has ended.
    pub fn observe(&self, outcome: &Outcome<'_>) {
        let api = outcome.api.unwrap_or_default();
        let verdict = outcome.verdict.word();
        let (operation, resource) = outcome.cell.unwrap_or_default();
        count(&self.decisions, &[api, verdict, resource, outcome.reason, operation], 1);
        if outcome.subject.is_some_and(|subject| subject.kind == subject::SubjectKind::Service) {
            count(&self.service_decisions, &[api, verdict], 1);
        }
        self.decision_seconds.observe(outcome.decision.as_secs_f64());
        count(&self.requests, &[api, status_class(outcome.status)], 1);
        if let Some(upstream) = outcome.upstream
            && let Ok(seconds) = self.upstream_seconds.get_metric_with_label_values(&[api])
        {
            seconds.observe(upstream.as_secs_f64());
        }
        if let Some(kind) = outcome.failure.and_then(|failure| failure.strip_prefix("upstream-")) {
            count(&self.upstream_errors, &[api, kind], 1);
        }
    }

    /// Takes over what is under way now.
    pub fn traffic(&self, in_flight: usize, connections: usize) {
        let narrow = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(narrow(in_flight));
        self.connections.set(narrow(connections));
    }

    /// Counts a client that was cut or refused by a limit.
    pub fn limit_reached(&self, limit: Limit) {
        count(&self.limits_reached, &[limit.key()], 1);
    }

    /// Counts a look-up in the cache of verified tokens.
    pub fn token_cache(&self, result: CacheResult) {
        count(&self.token_cache, &[result.word()], 1);
    }

    /// Takes over how many keys are held of an issuer, and its numbers of fetches, which count since the start.
    pub fn keys(&self, issuer: &str, held: usize, fetched: u64, failed: u64) {
        set(&self.keys_available, &[issuer], i64::try_from(held).unwrap_or(i64::MAX));
        self.take_over(&self.key_fetches, [issuer, FetchResult::Fetched.word()], fetched);
        self.take_over(&self.key_fetches, [issuer, FetchResult::Failed.word()], failed);
    }

    /// Takes over how often a question to an issuer has ended so since the start.
    pub fn introspections(&self, issuer: &str, result: IntrospectionResult, total: u64) {
        self.take_over(&self.introspections, [issuer, result.word()], total);
    }

    /// Brings a counter to a total that somebody else counts.
    fn take_over(&self, counters: &IntCounterVec, labels: [&str; 2], total: u64) {
        // Under a lock, so that two readers at once do not add the same difference twice.
        let _one = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(counter) = counters.get_metric_with_label_values(&labels) {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// Counts a reload; `api` is empty for what belongs to none.
    pub fn reload(&self, what: ReloadSubject, api: &str, result: ReloadResult) {
        count(&self.reloads, &[what.word(), api, result.word()], 1);
    }

    /// Makes this policy the live one of `api`, and the only one that is shown.
    pub fn policy_published(&self, api: &str, policy: &str, hash: &str, since: SystemTime) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let next = DisplayedPolicy { hash: hash.into(), policy: policy.into() };
        if let Some(last) = live.insert(api.into(), next)
            && (&*last.hash, &*last.policy) != (hash, policy)
        {
            // It fails only where there was no such child.
            self.policy_info.remove_label_values(&[api, &last.hash, &last.policy]).ok();
        }
        set(&self.policy_info, &[api, hash, policy], 1);
        if let Ok(loaded) = self.policy_loaded.get_metric_with_label_values(&[api]) {
            loaded.set(since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        }
        set(&self.policy_refused, &[api], 0);
    }

    /// Tells that the newest policy of `api` was refused, or (`false`) that what is on disk is live again.
    pub fn policy_refused(&self, api: &str, refused: bool) {
        set(&self.policy_refused, &[api], i64::from(refused));
    }

    /// Tells whether the live policy of `api` forwards refusals, all or some.
    pub fn shadow(&self, api: &str, forwards: bool) {
        set(&self.shadow, &[api], i64::from(forwards));
    }

    /// Where the candidate of `api` is compared with its policy.
    pub fn comparison(&self, api: &str) -> Comparison {
        Comparison::new(api, self.candidate.clone())
    }

    /// Takes over what is counted about the live policy of `api`.
    pub fn coverage(&self, api: &str, coverage: &Coverage) {
        let narrow = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let tally = coverage.tally();
        let (grants, never_used) = tally.grants();
        set(&self.grants, &[api], narrow(grants));
        set(&self.grants_never_used, &[api], narrow(never_used));
        set(&self.unmapped, &[api], narrow(tally.unmapped_count()));
    }

    /// Takes over how many lines of the log were lost since the start.
    pub fn log(&self, dropped: u64) {
        let _one = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        self.log_dropped.inc_by(dropped.saturating_sub(self.log_dropped.get()));
    }

    /// Takes over the audit sink's numbers, which count since the start, and whether it can write.
    pub fn audit(&self, counts: &SinkCounts, writing: bool) {
        // Under a lock, so that two readers at once do not add the same difference twice.
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

    /// All metrics in prometheus' text format.
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

/// DisplayedPolicy: the policy that an API's info metric names.
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

// A wrong number of label values is the one error below; a test reaches every call.

fn count(counters: &IntCounterVec, labels: &[&str], by: u64) {
    if let Ok(counter) = counters.get_metric_with_label_values(labels) {
        counter.inc_by(by);
    }
}

fn set(gauges: &IntGaugeVec, labels: &[&str], value: i64) {
    if let Ok(gauge) = gauges.get_metric_with_label_values(labels) {
        gauge.set(value);
    }
}

fn opts(family: table::MetricFamily) -> Opts {
    Opts::new(family.name, family.help)
}

fn buckets(family: table::MetricFamily) -> HistogramOpts {
    let bounds = if let table::MetricKind::Histogram(bounds) = family.kind { bounds } else { &[] };
    HistogramOpts::new(family.name, family.help).buckets(bounds.to_vec())
}

fn counters(to: &Registry, family: table::MetricFamily) -> IntCounterVec {
    registered(to, IntCounterVec::new(opts(family), family.labels))
}

fn gauges(to: &Registry, family: table::MetricFamily) -> IntGaugeVec {
    registered(to, IntGaugeVec::new(opts(family), family.labels))
}

#[expect(clippy::expect_used, reason = "names and labels are constants, and the first test of all registers them")]
fn registered<C: Collector + Clone + 'static>(to: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("the table of metrics is valid");
    to.register(Box::new(metric.clone())).expect("no two metrics have one name");
    metric
}

#[cfg(test)]
mod tests;
