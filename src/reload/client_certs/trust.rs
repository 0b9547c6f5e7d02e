//! TrustStore: the authorities and revocation lists of one source as the files hold them, and a chain judged by them.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertRevocationListError, CertificateError, DistinguishedName, RootCertStore};

use super::unix;
use crate::identity::client_cert::{self, RevocationList};
use crate::settings::CertificateSource;
use crate::vocabulary::Timestamp;

/// The most bytes that a file of authorities or revocation lists may have.
const MOST_BYTES: u64 = 64 << 20;

/// TrustStore: authorities, each with all revocation lists of the source.
#[derive(Default)]
pub struct TrustStore {
    authorities: Vec<TrustAnchor>,
    /// The moments from which a revocation list counts no more.
    lists_end: Vec<Timestamp>,
}

/// TrustAnchor: one that is trusted by itself, whoever has signed it.
struct TrustAnchor {
    verifier: Arc<dyn ClientCertVerifier>,
    subject: DistinguishedName,
    /// Name and key: what a chain ends with.
    anchor: Vec<u8>,
    ends: Timestamp,
}

impl TrustStore {
    /// What the files of `source` hold, and in `seen` the mark of what was read.
    pub(super) fn read(source: &CertificateSource, seen: &mut Vec<u8>) -> Result<Self, String> {
        let mut mark = Context::new(&SHA256);
        let read = Self::read_marked(source, &mut mark);
        seen.extend(mark.finish().as_ref());
        read
    }

    fn read_marked(source: &CertificateSource, mark: &mut Context) -> Result<Self, String> {
        let ca = bytes(&source.ca, mark)?;
        // All files are looked at, so that the mark is of all of them.
        let lists = source.crl.iter().map(|path| bytes(path, mark).map(|bytes| (&**path, bytes)));
        let lists = lists.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>, _>>()?;
        let found = CertificateDer::pem_slice_iter(&ca).collect::<Result<Vec<_>, _>>();
        let found = found.map_err(|error| blame(&source.ca, &format!("not PEM certificates: {error}")))?;
        let (lists, lists_end) = revocation_lists(&lists, source.stale_crl)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut authorities: Vec<TrustAnchor> = Vec::new();
        for der in found {
            let authority = authority(der, &lists, source, &provider)?;
            match authorities.iter_mut().find(|known| known.anchor == authority.anchor) {
                // Its certificate was renewed, name and key are the same: the last one to end counts.
                Some(known) => known.ends = known.ends.max(authority.ends),
                None => authorities.push(authority),
            }
        }
        if authorities.is_empty() {
            return Err(blame(&source.ca, "holds no PEM certificate"));
        }
        Ok(Self { authorities, lists_end })
    }

    /// How many authorities there are.
    pub(super) fn len(&self) -> usize {
        self.authorities.len()
    }

    /// Their names.
    pub(super) fn subjects(&self) -> Vec<DistinguishedName> {
        self.authorities.iter().map(|authority| authority.subject.clone()).collect()
    }

    /// The moments at which a judgement may change though no file does: an authority or a list ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.authorities.iter().map(|authority| authority.ends).chain(self.lists_end.iter().copied())
    }

    /// Whether an authority stands in both.
    pub(super) fn shares_with(&self, other: &Self) -> bool {
        self.authorities.iter().any(|own| other.authorities.iter().any(|one| one.anchor == own.anchor))
    }

    /// Judges a chain, the client's own certificate first, by each authority that has not expired itself.
    pub(super) fn verify(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), rustls::Error> {
        let (own, above) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let mut closest = CertificateError::UnknownIssuer.into();
        for authority in &self.authorities {
            match authority.verifier.verify_client_cert(own, above, unix(now)) {
                Ok(_) if now < authority.ends => return Ok(()),
                Ok(_) => closest = CertificateError::Expired.into(),
                Err(error) if is_of_others(&error) => {}
                Err(error) => closest = error,
            }
        }
        Err(closest)
    }
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Trust").field("authorities", &self.len()).finish_non_exhaustive()
    }
}

/// Whether an error says no more than that an authority has not signed a chain: another one may have.
pub(super) fn is_of_others(error: &rustls::Error) -> bool {
    use CertificateError::{BadSignature, UnknownIssuer};
    matches!(error, rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature))
}

fn authority(
    der: CertificateDer<'_>,
    lists: &[(&Path, CertificateRevocationListDer<'static>)],
    source: &CertificateSource,
    provider: &Arc<CryptoProvider>,
) -> Result<TrustAnchor, String> {
    let ends =
        client_cert::read_expiry(&der).ok_or_else(|| blame(&source.ca, "holds a certificate that cannot be read"))?;
    if !client_cert::is_authority(&der) {
        return Err(blame(&source.ca, "holds a certificate that is no authority: it may not sign others"));
    }
    let mut roots = RootCertStore::empty();
    roots.add(der.into_owned()).map_err(|error| blame(&source.ca, &format!("cannot be used: {error}")))?;
    let anchor = roots.roots.first().map(|root| [&*root.subject, &*root.subject_public_key_info].concat());
    let subject = roots.subjects().pop();
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    for (path, list) in lists {
        let tried = builder.clone().with_crls([list.clone()]).build();
        tried.map_err(|error| blame(path, &format!("revocation list cannot be used: {}", why(&error))))?;
    }
    let builder = builder.with_crls(lists.iter().map(|(_, list)| list.clone()));
    let builder = if source.stale_crl { builder } else { builder.enforce_revocation_expiration() };
    let verifier = builder.build().map_err(|error| blame(&source.ca, &error.to_string()))?;
    let (anchor, subject) = anchor.zip(subject).ok_or_else(|| blame(&source.ca, "cannot be used"))?;
    Ok(TrustAnchor { verifier, subject, anchor, ends })
}

type RevocationLists<'p> = (Vec<(&'p Path, CertificateRevocationListDer<'static>)>, Vec<Timestamp>);

/// The lists in these files, and when they end unless `stale` ones count.
fn revocation_lists<'p>(files: &[(&'p Path, Vec<u8>)], stale: bool) -> Result<RevocationLists<'p>, String> {
    const DER: u8 = 0x30;
    let (mut lists, mut ends, mut issuers) = (Vec::new(), Vec::new(), Vec::new());
    for (path, bytes) in files {
        let found = if bytes.first() == Some(&DER) {
            vec![CertificateRevocationListDer::from(bytes.clone())]
        } else {
            let found = CertificateRevocationListDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
            found.map_err(|error| blame(path, &format!("no revocation list in PEM or DER: {error}")))?
        };
        if found.is_empty() {
            return Err(blame(path, "holds no revocation list in PEM or DER"));
        }
        for list in found {
            let read = RevocationList::read(&list).ok_or_else(|| blame(path, "revocation list cannot be read"))?;
            // Of two lists of one authority only the first would be looked at.
            if issuers.contains(&read.issuer) {
                return Err(blame(path, "a second revocation list of one authority: keep the newest only"));
            }
            issuers.push(read.issuer);
            ends.extend(read.next_update.filter(|_| !stale));
            lists.push((*path, list));
        }
    }
    Ok((lists, ends))
}

/// Why a list is of no use, with what cures it where people meet it.
fn why(error: &VerifierBuilderError) -> String {
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

fn bytes(path: &Path, mark: &mut Context) -> Result<Vec<u8>, String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| blame(path, &format!("cannot be read: {}", error.kind())))?;
    mark.update(&(bytes.len() as u64).to_be_bytes());
    mark.update(&bytes);
    if bytes.len() as u64 > MOST_BYTES { Err(blame(path, "is larger than 64 MiB")) } else { Ok(bytes) }
}

fn blame(path: &Path, what: &str) -> String {
    format!("`{}`: {what}", path.display())
}
