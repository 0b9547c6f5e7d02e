//! TLS towards clients: certificates that reload, chosen by server name, and what a handshake leaves behind.

use std::any::Any;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use pingora::listeners::TlsAccept;
use pingora::listeners::tls::{Acceptor, TlsSettings};
use pingora::protocols::tls::TlsRef;
use pingora::tls::TlsAcceptor;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::reload::Live;

#[cfg(test)]
pub(super) mod tests;

/// TlsPlan: what a listener needs to speak TLS, as the settings say.
#[derive(Debug, Clone)]
pub struct TlsPlan {
    /// Certificates; the first is shown to clients that name no server or one that no certificate is for.
    pub certificates: Vec<CertificatePlan>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub h2: bool,
}

/// CertificatePlan: where a certificate chain and its private key stand, both PEM.
#[derive(Debug, Clone)]
pub struct CertificatePlan {
    /// The chain, the server's own certificate first.
    pub chain: PathBuf,
    /// The private key of the first certificate.
    pub key: PathBuf,
}

/// Tls: the certificates of a listener, live.
#[derive(Debug)]
pub struct Tls {
    plan: TlsPlan,
    config: Arc<ServerConfig>,
    live: Arc<Live<Certificates>>,
    reloading: Mutex<()>,
}

/// Reloaded: what a reload has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// The files are what they were.
    Unchanged,
    /// The next handshake shows what the files now hold.
    Published,
}

/// TlsPeer: what a TLS client has said of itself, kept as the extension of Pingora's `SslDigest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPeer {
    /// The server name that the client has asked for.
    pub server_name: Option<String>,
    /// The client's own certificate in DER, verified by the handshake.
    pub certificate: Option<Vec<u8>>,
}

/// TlsError: a certificate that cannot be used, with the file to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    file: Option<PathBuf>,
    reason: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "`{}`: {}", file.display(), self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for TlsError {}

/// Makes aws-lc the cryptography of this process; before anything of Pingora, which would install ring.
pub fn install_crypto_provider() {
    // The second call finds the first one's provider: no error.
    let _ = provider::default_provider().install_default();
}

impl Tls {
    /// Certificates from the files of `plan`, all of them good.
    pub fn load(plan: &TlsPlan) -> Result<Self, TlsError> {
        install_crypto_provider();
        let provider = Arc::new(provider::default_provider());
        let live = Arc::new(Live::new(Certificates::read(plan, &provider)?));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsError { file: None, reason: error.to_string() })?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ByName(live.clone())));
        config.alpn_protocols = if plan.h2 { vec![b"h2".to_vec()] } else { Vec::new() };
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Self { plan: plan.clone(), config: Arc::new(config), live, reloading: Mutex::new(()) })
    }

    /// Reads the files again and publishes them where they have changed and are good; otherwise the last good stay.
    pub fn reload(&self) -> Result<Reloaded, TlsError> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Certificates::read(&self.plan, self.config.crypto_provider())?;
        if next.fingerprint == self.live.load().fingerprint {
            return Ok(Reloaded::Unchanged);
        }
        self.live.publish(next);
        Ok(Reloaded::Published)
    }

    /// The files that [`Tls::reload`] reads, for a watcher.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.plan.certificates.iter().flat_map(|plan| [plan.chain.as_path(), plan.key.as_path()])
    }

    /// An acceptor that makes handshakes with the live certificates and leaves a [`TlsPeer`].
    pub fn acceptor(&self) -> Result<Acceptor, TlsError> {
        let failed = |error: Box<pingora::Error>| TlsError { file: None, reason: error.to_string() };
        // Only these settings take a callback, and only a configuration of ours the rest: the one's acceptor is put
        // into the other's. With a resolver `build` reads no files, on which it would panic.
        let mut settings = TlsSettings::with_callbacks(Box::new(Remember)).map_err(failed)?;
        settings.set_cert_resolver(Arc::new(ByName(self.live.clone())));
        let mut acceptor = settings.build();
        acceptor.acceptor = TlsAcceptor::from(self.config.clone());
        Ok(acceptor)
    }
}

#[derive(Debug)]
struct Certificates {
    all: Vec<Arc<CertifiedKey>>,
    fingerprint: Vec<u8>,
}

impl Certificates {
    fn read(plan: &TlsPlan, provider: &CryptoProvider) -> Result<Self, TlsError> {
        if plan.certificates.is_empty() {
            return Err(TlsError { file: None, reason: "tls without a certificate".to_owned() });
        }
        let mut fingerprint = Context::new(&SHA256);
        let mut all = Vec::with_capacity(plan.certificates.len());
        for files in &plan.certificates {
            let chain = read_file(&files.chain, &mut fingerprint)?;
            let key = read_file(&files.key, &mut fingerprint)?;
            all.push(Arc::new(certified(files, &chain, &key, provider)?));
        }
        Ok(Self { all, fingerprint: fingerprint.finish().as_ref().to_vec() })
    }

    fn for_name(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let asked = name.and_then(|name| ServerName::try_from(name).ok());
        let named = asked.and_then(|asked| self.all.iter().find(|held| is_for(held, &asked)));
        named.or_else(|| self.all.first()).cloned()
    }
}

fn read_file(path: &Path, fingerprint: &mut Context) -> Result<Vec<u8>, TlsError> {
    let bytes = fs::read(path).map_err(|error| blame(path, format!("cannot read: {error}")))?;
    fingerprint.update(&(bytes.len() as u64).to_be_bytes());
    fingerprint.update(&bytes);
    Ok(bytes)
}

fn certified(
    files: &CertificatePlan,
    chain: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| blame(&files.chain, format!("not a PEM certificate chain: {error}")))?;
    let first = chain.first().ok_or_else(|| blame(&files.chain, "holds no PEM certificate".to_owned()))?;
    ParsedCertificate::try_from(first)
        .map_err(|error| blame(&files.chain, format!("first certificate cannot be used: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| blame(&files.key, format!("holds no PEM private key: {error}")))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            blame(&files.key, format!("not the key of the first certificate in `{}`", files.chain.display()))
        }
        other => blame(&files.key, format!("private key cannot be used: {other}")),
    })
}

fn blame(file: &Path, reason: String) -> TlsError {
    TlsError { file: Some(file.to_owned()), reason }
}

fn is_for(held: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = held.cert.first().and_then(|first| ParsedCertificate::try_from(first).ok());
    parsed.is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

#[derive(Debug)]
struct ByName(Arc<Live<Certificates>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().for_name(hello.server_name())
    }
}

struct Remember;

#[async_trait]
impl TlsAccept for Remember {
    async fn handshake_complete_callback(&self, tls: &TlsRef) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::new(TlsPeer {
            server_name: tls.server_name().map(str::to_owned),
            certificate: tls.peer_certificate_der().map(<[u8]>::to_vec),
        }))
    }
}
