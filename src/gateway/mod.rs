//! Gateway: a whole gateway process, built from its settings: stores, listeners, proxy, admin listener.

mod apis;
mod background;
mod client_certs;
mod descriptors;
mod files;
mod handover;
mod plans;
mod policies;
mod reloader;
mod sockets;
mod status;
mod verifiers;

use std::net::SocketAddr;
use std::sync::Arc;

use pingora::proxy::http_proxy;
use pingora::server::{RunArgs, Server};
use pingora::services::background::background_service;

use crate::audit::Sink;
use crate::decision::ApprovalSet;
use crate::guard::address_limits::FailedCredentials;
use crate::guard::api::{Api, ApiId, Apis};
use crate::guard::in_flight::InFlight;
use crate::guard::{DecisionIds, Guard, LimitCounters};
use crate::metrics::Metrics;
use crate::proxy::downstream::listener::{BoundListener, ListenerService, http_options};
use crate::proxy::downstream::tls::LiveCertificates;
use crate::proxy::lifecycle::{DrainPlan, Draining, RuntimePlan, ShutdownCoordinator, StopTrigger};
use crate::proxy::upstream::{Upstream, UpstreamResolver, UpstreamTarget};
use crate::proxy::{Proxy, crypto};
use crate::reload::Live;
use crate::reload::keys::KeyFeed;
use crate::reload::policy::PolicyStore;
use crate::reload::verified::Generation;
use crate::reload::watch::Watcher;
use crate::settings::{OnFailure, Settings};
use crate::vocabulary::AuditMode;

use background::{AdminService, KeyRefreshService};
use client_certs::ClientCaFiles;
use reloader::Reloader;
use sockets::ListeningSockets;
use status::GatewayStatus;
use verifiers::CredentialVerifiers;

/// Gateway: a process that has bound its listeners and does not serve yet.
pub struct Gateway {
    server: Server,
    shutdown: ShutdownCoordinator,
    sink: Arc<Sink>,
    listeners: Vec<(Box<str>, SocketAddr)>,
    admin: Option<SocketAddr>,
    _watcher: Watcher,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Gateway")
            .field("listeners", &self.listeners)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// Loads everything that `settings` name, and binds the listeners.
    ///
    /// # Errors
    /// One line for the operator: the part that cannot be bound, read or started, and the reason. A policy that does
    /// not load is not an error here: the API refuses every request until it loads.
    pub fn open(settings: &Settings) -> Result<Self, String> {
        Self::build(settings, |_, _, _| Ok(ListeningSockets::default()))
    }

    /// Loads everything that `settings` name, and takes over the listeners of the running process.
    ///
    /// Blocks until the running process receives SIGQUIT.
    ///
    /// # Errors
    /// As [`Gateway::open`]. Also where a policy, an issuer's keys or an upstream's address cannot be loaded: the
    /// running process may have them, so it continues to serve.
    pub fn take_over(settings: &Settings) -> Result<Self, String> {
        let path = settings.upgrade_socket.as_deref();
        let path =
            path.ok_or("`--upgrade` needs `upgrade-socket` in the settings, of this process and the running one")?;
        Self::build(settings, |apis, upstreams, feeds| ListeningSockets::inherit(path, apis, upstreams, feeds))
    }

    fn build(
        settings: &Settings,
        open_sockets: impl FnOnce(&[Arc<Api>], &[Arc<Upstream>], &[Arc<KeyFeed>]) -> Result<ListeningSockets, String>,
    ) -> Result<Self, String> {
        crypto::install_provider();
        crate::identity::self_test().map_err(|error| format!("the cryptographic self-test failed: {error}"))?;
        if let Some(shortage) = descriptors::shortage(settings) {
            tracing::warn!("{shortage}");
        }
        let metrics = Arc::new(Metrics::new());
        let audit = plans::sink(&settings.audit);
        let destination = audit.target.to_string();
        let no_audit = |error| format!("the audit records cannot be written to {destination}: {error}");
        Sink::check(&audit).map_err(no_audit)?;
        let generation = Arc::new(Generation::default());
        let verifiers = CredentialVerifiers::open(settings, &generation)?;
        let CredentialVerifiers { feeds, introspectors, key_files } = &verifiers;
        let apis = settings
            .apis
            .iter()
            .enumerate()
            .map(|(index, api)| apis::open_api(ApiId(index), api, settings, &verifiers, &generation, &metrics))
            .collect::<Result<Vec<Arc<Api>>, String>>()?;
        let upstreams =
            settings.apis.iter().map(apis::open_upstream).collect::<Result<Vec<Arc<Upstream>>, String>>()?;
        if !audit.target.can_be_durable() && apis.iter().any(|api| status::is_lossless(api)) {
            return Err(format!("`audit: lossless` needs a file on a disk, and {destination} is none"));
        }
        let client_cas = ClientCaFiles::open(settings)?;
        let limit_counters = Arc::new(LimitCounters::new(Arc::clone(&metrics)));
        let mut sockets = open_sockets(&apis, &upstreams, feeds)?;
        // The previous process has released its audit file by now. Where a step below fails, this process closes its
        // own file before the previous one notices.
        let sink = Arc::new(Sink::open(audit).map_err(no_audit)?);
        let bound_listeners = sockets.bind_listeners(settings, &client_cas, &limit_counters)?;
        let admin = sockets.bind_admin(settings)?;
        let socket_hand_over = sockets::share_sockets(settings, &bound_listeners, &admin, &sink)?;
        let admin_address = admin.address();
        let listeners: Vec<(Box<str>, SocketAddr)> = bound_listeners
            .iter()
            .zip(&settings.listeners)
            .map(|(bound, plan)| (plan.name.clone(), bound.local_addr()))
            .collect();

        let (draining, in_flight) = (Draining::default(), InFlight::default());
        let tls = bound_listeners.iter().filter_map(BoundListener::certificates).collect::<Vec<_>>();
        let traffic = bound_listeners.iter().map(BoundListener::counters).collect::<Vec<_>>();
        let stores: Vec<Arc<PolicyStore>> =
            apis.iter().flat_map(|api| std::iter::once(&api.policy).chain(&api.candidate).cloned()).collect();
        let mut files = files::watched_files(&stores, key_files, &tls, &metrics);
        files.extend(client_cas.watched_files(&tls, &metrics));
        let watcher =
            Watcher::start(files, settings.reload.poll).map_err(|error| format!("files cannot be watched: {error}"))?;
        let guard = Guard {
            apis: Apis::new(apis.clone()),
            trusted: settings.trusted_proxies.clone(),
            limits: settings.limits.clone(),
            approvals: Arc::new(Live::new(ApprovalSet::default())),
            failed_credentials: FailedCredentials::new(settings.limits.failed_credentials),
            limit_counters,
            metrics: Arc::clone(&metrics),
            audit: Arc::clone(&sink),
            audit_mode: settings.apis.iter().map(|api| api.audit).max().unwrap_or(AuditMode::Fast),
            on_audit_failure: settings.audit.on_failure,
            in_flight: in_flight.clone(),
            ids: DecisionIds::new()?,
        };
        let proxy = Proxy {
            guard: Arc::new(guard),
            upstreams: upstreams.iter().cloned().map(UpstreamTarget::new).collect(),
            listeners: listeners.iter().map(|(name, address)| (*address, name.clone())).collect(),
            draining: draining.clone(),
        };

        let runtime = RuntimePlan { threads: settings.threads, ..RuntimePlan::default() };
        let mut server = runtime.server();
        let mut http_service = http_proxy(&server.configuration, proxy);
        let mut options = http_options(settings.limits.keep_alive);
        // Pingora counts the reuses of a connection, which are one fewer than its requests.
        options.keepalive_request_limit = settings.limits.requests_per_connection.map(|most| most.saturating_sub(1));
        http_service.server_options = Some(options);
        http_service.h2_options = Some(plans::http2(&settings.limits));
        let listener_service = bound_listeners
            .into_iter()
            .fold(ListenerService::new("gateway", http_service, draining.clone()), ListenerService::listening);
        server.add_service(listener_service.on_open(sockets.takeover_confirmation()));
        server.add_service(background_service("upstreams", UpstreamResolver(upstreams)));
        let reloader = Arc::new(Reloader {
            watcher: watcher.trigger(),
            feeds: feeds.clone(),
            introspectors: introspectors.clone(),
            sink: Arc::clone(&sink),
        });
        let status = Arc::new(GatewayStatus {
            draining: draining.clone(),
            apis,
            feeds: feeds.clone(),
            introspectors: introspectors.clone(),
            key_files: key_files.clone(),
            client_cas: client_cas.all,
            tls: certificates_by_listener(settings, &tls),
            metrics,
            sink: Arc::clone(&sink),
            audit_refuses: settings.audit.on_failure == OnFailure::Refuse,
            traffic: traffic.clone(),
            in_flight: in_flight.clone(),
            reloader: Arc::clone(&reloader),
        });
        server.add_service(background_service(
            "keys",
            KeyRefreshService { feeds: verifiers.feeds, status: Arc::clone(&status) },
        ));
        server.add_service(background_service("admin", AdminService::new(admin, status, draining.clone())));
        let plan = DrainPlan { deadline: settings.limits.drain, ..DrainPlan::default() };
        let shutdown = ShutdownCoordinator::new(plan, draining, in_flight, StopTrigger::default())
            .settling(traffic.iter().map(|traffic| traffic.open().clone()))
            .on_signals(move || reloader.reload_all())
            .handing_over(socket_hand_over);
        Ok(Self { server, shutdown, sink, listeners, admin: admin_address, _watcher: watcher })
    }

    /// The names of the listeners, each with its bound address.
    pub fn listeners(&self) -> &[(Box<str>, SocketAddr)] {
        &self.listeners
    }

    /// The TCP address of the admin listener; `None` where it listens on a Unix socket.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Serves until a shutdown is requested and the requests in flight have finished; blocks its thread.
    pub fn run(self) {
        for (name, address) in &self.listeners {
            tracing::info!(listener = %name, address = %address, "listening");
        }
        if let Some(address) = self.admin {
            tracing::info!(address = %address, "admin listening");
        }
        self.server.run(RunArgs { shutdown_signal: Box::new(self.shutdown) });
        self.sink.close();
        tracing::info!("ended");
    }
}

/// Pairs the names of the TLS listeners with `tls`, which holds their certificates in the order of the settings.
fn certificates_by_listener(
    settings: &Settings,
    tls: &[Arc<LiveCertificates>],
) -> Vec<(Box<str>, Arc<LiveCertificates>)> {
    let names = settings.listeners.iter().filter(|listener| listener.tls.is_some()).map(|listener| &listener.name);
    names.cloned().zip(tls.iter().cloned()).collect()
}
