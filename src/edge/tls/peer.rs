//! PeerCertificate: what a client has shown in its handshake, judged again whenever that may end otherwise.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pingora::tls::CertificateDer;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::UnixTime;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::identity::VerifiedCaller;
use crate::reload::Live;
use crate::reload::client_certs::{ChainVerdict, ClientCas};
use crate::vocabulary::{Proof, Timestamp};

/// PeerCertificate: the chain of one connection. A resumed session brings the chain of its first handshake, which is
/// why it is never believed without being judged here.
#[derive(Debug)]
pub struct PeerCertificate {
    chain: Vec<CertificateDer<'static>>,
    authorities: Arc<ClientCas>,
    judged: Live<ChainVerdict>,
    thumbprint: Box<str>,
}

impl PeerCertificate {
    /// The certificate of a client and those that it sent along, judged at `now`.
    pub fn new(chain: Vec<CertificateDer<'static>>, authorities: Arc<ClientCas>, now: Timestamp) -> Self {
        let judged = Live::new(authorities.judge(&chain, now));
        let own = chain.first().map(|own| digest(&SHA256, own));
        let thumbprint = own.map(|own| URL_SAFE_NO_PAD.encode(own)).unwrap_or_default().into();
        Self { chain, authorities, judged, thumbprint }
    }

    /// What the chain proves at `now`, by the authorities and revocation lists that are live.
    pub fn judged(&self, now: Timestamp) -> Arc<ChainVerdict> {
        let judged = self.judged.load();
        if self.authorities.upholds(&judged, now) {
            return judged;
        }
        self.judged.publish(self.authorities.judge(&self.chain, now));
        self.judged.load()
    }

    /// Whether somebody vouches for the chain at `now`, and it still names `caller`, where that is a certificate's.
    pub fn stands_by(&self, caller: Option<&Arc<VerifiedCaller>>, now: Timestamp) -> bool {
        let named = caller.filter(|caller| caller.subject.proof == Proof::Certificate);
        self.judged(now).result.as_ref().is_ok_and(|now_named| match (named, &now_named.caller) {
            (None, _) => true,
            (Some(then), Ok(now)) => then.subject.id == now.subject.id,
            (Some(_), Err(_)) => false,
        })
    }

    /// The digest of the client's own certificate, as `x5t#S256` spells it (RFC 8705, section 3.1).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }
}

/// ClientCertificateVerifier: asks for certificates in the handshake, and refuses those that nobody vouches for.
#[derive(Debug)]
pub(super) struct ClientCertificateVerifier {
    authorities: Arc<ClientCas>,
    subjects: Vec<DistinguishedName>,
    required: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertificateVerifier {
    pub(super) fn new(authorities: Arc<ClientCas>, required: bool, algorithms: WebPkiSupportedAlgorithms) -> Self {
        let subjects = authorities.subjects();
        Self { authorities, subjects, required, algorithms }
    }
}

impl ClientCertVerifier for ClientCertificateVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let chain: Vec<CertificateDer<'_>> = std::iter::once(own).chain(above).cloned().collect();
        self.authorities.vouching(&chain, Timestamp(now.as_secs())).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
