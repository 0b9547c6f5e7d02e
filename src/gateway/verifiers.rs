//! CredentialVerifiers: the process's key feeds, introspectors and files of API keys.

use std::sync::Arc;

use crate::identity::Issuer;
use crate::reload::api_keys::KeyFile;
use crate::reload::introspection::Introspector;
use crate::reload::issuers::Issuers;
use crate::reload::keys::KeyFeed;
use crate::reload::verified::Generation;
use crate::settings::{ApiSettings, Settings};

use super::plans;

/// CredentialVerifiers: everything that can verify a credential, each for the APIs that name it.
pub(super) struct CredentialVerifiers {
    pub(super) feeds: Vec<Arc<KeyFeed>>,
    pub(super) introspectors: Vec<Arc<Introspector>>,
    pub(super) key_files: Vec<Arc<KeyFile>>,
}

impl CredentialVerifiers {
    /// Opens the issuers and key files of `settings`.
    pub(super) fn open(settings: &Settings, generation: &Arc<Generation>) -> Result<Self, String> {
        let (mut feeds, mut introspectors) = (Vec::new(), Vec::new());
        for settings_issuer in &settings.issuers {
            let issuer = settings_issuer.issuer.clone();
            let name = issuer.name.clone();
            let unusable = |error| format!("the keys of the issuer `{name}` cannot be used: {error}");
            let generation = Arc::clone(generation);
            if let Some(plan) = plans::introspection(settings_issuer) {
                introspectors.push(Introspector::open(issuer, plan, generation).map_err(unusable)?);
            } else if let Some(plan) = plans::keys(settings_issuer, settings.reload.poll) {
                feeds.push(KeyFeed::open(issuer, plan, generation).map_err(unusable)?);
            }
        }
        let key_files = settings.key_sources.iter().map(|source| {
            KeyFile::open(source)
                .map_err(|lines| format!("the API keys of `{}` cannot be used:\n{}", source.name, lines.join("\n")))
        });
        Ok(Self { feeds, introspectors, key_files: key_files.collect::<Result<_, _>>()? })
    }

    /// The issuers whose tokens `api` accepts.
    pub(super) fn issuers_of(&self, api: &ApiSettings) -> Result<Issuers, String> {
        let is_named = |issuer: &Issuer| api.issuers.contains(&issuer.name);
        let feeds = self.feeds.iter().filter(|feed| is_named(feed.issuer())).cloned().collect();
        let mut introspectors =
            self.introspectors.iter().filter(|introspector| is_named(introspector.issuer())).cloned();
        let (first, second) = (introspectors.next(), introspectors.next());
        if second.is_some() {
            return Err(format!("two issuers of the API `{}` would be asked about the same tokens", api.name));
        }
        Issuers::with_introspector(feeds, first)
            .ok_or_else(|| format!("two issuers of the API `{}` have the same `iss`", api.name))
    }
}
