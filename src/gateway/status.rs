//! GatewayStatus: the running process as the administration shows it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::admin::{ApiStatus, IssuerStatus, KeysState, LivePolicy, RefusedReload, Status, StatusReport};
use crate::audit::{Moment, Sink};
use crate::edge::lifecycle::{Draining, InFlight};
use crate::edge::listener::Traffic;
use crate::metrics::Metrics;
use crate::reload::api_keys::KeyFile;
use crate::reload::keys::KeyFeed;
use crate::reload::policy::PolicyStore;
use crate::vocabulary::Timestamp;

use super::Reload;

pub(super) struct GatewayStatus {
    pub(super) draining: Draining,
    pub(super) stores: Vec<Arc<PolicyStore>>,
    pub(super) feeds: Vec<Arc<KeyFeed>>,
    pub(super) key_files: Vec<Arc<KeyFile>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) sink: Arc<Sink>,
    pub(super) traffic: Vec<Arc<Traffic>>,
    pub(super) in_flight: InFlight,
    pub(super) reload: Arc<Reload>,
}

impl Status for GatewayStatus {
    fn report(&self) -> StatusReport {
        let issuers = self.feeds.iter().map(|feed| issuer(feed));
        let key_files = self.key_files.iter().map(|file| key_file(file));
        StatusReport {
            draining: self.draining.is_leaving(),
            apis: self.stores.iter().map(|store| api(store)).collect(),
            issuers: issuers.chain(key_files).collect(),
        }
    }

    fn metrics_text(&self) -> String {
        self.metrics.audit(self.sink.dropped(), self.sink.failed());
        let open = self.traffic.iter().map(|traffic| traffic.open().count()).sum();
        let refused = self.traffic.iter().map(|traffic| traffic.over_limit()).sum();
        self.metrics.traffic(self.in_flight.count(), open, refused);
        for feed in &self.feeds {
            let status = feed.status();
            self.metrics.keys(&status.issuer, status.keys, status.fetched, status.failed);
        }
        self.metrics.render()
    }

    fn reload(&self) {
        self.reload.everything();
    }
}

fn api(store: &PolicyStore) -> ApiStatus {
    let state = store.state();
    let policy = state.version.as_ref().map(|version| LivePolicy {
        name: version.name.clone(),
        hash: version.hash.clone(),
        since: Moment(state.since),
    });
    let refused =
        state.refused.as_ref().map(|refused| RefusedReload { at: Moment(refused.at), findings: refused.json.clone() });
    ApiStatus { name: store.api().into(), policy, refused }
}

fn issuer(feed: &KeyFeed) -> IssuerStatus {
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
        since: status.fetched_at.map(moment),
        error: status.last_error.clone(),
    }
}

fn key_file(file: &KeyFile) -> IssuerStatus {
    let state = file.state();
    IssuerStatus {
        name: file.name().into(),
        state: if state.refused.is_some() { KeysState::Stale } else { KeysState::Available },
        keys: state.keys,
        since: Some(Moment(state.since)),
        error: state.refused.clone(),
    }
}

fn moment(at: Timestamp) -> Moment {
    Moment(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at.0)).unwrap_or(SystemTime::UNIX_EPOCH))
}
