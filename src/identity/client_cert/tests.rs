//! Tests of `client_cert` with generated certificates, with and without a valid id.

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

use super::*;

fn rules(id: IdFrom) -> CertificateRules {
    CertificateRules { source: "stations".into(), id, service_apps: vec!["sync".into()] }
}

fn make_certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.not_after = rcgen::date_time_ymd(2031, 2, 3);
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn caller_id(id: IdFrom, change: impl FnOnce(&mut CertificateParams)) -> Result<String, IdentityError> {
    read_caller(&make_certificate(change), &rules(id)).map(|verified| verified.subject.id.unwrap().to_string())
}

fn cn(name: &str) -> Result<String, IdentityError> {
    caller_id(IdFrom::SubjectCn, |params| params.distinguished_name.push(DnType::CommonName, name))
}

#[test]
fn a_certificate_names_its_caller_in_the_name_space_of_its_source() {
    let der = make_certificate(|params| params.distinguished_name.push(DnType::CommonName, "alice"));
    let verified = read_caller(&der, &rules(IdFrom::SubjectCn)).unwrap();
    assert_eq!(verified.subject.id.as_ref().unwrap().to_string(), "stations/alice");
    assert_eq!((verified.subject.kind, verified.subject.proof), (SubjectKind::User, Proof::Certificate));
    assert!(verified.subject.roles.is_empty() && verified.subject.tenants.is_empty());
    // 2031-02-03T00:00:00Z is the last good second.
    assert_eq!((verified.expires, read_expiry(&der)), (Timestamp(1_927_843_201), Some(Timestamp(1_927_843_201))));
    let app = make_certificate(|params| params.distinguished_name.push(DnType::CommonName, "sync"));
    assert_eq!(read_caller(&app, &rules(IdFrom::SubjectCn)).unwrap().subject.kind, SubjectKind::Service);
}

#[test]
fn an_invalid_name_is_not_an_id() {
    assert_eq!(cn("al\u{ef}ce / b"), Ok("stations/al\u{ef}ce / b".to_owned()));
    for wrong in ["", "a\0b", "a\nb", "a\u{85}b", &"x".repeat(257)] {
        assert_eq!(cn(wrong), Err(IdentityError::NoId), "{wrong:?}");
    }
    assert_eq!(cn("client:app"), Err(IdentityError::ReservedId));
    assert_eq!(caller_id(IdFrom::SubjectCn, |_| ()), Err(IdentityError::NoId), "no common name");
    for id in [IdFrom::SanDns, IdFrom::SanUri, IdFrom::SanEmail, IdFrom::Subject] {
        assert_eq!(caller_id(id, |_| ()), Err(IdentityError::NoId), "{id:?}");
    }
    // An encoding with two bytes per letter, which some programs read with one.
    let wide = rcgen::string::BmpString::try_from("alice").unwrap();
    let wide = |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::CommonName, DnValue::BmpString(wide));
    };
    assert_eq!(caller_id(IdFrom::SubjectCn, wide), Err(IdentityError::NoId));
    assert_eq!(read_caller(b"nothing", &rules(IdFrom::SubjectCn)).unwrap_err(), IdentityError::NoId);
}

#[test]
fn exactly_one_alternative_name_of_the_configured_kind_is_the_id() {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let all = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![
            SanType::DnsName(text("Host-1.Example.com")),
            SanType::URI(text("spiffe://td/Alice")),
            SanType::Rfc822Name(text("Alice@example.com")),
        ];
    };
    assert_eq!(caller_id(IdFrom::SanDns, all), Ok("stations/host-1.example.com".to_owned()));
    assert_eq!(caller_id(IdFrom::SanUri, all), Ok("stations/spiffe://td/Alice".to_owned()));
    assert_eq!(caller_id(IdFrom::SanEmail, all), Ok("stations/Alice@example.com".to_owned()));
    let two = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName(text("a.test")), SanType::DnsName(text("b.test"))];
    };
    assert_eq!(caller_id(IdFrom::SanDns, two), Err(IdentityError::AmbiguousId));
    for wrong in ["*.example.com", "a.test\0.evil.test", ""] {
        let one = |params: &mut CertificateParams| params.subject_alt_names = vec![SanType::DnsName(text(wrong))];
        assert_eq!(caller_id(IdFrom::SanDns, one), Err(IdentityError::NoId), "{wrong:?}");
    }
}

#[test]
fn a_whole_subject_is_written_as_rfc_4514_says() {
    let whole = |params: &mut CertificateParams| {
        let name = &mut params.distinguished_name;
        name.push(DnType::CountryName, "CH");
        name.push(DnType::OrganizationName, "Clinic, \"North\" + South");
        name.push(DnType::OrganizationalUnitName, " a=b\\c#;<> ");
        name.push(DnType::CommonName, "#alice");
    };
    let expected = r#"stations/CN=\#alice,OU=\ a\=b\\c#\;\<\>\ ,O=Clinic\, \"North\" \+ South,C=CH"#;
    assert_eq!(caller_id(IdFrom::Subject, whole), Ok(expected.to_owned()));
}

#[test]
fn only_an_authority_certificate_is_an_authority() {
    let ca = |params: &mut CertificateParams| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    };
    assert!(is_authority(&make_certificate(ca)));
    assert!(!is_authority(&make_certificate(|_| ())));
    assert!(!is_authority(&make_certificate(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa)));
    assert!(!is_authority(b"nothing"));
}
