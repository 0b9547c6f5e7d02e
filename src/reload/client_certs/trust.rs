//! TrustStore: the authorities and revocation lists of one source, and the verification of a chain against them.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertRevocationListError, CertificateError, DistinguishedName, RootCertStore};

use crate::identity::client_cert::{self, RevocationList};
use crate::settings::CertificateSource;
use crate::vocabulary::Timestamp;

/// The most bytes of a file of authorities or revocation lists.
const MAX_BYTES: u64 = 64 << 20;

/// TrustStore: authorities, each with all revocation lists of the source.
#[derive(Default)]
pub struct TrustStore {
    authorities: Vec<TrustAnchor>,
    /// The times at which the revocation lists expire.
    list_expirations: Vec<Timestamp>,
}

/// TrustAnchor: an authority that is trusted regardless of who has signed it.
struct TrustAnchor {
    verifier: Arc<dyn ClientCertVerifier>,
    subject: DistinguishedName,
    /// The name and key of the authority, with which a chain ends.
    anchor: Vec<u8>,
    expires: Timestamp,
}

impl TrustStore {
    /// Reads the files of `source`, and appends the fingerprint of what was read to `observed`.
    pub(super) fn read(source: &CertificateSource, observed: &mut Vec<u8>) -> Result<Self, String> {
        let mut fingerprint = Context::new(&SHA256);
        let read = Self::read_fingerprinted(source, &mut fingerprint);
        observed.extend(fingerprint.finish().as_ref());
        read
    }

    fn read_fingerprinted(source: &CertificateSource, fingerprint: &mut Context) -> Result<Self, String> {
        let ca = read_bytes(&source.ca, fingerprint)?;
        // All files are read even after an error, so that the fingerprint covers all of them.
        let lists = source.crl.iter().map(|path| read_bytes(path, fingerprint).map(|bytes| (&**path, bytes)));
        let lists = lists.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>, _>>()?;
        let found = CertificateDer::pem_slice_iter(&ca).collect::<Result<Vec<_>, _>>();
        let found = found.map_err(|error| file_error(&source.ca, &format!("not PEM certificates: {error}")))?;
        let (lists, list_expirations) = revocation_lists(&lists, source.stale_crl)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut authorities: Vec<TrustAnchor> = Vec::new();
        for der in found {
            let authority = build_anchor(der, &lists, source, &provider)?;
            match authorities.iter_mut().find(|known| known.anchor == authority.anchor) {
                // A renewed certificate has the same name and key. The one that expires last counts.
                Some(known) => known.expires = known.expires.max(authority.expires),
                None => authorities.push(authority),
            }
        }
        if authorities.is_empty() {
            return Err(file_error(&source.ca, "holds no PEM certificate"));
        }
        Ok(Self { authorities, list_expirations })
    }

    /// The number of authorities.
    pub(super) fn len(&self) -> usize {
        self.authorities.len()
    }

    /// The subject names of the authorities.
    pub(super) fn subjects(&self) -> Vec<DistinguishedName> {
        self.authorities.iter().map(|authority| authority.subject.clone()).collect()
    }

    /// The times at which an authority or a list expires, so that a verdict may change without a reload.
    pub(super) fn expirations(&self) -> impl Iterator<Item = Timestamp> {
        self.authorities.iter().map(|authority| authority.expires).chain(self.list_expirations.iter().copied())
    }

    /// Whether both stores contain the same authority.
    pub(super) fn shares_authority_with(&self, other: &Self) -> bool {
        self.authorities.iter().any(|own| other.authorities.iter().any(|one| one.anchor == own.anchor))
    }

    /// Verifies a chain, the client's own certificate first, against each authority that has not expired.
    pub(super) fn verify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), rustls::Error> {
        let (own, above) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let mut closest = CertificateError::UnknownIssuer.into();
        for authority in &self.authorities {
            match authority.verifier.verify_client_cert(own, above, to_unix_time(now)) {
                Ok(_) if now < authority.expires => return Ok(()),
                Ok(_) => closest = CertificateError::Expired.into(),
                Err(error) if is_unrelated(&error) => {}
                Err(error) => closest = error,
            }
        }
        Err(closest)
    }
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TrustStore").field("authorities", &self.len()).finish_non_exhaustive()
    }
}

/// Whether an error only means that this authority has not signed the chain; another authority may have.
pub(super) fn is_unrelated(error: &rustls::Error) -> bool {
    use CertificateError::{BadSignature, UnknownIssuer};
    matches!(error, rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature))
}

fn build_anchor(
    der: CertificateDer<'_>,
    lists: &[(&Path, CertificateRevocationListDer<'static>)],
    source: &CertificateSource,
    provider: &Arc<CryptoProvider>,
) -> Result<TrustAnchor, String> {
    let expires = client_cert::read_expiry(&der)
        .ok_or_else(|| file_error(&source.ca, "holds a certificate that cannot be read"))?;
    if !client_cert::is_authority(&der) {
        return Err(file_error(&source.ca, "holds a certificate that is no authority: it may not sign others"));
    }
    let mut roots = RootCertStore::empty();
    roots.add(der.into_owned()).map_err(|error| file_error(&source.ca, &format!("cannot be used: {error}")))?;
    let anchor = roots.roots.first().map(|root| [&*root.subject, &*root.subject_public_key_info].concat());
    let subject = roots.subjects().pop();
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    for (path, list) in lists {
        let tried = builder.clone().with_crls([list.clone()]).build();
        tried
            .map_err(|error| file_error(path, &format!("revocation list cannot be used: {}", explain_error(&error))))?;
    }
    let builder = builder.with_crls(lists.iter().map(|(_, list)| list.clone()));
    let builder = if source.stale_crl { builder } else { builder.enforce_revocation_expiration() };
    let verifier = builder.build().map_err(|error| file_error(&source.ca, &error.to_string()))?;
    let (anchor, subject) = anchor.zip(subject).ok_or_else(|| file_error(&source.ca, "cannot be used"))?;
    Ok(TrustAnchor { verifier, subject, anchor, expires })
}

type RevocationLists<'p> = (Vec<(&'p Path, CertificateRevocationListDer<'static>)>, Vec<Timestamp>);

/// Reads the revocation lists of these files, and their expiry times unless `stale` lists count.
fn revocation_lists<'p>(files: &[(&'p Path, Vec<u8>)], stale: bool) -> Result<RevocationLists<'p>, String> {
    const DER: u8 = 0x30;
    let (mut lists, mut expires, mut issuers) = (Vec::new(), Vec::new(), Vec::new());
    for (path, bytes) in files {
        let found = if bytes.first() == Some(&DER) {
            vec![CertificateRevocationListDer::from(bytes.clone())]
        } else {
            let found = CertificateRevocationListDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
            found.map_err(|error| file_error(path, &format!("no revocation list in PEM or DER: {error}")))?
        };
        if found.is_empty() {
            return Err(file_error(path, "holds no revocation list in PEM or DER"));
        }
        for list in found {
            let read = RevocationList::read(&list).ok_or_else(|| file_error(path, "revocation list cannot be read"))?;
            // Of two lists of one authority, only the first would be used.
            if issuers.contains(&read.issuer) {
                return Err(file_error(path, "a second revocation list of one authority: keep the newest only"));
            }
            issuers.push(read.issuer);
            expires.extend(read.next_update.filter(|_| !stale));
            lists.push((*path, list));
        }
    }
    Ok((lists, expires))
}

/// Explains why a list cannot be used, with a remedy for the common case.
fn explain_error(error: &VerifierBuilderError) -> String {
    use CertRevocationListError as Of;
    match error {
        VerifierBuilderError::InvalidCrl(Of::UnsupportedCrlVersion) => {
            "it is of version 1; OpenSSL writes version 2 where `crl_extensions` is set".to_owned()
        }
        VerifierBuilderError::InvalidCrl(Of::UnsupportedDeltaCrl) => "it is a delta list".to_owned(),
        VerifierBuilderError::InvalidCrl(Of::UnsupportedIndirectCrl) => {
            "it lists certificates of other authorities".to_owned()
        }
        other => other.to_string(),
    }
}

/// Converts a time to the type that certificate verification uses.
fn to_unix_time(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.0))
}

fn read_bytes(path: &Path, fingerprint: &mut Context) -> Result<Vec<u8>, String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| file_error(path, &format!("cannot be read: {}", error.kind())))?;
    fingerprint.update(&(bytes.len() as u64).to_be_bytes());
    fingerprint.update(&bytes);
    if bytes.len() as u64 > MAX_BYTES { Err(file_error(path, "is larger than 64 MiB")) } else { Ok(bytes) }
}

fn file_error(path: &Path, what: &str) -> String {
    format!("`{}`: {what}", path.display())
}
