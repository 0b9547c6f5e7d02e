//! The watched files of the process, and the reload that a change of each one starts.

use std::path::Path;
use std::sync::Arc;

use crate::metrics::{Metrics, ReloadResult, ReloadSubject};
use crate::proxy::downstream::tls::{CertificateReload, LiveCertificates};
use crate::reload::api_keys::KeyFile;
use crate::reload::policy::PolicyStore;
use crate::reload::watch::WatchedPath;
use crate::reload::{RefreshResult, cases};

/// Lists the files of policies, API keys and certificates, each with the reload that its change starts.
pub(super) fn watched_files(
    stores: &[Arc<PolicyStore>],
    key_files: &[Arc<KeyFile>],
    tls: &[Arc<LiveCertificates>],
    metrics: &Arc<Metrics>,
) -> Vec<WatchedPath> {
    let policies = stores.iter().flat_map(|store| {
        // A policy may require that the cases beside it pass.
        let files = cases::paths_beside(store.path()).into_iter().chain([store.path().to_owned()]);
        files.map(|path| {
            let store = Arc::clone(store);
            WatchedPath::new(path, move || {
                store.refresh();
            })
        })
    });
    let keys = key_files.iter().map(|file| {
        let (file, path, metrics) = (Arc::clone(file), file.path().to_owned(), Arc::clone(metrics));
        WatchedPath::new(path, move || reload_keys(&file, &metrics))
    });
    let certificates = tls.iter().flat_map(|tls| {
        let files: Vec<_> = tls.files().map(Path::to_owned).collect();
        files.into_iter().map(|path| {
            let (tls, metrics) = (Arc::clone(tls), Arc::clone(metrics));
            WatchedPath::new(path, move || reload_certificates(&tls, &metrics))
        })
    });
    policies.chain(keys).chain(certificates).collect()
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

/// Reads a file of API keys again; a broken one leaves the last good one live.
fn reload_keys(file: &KeyFile, metrics: &Metrics) {
    match file.refresh() {
        RefreshResult::Published => metrics.count_reload(ReloadSubject::Keys, "", ReloadResult::Published),
        RefreshResult::Refused => metrics.count_reload(ReloadSubject::Keys, "", ReloadResult::Refused),
        RefreshResult::Unchanged => {}
    }
}
