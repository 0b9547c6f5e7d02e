//! From what the settings say to what each part of the process takes.

use std::time::Duration;

use pingora::protocols::http::v2::server::H2Options;

use crate::admin::{AdminPlan, Listen};
use crate::audit::{Rotation, SinkPlan, Target, WhenFull};
use crate::edge::listener::{Limits as ListenerLimits, ListenerPlan};
use crate::edge::tls::{CertificatePlan, TlsPlan};
use crate::edge::upstream::{Scheme, Timeouts, UpstreamPlan};
use crate::reload::keys::{KeyPlan, KeySource};
use crate::settings::{
    Admin, AdminAddress, Audit, AuditTo, Fetch, KeysFrom, Limits, Listener, OnFull, Rotate, TokenIssuer, Upstream,
    UrlHost,
};

/// How long a request waits at most for a full audit queue under `on-full: wait`.
const AUDIT_WAIT: Duration = Duration::from_millis(100);

/// How often an upstream's name is looked up again.
const RESOLVE: Duration = Duration::from_secs(30);

/// Bytes that one HTTP/2 stream may send ahead; the protocol's own 64 KiB make uploads slow over distance.
const STREAM_WINDOW: u32 = 256 << 10;

/// Bytes that all streams of an HTTP/2 connection may send ahead together.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Streams that one HTTP/2 connection may have open at once.
const STREAMS: u32 = 128;

pub(super) fn sink(audit: &Audit) -> SinkPlan {
    let target = match &audit.to {
        AuditTo::File(path) => Target::File(path.clone()),
        AuditTo::Stdout => Target::Stdout,
        AuditTo::Nowhere => Target::Nowhere,
    };
    let when_full = match audit.on_full {
        OnFull::Drop => WhenFull::Drop,
        OnFull::Wait => WhenFull::Wait(AUDIT_WAIT),
    };
    let Rotate { size, age, keep } = audit.rotate;
    let rotation = Rotation { size, age, keep };
    SinkPlan { queue: audit.queue, when_full, patience: audit.patience, rotation, ..SinkPlan::new(target) }
}

pub(super) fn admin(admin: &Admin) -> AdminPlan {
    let listen = match &admin.address {
        AdminAddress::Tcp(address) => Listen::Tcp(*address),
        AdminAddress::Unix(path) => Listen::Unix(path.clone()),
    };
    let token = admin.token.as_ref().map(|token| String::from_utf8_lossy(token.expose()).into_owned().into_boxed_str());
    AdminPlan { token, ..AdminPlan::new(listen) }
}

pub(super) fn listener(listener: &Listener, limits: &Limits) -> ListenerPlan {
    let tls = listener.tls.as_ref().map(|tls| TlsPlan {
        certificates: tls
            .certificates
            .iter()
            .map(|certificate| CertificatePlan { chain: certificate.chain.clone(), key: certificate.key.clone() })
            .collect(),
        h2: tls.http2,
    });
    ListenerPlan {
        address: listener.address,
        tls,
        h2c: listener.h2c,
        limits: ListenerLimits {
            connections: limits.connections,
            handshake: limits.tls_handshake,
            opening: limits.header_timeout,
        },
    }
}

pub(super) fn http2(limits: &Limits) -> H2Options {
    let mut options = H2Options::new();
    options.max_concurrent_streams(STREAMS);
    options.initial_window_size(STREAM_WINDOW);
    options.initial_connection_window_size(CONNECTION_WINDOW);
    options.max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    options
}

pub(super) fn upstream(upstream: &Upstream) -> UpstreamPlan {
    let host = match &upstream.url.host {
        UrlHost::Name(name) => name.to_string(),
        UrlHost::Address(address) => address.to_string(),
    };
    let most = upstream.total_timeout.unwrap_or(Duration::MAX);
    UpstreamPlan {
        scheme: if upstream.url.tls { Scheme::Https } else { Scheme::Http },
        host,
        port: upstream.url.port,
        server_name: upstream.tls.as_ref().map(|tls| tls.server_name.to_string()),
        ca_file: upstream.tls.as_ref().and_then(|tls| tls.ca.clone()),
        timeouts: Timeouts {
            connect: upstream.connect_timeout,
            total_connect: upstream.connect_timeout,
            read: upstream.read_timeout.min(most),
            write: upstream.write_timeout.min(most),
            idle: upstream.idle_timeout,
        },
        refresh: RESOLVE,
    }
}

pub(super) fn keys(issuer: &TokenIssuer, poll: Duration) -> KeyPlan {
    let fetched = |source: KeySource, fetch: &Fetch| KeyPlan {
        ttl: fetch.refresh,
        ca_file: fetch.ca.clone(),
        insecure_http: fetch.insecure_http,
        ..KeyPlan::new(source)
    };
    let plan = match &issuer.keys {
        KeysFrom::File(path) => KeyPlan::new(KeySource::File(path.clone())),
        KeysFrom::Secret(secret) => KeyPlan::new(KeySource::Secret(secret.expose().into())),
        KeysFrom::Jwks(fetch) => fetched(KeySource::Jwks(fetch.url.to_string().into()), fetch),
        // The feed finds the description under the issuer's own URL.
        KeysFrom::Discovery(fetch) => fetched(KeySource::Discovery(issuer.issuer.iss.clone()), fetch),
    };
    KeyPlan { poll, ..plan }
}
