//! TLS towards clients: live certificates chosen by server name, and the facts of a handshake.

mod client_verifier;

use std::any::Any;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

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
use crate::reload::client_certs::ClientCas;
use crate::settings;

use crate::guard::now;
use crate::guard::peer_certificate::PeerCertificate;
use crate::proxy::crypto;

use client_verifier::ClientCertificateVerifier;

#[cfg(test)]
pub(in crate::proxy) mod tests;

/// TlsPlan: the TLS of a listener.
#[derive(Debug, Clone)]
pub struct TlsPlan {
    /// The certificates; the first is the default for clients whose server name none of them covers.
    pub certificates: Vec<CertificatePlan>,
    /// Whether HTTP/2 is offered beside HTTP/1.1.
    pub h2: bool,
    /// The client certificates to ask for; `None` asks for none.
    pub clients: Option<ClientCertificatePlan>,
}

impl TlsPlan {
    /// The plan of the server's own certificates; no client certificates are asked for.
    pub fn of_server(tls: &settings::ListenerTls) -> Self {
        let plan =
            |one: &settings::CertificateFiles| CertificatePlan { chain: one.chain.clone(), key: one.key.clone() };
        Self { certificates: tls.certificates.iter().map(plan).collect(), h2: tls.http2, clients: None }
    }
}

/// ClientCertificatePlan: the client certificates that a listener asks for.
#[derive(Debug, Clone)]
pub struct ClientCertificatePlan {
    /// The authorities that must have issued them.
    pub authorities: Arc<ClientCas>,
    /// Whether a client without one is rejected.
    pub required: bool,
}

/// CertificatePlan: the files of a certificate chain and its private key, both PEM.
#[derive(Debug, Clone)]
pub struct CertificatePlan {
    /// The chain, the server's own certificate first.
    pub chain: PathBuf,
    /// The private key of the first certificate.
    pub key: PathBuf,
}

/// LiveCertificates: the certificates of a listener, live.
pub struct LiveCertificates {
    plan: TlsPlan,
    live: Live<Acceptor>,
    state: Live<CertificateState>,
    /// The fingerprint of the live files; its lock makes reloads sequential.
    fingerprint: Mutex<Vec<u8>>,
}

/// CertificateState: the state of a listener's certificates, for `/ready`.
#[derive(Debug, Clone)]
pub struct CertificateState {
    /// The number of live certificates.
    pub certificates: usize,
    /// Since when.
    pub since: SystemTime,
    /// Why the current content of the files is not live.
    pub refused: Option<CertificateError>,
}

/// CertificateReload: the result of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateReload {
    /// The files have not changed.
    Unchanged,
    /// The next handshake uses the current content of the files.
    Published,
}

/// HandshakeFacts: what a client has shown in its TLS handshake, kept as the extension of Pingora's `SslDigest`.
#[derive(Debug)]
pub struct HandshakeFacts {
    /// The server name that the client has asked for (RFC 6066, section 3).
    pub server_name: Option<String>,
    /// The client's certificate, where it was asked for one and has sent one.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// CertificateError: why a certificate cannot be used, with the file at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateError {
    file: Option<PathBuf>,
    reason: String,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "`{}`: {}", file.display(), self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for CertificateError {}

impl LiveCertificates {
    /// Loads the certificates of `plan`.
    ///
    /// # Errors
    /// A file cannot be read, or holds no usable certificate or key.
    pub fn load(plan: &TlsPlan) -> Result<Self, CertificateError> {
        crypto::install_provider();
        let provider = Arc::new(provider::default_provider());
        let certificates = CertificateSet::read(plan, &provider)?;
        let state = CertificateState { certificates: certificates.all.len(), since: SystemTime::now(), refused: None };
        let (fingerprint, acceptor) = (certificates.fingerprint.clone(), acceptor(plan, certificates, provider)?);
        Ok(Self {
            plan: plan.clone(),
            live: Live::new(acceptor),
            state: Live::new(state),
            fingerprint: Mutex::new(fingerprint),
        })
    }

    /// Reads the files again, and publishes them where they have changed and are valid.
    ///
    /// Earlier sessions are no longer resumed: each handshake uses the certificates and authorities of its time.
    ///
    /// # Errors
    /// The files are not valid; the last valid certificates stay live.
    pub fn reload(&self) -> Result<CertificateReload, CertificateError> {
        let mut live = self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner);
        let provider = Arc::new(provider::default_provider());
        let read = CertificateSet::read(&self.plan, &provider).and_then(|next| {
            if next.fingerprint == *live {
                return Ok(None);
            }
            let (count, fingerprint) = (next.all.len(), next.fingerprint.clone());
            Ok(Some((count, fingerprint, acceptor(&self.plan, next, provider)?)))
        });
        let state = self.state.load();
        match read {
            Ok(Some((certificates, fingerprint, acceptor))) => {
                self.live.publish(acceptor);
                *live = fingerprint;
                self.state.publish(CertificateState { certificates, since: SystemTime::now(), refused: None });
                Ok(CertificateReload::Published)
            }
            Ok(None) => {
                if state.refused.is_some() {
                    self.state.publish(CertificateState { refused: None, ..CertificateState::clone(&state) });
                }
                Ok(CertificateReload::Unchanged)
            }
            Err(error) => {
                self.state
                    .publish(CertificateState { refused: Some(error.clone()), ..CertificateState::clone(&state) });
                Err(error)
            }
        }
    }

    /// The files that [`LiveCertificates::reload`] reads.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.plan.certificates.iter().flat_map(|plan| [plan.chain.as_path(), plan.key.as_path()])
    }

    /// The current state.
    pub fn state(&self) -> Arc<CertificateState> {
        self.state.load()
    }

    /// The acceptor of the next handshake, which leaves [`HandshakeFacts`].
    pub fn acceptor(&self) -> Arc<Acceptor> {
        self.live.load()
    }
}

impl fmt::Debug for LiveCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCertificates").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Everything that handshakes need, including the sessions to resume; it is replaced as a whole.
fn acceptor(
    plan: &TlsPlan,
    certificates: CertificateSet,
    provider: Arc<CryptoProvider>,
) -> Result<Acceptor, CertificateError> {
    let algorithms = provider.signature_verification_algorithms;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| CertificateError { file: None, reason: error.to_string() })?;
    let builder = match &plan.clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::new(ClientCertificateVerifier::new(
            Arc::clone(&clients.authorities),
            clients.required,
            algorithms,
        ))),
        None => builder.with_no_client_auth(),
    };
    let certificates = Arc::new(CertificateResolver(certificates));
    let mut config = builder.with_cert_resolver(Arc::<CertificateResolver>::clone(&certificates));
    config.alpn_protocols = if plan.h2 { vec![b"h2".to_vec()] } else { Vec::new() };
    config.alpn_protocols.push(b"http/1.1".to_vec());
    let failed = |error: Box<pingora::Error>| CertificateError { file: None, reason: error.to_string() };
    // Only Pingora's settings take a callback, and only our own configuration takes the rest, so its acceptor replaces
    // the one inside. With a resolver, `build` reads no files, on which it would panic.
    let authorities = plan.clients.as_ref().map(|clients| Arc::clone(&clients.authorities));
    let mut settings = TlsSettings::with_callbacks(Box::new(HandshakeRecorder(authorities))).map_err(failed)?;
    settings.set_cert_resolver(certificates);
    let mut acceptor = settings.build();
    acceptor.acceptor = TlsAcceptor::from(Arc::new(config));
    Ok(acceptor)
}

#[derive(Debug)]
struct CertificateSet {
    all: Vec<Arc<CertifiedKey>>,
    fingerprint: Vec<u8>,
}

impl CertificateSet {
    fn read(plan: &TlsPlan, provider: &CryptoProvider) -> Result<Self, CertificateError> {
        if plan.certificates.is_empty() {
            return Err(CertificateError { file: None, reason: "tls without a certificate".to_owned() });
        }
        let mut fingerprint = Context::new(&SHA256);
        if let Some(clients) = &plan.clients {
            fingerprint.update(&clients.authorities.generation().to_be_bytes());
        }
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

fn read_file(path: &Path, fingerprint: &mut Context) -> Result<Vec<u8>, CertificateError> {
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
) -> Result<CertifiedKey, CertificateError> {
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

fn blame(file: &Path, reason: String) -> CertificateError {
    CertificateError { file: Some(file.to_owned()), reason }
}

fn is_for(held: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = held.cert.first().and_then(|first| ParsedCertificate::try_from(first).ok());
    parsed.is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

#[derive(Debug)]
struct CertificateResolver(CertificateSet);

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.for_name(hello.server_name())
    }
}

/// HandshakeRecorder: keeps the facts of a handshake, and the authorities that verify its certificate.
struct HandshakeRecorder(Option<Arc<ClientCas>>);

#[async_trait]
impl TlsAccept for HandshakeRecorder {
    async fn handshake_complete_callback(&self, tls: &TlsRef) -> Option<Arc<dyn Any + Send + Sync>> {
        let chain = tls.peer_cert_chain_der().map(<[_]>::to_vec).filter(|chain| !chain.is_empty());
        let certificate = chain.zip(self.0.clone());
        let certificate = certificate.map(|(chain, by)| Arc::new(PeerCertificate::new(chain, by, now())));
        Some(Arc::new(HandshakeFacts { server_name: tls.server_name().map(str::to_owned), certificate }))
    }
}
