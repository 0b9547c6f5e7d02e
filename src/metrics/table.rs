//! The table of all metrics: what the README lists and what is registered are this.

/// Family: one metric with all its labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What it counts, in one sentence.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
}

/// Kind: how a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts durations in buckets, each bounded by so many seconds.
    Histogram(&'static [f64]),
}

/// All metrics, in the order in which the README lists them.
pub const METRICS: &[Family] = &[
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

const fn family(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, help, kind, labels }
}

// prometheus finds a child by a hash over its label values without a separator between them: a free name that
// stands beside another one could be read as a different pair. So closed words stand between them here; the
// exposition sorts labels by name all the same.
pub(super) const DECISIONS: Family = family(
    "portcullis_decisions_total",
    Kind::Counter,
    &["api", "verdict", "resource", "reason", "operation"],
    "Decisions of all callers; resource and operation are empty where the request was not mapped",
);
pub(super) const SERVICE_DECISIONS: Family = family(
    "portcullis_service_decisions_total",
    Kind::Counter,
    &["api", "verdict"],
    "Decisions on requests of service apps, which the decisions of all callers include",
);
pub(super) const DECISION_SECONDS: Family = family(
    "portcullis_decision_seconds",
    Kind::Histogram(&[1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2]),
    &[],
    "Time that reading, identifying and deciding took",
);
pub(super) const REQUESTS: Family = family(
    "portcullis_requests_total",
    Kind::Counter,
    &["api", "status_class"],
    "Requests by the status that the client saw; none where the connection ended first",
);
pub(super) const IN_FLIGHT: Family =
    family("portcullis_in_flight", Kind::Gauge, &[], "Requests that are being read, forwarded or answered now");
pub(super) const UPSTREAM_SECONDS: Family = family(
    "portcullis_upstream_seconds",
    Kind::Histogram(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0]),
    &["api"],
    "Time from choosing the upstream to its response's header",
);
pub(super) const UPSTREAM_ERRORS: Family = family(
    "portcullis_upstream_errors_total",
    Kind::Counter,
    &["api", "kind"],
    "Requests that failed between the gateway and the upstream",
);
pub(super) const CONNECTIONS: Family =
    family("portcullis_connections", Kind::Gauge, &[], "Client connections that are open now");
pub(super) const LIMITS_REACHED: Family = family(
    "portcullis_limits_reached_total",
    Kind::Counter,
    &["limit"],
    "Clients that were cut or refused by a limit, by its key in the settings",
);
pub(super) const TOKEN_CACHE: Family =
    family("portcullis_token_cache_total", Kind::Counter, &["result"], "Look-ups in the cache of verified tokens");
pub(super) const KEYS_AVAILABLE: Family =
    family("portcullis_keys_available", Kind::Gauge, &["issuer"], "Keys that are held of an issuer");
pub(super) const KEY_FETCHES: Family =
    family("portcullis_key_fetches_total", Kind::Counter, &["issuer", "result"], "Fetches of an issuer's keys");
pub(super) const INTROSPECTIONS: Family = family(
    "portcullis_introspections_total",
    Kind::Counter,
    &["issuer", "result"],
    "Tokens that an issuer was to be asked about: accepted, refused, failed, or withheld over the budget",
);
pub(super) const RELOADS: Family =
    family("portcullis_reloads_total", Kind::Counter, &["what", "api", "result"], "Reloads of what may change");
pub(super) const POLICY_INFO: Family =
    family("portcullis_policy_info", Kind::Gauge, &["api", "hash", "policy"], "The policy that is live, always 1");
pub(super) const POLICY_LOADED: Family = family(
    "portcullis_policy_loaded_timestamp_seconds",
    Kind::Gauge,
    &["api"],
    "When the live policy was loaded, in seconds since 1970",
);
pub(super) const POLICY_REFUSED: Family = family(
    "portcullis_policy_refused",
    Kind::Gauge,
    &["api"],
    "Whether the newest version of the policy was refused and an older one is live",
);
pub(super) const SHADOW: Family = family(
    "portcullis_shadow",
    Kind::Gauge,
    &["api"],
    "Whether the live policy is in shadow mode: its refusals are forwarded, all or those about some resources",
);
pub(super) const CANDIDATE_DIFFERENCES: Family = family(
    "portcullis_candidate_differences_total",
    Kind::Counter,
    &["api", "change", "resource", "reason", "operation"],
    "Requests that the candidate would permit or would refuse and the live policy does not, by the refusal's reason",
);
pub(super) const GRANTS: Family =
    family("portcullis_grants", Kind::Gauge, &["api"], "Grants of the live policy, a row and a cell each");
pub(super) const GRANTS_NEVER_USED: Family = family(
    "portcullis_grants_never_used",
    Kind::Gauge,
    &["api"],
    "Grants of the live policy that no permit has used since the start, or since the reload that brought them",
);
pub(super) const UNMAPPED: Family = family(
    "portcullis_unmapped_templates",
    Kind::Gauge,
    &["api"],
    "Templates, guessed, of requests that no route of the live policy covers; the list ends at 500",
);
pub(super) const AUDIT_RECORDS: Family =
    family("portcullis_audit_records_total", Kind::Counter, &[], "Audit records that were written");
pub(super) const AUDIT_DROPPED: Family = family(
    "portcullis_audit_dropped_total",
    Kind::Counter,
    &[],
    "Audit records that were lost because the queue was full or closed",
);
pub(super) const AUDIT_FAILED: Family = family(
    "portcullis_audit_failed_total",
    Kind::Counter,
    &[],
    "Audit records that were lost, or may be, because they could not be written",
);
pub(super) const AUDIT_WAITING: Family =
    family("portcullis_audit_waiting", Kind::Gauge, &[], "Audit records that wait to be written");
pub(super) const AUDIT_WRITING: Family = family(
    "portcullis_audit_writing",
    Kind::Gauge,
    &[],
    "Whether audit records can be written; at 0 lossless requests are refused, or go on as the settings say",
);
pub(super) const AUDIT_SYNCS: Family = family(
    "portcullis_audit_syncs_total",
    Kind::Counter,
    &[],
    "How often the disk was asked to confirm decisions, each time for all that waited",
);
pub(super) const AUDIT_SYNC_FAILURES: Family =
    family("portcullis_audit_sync_failures_total", Kind::Counter, &[], "How often the disk did not confirm them");
pub(super) const AUDIT_SYNC_SECONDS: Family =
    family("portcullis_audit_sync_seconds_total", Kind::Counter, &[], "Time that the disk took to confirm decisions");
pub(super) const LOG_DROPPED: Family = family(
    "portcullis_log_dropped_total",
    Kind::Counter,
    &[],
    "Lines of the program's own log that were lost because nobody read it fast enough",
);
