//! Upstream: the address of an API's server, resolved in the background and ready for Pingora to connect to.

use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::tls::CaType;
use pingora::protocols::{ALPN, TcpKeepalive};
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use pingora::tls::load_platform_certs_incl_env_into_store;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::{WrappedX509, parse_x509};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::reload::Live;

pub use target::UpstreamTarget;

mod target;
#[cfg(test)]
mod tests;

const LOOKUP: Duration = Duration::from_secs(10);
const LOOKUP_AGAIN: Duration = Duration::from_secs(2);
const KEEPALIVE: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(60),
    interval: Duration::from_secs(10),
    count: 5,
    user_timeout: Duration::ZERO,
};

/// Scheme: the protocol to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1 in cleartext.
    Http,
    /// HTTP/1.1 over TLS, with the certificate and its name verified.
    Https,
}

/// UpstreamPlan: where an API's server is, and how to reach it.
#[derive(Debug, Clone)]
pub struct UpstreamPlan {
    /// Cleartext or TLS.
    pub scheme: Scheme,
    /// A name or an IP address, IPv6 with or without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name that the server's certificate must cover, where it is not `host`.
    pub server_name: Option<String>,
    /// A PEM file of the authorities to trust, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The time limits of each step.
    pub timeouts: Timeouts,
    /// How often a name is resolved again.
    pub refresh: Duration,
}

/// Timeouts: the time limits of each step towards an upstream.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// The TCP connection; the same again for the TLS handshake.
    pub connect: Duration,
    /// The connection with its TLS handshake.
    pub total_connect: Duration,
    /// Each read: until the first byte of the response, then between two pieces of it.
    pub read: Duration,
    /// Each write.
    pub write: Duration,
    /// How long an idle connection is kept.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total_connect: Duration::from_secs(10),
            read: Duration::from_secs(60),
            write: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}

/// UpstreamError: why an upstream cannot be used.
#[derive(Debug)]
pub enum UpstreamError {
    /// The plan names no host.
    NoHost,
    /// The name to verify is invalid, or empty: Pingora would verify nothing.
    ServerName(String),
    /// The file of authorities cannot be used.
    Ca(PathBuf, String),
    /// The system has no authorities, or they cannot be read, and the plan names none.
    NoSystemCa(String),
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("upstream without a host"),
            Self::ServerName(name) => write!(f, "upstream server name `{name}` cannot be verified"),
            Self::Ca(file, reason) => write!(f, "`{}`: {reason}", file.display()),
            Self::NoSystemCa(reason) => {
                write!(f, "no system certificate authorities for a https upstream, name a file of them: {reason}")
            }
        }
    }
}

impl std::error::Error for UpstreamError {}

/// Upstream: where one API's requests go.
#[derive(Debug)]
pub struct Upstream {
    host: String,
    port: u16,
    refresh: Duration,
    prepared: HttpPeer,
    live: Live<Option<HttpPeer>>,
    failures: AtomicU64,
}

impl Upstream {
    /// The upstream of `plan`. One with an IP address is ready at once, others after [`Upstream::resolve`].
    ///
    /// # Errors
    /// The server could not be verified.
    pub fn new(plan: &UpstreamPlan) -> Result<Self, UpstreamError> {
        let host = plan.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&plan.host);
        if host.is_empty() {
            return Err(UpstreamError::NoHost);
        }
        let prepared = prepare(plan, host)?;
        let upstream = Self {
            host: host.to_owned(),
            port: plan.port,
            refresh: plan.refresh,
            prepared,
            live: Live::new(None),
            failures: AtomicU64::new(0),
        };
        if let Ok(ip) = host.parse() {
            upstream.publish(SocketAddr::new(ip, plan.port));
        }
        Ok(upstream)
    }

    /// The peer for Pingora; `None` until the name is resolved.
    pub fn peer(&self) -> Option<Box<HttpPeer>> {
        Option::clone(&self.live.load()).map(Box::new)
    }

    /// The address in use.
    pub fn address(&self) -> Option<SocketAddr> {
        self.live.load().as_ref().as_ref().and_then(|peer| peer._address.as_inet().copied())
    }

    /// The number of failed lookups since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Resolves the name once; after a failure the address in use stays.
    ///
    /// # Errors
    /// The lookup failed, or took too long.
    pub async fn resolve(&self) -> io::Result<SocketAddr> {
        let found = match timeout(LOOKUP, lookup_host((self.host.as_str(), self.port))).await {
            Ok(found) => found.map(Iterator::collect::<Vec<_>>),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "lookup took too long")),
        };
        let chosen = found.and_then(|found| {
            // Several addresses come in changing order: moving at each lookup would empty the connection pool.
            let used = self.address().filter(|used| found.contains(used));
            used.or_else(|| found.first().copied())
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "name has no address"))
        });
        match &chosen {
            Ok(address) if self.address() != Some(*address) => {
                tracing::info!(host = self.host, %address, "upstream resolved");
                self.publish(*address);
            }
            Ok(_) => {}
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(host = self.host, %error, used = ?self.address(), "cannot resolve upstream");
            }
        }
        chosen
    }

    /// Resolves the name again and again until `shutdown`; returns at once for an IP address.
    pub async fn keep_resolved(&self, mut shutdown: ShutdownWatch) {
        if self.host.parse::<IpAddr>().is_ok() {
            return;
        }
        loop {
            let pause = if self.resolve().await.is_ok() { self.refresh } else { LOOKUP_AGAIN.min(self.refresh) };
            tokio::select! {
                _ = shutdown.wait_for(|begun| *begun) => return,
                () = sleep(pause) => {}
            }
        }
    }

    fn publish(&self, address: SocketAddr) {
        let mut peer = self.prepared.clone();
        peer._address = PingoraAddr::Inet(address);
        self.live.publish(Some(peer));
    }
}

/// UpstreamResolver: the background service that keeps upstreams resolved.
#[derive(Debug)]
pub struct UpstreamResolver(pub Vec<Arc<Upstream>>);

#[async_trait]
impl BackgroundService for UpstreamResolver {
    async fn start(&self, shutdown: ShutdownWatch) {
        let mut tasks: JoinSet<()> = self
            .0
            .iter()
            .cloned()
            .map(|upstream| {
                let shutdown = shutdown.clone();
                async move { upstream.keep_resolved(shutdown).await }
            })
            .collect();
        while tasks.join_next().await.is_some() {}
    }
}

fn prepare(plan: &UpstreamPlan, host: &str) -> Result<HttpPeer, UpstreamError> {
    let tls = plan.scheme == Scheme::Https;
    let name = plan.server_name.as_deref().unwrap_or(host);
    if tls && ServerName::try_from(name).is_err() {
        return Err(UpstreamError::ServerName(name.to_owned()));
    }
    let unresolved = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), plan.port);
    let mut peer = HttpPeer::new(unresolved, tls, name.to_owned());
    let options = &mut peer.options;
    options.connection_timeout = Some(plan.timeouts.connect);
    options.total_connection_timeout = Some(plan.timeouts.total_connect);
    options.read_timeout = Some(plan.timeouts.read);
    options.write_timeout = Some(plan.timeouts.write);
    options.idle_timeout = Some(plan.timeouts.idle);
    options.verify_cert = true;
    options.verify_hostname = true;
    options.alpn = ALPN::H1;
    options.tcp_keepalive = Some(KEEPALIVE);
    match &plan.ca_file {
        Some(file) if tls => {
            let authorities = authorities(file)?;
            // Pingora's pool ignores the authorities: without a group of its own, this upstream would reuse connections
            // that other authorities have verified.
            let mut group = DefaultHasher::new();
            authorities.iter().for_each(|authority| authority.borrow_raw_cert().hash(&mut group));
            peer.group_key = group.finish();
            peer.options.ca = Some(authorities);
        }
        None if tls => system_authorities()?,
        _ => {}
    }
    Ok(peer)
}

fn authorities(file: &Path) -> Result<Arc<CaType>, UpstreamError> {
    let blame = |reason: String| UpstreamError::Ca(file.to_owned(), reason);
    let pem = fs::read(file).map_err(|error| blame(format!("cannot read: {error}")))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| blame(format!("not PEM certificates: {error}")))?;
    if certificates.is_empty() {
        return Err(blame("holds no PEM certificate".to_owned()));
    }
    let mut store = RootCertStore::empty();
    let wrapped = certificates.into_iter().map(|certificate| {
        store.add(certificate.clone()).map_err(|error| blame(format!("not a usable authority: {error}")))?;
        // Pingora's parser panics on errors, and may be stricter than the one above.
        catch_unwind(|| WrappedX509::new(certificate.to_vec(), parse_x509))
            .map_err(|_| blame("not a usable authority".to_owned()))
    });
    wrapped.collect()
}

/// Checks that the system has authorities.
///
/// Pingora panics at start where they cannot be read, and fails each handshake where there are none.
fn system_authorities() -> Result<(), UpstreamError> {
    let mut store = RootCertStore::empty();
    load_platform_certs_incl_env_into_store(&mut store)
        .map_err(|error| UpstreamError::NoSystemCa(error.to_string()))?;
    if store.is_empty() { Err(UpstreamError::NoSystemCa("none found".to_owned())) } else { Ok(()) }
}
