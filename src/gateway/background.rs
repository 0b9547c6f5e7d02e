//! What runs beside the requests: keys kept fresh, the administration, certificates read again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::task::JoinSet;

use crate::admin::{AdminListener, Status};
use crate::metrics::{Metrics, ReloadResult, ReloadSubject};
use crate::proxy::downstream::tls::{CertificateReload, LiveCertificates};
use crate::proxy::lifecycle::Draining;
use crate::reload::RefreshResult;
use crate::reload::api_keys::KeyFile;
use crate::reload::keys::KeyFeed;

use super::status::GatewayStatus;

/// How often the keys' state is looked at while the process starts.
const START_POLL: Duration = Duration::from_millis(20);

/// KeyRefreshService: all feeds, kept fresh until the process ends.
pub(super) struct KeyRefreshService {
    pub(super) feeds: Vec<Arc<KeyFeed>>,
    pub(super) status: Arc<GatewayStatus>,
}

#[async_trait]
impl BackgroundService for KeyRefreshService {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut kept: JoinSet<()> =
            self.feeds.iter().cloned().map(|feed| async move { feed.keep_fresh().await }).collect();
        let ended = shutdown.wait_for(|begun| *begun);
        let announced = async {
            while !self.feeds.iter().all(|feed| feed.status().attempted) {
                tokio::time::sleep(START_POLL).await;
            }
            if self.status.report().ready() {
                tracing::info!("ready");
            } else {
                tracing::warn!("up, but not ready: see /ready");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = ended => {}
            () = announced => {}
        }
        kept.abort_all();
    }
}

/// AdminService: the admin listener, served until the process ends.
pub(super) struct AdminService {
    admin: Mutex<Option<AdminListener>>,
    status: Arc<GatewayStatus>,
    draining: Draining,
}

impl AdminService {
    pub(super) fn new(admin: AdminListener, status: Arc<GatewayStatus>, draining: Draining) -> Self {
        Self { admin: Mutex::new(Some(admin)), status, draining }
    }
}

#[async_trait]
impl BackgroundService for AdminService {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(admin) = admin {
            let ended = async move {
                tokio::select! {
                    () = self.draining.handed_over() => {}
                    _ = shutdown.wait_for(|begun| *begun) => {}
                }
            };
            admin.serve(Arc::clone(&self.status) as Arc<dyn Status>, ended).await;
        }
    }
}

/// Reads a file of API keys again; a broken one leaves the last good one live.
pub(super) fn reload_keys(file: &KeyFile, metrics: &Metrics) {
    match file.refresh() {
        RefreshResult::Published => metrics.count_reload(ReloadSubject::Keys, "", ReloadResult::Published),
        RefreshResult::Refused => metrics.count_reload(ReloadSubject::Keys, "", ReloadResult::Refused),
        RefreshResult::Unchanged => {}
    }
}

/// Reads certificates again; broken ones leave the last good ones live.
pub(super) fn reload_certificates(tls: &LiveCertificates, metrics: &Metrics) {
    match tls.reload() {
        Ok(CertificateReload::Published) => {
            tracing::info!("certificates are live");
            metrics.count_reload(ReloadSubject::Certificate, "", ReloadResult::Published);
        }
        Ok(CertificateReload::Unchanged) => {}
        Err(error) => {
            tracing::error!(%error, "certificates are refused, the last good ones stay");
            metrics.count_reload(ReloadSubject::Certificate, "", ReloadResult::Refused);
        }
    }
}
