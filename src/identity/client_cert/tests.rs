//! Tests of `client_cert`: certificates made on the spot, good ones and such that name nobody.

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

use super::*;

fn rules(id: IdFrom) -> CertificateRules {
    CertificateRules { source: "stations".into(), id, service_apps: vec!["sync".into()] }
}

fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.not_after = rcgen::date_time_ymd(2031, 2, 3);
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn named(id: IdFrom, change: impl FnOnce(&mut CertificateParams)) -> Result<String, IdentityError> {
    caller(&made(change), &rules(id)).map(|verified| verified.subject.id.unwrap().to_string())
}

fn cn(name: &str) -> Result<String, IdentityError> {
    named(IdFrom::SubjectCn, |params| params.distinguished_name.push(DnType::CommonName, name))
}

#[test]
fn a_certificate_names_its_caller_in_the_name_space_of_its_source() {
    let der = made(|params| params.distinguished_name.push(DnType::CommonName, "alice"));
    let verified = caller(&der, &rules(IdFrom::SubjectCn)).unwrap();
    assert_eq!(verified.subject.id.as_ref().unwrap().to_string(), "stations/alice");
    assert_eq!((verified.subject.kind, verified.subject.proof), (SubjectKind::User, Proof::Certificate));
    assert!(verified.subject.roles.is_empty() && verified.subject.tenants.is_empty());
    // 2031-02-03T00:00:00Z is the last good second.
    assert_eq!((verified.expires, end(&der)), (Timestamp(1_927_843_201), Some(Timestamp(1_927_843_201))));
    let app = made(|params| params.distinguished_name.push(DnType::CommonName, "sync"));
    assert_eq!(caller(&app, &rules(IdFrom::SubjectCn)).unwrap().subject.kind, SubjectKind::Service);
}

#[test]
fn a_name_that_is_none_names_nobody() {
    assert_eq!(cn("al\u{ef}ce / b"), Ok("stations/al\u{ef}ce / b".to_owned()));
    for wrong in ["", "a\0b", "a\nb", "a\u{85}b", &"x".repeat(257)] {
        assert_eq!(cn(wrong), Err(IdentityError::NoId), "{wrong:?}");
    }
    assert_eq!(cn("client:app"), Err(IdentityError::ReservedId));
    assert_eq!(named(IdFrom::SubjectCn, |_| ()), Err(IdentityError::NoId), "no common name");
    for id in [IdFrom::SanDns, IdFrom::SanUri, IdFrom::SanEmail, IdFrom::Subject] {
        assert_eq!(named(id, |_| ()), Err(IdentityError::NoId), "{id:?}");
    }
    // An encoding of two bytes a letter, which some would read as one.
    let wide = rcgen::string::BmpString::try_from("alice").unwrap();
    let wide = |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::CommonName, DnValue::BmpString(wide));
    };
    assert_eq!(named(IdFrom::SubjectCn, wide), Err(IdentityError::NoId));
    assert_eq!(caller(b"nothing", &rules(IdFrom::SubjectCn)).unwrap_err(), IdentityError::NoId);
}

#[test]
fn of_the_alternative_names_there_is_one_of_the_sort_that_counts() {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let all = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![
            SanType::DnsName(text("Host-1.Example.com")),
            SanType::URI(text("spiffe://td/Alice")),
            SanType::Rfc822Name(text("Alice@example.com")),
        ];
    };
    assert_eq!(named(IdFrom::SanDns, all), Ok("stations/host-1.example.com".to_owned()));
    assert_eq!(named(IdFrom::SanUri, all), Ok("stations/spiffe://td/Alice".to_owned()));
    assert_eq!(named(IdFrom::SanEmail, all), Ok("stations/Alice@example.com".to_owned()));
    let two = |params: &mut CertificateParams| {
        params.subject_alt_names = vec![SanType::DnsName(text("a.test")), SanType::DnsName(text("b.test"))];
    };
    assert_eq!(named(IdFrom::SanDns, two), Err(IdentityError::AmbiguousId));
    for wrong in ["*.example.com", "a.test\0.evil.test", ""] {
        let one = |params: &mut CertificateParams| params.subject_alt_names = vec![SanType::DnsName(text(wrong))];
        assert_eq!(named(IdFrom::SanDns, one), Err(IdentityError::NoId), "{wrong:?}");
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
    assert_eq!(named(IdFrom::Subject, whole), Ok(expected.to_owned()));
}

#[test]
fn only_an_authority_is_one() {
    let ca = |params: &mut CertificateParams| {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    };
    assert!(is_authority(&made(ca)));
    assert!(!is_authority(&made(|_| ())));
    assert!(!is_authority(&made(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa)));
    assert!(!is_authority(b"nothing"));
}
