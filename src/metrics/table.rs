//! The table of all metrics, which the README lists and the registry registers.

/// MetricFamily: one metric with all its labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricFamily {
    /// The name of the metric.
    pub name: &'static str,
    /// One sentence about what it counts.
    pub help: &'static str,
    /// The kind of the metric.
    pub kind: MetricKind,
    /// The names of its labels, in the order of their values.
    pub labels: &'static [&'static str],
}

/// MetricKind: the kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricKind {
    /// A value that only increases.
    Counter,
    /// A value that increases and decreases.
    Gauge,
    /// A count of durations in buckets with these upper bounds in seconds.
    Histogram(&'static [f64]),
}

/// All metrics, in the order in which the README lists them.
pub const METRICS: &[MetricFamily] = &[
    DECISIONS,
    SERVICE_DECISIONS,
    DECISION_SECONDS,
    REQUESTS,
    IN_FLIGHT,
    UPSTREAM_SECONDS,
    UPSTREAM_ERRORS,
    CONNECTIONS,
    LIMITS_REACHED,
    TOKEN_CACHE,
    KEYS_AVAILABLE,
    KEY_FETCHES,
    INTROSPECTIONS,
    RELOADS,
    POLICY_INFO,
    POLICY_LOADED,
    POLICY_REFUSED,
    SHADOW,
    CANDIDATE_DIFFERENCES,
    GRANTS,
    GRANTS_NEVER_USED,
    UNMAPPED,
    AUDIT_RECORDS,
    AUDIT_DROPPED,
    AUDIT_FAILED,
    AUDIT_WAITING,
    AUDIT_WRITING,
    AUDIT_SYNCS,
    AUDIT_SYNC_FAILURES,
    AUDIT_SYNC_SECONDS,
    LOG_DROPPED,
];

const fn family(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricFamily {
    MetricFamily { name, help, kind, labels }
}

// prometheus finds a metric by a hash over its label values without a separator. Two adjacent free names could
// therefore be confused with a different pair of names. Values from closed lists separate them here; the exposition
// sorts labels by name anyway.
pub(super) const DECISIONS: MetricFamily = family(
    "portcullis_decisions_total",
    MetricKind::Counter,
    &["api", "verdict", "resource", "reason", "operation"],
    "Decisions of all callers; resource and operation are empty where the request was not mapped",
);
pub(super) const SERVICE_DECISIONS: MetricFamily = family(
    "portcullis_service_decisions_total",
    MetricKind::Counter,
    &["api", "verdict"],
    "Decisions on requests of service apps, which the decisions of all callers include",
);
pub(super) const DECISION_SECONDS: MetricFamily = family(
    "portcullis_decision_seconds",
    MetricKind::Histogram(&[1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2]),
    &[],
    "Time that reading, identifying and deciding took",
);
pub(super) const REQUESTS: MetricFamily = family(
    "portcullis_requests_total",
    MetricKind::Counter,
    &["api", "status_class"],
    "Requests by the status that the client saw; none where the connection ended first",
);
pub(super) const IN_FLIGHT: MetricFamily =
    family("portcullis_in_flight", MetricKind::Gauge, &[], "Requests that are being read, forwarded or answered now");
pub(super) const UPSTREAM_SECONDS: MetricFamily = family(
    "portcullis_upstream_seconds",
    MetricKind::Histogram(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]),
    &["api"],
    "Time from choosing the upstream to its response's header",
);
pub(super) const UPSTREAM_ERRORS: MetricFamily = family(
    "portcullis_upstream_errors_total",
    MetricKind::Counter,
    &["api", "kind"],
    "Requests that failed between the gateway and the upstream",
);
pub(super) const CONNECTIONS: MetricFamily =
    family("portcullis_connections", MetricKind::Gauge, &[], "Client connections that are open now");
pub(super) const LIMITS_REACHED: MetricFamily = family(
    "portcullis_limits_reached_total",
    MetricKind::Counter,
    &["limit"],
    "Clients that were cut or refused by a limit, by its key in the settings",
);
pub(super) const TOKEN_CACHE: MetricFamily = family(
    "portcullis_token_cache_total",
    MetricKind::Counter,
    &["result"],
    "Look-ups in the cache of verified tokens",
);
pub(super) const KEYS_AVAILABLE: MetricFamily =
    family("portcullis_keys_available", MetricKind::Gauge, &["issuer"], "Keys that are held of an issuer");
pub(super) const KEY_FETCHES: MetricFamily =
    family("portcullis_key_fetches_total", MetricKind::Counter, &["issuer", "result"], "Fetches of an issuer's keys");
pub(super) const INTROSPECTIONS: MetricFamily = family(
    "portcullis_introspections_total",
    MetricKind::Counter,
    &["issuer", "result"],
    "Tokens that an issuer was to be asked about: accepted, refused, failed, or withheld over the budget",
);
pub(super) const RELOADS: MetricFamily =
    family("portcullis_reloads_total", MetricKind::Counter, &["what", "api", "result"], "Reloads of what may change");
pub(super) const POLICY_INFO: MetricFamily = family(
    "portcullis_policy_info",
    MetricKind::Gauge,
    &["api", "hash", "policy"],
    "The policy that is live, always 1",
);
pub(super) const POLICY_LOADED: MetricFamily = family(
    "portcullis_policy_loaded_timestamp_seconds",
    MetricKind::Gauge,
    &["api"],
    "When the live policy was loaded, in seconds since 1970",
);
pub(super) const POLICY_REFUSED: MetricFamily = family(
    "portcullis_policy_refused",
    MetricKind::Gauge,
    &["api"],
    "Whether the newest version of the policy was refused and an older one is live",
);
pub(super) const SHADOW: MetricFamily = family(
    "portcullis_shadow",
    MetricKind::Gauge,
    &["api"],
    "Whether the live policy is in shadow mode: its refusals are forwarded, all or those about some resources",
);
pub(super) const CANDIDATE_DIFFERENCES: MetricFamily = family(
    "portcullis_candidate_differences_total",
    MetricKind::Counter,
    &["api", "change", "resource", "reason", "operation"],
    "Requests that the candidate would permit or would refuse and the live policy does not, by the refusal's reason",
);
pub(super) const GRANTS: MetricFamily =
    family("portcullis_grants", MetricKind::Gauge, &["api"], "Grants of the live policy, a row and a cell each");
pub(super) const GRANTS_NEVER_USED: MetricFamily = family(
    "portcullis_grants_never_used",
    MetricKind::Gauge,
    &["api"],
    "Grants of the live policy that no permit has used since the start, or since the reload that brought them",
);
pub(super) const UNMAPPED: MetricFamily = family(
    "portcullis_unmapped_templates",
    MetricKind::Gauge,
    &["api"],
    "Templates, guessed, of requests that no route of the live policy covers; the list ends at 500",
);
pub(super) const AUDIT_RECORDS: MetricFamily =
    family("portcullis_audit_records_total", MetricKind::Counter, &[], "Audit records that were written");
pub(super) const AUDIT_DROPPED: MetricFamily = family(
    "portcullis_audit_dropped_total",
    MetricKind::Counter,
    &[],
    "Audit records that were lost because the queue was full or closed",
);
pub(super) const AUDIT_FAILED: MetricFamily = family(
    "portcullis_audit_failed_total",
    MetricKind::Counter,
    &[],
    "Audit records that were lost, or may be, because they could not be written",
);
pub(super) const AUDIT_WAITING: MetricFamily =
    family("portcullis_audit_waiting", MetricKind::Gauge, &[], "Audit records that wait to be written");
pub(super) const AUDIT_WRITING: MetricFamily = family(
    "portcullis_audit_writing",
    MetricKind::Gauge,
    &[],
    "Whether audit records can be written; at 0 lossless requests are refused, or go on as the settings say",
);
pub(super) const AUDIT_SYNCS: MetricFamily = family(
    "portcullis_audit_syncs_total",
    MetricKind::Counter,
    &[],
    "How often the disk was asked to confirm decisions, each time for all that waited",
);
pub(super) const AUDIT_SYNC_FAILURES: MetricFamily =
    family("portcullis_audit_sync_failures_total", MetricKind::Counter, &[], "How often the disk did not confirm them");
pub(super) const AUDIT_SYNC_SECONDS: MetricFamily = family(
    "portcullis_audit_sync_seconds_total",
    MetricKind::Counter,
    &[],
    "Time that the disk took to confirm decisions",
);
pub(super) const LOG_DROPPED: MetricFamily = family(
    "portcullis_log_dropped_total",
    MetricKind::Counter,
    &[],
    "Lines of the program's own log that were lost because nobody read it fast enough",
);
