//! PeerCertificate: a client's certificate chain, verified again whenever the result may have changed.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;

use crate::identity::VerifiedCaller;
use crate::reload::Live;
use crate::reload::client_certs::{ChainVerdict, ClientCas};
use crate::vocabulary::{Proof, Timestamp};

/// PeerCertificate: the certificate chain of one connection.
///
/// A resumed session presents the chain of its first handshake: it is always verified here before it is trusted.
#[derive(Debug)]
pub struct PeerCertificate {
    chain: Vec<CertificateDer<'static>>,
    authorities: Arc<ClientCas>,
    verdict: Live<ChainVerdict>,
    thumbprint: Box<str>,
}

impl PeerCertificate {
    /// The certificate of a client and the intermediates that it sent, verified at `now`.
    pub fn new(chain: Vec<CertificateDer<'static>>, authorities: Arc<ClientCas>, now: Timestamp) -> Self {
        let verdict = Live::new(authorities.verify_chain(&chain, now));
        let own = chain.first().map(|own| digest(&SHA256, own));
        let thumbprint = own.map(|own| URL_SAFE_NO_PAD.encode(own)).unwrap_or_default().into();
        Self { chain, authorities, verdict, thumbprint }
    }

    /// The verdict on the chain at `now`, by the live authorities and revocation lists.
    pub fn verdict(&self, now: Timestamp) -> Arc<ChainVerdict> {
        let verdict = self.verdict.load();
        if self.authorities.is_current(&verdict, now) {
            return verdict;
        }
        self.verdict.publish(self.authorities.verify_chain(&self.chain, now));
        self.verdict.load()
    }

    /// Whether the chain is valid at `now`, and still names `caller` where a certificate proved that caller.
    pub fn stands_by(&self, caller: Option<&Arc<VerifiedCaller>>, now: Timestamp) -> bool {
        let named = caller.filter(|caller| caller.subject.proof == Proof::Certificate);
        self.verdict(now).result.as_ref().is_ok_and(|now_named| match (named, &now_named.caller) {
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
