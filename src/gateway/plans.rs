//! Plans: converts sections of the settings into the plans of the process's parts.

use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::http::v2::server::H2Options;

use crate::admin::{AdminPlan, ListenAddress};
use crate::audit::{Rotation, SinkPlan, SinkTarget, WhenFull};
use crate::proxy::downstream::connection::FrameBudget;
use crate::proxy::downstream::listener::{ListenerLimits, ListenerPlan};
use crate::proxy::downstream::tls::{ClientCertificatePlan, TlsPlan};
use crate::proxy::upstream::{Scheme, Timeouts, UpstreamPlan};
use crate::reload::introspection::{ClientAuth, IntrospectionPlan};
use crate::reload::keys::{KeyPlan, KeySource};
use crate::settings::{
    AdminAddress, AdminSettings, AuditDestination, AuditSettings, KeyFetch, KeysFrom, Limits, ListenerSettings,
    Network, OnFull, RotationSettings, TokenIssuer, UpstreamSettings, UrlHost,
};

use super::client_certs::ClientCaFiles;

/// The longest time that a request waits for a full audit queue under `on-full: wait`.
const AUDIT_WAIT: Duration = Duration::from_millis(100);

/// The interval at which an upstream's name is resolved again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);

/// The initial flow-control window of an HTTP/2 stream; the protocol's 64 KiB make uploads slow at high latency.
const STREAM_WINDOW: u32 = 256 << 10;

/// The initial flow-control window of an HTTP/2 connection.
const CONNECTION_WINDOW: u32 = 1 << 20;

pub(super) fn sink(audit: &AuditSettings) -> SinkPlan {
    let target = match &audit.to {
        AuditDestination::File(path) => SinkTarget::File(path.clone()),
        AuditDestination::Stdout => SinkTarget::Stdout,
        AuditDestination::Nowhere => SinkTarget::Nowhere,
    };
    let when_full = match audit.on_full {
        OnFull::Drop => WhenFull::Drop,
        OnFull::Wait => WhenFull::Wait(AUDIT_WAIT),
    };
    let RotationSettings { size, age, keep } = audit.rotate;
    let rotation = Rotation { size, age, keep };
    SinkPlan { queue: audit.queue, when_full, patience: audit.patience, rotation, ..SinkPlan::new(target) }
}

pub(super) fn admin(admin: &AdminSettings) -> AdminPlan {
    let listen = match &admin.address {
        AdminAddress::Tcp(address) => ListenAddress::Tcp(*address),
        AdminAddress::Unix(path) => ListenAddress::Unix(path.clone()),
    };
    let token = admin.token.as_ref().map(|token| String::from_utf8_lossy(token.expose()).into_owned().into_boxed_str());
    AdminPlan { token, ..AdminPlan::new(listen) }
}

pub(super) fn listener(
    listener: &ListenerSettings,
    limits: &Limits,
    trusted: &[Network],
    cas: &ClientCaFiles,
) -> ListenerPlan {
    let tls = listener.tls.as_ref().map(|tls| TlsPlan {
        clients: tls.client_certificates.as_ref().map(|clients| ClientCertificatePlan {
            authorities: Arc::new(cas.named(&clients.from)),
            required: clients.required,
        }),
        ..TlsPlan::of_server(tls)
    });
    ListenerPlan {
        address: listener.address,
        tls,
        h2c: listener.h2c,
        limits: ListenerLimits {
            connections: limits.connections,
            per_address: limits.connections_per_address,
            trusted: trusted.to_vec(),
            handshake: limits.tls_handshake,
            header: limits.header_timeout,
            budget: FrameBudget {
                resets: limits.http2_resets,
                control_frames: limits.http2_control_frames,
                header_bytes: hard_header_bytes(limits),
            },
        },
    }
}

pub(super) fn http2(limits: &Limits) -> H2Options {
    let mut options = H2Options::new();
    options.max_concurrent_streams(limits.http2_streams);
    options.initial_window_size(STREAM_WINDOW);
    options.initial_connection_window_size(CONNECTION_WINDOW);
    options.max_header_list_size(u32::try_from(hard_header_bytes(limits)).unwrap_or(u32::MAX));
    options
}

/// The header size at which a connection ends without a response; a smaller header is read whole and answered.
fn hard_header_bytes(limits: &Limits) -> usize {
    limits.header_bytes.saturating_mul(2)
}

pub(super) fn upstream(upstream: &UpstreamSettings) -> UpstreamPlan {
    let host = match &upstream.url.host {
        UrlHost::Name(name) => name.to_string(),
        UrlHost::Address(address) => address.to_string(),
    };
    let total = upstream.total_timeout.unwrap_or(Duration::MAX);
    UpstreamPlan {
        scheme: if upstream.url.tls { Scheme::Https } else { Scheme::Http },
        host,
        port: upstream.url.port,
        server_name: upstream.tls.as_ref().map(|tls| tls.server_name.to_string()),
        ca_file: upstream.tls.as_ref().and_then(|tls| tls.ca.clone()),
        timeouts: Timeouts {
            connect: upstream.connect_timeout,
            total_connect: upstream.connect_timeout,
            read: upstream.read_timeout.min(total),
            write: upstream.write_timeout.min(total),
            idle: upstream.idle_timeout,
        },
        refresh: RESOLVE_INTERVAL,
    }
}

/// The plan for the keys of `issuer`; `None` where its tokens are introspected instead.
pub(super) fn keys(issuer: &TokenIssuer, poll: Duration) -> Option<KeyPlan> {
    let fetch_plan = |source: KeySource, fetch: &KeyFetch| KeyPlan {
        ttl: fetch.refresh,
        ca_file: fetch.ca.clone(),
        insecure_http: fetch.insecure_http,
        ..KeyPlan::new(source)
    };
    let plan = match &issuer.keys {
        KeysFrom::File(path) => KeyPlan::new(KeySource::File(path.clone())),
        KeysFrom::Secret(secret) => KeyPlan::new(KeySource::Secret(secret.expose().into())),
        KeysFrom::Jwks(fetch) => fetch_plan(KeySource::Jwks(fetch.url.to_string().into()), fetch),
        // The feed fetches the discovery document from the issuer's own URL.
        KeysFrom::Discovery(fetch) => fetch_plan(KeySource::Discovery(issuer.issuer.iss.clone()), fetch),
        KeysFrom::Introspection(_) => return None,
    };
    Some(KeyPlan { poll, ..plan })
}

/// The plan for the introspection of tokens by `issuer`; `None` where it has keys.
pub(super) fn introspection(issuer: &TokenIssuer) -> Option<IntrospectionPlan> {
    let KeysFrom::Introspection(endpoint) = &issuer.keys else { return None };
    Some(IntrospectionPlan {
        url: endpoint.url.to_string().into(),
        client_id: endpoint.client_id.clone(),
        client_secret: endpoint.client_secret.expose().into(),
        auth: if endpoint.in_form { ClientAuth::Post } else { ClientAuth::Basic },
        ca_file: endpoint.ca.clone(),
        insecure_http: endpoint.insecure_http,
        timeout: endpoint.timeout,
        cache: endpoint.cache,
        negative: endpoint.negative,
        at_once: endpoint.at_once,
        per_second: endpoint.per_second,
        accept_missing_audience: endpoint.accept_missing_audience,
    })
}
