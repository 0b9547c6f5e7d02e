//! A certificate authority for tests: certificates and revocation lists as an operator's own authority makes them.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};

use super::now;

/// The time `$seconds` from now; a macro, because the time's type cannot be named here.
macro_rules! at {
    ($seconds:expr) => {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(now().saturating_add_signed($seconds))
    };
}

/// Authority: signs certificates and revokes them.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// ClientIdentity: a certificate and its private key, both PEM.
pub(crate) struct ClientIdentity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    /// An authority with this name and a key of its own.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A client certificate with this common name and serial number, valid for an hour.
    pub(crate) fn client(&self, name: &str, serial: u64) -> ClientIdentity {
        self.expiring(name, serial, 3600)
    }

    /// A client certificate that is valid for this number of seconds from now.
    pub(crate) fn expiring(&self, name: &str, serial: u64, seconds: i64) -> ClientIdentity {
        self.signed(name, serial, |params| params.not_after = at!(seconds))
    }

    /// A client certificate after `change` has changed its parameters.
    pub(crate) fn signed(
        &self,
        name: &str,
        serial: u64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> ClientIdentity {
        let mut params = named(name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        ClientIdentity { chain: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A revocation list of these serial numbers, whose next update is due in `seconds`.
    pub(crate) fn revoking(&self, serials: &[u64], seconds: i64) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: at!(-60),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: at!(-3600),
            next_update: at!(seconds),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = at!(-86400);
    params
}
