//! ClientCaFiles: the process's authorities of client certificates, and the reload that a change of their files starts.

use std::sync::Arc;

use crate::metrics::{Metrics, ReloadResult, ReloadSubject};
use crate::proxy::downstream::tls::LiveCertificates;
use crate::reload::RefreshResult;
use crate::reload::client_certs::{self, ClientCa, ClientCas};
use crate::reload::verified::Generation;
use crate::reload::watch::WatchedPath;
use crate::settings::Settings;

use super::files;

/// ClientCaFiles: the authorities, each loaded once and shared by the listeners that name it.
#[derive(Debug, Default)]
pub(super) struct ClientCaFiles {
    pub(super) all: Vec<Arc<ClientCa>>,
    generation: Arc<Generation>,
}

impl ClientCaFiles {
    /// Loads the authorities that `settings` name; an error where one of them is not usable.
    pub(super) fn open(settings: &Settings) -> Result<Self, String> {
        let generation = Arc::new(Generation::default());
        let all = client_certs::open_all(&settings.certificate_sources, &generation)?;
        Ok(Self { all, generation })
    }

    /// The authorities with these names.
    pub(super) fn named(&self, names: &[Box<str>]) -> ClientCas {
        let named = self.all.iter().filter(|source| names.iter().any(|name| **name == *source.name()));
        ClientCas::new(named.cloned().collect(), Arc::clone(&self.generation))
    }

    /// Lists the authorities' files, each with the reload that its change starts; it applies to the next handshake.
    pub(super) fn watched_files(&self, tls: &[Arc<LiveCertificates>], metrics: &Arc<Metrics>) -> Vec<WatchedPath> {
        let paths = self.all.iter().flat_map(|source| source.files().map(move |path| (source, path)));
        let watched = paths.map(|(source, path)| {
            let (source, tls, metrics) = (Arc::clone(source), tls.to_vec(), Arc::clone(metrics));
            WatchedPath::new(path.to_owned(), move || match source.refresh() {
                RefreshResult::Published => {
                    metrics.count_reload(ReloadSubject::ClientCa, "", ReloadResult::Published);
                    tls.iter().for_each(|tls| files::reload_certificates(tls, &metrics));
                }
                RefreshResult::Refused => metrics.count_reload(ReloadSubject::ClientCa, "", ReloadResult::Refused),
                RefreshResult::Unchanged => {}
            })
        });
        watched.collect()
    }
}
