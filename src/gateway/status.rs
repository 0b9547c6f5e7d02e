//! GatewayStatus: the state of the running process that the admin listener reports.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::admin::{
    ApiStatus, AuditState, AuditStatus, CandidateStatus, IssuerStatus, KeysState, LivePolicy, RefusedReload, Rollback,
    ShadowMode, Status, StatusReport,
};
use crate::audit::{Rfc3339Time, Sink, log};
use crate::guard::api::Api;
use crate::guard::in_flight::InFlight;
use crate::metrics::{ComparisonReport, CoverageReport, IntrospectionResult, Metrics};
use crate::policy::model::Shadow;
use crate::proxy::downstream::listener::ConnectionCounters;
use crate::proxy::downstream::tls::LiveCertificates;
use crate::proxy::lifecycle::Draining;
use crate::reload::api_keys::KeyFile;
use crate::reload::client_certs::ClientCa;
use crate::reload::introspection::{IntrospectionOutcome, Introspector};
use crate::reload::keys::KeyFeed;
use crate::reload::policy::PolicyStore;
use crate::vocabulary::{AuditMode, Timestamp};

use super::reloader::Reloader;

/// GatewayStatus: the parts of the process whose state the admin listener reports.
pub(super) struct GatewayStatus {
    pub(super) draining: Draining,
    pub(super) apis: Vec<Arc<Api>>,
    pub(super) feeds: Vec<Arc<KeyFeed>>,
    pub(super) introspectors: Vec<Arc<Introspector>>,
    pub(super) key_files: Vec<Arc<KeyFile>>,
    pub(super) client_cas: Vec<Arc<ClientCa>>,
    pub(super) tls: Vec<(Box<str>, Arc<LiveCertificates>)>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) sink: Arc<Sink>,
    /// Whether lossless requests are refused while their decisions cannot be written.
    pub(super) audit_refuses: bool,
    pub(super) traffic: Vec<Arc<ConnectionCounters>>,
    pub(super) in_flight: InFlight,
    pub(super) reloader: Arc<Reloader>,
}

/// The outcomes of introspection requests, each with its label in the metrics.
const INTROSPECTIONS: [(IntrospectionOutcome, IntrospectionResult); 4] = [
    (IntrospectionOutcome::Accepted, IntrospectionResult::Accepted),
    (IntrospectionOutcome::Refused, IntrospectionResult::Refused),
    (IntrospectionOutcome::Failed, IntrospectionResult::Failed),
    (IntrospectionOutcome::Withheld, IntrospectionResult::Withheld),
];

impl Status for GatewayStatus {
    fn report(&self) -> StatusReport {
        let issuers = self.feeds.iter().map(|feed| issuer_status(feed));
        let introspectors = self.introspectors.iter().map(|introspector| introspector_status(introspector));
        let key_files = self.key_files.iter().map(|file| key_file_status(file));
        StatusReport {
            draining: self.draining.is_leaving(),
            apis: self.apis.iter().map(|api| api_status(api)).collect(),
            issuers: issuers
                .chain(introspectors)
                .chain(key_files)
                .chain(self.client_cas.iter().map(|source| client_ca_status(source)))
                .collect(),
            certificates: self.tls.iter().map(|(name, tls)| certificate_status(name, tls)).collect(),
            audit: self.audit(),
        }
    }

    fn metrics_text(&self) -> String {
        self.metrics.update_audit(&self.sink.counts(), self.sink.write_failure().is_none());
        self.metrics.update_log(log::dropped());
        let open = self.traffic.iter().map(|traffic| traffic.open().count()).sum();
        self.metrics.set_traffic(self.in_flight.count(), open);
        for feed in &self.feeds {
            let status = feed.status();
            self.metrics.update_keys(&status.issuer, status.keys, status.fetched, status.failed);
        }
        for introspector in &self.introspectors {
            for (outcome, result) in INTROSPECTIONS {
                self.metrics.update_introspections(&introspector.issuer().name, result, introspector.count(outcome));
            }
        }
        for api in &self.apis {
            self.metrics.update_coverage(&api.name, &api.coverage);
        }
        self.metrics.render()
    }

    fn diff(&self, api: &str) -> Option<serde_json::Value> {
        let store = &self.api(api)?.policy;
        Some((*store.last_diff()).as_ref().map_or(serde_json::Value::Null, |diff| {
            let mut json = diff.json.clone();
            if let Some(object) = json.as_object_mut() {
                object.insert("at".to_owned(), serde_json::json!(Rfc3339Time(diff.at)));
            }
            json
        }))
    }

    fn coverage(&self, api: &str) -> Option<CoverageReport> {
        self.api(api).map(|api| api.coverage.tally().report())
    }

    fn candidate(&self, api: &str) -> Option<ComparisonReport> {
        self.api(api)?.comparison.as_ref().map(|comparison| comparison.report())
    }

    fn rollback(&self, api: &str) -> Option<Rollback> {
        let store = &self.api(api)?.policy;
        let live = store.rollback().and_then(|_| policy_status(store).0);
        Some(live.map_or(Rollback::Nothing, Rollback::Live))
    }

    fn reload(&self) {
        self.reloader.reload_all();
    }
}

impl GatewayStatus {
    fn audit(&self) -> AuditStatus {
        let failure = self.sink.write_failure();
        AuditStatus {
            refuses: failure.is_some() && self.audit_refuses && self.apis.iter().any(|api| is_lossless(api)),
            state: if failure.is_some() { AuditState::Failing } else { AuditState::Writing },
            since: failure.as_ref().map(|failure| Rfc3339Time(failure.since)),
            error: failure.map(|failure| failure.error),
        }
    }

    fn api(&self, name: &str) -> Option<&Api> {
        self.apis.iter().map(|api| &**api).find(|api| *api.name == *name)
    }
}

/// Whether the API has decisions that must be on disk before the client or the upstream observes them.
pub(super) fn is_lossless(api: &Api) -> bool {
    let live = api.policy.load();
    let routes = live.iter().flat_map(|policy| policy.routes.routes());
    let lossless = |mode: Option<AuditMode>| mode == Some(AuditMode::Lossless);
    lossless(Some(api.audit)) || routes.flat_map(|route| &route.methods).any(|method| lossless(method.audit))
}

fn api_status(api: &Api) -> ApiStatus {
    let (policy, refused) = policy_status(&api.policy);
    let candidate = api.candidate.as_ref().map(|store| {
        let (policy, refused) = policy_status(store);
        CandidateStatus { policy, refused }
    });
    let withdrawn = api.policy.state().withdrawn.as_ref().map(|version| version.hash.clone());
    ApiStatus { name: api.name.clone(), policy, candidate, refused, withdrawn }
}

/// The live version of a store, and the newest version where that was refused.
fn policy_status(store: &PolicyStore) -> (Option<LivePolicy>, Option<RefusedReload>) {
    let state = store.state();
    let live = store.load();
    let shadow = live.as_ref().map_or(ShadowMode::Off, |policy| shadow_mode(&policy.model.shadow));
    let policy = state.version.as_ref().map(|version| LivePolicy {
        name: version.name.clone(),
        hash: version.hash.clone(),
        since: Rfc3339Time(state.since),
        shadow,
    });
    let refused = state
        .refused
        .as_ref()
        .map(|refused| RefusedReload { at: Rfc3339Time(refused.at), findings: refused.json.clone() });
    (policy, refused)
}

fn shadow_mode(shadow: &Shadow) -> ShadowMode {
    match shadow {
        Shadow::Off => ShadowMode::Off,
        Shadow::Resources(names) => ShadowMode::Resources(names.clone()),
        Shadow::All => ShadowMode::All,
    }
}

fn issuer_status(feed: &KeyFeed) -> IssuerStatus {
    let status = feed.status();
    let state = match (status.available, &status.last_error) {
        (false, _) => KeysState::Unavailable,
        (true, Some(_)) => KeysState::Stale,
        (true, None) => KeysState::Available,
    };
    IssuerStatus {
        name: status.issuer.clone(),
        state,
        keys: status.keys,
        since: status.fetched_at.map(rfc3339),
        error: status.last_error.clone(),
    }
}

/// The state of an introspected issuer; it never decides readiness, because only requests reveal failure and recovery.
fn introspector_status(introspector: &Introspector) -> IssuerStatus {
    let error = introspector.last_error().as_ref().clone();
    let state = if error.is_some() { KeysState::Stale } else { KeysState::Available };
    IssuerStatus { name: introspector.issuer().name.clone(), state, keys: 0, since: None, error }
}

fn key_file_status(file: &KeyFile) -> IssuerStatus {
    let state = file.state();
    file_status(file.name(), state.keys, state.since, state.refused.clone())
}

fn client_ca_status(source: &ClientCa) -> IssuerStatus {
    let state = source.state();
    file_status(source.name(), state.authorities, state.since, state.refused.clone())
}

fn certificate_status(listener: &str, tls: &LiveCertificates) -> IssuerStatus {
    let state = tls.state();
    let refused = state.refused.as_ref().map(|error| error.to_string().into());
    file_status(listener, state.certificates, state.since, refused)
}

/// The state of a file whose content is live; `error` tells why its newest version was refused.
fn file_status(name: &str, count: usize, since: SystemTime, error: Option<Box<str>>) -> IssuerStatus {
    let state = if error.is_some() { KeysState::Stale } else { KeysState::Available };
    IssuerStatus { name: name.into(), state, keys: count, since: Some(Rfc3339Time(since)), error }
}

fn rfc3339(at: Timestamp) -> Rfc3339Time {
    Rfc3339Time(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at.0)).unwrap_or(SystemTime::UNIX_EPOCH))
}
