//! ClientCas: the authorities whose client certificates are believed as they are live, and what a chain proves by them.

mod trust;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, DistinguishedName};

use super::Live;
use super::refresh::RefreshResult;
use super::verified::Generation;
use crate::identity::{IdentityError, VerifiedCaller, client_cert};
use crate::settings::CertificateSource;
use crate::vocabulary::Timestamp;

pub use trust::TrustStore;

/// ClientCa: the authorities of one source, with their revocation lists; they are replaced together, or stay.
pub struct ClientCa {
    source: CertificateSource,
    trust: Live<TrustStore>,
    state: Live<ClientCaState>,
    generation: Arc<Generation>,
    /// What the last look saw; whoever holds it is the one who reads.
    seen: Mutex<Vec<u8>>,
}

/// ClientCaState: what `/ready` says about one source of client certificates.
#[derive(Debug, Clone)]
pub struct ClientCaState {
    /// How many authorities are live.
    pub authorities: usize,
    /// Since when.
    pub since: SystemTime,
    /// Why what the files hold now is not live.
    pub refused: Option<Box<str>>,
}

impl ClientCa {
    /// The authorities that `source` names, read once; they must be good. `generation` counts what becomes live.
    ///
    /// # Errors
    /// What is wrong with them, and the file to blame.
    pub fn open(source: &CertificateSource, generation: Arc<Generation>) -> Result<Arc<Self>, String> {
        let mut seen = Vec::new();
        let trust = TrustStore::read(source, &mut seen)?;
        let state = ClientCaState { authorities: trust.len(), since: SystemTime::now(), refused: None };
        let (trust, state, seen) = (Live::new(trust), Live::new(state), Mutex::new(seen));
        Ok(Arc::new(Self { source: source.clone(), trust, state, generation, seen }))
    }

    /// Its name in the settings.
    pub fn name(&self) -> &str {
        &self.source.rules.source
    }

    /// The files that [`ClientCa::refresh`] reads, for a watcher.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.source.ca).chain(&self.source.crl).map(|path| &**path)
    }

    /// What is live and what was refused.
    pub fn state(&self) -> Arc<ClientCaState> {
        self.state.load()
    }

    /// Whether both believe one authority, whose certificates could name the callers of either.
    fn shares_with(&self, other: &Self) -> bool {
        self.trust.load().shares_with(&other.trust.load())
    }

    /// Reads the files, and where they changed publishes them whole, or keeps what is live. Blocks while it reads.
    pub fn refresh(&self) -> RefreshResult {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = Vec::new();
        let read = TrustStore::read(&self.source, &mut now);
        // What cannot be read has another mark each time it fails in another way.
        now.extend(read.as_ref().err().map(|error| error.as_bytes()).unwrap_or_default());
        if now == *seen {
            return RefreshResult::Unchanged;
        }
        *seen = now;
        match read {
            Ok(trust) => {
                let authorities = trust.len();
                self.trust.publish(trust);
                // Behind it: whoever sees the new number sees the new authorities.
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

/// The authorities of all these sources, which must be good, and no two of them the same.
///
/// # Errors
/// What is wrong, and with which source.
pub fn open_all(sources: &[CertificateSource], generation: &Arc<Generation>) -> Result<Vec<Arc<ClientCa>>, String> {
    let mut all: Vec<Arc<ClientCa>> = Vec::with_capacity(sources.len());
    for source in sources {
        let name = &source.rules.source;
        let opened = ClientCa::open(source, Arc::clone(generation));
        let opened = opened.map_err(|error| format!("the client certificates of `{name}` cannot be used: {error}"))?;
        if let Some(other) = all.iter().find(|other| other.shares_with(&opened)) {
            let other = other.name();
            return Err(format!(
                "an authority of the client certificates of `{other}` is one of `{name}` too: \
                 one could speak for the other one's callers"
            ));
        }
        all.push(opened);
    }
    Ok(all)
}

/// ClientCas: the sources that one listener asks its clients for.
#[derive(Debug, Clone)]
pub struct ClientCas {
    sources: Vec<Arc<ClientCa>>,
    generation: Arc<Generation>,
}

/// ChainVerdict: what a chain of certificates proves, and for how long nothing can have changed about it.
#[derive(Debug, Clone)]
pub struct ChainVerdict {
    /// Whose certificate it is, or why nobody vouches for it now.
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
    /// Whom it names, or why that cannot be told.
    pub caller: Result<Arc<VerifiedCaller>, IdentityError>,
}

impl ClientCas {
    /// These sources, whose changes `generation` counts.
    pub fn new(sources: Vec<Arc<ClientCa>>, generation: Arc<Generation>) -> Self {
        Self { sources, generation }
    }

    /// The number of what is live: it grows with every change.
    pub fn generation(&self) -> u64 {
        self.generation.current()
    }

    /// The names of the authorities, for clients that choose their certificate by them.
    pub fn subjects(&self) -> Vec<DistinguishedName> {
        self.sources.iter().flat_map(|source| source.trust.load().subjects()).collect()
    }

    /// The one source that vouches for `chain`, the client's own certificate first, at `now`.
    ///
    /// # Errors
    /// None does, two do, or one that has signed it would have to and refuses.
    pub fn vouching(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(&Arc<ClientCa>, Arc<TrustStore>), rustls::Error> {
        let mut vouching = None;
        for source in &self.sources {
            let trust = source.trust.load();
            match trust.verify(chain, now) {
                Ok(()) if vouching.is_none() => vouching = Some((source, trust)),
                // Two sources could name two callers.
                Ok(()) => return Err(CertificateError::ApplicationVerificationFailure.into()),
                Err(error) if trust::is_of_others(&error) => {}
                // What one source has revoked no other one makes good.
                Err(error) => return Err(error),
            }
        }
        vouching.ok_or_else(|| CertificateError::UnknownIssuer.into())
    }

    /// What `chain` proves at `now`, by what is live.
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> ChainVerdict {
        // Read before the authorities: one that is published meanwhile makes this judgement an old one.
        let generation = self.generation();
        match self.vouching(chain, now) {
            Ok((source, trust)) => {
                let rules = &source.source.rules;
                let own = chain.first().ok_or(IdentityError::NoId);
                let caller = own.and_then(|own| client_cert::read_caller(own, rules)).map(Arc::new);
                let ends = chain.iter().filter_map(|one| client_cert::read_expiry(one)).chain(trust.ends());
                // What had ended before did not count now either.
                let until = ends.filter(|end| *end > now).min().unwrap_or(Timestamp(u64::MAX));
                let named = VouchedCertificate { source: source.name().into(), caller };
                ChainVerdict { result: Ok(named), generation, since: now, until }
            }
            Err(error) => ChainVerdict { result: Err(word(&error)), generation, since: now, until: now.plus(1) },
        }
    }

    /// Whether a judgement would be the same if it were made again at `now`.
    pub fn upholds(&self, judged: &ChainVerdict, now: Timestamp) -> bool {
        judged.generation == self.generation() && judged.since <= now && now < judged.until
    }
}

/// The moment as certificates are judged by.
fn unix(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.0))
}

fn word(error: &rustls::Error) -> IdentityError {
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
