//! Tests of verifying chains at times that no test of a running gateway could wait for.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod,
    KeyPair, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;

use super::*;
use crate::identity::{CertificateRules, IdFrom};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// 2030-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp(1_893_456_000);

/// The parameters of a certificate from 2029 to the end of `year`.
fn params(name: &str, year: i32, ca: bool) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2029, 1, 1), date_time_ymd(year, 12, 31));
    params.is_ca = if ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
    params
}

fn root(name: &str, year: i32) -> Authority {
    CertifiedIssuer::self_signed(params(name, year, true), KeyPair::generate().unwrap()).unwrap()
}

fn client(by: &Authority) -> CertificateDer<'static> {
    let made = params("alice", 2035, false).signed_by(&KeyPair::generate().unwrap(), by).unwrap();
    made.der().clone()
}

fn list(by: &Authority, year: i32) -> Vec<u8> {
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2029, 1, 1),
        next_update: date_time_ymd(year, 12, 31),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(by).unwrap().der().to_vec()
}

/// A source whose files hold these authorities and lists.
fn source(folder: &TempDir, name: &str, pem: &str, lists: &[Vec<u8>]) -> CertificateSource {
    let file = |end: &str| -> PathBuf { folder.path().join(format!("{name}{end}")) };
    std::fs::write(file(".pem"), pem).unwrap();
    let crl = lists.iter().enumerate().map(|(at, list)| {
        let path = file(&format!("{at}.crl"));
        std::fs::write(&path, list).unwrap();
        path
    });
    let rules = CertificateRules { source: name.into(), id: IdFrom::SubjectCn, service_apps: Vec::new() };
    CertificateSource { rules, ca: file(".pem"), crl: crl.collect(), stale_crl: false }
}

fn cas(sources: &[CertificateSource]) -> ClientCas {
    let generation = Arc::new(Generation::default());
    ClientCas::new(open_all(sources, &generation).unwrap(), generation)
}

fn verify_source(cas: &ClientCas, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<Box<str>, IdentityError> {
    cas.verify_chain(chain, now).result.map(|named| named.source)
}

#[test]
fn an_authority_stands_in_one_source_only() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), root("one", 2035));
    let two = [source(&folder, "a", &ca.pem(), &[]), source(&folder, "b", &(root("x", 2035).pem() + &ca.pem()), &[])];
    let error = open_all(&two, &Arc::default()).unwrap_err();
    assert!(error.contains("`a` is one of `b` too"), "{error}");
}

#[test]
fn an_expired_authority_vouches_for_no_certificate() {
    let (folder, ca) = (tempfile::tempdir().unwrap(), root("one", 2031));
    let (cas, chain) = (cas(&[source(&folder, "a", &ca.pem(), &[])]), [client(&ca)]);
    assert_eq!(verify_source(&cas, &chain, NOW), Ok("a".into()));
    let later = NOW.plus(3 * 366 * 86_400);
    assert_eq!(verify_source(&cas, &chain, later), Err(IdentityError::CertificateExpired));
    // Its certificate was renewed with the same key, and the file contains both for a while.
    let renewed = params("one", 2040, true).self_signed(ca.key()).unwrap().pem();
    for pem in [ca.pem() + &renewed, renewed + &ca.pem()] {
        let two = self::cas(&[source(&folder, "b", &pem, &[])]);
        assert_eq!(verify_source(&two, &chain, later), Ok("b".into()));
    }
    // An earlier verdict holds until the expiry, and the chain is not verified again meanwhile.
    let before = cas.verify_chain(&chain, NOW);
    assert!(cas.is_current(&before, NOW) && cas.is_current(&before, NOW.plus(86_400)));
    assert!(!cas.is_current(&before, later) && !cas.is_current(&before, Timestamp(NOW.0 - 1)));
}

#[test]
fn every_authority_of_a_chain_needs_a_list_that_is_not_old() {
    let (folder, top) = (tempfile::tempdir().unwrap(), root("top", 2035));
    let key = KeyPair::generate().unwrap();
    let below = CertifiedIssuer::signed_by(params("below", 2035, true), key, &top).unwrap();
    let between = CertificateDer::from_pem_slice(below.pem().as_bytes()).unwrap();
    let chain = [client(&below), between];
    let with = |lists: &[Vec<u8>]| verify_source(&cas(&[source(&folder, "a", &top.pem(), lists)]), &chain, NOW);
    assert_eq!(with(&[]), Ok("a".into()));
    assert_eq!(with(&[list(&top, 2030), list(&below, 2030)]), Ok("a".into()));
    assert_eq!(with(&[list(&top, 2030)]), Err(IdentityError::RevocationUnknown));
    assert_eq!(with(&[list(&below, 2030)]), Err(IdentityError::RevocationUnknown));
    assert_eq!(with(&[list(&top, 2030), list(&below, 2029)]), Err(IdentityError::RevocationUnknown));
    // A list that another authority of the same name has signed does not count.
    assert_eq!(with(&[list(&root("top", 2035), 2030), list(&below, 2030)]), Err(IdentityError::RevocationUnknown));
    // Without the intermediate certificate the issuer is unknown.
    let short = verify_source(&cas(&[source(&folder, "a", &top.pem(), &[])]), &chain[..1], NOW);
    assert_eq!(short, Err(IdentityError::CertificateUntrusted));
}

#[test]
fn a_chain_that_two_sources_vouch_for_is_untrusted() {
    let (folder, top) = (tempfile::tempdir().unwrap(), root("top", 2035));
    let key = KeyPair::generate().unwrap();
    let below = CertifiedIssuer::signed_by(params("below", 2035, true), key, &top).unwrap();
    let between = CertificateDer::from_pem_slice(below.pem().as_bytes()).unwrap();
    let both = cas(&[source(&folder, "a", &top.pem(), &[]), source(&folder, "b", &below.pem(), &[])]);
    let own = client(&below);
    assert_eq!(verify_source(&both, std::slice::from_ref(&own), NOW), Ok("b".into()));
    assert_eq!(verify_source(&both, &[own, between], NOW), Err(IdentityError::CertificateUntrusted));
}
