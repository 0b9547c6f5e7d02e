//! Client certificates: a verified certificate and the rules of its source in, a caller or a named error out.
//!
//! Nothing is verified here: whoever calls has built the chain to an authority of that source.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::IdentityError;
use super::jwt::VerifiedCaller;
use crate::vocabulary::{Proof, Subject, SubjectId, SubjectKind, Timestamp};

/// The longest id that a certificate may name, in bytes.
pub const LONGEST_ID: usize = 256;

/// IdFrom: where in a certificate its holder's id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdFrom {
    /// The common name of the subject.
    SubjectCn,
    /// The whole subject, as RFC 4514 writes it.
    Subject,
    /// The DNS name among the alternative names, in small letters.
    SanDns,
    /// The URI among the alternative names.
    SanUri,
    /// The mail address among the alternative names.
    SanEmail,
}

/// CertificateRules: how the certificates of one source are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRules {
    /// The source's name; the first half of every id it vouches for.
    pub source: Box<str>,
    /// Where the second half stands.
    pub id: IdFrom,
    /// The ids, without the source, that are service apps.
    pub service_apps: Vec<Box<str>>,
}

/// The caller that a verified certificate names, and until when it may.
///
/// A certificate with two names of the chosen sort names nobody: which of them was meant cannot be told.
pub fn caller(der: &[u8], rules: &CertificateRules) -> Result<VerifiedCaller, IdentityError> {
    let certificate = parse(der).ok_or(IdentityError::NoId)?;
    let name = id(&certificate, rules.id)?;
    let sound = !name.trim().is_empty() && name.len() <= LONGEST_ID && !name.chars().any(char::is_control);
    if !sound {
        return Err(IdentityError::NoId);
    }
    if name.starts_with(SubjectId::CLIENT_PREFIX) {
        return Err(IdentityError::ReservedId);
    }
    let service = rules.service_apps.iter().any(|app| **app == *name);
    let subject = Subject {
        kind: if service { SubjectKind::Service } else { SubjectKind::User },
        id: Some(SubjectId { source: rules.source.clone(), name: name.into() }),
        proof: Proof::Certificate,
        ..Subject::default()
    };
    Ok(VerifiedCaller { subject, expires: expires(&certificate) })
}

/// The moment from which a certificate has expired; `None` where it cannot be read.
pub fn end(der: &[u8]) -> Option<Timestamp> {
    parse(der).map(|certificate| expires(&certificate))
}

/// Whether a certificate says that it may vouch for others: one of an old version cannot say so, and may.
pub fn is_authority(der: &[u8]) -> bool {
    parse(der).is_some_and(|certificate| {
        let constraints = certificate.basic_constraints();
        certificate.version().0 < 2 || matches!(constraints, Ok(Some(found)) if found.value.ca)
    })
}

/// RevocationList: whose list it is and until when it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// The name of the authority that has signed it, in DER.
    pub issuer: Box<[u8]>,
    /// From when on there should be a newer one.
    pub next: Option<Timestamp>,
}

impl RevocationList {
    /// The list in `der`; its signature is not looked at.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, list) = CertificateRevocationList::from_der(der).ok().filter(|(rest, _)| rest.is_empty())?;
        let next = list.next_update().map(|at| Timestamp(u64::try_from(at.timestamp()).unwrap_or(0)));
        Some(Self { issuer: list.issuer().as_raw().into(), next })
    }
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

/// `notAfter` is the last second in which a certificate is valid (RFC 5280, section 4.1.2.5).
fn expires(certificate: &X509Certificate<'_>) -> Timestamp {
    Timestamp(u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0)).plus(1)
}

fn id(certificate: &X509Certificate<'_>, from: IdFrom) -> Result<String, IdentityError> {
    let alternative = |sort: fn(&GeneralName<'_>) -> Option<String>| {
        let names = certificate.subject_alternative_name().map_err(|_| IdentityError::NoId)?;
        let names = names.map(|names| &*names.value.general_names).unwrap_or_default();
        // RFC 5280, section 4.2.1.6: all of them are ASCII.
        only(names.iter().filter_map(sort).map(|name| if name.is_ascii() { name } else { String::new() }))
    };
    match from {
        IdFrom::SubjectCn => {
            let names = certificate.subject().iter_common_name();
            only(names.map(|name| text(name).unwrap_or_default().to_owned()))
        }
        IdFrom::Subject => distinguished(certificate.subject()).ok_or(IdentityError::NoId),
        IdFrom::SanDns => alternative(|name| match name {
            // Whoever has a certificate for many hosts is none of them.
            GeneralName::DNSName(name) if name.contains('*') => Some(String::new()),
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        }),
        IdFrom::SanUri => alternative(|name| match name {
            GeneralName::URI(name) => Some((*name).to_owned()),
            _ => None,
        }),
        IdFrom::SanEmail => alternative(|name| match name {
            GeneralName::RFC822Name(name) => Some((*name).to_owned()),
            _ => None,
        }),
    }
}

fn only(mut names: impl Iterator<Item = String>) -> Result<String, IdentityError> {
    let name = names.next().ok_or(IdentityError::NoId)?;
    if names.next().is_some() { Err(IdentityError::AmbiguousId) } else { Ok(name) }
}

/// The text of an attribute, where it is in an encoding that reads one way only: UTF-8 or a part of ASCII.
fn text<'a>(attribute: &'a AttributeTypeAndValue<'_>) -> Option<&'a str> {
    const UTF8: u32 = 12;
    const PRINTABLE: u32 = 19;
    const IA5: u32 = 22;
    let value = attribute.attr_value();
    let text = std::str::from_utf8(value.data).ok()?;
    match value.tag().0 {
        UTF8 => Some(text),
        PRINTABLE | IA5 => Some(text).filter(|text| text.is_ascii()),
        _ => None,
    }
}

/// A subject as RFC 4514 writes it: the last part first. `None` for an empty one, or where a text cannot be read.
fn distinguished(name: &X509Name<'_>) -> Option<String> {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut written = String::new();
    for part in parts.into_iter().rev() {
        for (at, attribute) in part.iter().enumerate() {
            if !written.is_empty() {
                written.push(if at == 0 { ',' } else { '+' });
            }
            let oid = attribute.attr_type().to_id_string();
            // RFC 4514, section 2.3, and with them the mail address, which every tool spells so.
            let short = SHORT.iter().find(|(known, _)| *known == oid).map_or(&*oid, |(_, short)| short);
            written.push_str(short);
            written.push('=');
            escape(text(attribute)?, &mut written);
        }
    }
    (!written.is_empty()).then_some(written)
}

const SHORT: [(&str, &str); 10] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// RFC 4514, section 2.4.
fn escape(value: &str, written: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        let at_an_end = (letter == ' ' && (at == 0 || at == last)) || (letter == '#' && at == 0);
        if at_an_end || "\"+,;<>\\=".contains(letter) {
            written.push('\\');
        }
        written.push(letter);
    }
}

#[cfg(test)]
mod tests;
