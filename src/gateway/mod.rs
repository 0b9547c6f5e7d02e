//! A whole gateway process, put together from its settings: stores, listeners, proxy, administration.

mod background;
mod client_certs;
mod descriptors;
mod handover;
mod plans;
mod policies;
mod status;
mod succession;

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
use crate::identity::Issuer;
use crate::metrics::Metrics;
use crate::proxy::downstream::listener::{BoundListener, ListenerService, http_options};
use crate::proxy::downstream::tls::LiveCertificates;
use crate::proxy::lifecycle::{DrainPlan, Draining, RuntimePlan, ShutdownCoordinator, StopTrigger};
use crate::proxy::upstream::{Upstream, UpstreamResolver, UpstreamTarget};
use crate::proxy::{Proxy, crypto};
use crate::reload::Live;
use crate::reload::api_keys::{ApiKeys, KeyFile};
use crate::reload::introspection::Introspector;
use crate::reload::issuers::Issuers;
use crate::reload::keys::KeyFeed;
use crate::reload::policy::PolicyStore;
use crate::reload::verified::{Generation, VerifiedTokens};
use crate::reload::watch::{WatchedPath, Watcher};
use crate::request::headers::HeaderRules;
use crate::settings::{self, OnFailure, Settings};
use crate::vocabulary::AuditMode;

use background::{AdminService, KeyRefreshService};
use client_certs::ClientCaFiles;
use status::GatewayStatus;
use succession::ListeningSockets;

/// Gateway: a process that has bound everything and serves nothing yet.
pub struct Gateway {
    server: Server,
    ending: ShutdownCoordinator,
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
    /// Binds and loads everything that `settings` name.
    ///
    /// # Errors
    /// One line for the operator: what cannot be bound, read or started, and why. A policy that does not load is no
    /// such error: the API refuses everything until it does.
    pub fn open(settings: &Settings) -> Result<Self, String> {
        Self::with(settings, |_, _, _| Ok(ListeningSockets::default()))
    }

    /// Loads everything that `settings` name, and takes the listeners of the running process over; blocks until SIGQUIT
    /// reaches that one.
    ///
    /// # Errors
    /// As [`Gateway::open`], and where a policy, an issuer's keys or an upstream's address is not to be had: the running
    /// process may have them, so it stays.
    pub fn succeed(settings: &Settings) -> Result<Self, String> {
        let path = settings.upgrade_socket.as_deref();
        let path =
            path.ok_or("`--upgrade` needs `upgrade-socket` in the settings, of this process and the running one")?;
        Self::with(settings, |apis, upstreams, feeds| ListeningSockets::inherited(path, apis, upstreams, feeds))
    }

    fn with(
        settings: &Settings,
        sockets: impl FnOnce(&[Arc<Api>], &[Arc<Upstream>], &[Arc<KeyFeed>]) -> Result<ListeningSockets, String>,
    ) -> Result<Self, String> {
        crypto::install_provider();
        crate::identity::self_test().map_err(|error| format!("the cryptographic self-test failed: {error}"))?;
        if let Some(shortage) = descriptors::shortage(settings) {
            tracing::warn!("{shortage}");
        }
        let metrics = Arc::new(Metrics::new());
        let audit = plans::sink(&settings.audit);
        let place = audit.target.to_string();
        let no_audit = |error| format!("the audit records cannot be written to {place}: {error}");
        Sink::check(&audit).map_err(no_audit)?;
        let generation = Arc::new(Generation::default());
        let believed = CredentialVerifiers::open(settings, &generation)?;
        let CredentialVerifiers { feeds, asked, key_files } = &believed;
        let apis = settings
            .apis
            .iter()
            .enumerate()
            .map(|(at, api)| open_api(ApiId(at), api, settings, &believed, &generation, &metrics))
            .collect::<Result<Vec<Arc<Api>>, String>>()?;
        let upstreams = settings.apis.iter().map(open_upstream).collect::<Result<Vec<Arc<Upstream>>, String>>()?;
        if !audit.target.can_be_durable() && apis.iter().any(|api| status::is_lossless(api)) {
            return Err(format!("`audit: lossless` needs a file on a disk, and {place} is none"));
        }
        let client_cas = ClientCaFiles::open(settings)?;
        let limit_counters = Arc::new(LimitCounters::new(Arc::clone(&metrics)));
        let mut sockets = sockets(&apis, &upstreams, feeds)?;
        // The process before this one has made room by now; where something fails below, this file ends before that one
        // hears of it.
        let sink = Arc::new(Sink::open(audit).map_err(no_audit)?);
        let bounds = sockets.listeners(settings, &client_cas, &limit_counters)?;
        let admin = sockets.admin(settings)?;
        let shared = succession::shared(settings, &bounds, &admin, &sink)?;
        let admin_address = admin.address();
        let listeners: Vec<(Box<str>, SocketAddr)> = bounds
            .iter()
            .zip(&settings.listeners)
            .map(|(bound, plan)| (plan.name.clone(), bound.local_addr()))
            .collect();

        let (draining, in_flight) = (Draining::default(), InFlight::default());
        let tls = bounds.iter().filter_map(BoundListener::tls).collect::<Vec<_>>();
        let traffic = bounds.iter().map(BoundListener::traffic).collect::<Vec<_>>();
        let stores: Vec<Arc<PolicyStore>> =
            apis.iter().flat_map(|api| std::iter::once(&api.policy).chain(&api.candidate).cloned()).collect();
        let mut files = watched(&stores, key_files, &tls, &metrics);
        files.extend(client_cas.watched(&tls, &metrics));
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
        let door = Proxy {
            guard: Arc::new(guard),
            upstreams: upstreams.iter().cloned().map(UpstreamTarget::new).collect(),
            listeners: listeners.iter().map(|(name, address)| (*address, name.clone())).collect(),
            draining: draining.clone(),
        };

        let runtime = RuntimePlan { threads: settings.threads, ..RuntimePlan::default() };
        let mut server = runtime.server();
        let mut proxy = http_proxy(&server.configuration, door);
        let mut options = http_options(settings.limits.keep_alive);
        // Pingora counts how often a connection is used again.
        options.keepalive_request_limit = settings.limits.requests_per_connection.map(|most| most.saturating_sub(1));
        proxy.server_options = Some(options);
        proxy.h2_options = Some(plans::http2(&settings.limits));
        let front = bounds
            .into_iter()
            .fold(ListenerService::new("gateway", proxy, draining.clone()), ListenerService::listening);
        let front = front.telling(sockets.settled());
        server.add_service(front);
        server.add_service(background_service("upstreams", UpstreamResolver(upstreams)));
        let reload = Arc::new(Reloader {
            watcher: watcher.trigger(),
            feeds: feeds.clone(),
            asked: asked.clone(),
            sink: Arc::clone(&sink),
        });
        let status = Arc::new(GatewayStatus {
            draining: draining.clone(),
            apis,
            feeds: feeds.clone(),
            asked: asked.clone(),
            key_files: key_files.clone(),
            client_cas: client_cas.all,
            tls: names_of(settings, &tls),
            metrics,
            sink: Arc::clone(&sink),
            audit_refuses: settings.audit.on_failure == OnFailure::Refuse,
            traffic: traffic.clone(),
            in_flight: in_flight.clone(),
            reload: Arc::clone(&reload),
        });
        server.add_service(background_service(
            "keys",
            KeyRefreshService { feeds: believed.feeds, status: Arc::clone(&status) },
        ));
        server.add_service(background_service("admin", AdminService::new(admin, status, draining.clone())));
        let plan = DrainPlan { deadline: settings.limits.drain, ..DrainPlan::default() };
        let ending = ShutdownCoordinator::new(plan, draining, in_flight, StopTrigger::default())
            .settling(traffic.iter().map(|traffic| traffic.open().clone()))
            .on_signals(move || reload.everything())
            .handing_over(shared);
        Ok(Self { server, ending, sink, listeners, admin: admin_address, _watcher: watcher })
    }

    /// The listeners by name, with the addresses that were bound.
    pub fn listeners(&self) -> &[(Box<str>, SocketAddr)] {
        &self.listeners
    }

    /// The administration's address; `None` on a Unix socket.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Serves until the end is asked for and what was in flight is finished; blocks its thread.
    pub fn run(self) {
        for (name, address) in &self.listeners {
            tracing::info!(listener = %name, address = %address, "listening");
        }
        if let Some(address) = self.admin {
            tracing::info!(address = %address, "admin listening");
        }
        self.server.run(RunArgs { shutdown_signal: Box::new(self.ending) });
        self.sink.close();
        tracing::info!("ended");
    }
}

/// Reloader: what SIGHUP and the administration ask for.
pub(crate) struct Reloader {
    watcher: crate::reload::watch::ReloadTrigger,
    feeds: Vec<Arc<KeyFeed>>,
    asked: Vec<Arc<Introspector>>,
    sink: Arc<Sink>,
}

impl Reloader {
    /// Looks at policies, certificates and keys again, and opens the audit file anew; returns at once.
    fn everything(&self) {
        tracing::info!("reload asked for");
        self.watcher.trigger_reload();
        self.feeds.iter().for_each(|feed| feed.refresh());
        self.asked.iter().for_each(|asked| asked.forget_answers());
        self.sink.reopen();
    }
}

/// The listeners that speak TLS, by name; `tls` holds them in the order of the settings.
fn names_of(settings: &Settings, tls: &[Arc<LiveCertificates>]) -> Vec<(Box<str>, Arc<LiveCertificates>)> {
    let names = settings.listeners.iter().filter(|listener| listener.tls.is_some()).map(|listener| &listener.name);
    names.cloned().zip(tls.iter().cloned()).collect()
}

/// CredentialVerifiers: all that can prove a caller, each for the APIs that name it.
struct CredentialVerifiers {
    feeds: Vec<Arc<KeyFeed>>,
    asked: Vec<Arc<Introspector>>,
    key_files: Vec<Arc<KeyFile>>,
}

impl CredentialVerifiers {
    fn open(settings: &Settings, generation: &Arc<Generation>) -> Result<Self, String> {
        let (mut feeds, mut asked) = (Vec::new(), Vec::new());
        for issuer in &settings.issuers {
            let wrong = |error| format!("the keys of the issuer `{}` cannot be used: {error}", issuer.issuer.name);
            let (of, generation) = (issuer.issuer.clone(), Arc::clone(generation));
            if let Some(plan) = plans::introspection(issuer) {
                asked.push(Introspector::open(of, plan, generation).map_err(wrong)?);
            } else if let Some(plan) = plans::keys(issuer, settings.reload.poll) {
                feeds.push(KeyFeed::open(of, plan, generation).map_err(wrong)?);
            }
        }
        let key_files = settings.key_sources.iter().map(|source| {
            KeyFile::open(source)
                .map_err(|lines| format!("the API keys of `{}` cannot be used:\n{}", source.name, lines.join("\n")))
        });
        Ok(Self { feeds, asked, key_files: key_files.collect::<Result<_, _>>()? })
    }

    /// Those whose tokens `api` believes.
    fn issuers(&self, api: &settings::ApiSettings) -> Result<Issuers, String> {
        let named = |issuer: &Issuer| api.issuers.contains(&issuer.name);
        let feeds = self.feeds.iter().filter(|feed| named(feed.issuer())).cloned().collect();
        let mut asked = self.asked.iter().filter(|asked| named(asked.issuer())).cloned();
        let (first, second) = (asked.next(), asked.next());
        if second.is_some() {
            return Err(format!("two issuers of the API `{}` would be asked about the same tokens", api.name));
        }
        Issuers::with_introspector(feeds, first)
            .ok_or_else(|| format!("two issuers of the API `{}` have the same `iss`", api.name))
    }
}

fn open_api(
    id: ApiId,
    api: &settings::ApiSettings,
    settings: &Settings,
    believed: &CredentialVerifiers,
    generation: &Arc<Generation>,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Api>, String> {
    let issuers = believed.issuers(api)?;
    let key_files = &believed.key_files;
    let keys = key_files.iter().filter(|file| api.api_keys.iter().any(|name| **name == *file.name()));
    let keys = ApiKeys::new(keys.cloned().collect());
    // A key for another API is a secret too.
    let every = ApiKeys::new(key_files.to_vec());
    let own = api.identity_headers.all().into_iter().chain(every.headers());
    let headers = HeaderRules::new(own, api.pass_headers.iter().map(|name| &**name));
    let comparison = api.candidate.as_ref().map(|_| Arc::new(metrics.new_comparison(&api.name)));
    let (policy, coverage) = policies::open(api, generation, metrics, comparison.as_ref());
    let candidate = policies::open_candidate(api, metrics, comparison.as_ref());
    let max_age = settings.token_cache.max_age.as_secs();
    Ok(Arc::new(Api {
        id,
        name: api.name.clone(),
        matches: api.matches.clone(),
        policy: Arc::new(policy),
        candidate: candidate.map(Arc::new),
        coverage,
        comparison,
        issuers,
        keys,
        certificates: api.client_certificates.clone(),
        caller: api.caller,
        tokens: VerifiedTokens::new(settings.token_cache.entries, max_age, Arc::clone(generation)),
        host: api.host.clone(),
        authority: api.upstream.url.authority().into(),
        credential: api.credential.clone(),
        headers,
        identity: api.identity_headers.clone(),
        overrides: api.method_overrides,
        body: api.body,
        total: api.upstream.total_timeout,
        audit: api.audit,
    }))
}

fn open_upstream(api: &settings::ApiSettings) -> Result<Arc<Upstream>, String> {
    let upstream = Upstream::new(&plans::upstream(&api.upstream));
    upstream.map(Arc::new).map_err(|error| format!("the upstream of the API `{}` cannot be used: {error}", api.name))
}

fn watched(
    stores: &[Arc<PolicyStore>],
    key_files: &[Arc<KeyFile>],
    tls: &[Arc<LiveCertificates>],
    metrics: &Arc<Metrics>,
) -> Vec<WatchedPath> {
    let policies = stores.iter().flat_map(|store| {
        // A policy may ask that the cases beside it pass.
        let files = crate::reload::cases::paths_beside(store.path()).into_iter().chain([store.path().to_owned()]);
        files.map(|path| {
            let store = Arc::clone(store);
            WatchedPath::new(path, move || {
                store.refresh();
            })
        })
    });
    let keys = key_files.iter().map(|file| {
        let (file, path, metrics) = (Arc::clone(file), file.path().to_owned(), Arc::clone(metrics));
        WatchedPath::new(path, move || background::reload_keys(&file, &metrics))
    });
    let certificates = tls.iter().flat_map(|tls| {
        let files: Vec<_> = tls.files().map(std::path::Path::to_owned).collect();
        files.into_iter().map(|path| {
            let (tls, metrics) = (Arc::clone(tls), Arc::clone(metrics));
            WatchedPath::new(path, move || background::reload_certificates(&tls, &metrics))
        })
    });
    policies.chain(keys).chain(certificates).collect()
}
