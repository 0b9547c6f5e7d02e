//! ClientCaFiles: all sources of client certificates of the process, and who is told when one of them changes.

use std::sync::Arc;

use crate::metrics::{Metrics, ReloadResult, ReloadSubject};
use crate::proxy::downstream::tls::LiveCertificates;
use crate::reload::RefreshResult;
use crate::reload::client_certs::{self, ClientCa, ClientCas};
use crate::reload::verified::Generation;
use crate::reload::watch::WatchedPath;
use crate::settings::Settings;

use super::background;

/// ClientCaFiles: the sources, each once, however many listeners ask for it.
#[derive(Debug, Default)]
pub(super) struct ClientCaFiles {
    pub(super) all: Vec<Arc<ClientCa>>,
    generation: Arc<Generation>,
}

impl ClientCaFiles {
    /// The sources that `settings` name, all of them good.
    pub(super) fn open(settings: &Settings) -> Result<Self, String> {
        let generation = Arc::new(Generation::default());
        let all = client_certs::open_all(&settings.certificate_sources, &generation)?;
        Ok(Self { all, generation })
    }

    /// Those with these names.
    pub(super) fn of(&self, names: &[Box<str>]) -> ClientCas {
        let named = self.all.iter().filter(|source| names.iter().any(|name| **name == *source.name()));
        ClientCas::new(named.cloned().collect(), Arc::clone(&self.generation))
    }

    /// Their files, each with what a change of it does: the next handshake asks for what is live then.
    pub(super) fn watched(&self, tls: &[Arc<LiveCertificates>], metrics: &Arc<Metrics>) -> Vec<WatchedPath> {
        let files = self.all.iter().flat_map(|source| source.files().map(move |path| (source, path)));
        let watched = files.map(|(source, path)| {
            let (source, tls, metrics) = (Arc::clone(source), tls.to_vec(), Arc::clone(metrics));
            WatchedPath::new(path.to_owned(), move || match source.refresh() {
                RefreshResult::Published => {
                    metrics.count_reload(ReloadSubject::ClientCa, "", ReloadResult::Published);
                    tls.iter().for_each(|tls| background::reload_certificates(tls, &metrics));
                }
                RefreshResult::Refused => metrics.count_reload(ReloadSubject::ClientCa, "", ReloadResult::Refused),
                RefreshResult::Unchanged => {}
            })
        });
        watched.collect()
    }
}
