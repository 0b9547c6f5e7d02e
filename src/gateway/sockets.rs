//! ListeningSockets: binds a process's listening sockets, or takes them over from the running process.

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

/// The longest time that a new process waits for keys and addresses before it takes over.
const PREPARATION: Duration = Duration::from_secs(20);
/// The interval at which the state of the keys is checked meanwhile.
const POLL: Duration = Duration::from_millis(20);

/// ListeningSockets: new sockets, or those of the previous process where the settings of both name the same address.
#[derive(Default)]
pub(super) struct ListeningSockets(Option<InheritedSockets>);

impl ListeningSockets {
    /// Takes over the sockets of the running process, after everything else has been loaded.
    pub(super) fn inherit(
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

    pub(super) fn bind_listeners(
        &mut self,
        settings: &Settings,
        cas: &ClientCaFiles,
        limit_counters: &Arc<LimitCounters>,
    ) -> Result<Vec<BoundListener>, String> {
        let listeners = settings.listeners.iter().map(|listener| {
            let plan = plans::listener(listener, &settings.limits, &settings.trusted_proxies, cas);
            match self.take(&listener_name(&listener.address.to_string())) {
                Some(socket) => BoundListener::adopt(&plan, Arc::clone(limit_counters), socket),
                None => BoundListener::bind(&plan, Arc::clone(limit_counters)),
            }
            .map_err(|error| error.to_string())
        });
        listeners.collect()
    }

    pub(super) fn bind_admin(&mut self, settings: &Settings) -> Result<AdminListener, String> {
        let plan = plans::admin(&settings.admin);
        match self.take(&admin_name(settings)) {
            Some(socket) => AdminListener::adopt(plan, socket),
            None => AdminListener::bind(plan),
        }
    }

    /// A function that is called once this process accepts connections; it tells the previous process to end.
    pub(super) fn takeover_confirmation(self) -> Box<dyn FnOnce() + Send + Sync> {
        match self.0 {
            Some(inherited) => Box::new(inherited.takeover_confirmation()),
            None => Box::new(|| {}),
        }
    }

    fn take(&mut self, name: &str) -> Option<OwnedFd> {
        self.0.as_mut()?.take(name)
    }
}

/// Collects the sockets that SIGQUIT hands over; `None` where the settings name no `upgrade-socket`.
pub(super) fn share_sockets(
    settings: &Settings,
    bound_listeners: &[BoundListener],
    admin: &AdminListener,
    audit: &Arc<Sink>,
) -> Result<Option<Arc<dyn SocketHandOver>>, String> {
    let Some(path) = &settings.upgrade_socket else { return Ok(None) };
    let failed = |error| format!("the listeners cannot be shared: {error}");
    let mut sockets = Vec::with_capacity(bound_listeners.len() + 1);
    for (bound, listener) in bound_listeners.iter().zip(&settings.listeners) {
        sockets.push((listener_name(&listener.address.to_string()), bound.share().map_err(failed)?));
    }
    let (socket, handed_over) = admin.share().map_err(failed)?;
    sockets.push((admin_name(settings), socket));
    Ok(Some(Arc::new(SharedSockets::new(path, sockets, handed_over, Arc::clone(audit))?)))
}

/// Fetches the issuers' keys and resolves the upstreams' addresses; otherwise background services do so later.
async fn prepare(apis: &[Arc<Api>], upstreams: &[Arc<Upstream>], feeds: &[Arc<KeyFeed>]) -> Result<(), String> {
    let missing = || feeds.iter().find(|feed| !feed.status().available);
    let refreshes: tokio::task::JoinSet<()> =
        feeds.iter().cloned().map(|feed| async move { feed.keep_fresh().await }).collect();
    let all_available = async {
        while missing().is_some() {
            tokio::time::sleep(POLL).await;
        }
    };
    let in_time = tokio::time::timeout(PREPARATION, all_available).await;
    drop(refreshes);
    if let (Err(_), Some(feed)) = (in_time, missing()) {
        let status = feed.status();
        let error = status.last_error.as_deref().unwrap_or("no answer in time");
        return Err(format!(
            "the keys of the issuer `{}` cannot be loaded ({error}): nothing is taken over",
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

/// The name under which a listener's socket is handed over: the address in the settings, which may have port 0.
fn listener_name(address: &str) -> String {
    format!("listener {address}")
}

fn admin_name(settings: &Settings) -> String {
    match &settings.admin.address {
        AdminAddress::Tcp(address) => format!("admin {address}"),
        AdminAddress::Unix(path) => format!("admin unix:{}", path.display()),
    }
}
