//! ClientCas: the live authorities of client certificates, and the verification of chains against them.

mod trust;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, DistinguishedName};

use super::Live;
use super::refresh::RefreshResult;
use super::verified::Generation;
use crate::identity::{IdentityError, VerifiedCaller, client_cert};
use crate::settings::CertificateSource;
use crate::vocabulary::Timestamp;

pub use trust::TrustStore;

/// ClientCa: the authorities and revocation lists of one source, which a reload replaces together or not at all.
pub struct ClientCa {
    source: CertificateSource,
    trust: Live<TrustStore>,
    state: Live<ClientCaState>,
    generation: Arc<Generation>,
    /// The fingerprint of the last read files; its lock is held while the files are read.
    observed: Mutex<Vec<u8>>,
}

/// ClientCaState: the state of one source of client certificates that `/ready` reports.
#[derive(Debug, Clone)]
pub struct ClientCaState {
    /// The number of live authorities.
    pub authorities: usize,
    /// The time since which these authorities are live.
    pub since: SystemTime,
    /// Why the current content of the files is not live.
    pub refused: Option<Box<str>>,
}

impl ClientCa {
    /// Reads the authorities that `source` names, which must be valid. `generation` is advanced by each reload.
    ///
    /// # Errors
    /// Fails with the name of the invalid file and the reason.
    pub fn open(source: &CertificateSource, generation: Arc<Generation>) -> Result<Arc<Self>, String> {
        let mut observed = Vec::new();
        let trust = TrustStore::read(source, &mut observed)?;
        let state = ClientCaState { authorities: trust.len(), since: SystemTime::now(), refused: None };
        let (trust, state, observed) = (Live::new(trust), Live::new(state), Mutex::new(observed));
        Ok(Arc::new(Self { source: source.clone(), trust, state, generation, observed }))
    }

    /// The name of the source in the settings.
    pub fn name(&self) -> &str {
        &self.source.rules.source
    }

    /// The files that [`ClientCa::refresh`] reads, for a watcher.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.source.ca).chain(&self.source.crl).map(|path| &**path)
    }

    /// The number of live authorities, and the last refusal.
    pub fn state(&self) -> Arc<ClientCaState> {
        self.state.load()
    }

    /// Whether both sources trust the same authority, whose certificates could name callers of either source.
    fn shares_authority_with(&self, other: &Self) -> bool {
        self.trust.load().shares_authority_with(&other.trust.load())
    }

    /// Reads the files; if they changed, publishes them as a whole or keeps the live authorities. Blocks while it reads.
    pub fn refresh(&self) -> RefreshResult {
        let mut observed = self.observed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = Vec::new();
        let read = TrustStore::read(&self.source, &mut now);
        // A read error is part of the fingerprint, so that a different error is a change.
        now.extend(read.as_ref().err().map(|error| error.as_bytes()).unwrap_or_default());
        if now == *observed {
            return RefreshResult::Unchanged;
        }
        *observed = now;
        match read {
            Ok(trust) => {
                let authorities = trust.len();
                self.trust.publish(trust);
                // Advanced after publishing, so that the new generation implies the new authorities.
                self.generation.bump();
                self.state.publish(ClientCaState { authorities, since: SystemTime::now(), refused: None });
                tracing::info!(source = self.name(), authorities, "authorities of client certificates are live");
                RefreshResult::Published
            }
            Err(error) => {
                let source = self.name();
                tracing::error!(source, error, "authorities of client certificates refused, the last good ones stay");
                let refused = Some(error.into());
                self.state.publish(ClientCaState { refused, ..ClientCaState::clone(&self.state()) });
                RefreshResult::Refused
            }
        }
    }
}

impl fmt::Debug for ClientCa {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClientCa").field("source", &self.source).finish_non_exhaustive()
    }
}

/// Opens the authorities of all these sources, which must be valid and have no authority in common.
///
/// # Errors
/// Fails with the name of the invalid source and the reason.
pub fn open_all(sources: &[CertificateSource], generation: &Arc<Generation>) -> Result<Vec<Arc<ClientCa>>, String> {
    let mut all: Vec<Arc<ClientCa>> = Vec::with_capacity(sources.len());
    for source in sources {
        let name = &source.rules.source;
        let opened = ClientCa::open(source, Arc::clone(generation));
        let opened = opened.map_err(|error| format!("the client certificates of `{name}` cannot be used: {error}"))?;
        if let Some(other) = all.iter().find(|other| other.shares_authority_with(&opened)) {
            let other = other.name();
            return Err(format!(
                "an authority of the client certificates of `{other}` is one of `{name}` too: \
                 each could issue certificates for the other's callers"
            ));
        }
        all.push(opened);
    }
    Ok(all)
}

/// ClientCas: the sources of client certificates that one listener accepts.
#[derive(Debug, Clone)]
pub struct ClientCas {
    sources: Vec<Arc<ClientCa>>,
    generation: Arc<Generation>,
}

/// ChainVerdict: the result of verifying a chain of certificates, and the time for which it holds.
#[derive(Debug, Clone)]
pub struct ChainVerdict {
    /// The certificate that an authority vouches for, or why none does.
    pub result: Result<VouchedCertificate, IdentityError>,
    generation: u64,
    since: Timestamp,
    until: Timestamp,
}

/// VouchedCertificate: a certificate that an authority of one source vouches for.
#[derive(Debug, Clone)]
pub struct VouchedCertificate {
    /// The name of the source.
    pub source: Box<str>,
    /// The caller that the certificate names, or why it names none.
    pub caller: Result<Arc<VerifiedCaller>, IdentityError>,
}

impl ClientCas {
    /// The given sources; `generation` counts their reloads.
    pub fn new(sources: Vec<Arc<ClientCa>>, generation: Arc<Generation>) -> Self {
        Self { sources, generation }
    }

    /// The generation of the live authorities, which every reload advances.
    pub fn generation(&self) -> u64 {
        self.generation.current()
    }

    /// The subject names of the authorities, by which clients choose their certificate.
    pub fn subjects(&self) -> Vec<DistinguishedName> {
        self.sources.iter().flat_map(|source| source.trust.load().subjects()).collect()
    }

    /// Finds the one source that vouches for `chain`, the client's own certificate first, at `now`.
    ///
    /// # Errors
    /// Fails if no source or two sources vouch for it, or if a source that has signed the chain refuses it.
    pub fn find_voucher(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(&Arc<ClientCa>, Arc<TrustStore>), rustls::Error> {
        let mut voucher = None;
        for source in &self.sources {
            let trust = source.trust.load();
            match trust.verify(chain, now) {
                Ok(()) if voucher.is_none() => voucher = Some((source, trust)),
                // Two sources could name two different callers.
                Ok(()) => return Err(CertificateError::ApplicationVerificationFailure.into()),
                Err(error) if trust::is_unrelated(&error) => {}
                // No other source can accept a certificate that one source has revoked.
                Err(error) => return Err(error),
            }
        }
        voucher.ok_or_else(|| CertificateError::UnknownIssuer.into())
    }

    /// Verifies `chain` against the live authorities at `now`.
    pub fn verify_chain(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> ChainVerdict {
        // Read before the authorities, so that a reload in between makes this verdict an old one.
        let generation = self.generation();
        match self.find_voucher(chain, now) {
            Ok((source, trust)) => {
                let rules = &source.source.rules;
                let own = chain.first().ok_or(IdentityError::NoId);
                let caller = own.and_then(|own| client_cert::read_caller(own, rules)).map(Arc::new);
                let expirations =
                    chain.iter().filter_map(|one| client_cert::read_expiry(one)).chain(trust.expirations());
                // An expiry before `now` did not affect this verdict.
                let until = expirations.filter(|end| *end > now).min().unwrap_or(Timestamp(u64::MAX));
                let certificate = VouchedCertificate { source: source.name().into(), caller };
                ChainVerdict { result: Ok(certificate), generation, since: now, until }
            }
            Err(error) => ChainVerdict { result: Err(map_error(&error)), generation, since: now, until: now.plus(1) },
        }
    }

    /// Whether a verdict still holds at `now`, so that verifying again would give the same result.
    pub fn is_current(&self, verdict: &ChainVerdict, now: Timestamp) -> bool {
        verdict.generation == self.generation() && verdict.since <= now && now < verdict.until
    }
}

fn map_error(error: &rustls::Error) -> IdentityError {
    use CertificateError as Of;
    match error {
        rustls::Error::InvalidCertificate(Of::Revoked) => IdentityError::CertificateRevoked,
        rustls::Error::InvalidCertificate(
            Of::Expired | Of::ExpiredContext { .. } | Of::NotValidYet | Of::NotValidYetContext { .. },
        ) => IdentityError::CertificateExpired,
        rustls::Error::InvalidCertificate(
            Of::UnknownRevocationStatus | Of::ExpiredRevocationList | Of::ExpiredRevocationListContext { .. },
        )
        | rustls::Error::InvalidCertRevocationList(_) => IdentityError::RevocationUnknown,
        _ => IdentityError::CertificateUntrusted,
    }
}

#[cfg(test)]
mod tests;
