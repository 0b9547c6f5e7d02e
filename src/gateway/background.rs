//! Background services of the process: the refresh of issuers' keys, and the admin listener.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::task::JoinSet;

use crate::admin::{AdminListener, Status};
use crate::proxy::lifecycle::Draining;
use crate::reload::keys::KeyFeed;

use super::status::GatewayStatus;

/// The interval at which the state of the keys is checked while the process starts.
const START_POLL: Duration = Duration::from_millis(20);

/// KeyRefreshService: refreshes all key feeds until the process ends, and logs once whether the gateway is ready.
pub(super) struct KeyRefreshService {
    pub(super) feeds: Vec<Arc<KeyFeed>>,
    pub(super) status: Arc<GatewayStatus>,
}

#[async_trait]
impl BackgroundService for KeyRefreshService {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut refreshes: JoinSet<()> =
            self.feeds.iter().cloned().map(|feed| async move { feed.keep_fresh().await }).collect();
        let shutdown_begun = shutdown.wait_for(|begun| *begun);
        let log_readiness = async {
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
            _ = shutdown_begun => {}
            () = log_readiness => {}
        }
        refreshes.abort_all();
    }
}

/// AdminService: serves the admin listener until the process ends or hands its sockets over.
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
