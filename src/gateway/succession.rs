//! Succession: where a process's sockets come from, and what it must have before it takes those of another one.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::AdminListener;
use crate::audit::Sink;
use crate::guard::LimitCounters;
use crate::guard::api::Api;
use crate::proxy::downstream::listener::BoundListener;
use crate::proxy::lifecycle::SocketHandOver;
use crate::proxy::upstream::Upstream;
use crate::reload::keys::KeyFeed;
use crate::settings::{AdminAddress, Settings};

use super::client_certs::ClientCaFiles;
use super::handover::{InheritedSockets, SharedSockets};
use super::plans;

/// How long a new process tries to have what the running one may have.
const PREPARATION: Duration = Duration::from_secs(20);
/// How often the keys' state is looked at meanwhile.
const POLL: Duration = Duration::from_millis(20);

/// ListeningSockets: new ones, or where the settings name the same those of the process before.
#[derive(Default)]
pub(super) struct ListeningSockets(Option<InheritedSockets>);

impl ListeningSockets {
    /// The sockets of the process that serves now, asked for when nothing else is missing.
    pub(super) fn inherited(
        path: &Path,
        apis: &[Arc<Api>],
        upstreams: &[Arc<Upstream>],
        feeds: &[Arc<KeyFeed>],
    ) -> Result<Self, String> {
        for api in apis {
            if api.policy.state().version.is_none() {
                return Err(format!("the policy of the API `{}` does not load: nothing is taken over", api.name));
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| format!("no event loop: {error}"))?.block_on(prepare(apis, upstreams, feeds))?;
        InheritedSockets::receive(path).map(|inherited| Self(Some(inherited)))
    }

    pub(super) fn listeners(
        &mut self,
        settings: &Settings,
        cas: &ClientCaFiles,
        reached: &Arc<LimitCounters>,
    ) -> Result<Vec<BoundListener>, String> {
        let listeners = settings.listeners.iter().map(|listener| {
            let plan = plans::listener(listener, &settings.limits, &settings.trusted_proxies, cas);
            match self.take(&listener_name(&listener.address.to_string())) {
                Some(socket) => BoundListener::adopt(&plan, Arc::clone(reached), socket),
                None => BoundListener::bind(&plan, Arc::clone(reached)),
            }
            .map_err(|error| error.to_string())
        });
        listeners.collect()
    }

    pub(super) fn admin(&mut self, settings: &Settings) -> Result<AdminListener, String> {
        let plan = plans::admin(&settings.admin);
        match self.take(&admin_name(settings)) {
            Some(socket) => AdminListener::adopt(plan, socket),
            None => AdminListener::bind(plan),
        }
    }

    /// What says, once this process accepts, that the one before it may go.
    pub(super) fn settled(self) -> Box<dyn FnOnce() + Send + Sync> {
        match self.0 {
            Some(inherited) => Box::new(inherited.settled()),
            None => Box::new(|| {}),
        }
    }

    fn take(&mut self, name: &str) -> Option<OwnedFd> {
        self.0.as_mut()?.take(name)
    }
}

/// What SIGQUIT hands over, where the settings say through which socket.
pub(super) fn shared(
    settings: &Settings,
    bounds: &[BoundListener],
    admin: &AdminListener,
    audit: &Arc<Sink>,
) -> Result<Option<Arc<dyn SocketHandOver>>, String> {
    let Some(path) = &settings.upgrade_socket else { return Ok(None) };
    let failed = |error| format!("the listeners cannot be shared: {error}");
    let mut sockets = Vec::with_capacity(bounds.len() + 1);
    for (bound, listener) in bounds.iter().zip(&settings.listeners) {
        sockets.push((listener_name(&listener.address.to_string()), bound.share().map_err(failed)?));
    }
    let (socket, left) = admin.share().map_err(failed)?;
    sockets.push((admin_name(settings), socket));
    Ok(Some(Arc::new(SharedSockets::new(path, sockets, left, Arc::clone(audit))?)))
}

/// The issuers' keys and the upstreams' addresses, which services of the process fetch later else.
async fn prepare(apis: &[Arc<Api>], upstreams: &[Arc<Upstream>], feeds: &[Arc<KeyFeed>]) -> Result<(), String> {
    let missing = || feeds.iter().find(|feed| !feed.status().available);
    let kept: tokio::task::JoinSet<()> =
        feeds.iter().cloned().map(|feed| async move { feed.keep_fresh().await }).collect();
    let keys = async {
        while missing().is_some() {
            tokio::time::sleep(POLL).await;
        }
    };
    let in_time = tokio::time::timeout(PREPARATION, keys).await;
    drop(kept);
    if let (Err(_), Some(feed)) = (in_time, missing()) {
        let status = feed.status();
        let error = status.last_error.as_deref().unwrap_or("no answer in time");
        return Err(format!(
            "the keys of the issuer `{}` are not to be had ({error}): nothing is taken over",
            status.issuer
        ));
    }
    for (api, upstream) in apis.iter().zip(upstreams) {
        if upstream.address().is_none() {
            let failed = |error| format!("the upstream of the API `{}` has no address: {error}", api.name);
            upstream.resolve().await.map_err(failed)?;
        }
    }
    Ok(())
}

// What a socket was asked for as, which is not always what was bound: port 0 is any.
fn listener_name(address: &str) -> String {
    format!("listener {address}")
}

fn admin_name(settings: &Settings) -> String {
    match &settings.admin.address {
        AdminAddress::Tcp(address) => format!("admin {address}"),
        AdminAddress::Unix(path) => format!("admin unix:{}", path.display()),
    }
}
