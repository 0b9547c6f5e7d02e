//! Reloader: reloads everything that the process reads from outside, on SIGHUP or on request of the admin listener.

use std::sync::Arc;

use crate::audit::Sink;
use crate::reload::introspection::Introspector;
use crate::reload::keys::KeyFeed;
use crate::reload::watch::ReloadTrigger;

/// Reloader: the parts of the process that reload on request.
pub(super) struct Reloader {
    pub(super) watcher: ReloadTrigger,
    pub(super) feeds: Vec<Arc<KeyFeed>>,
    pub(super) introspectors: Vec<Arc<Introspector>>,
    pub(super) sink: Arc<Sink>,
}

impl Reloader {
    /// Starts a reload of policies, certificates and keys, and reopens the audit file; returns at once.
    pub(super) fn reload_all(&self) {
        tracing::info!("reload requested");
        self.watcher.trigger_reload();
        self.feeds.iter().for_each(|feed| feed.refresh());
        self.introspectors.iter().for_each(|introspector| introspector.forget_answers());
        self.sink.reopen();
    }
}
