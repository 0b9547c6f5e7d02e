//! Client certificates: reads a caller or a named error from a verified certificate and the rules of its source.
//!
//! Nothing is verified here: the calling code has already built the chain to an authority of that source.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::IdentityError;
use super::jwt::VerifiedCaller;
use crate::vocabulary::{Proof, Subject, SubjectId, SubjectKind, Timestamp};

/// The longest id in a certificate, in bytes.
pub const MAX_ID_LENGTH: usize = 256;

/// IdFrom: the part of a certificate that holds the id of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdFrom {
    /// The common name of the subject.
    SubjectCn,
    /// The whole subject, in the string form of RFC 4514.
    Subject,
    /// The DNS name among the alternative names, in lower case.
    SanDns,
    /// The URI among the alternative names.
    SanUri,
    /// The mail address among the alternative names.
    SanEmail,
}

/// CertificateRules: how the id is read from the certificates of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRules {
    /// The source's name, which is the first half of every id that it authenticates.
    pub source: Box<str>,
    /// Which part of the certificate is the second half.
    pub id: IdFrom,
    /// The ids of service apps, without the source.
    pub service_apps: Vec<Box<str>>,
}

/// Reads the caller and the expiry of a verified certificate.
///
/// # Errors
///
/// [`IdentityError::NoId`] and [`IdentityError::ReservedId`] where the id is missing or not allowed, and
/// [`IdentityError::AmbiguousId`] where the certificate has two names of the configured kind.
pub fn read_caller(der: &[u8], rules: &CertificateRules) -> Result<VerifiedCaller, IdentityError> {
    let certificate = parse_certificate(der).ok_or(IdentityError::NoId)?;
    let name = read_id(&certificate, rules.id)?;
    let valid = !name.trim().is_empty() && name.len() <= MAX_ID_LENGTH && !name.chars().any(char::is_control);
    if !valid {
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
    Ok(VerifiedCaller { subject, expires: expiry_of(&certificate) })
}

/// Reads the time from which a certificate has expired; `None` where it cannot be parsed.
pub fn read_expiry(der: &[u8]) -> Option<Timestamp> {
    parse_certificate(der).map(|certificate| expiry_of(&certificate))
}

/// Whether a certificate is an authority's: its basic constraints say so, or it is older than version 3.
///
/// Versions before 3 have no basic constraints.
pub fn is_authority(der: &[u8]) -> bool {
    parse_certificate(der).is_some_and(|certificate| {
        let constraints = certificate.basic_constraints();
        certificate.version().0 < 2 || matches!(constraints, Ok(Some(found)) if found.value.ca)
    })
}

/// RevocationList: the issuer and the next update of a certificate revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// The name of the authority that signed the list, in DER.
    pub issuer: Box<[u8]>,
    /// The time by which a newer list is due.
    pub next_update: Option<Timestamp>,
}

impl RevocationList {
    /// Reads the list in `der`; its signature is not verified.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, list) = CertificateRevocationList::from_der(der).ok().filter(|(rest, _)| rest.is_empty())?;
        let next_update = list.next_update().map(|at| Timestamp(u64::try_from(at.timestamp()).unwrap_or(0)));
        Some(Self { issuer: list.issuer().as_raw().into(), next_update })
    }
}

fn parse_certificate(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, certificate)| certificate)
}

/// One second after `notAfter`, which is the last second of validity (RFC 5280, section 4.1.2.5).
fn expiry_of(certificate: &X509Certificate<'_>) -> Timestamp {
    Timestamp(u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0)).plus(1)
}

fn read_id(certificate: &X509Certificate<'_>, from: IdFrom) -> Result<String, IdentityError> {
    let alternative = |extract: fn(&GeneralName<'_>) -> Option<String>| {
        let names = certificate.subject_alternative_name().map_err(|_| IdentityError::NoId)?;
        let names = names.map(|names| &*names.value.general_names).unwrap_or_default();
        // RFC 5280, section 4.2.1.6: these names are ASCII.
        take_single(names.iter().filter_map(extract).map(|name| if name.is_ascii() { name } else { String::new() }))
    };
    match from {
        IdFrom::SubjectCn => {
            let names = certificate.subject().iter_common_name();
            take_single(names.map(|name| read_attribute(name).unwrap_or_default().to_owned()))
        }
        IdFrom::Subject => format_distinguished_name(certificate.subject()).ok_or(IdentityError::NoId),
        IdFrom::SanDns => alternative(|name| match name {
            // A wildcard names many hosts, so it identifies none of them.
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

fn take_single(mut names: impl Iterator<Item = String>) -> Result<String, IdentityError> {
    let name = names.next().ok_or(IdentityError::NoId)?;
    if names.next().is_some() { Err(IdentityError::AmbiguousId) } else { Ok(name) }
}

/// Reads the text of an attribute in an unambiguous encoding: UTF-8 or a subset of ASCII.
fn read_attribute<'a>(attribute: &'a AttributeTypeAndValue<'_>) -> Option<&'a str> {
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

/// Formats a subject as RFC 4514 does, last part first; `None` where it is empty or has an unreadable attribute.
fn format_distinguished_name(name: &X509Name<'_>) -> Option<String> {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut out = String::new();
    for part in parts.into_iter().rev() {
        for (index, attribute) in part.iter().enumerate() {
            if !out.is_empty() {
                out.push(if index == 0 { ',' } else { '+' });
            }
            let oid = attribute.attr_type().to_id_string();
            // RFC 4514, section 2.3, and the mail address under its usual short name.
            let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid).map_or(&*oid, |(_, short)| short);
            out.push_str(short);
            out.push('=');
            escape_value(read_attribute(attribute)?, &mut out);
        }
    }
    (!out.is_empty()).then_some(out)
}

const SHORT_NAMES: [(&str, &str); 10] = [
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

/// Escapes a value as RFC 4514, section 2.4, requires.
fn escape_value(value: &str, out: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, letter) in value.chars().enumerate() {
        let at_edge = (letter == ' ' && (index == 0 || index == last)) || (letter == '#' && index == 0);
        if at_edge || "\"+,;<>\\=".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
}

#[cfg(test)]
mod tests;
