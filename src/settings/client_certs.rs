//! Client certificates: the trusted authorities, and how a certificate identifies its caller.

use std::path::PathBuf;

use super::declared_names::DeclaredNames;
use super::reader::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, list, reader::entries};
use crate::identity::{CertificateRules, IdFrom};

/// CertificateSource: trusted authorities of client certificates as an identity source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSource {
    /// The name, and how the id is read from a certificate.
    pub rules: CertificateRules,
    /// The authorities (PEM); reloaded when they change.
    pub ca: PathBuf,
    /// Their revocation lists (PEM or DER); empty where revocation is not checked.
    pub crl: Vec<PathBuf>,
    /// Whether a revocation list is accepted beyond its `nextUpdate`.
    pub stale_crl: bool,
}

/// Reads the map under `client-certificates`.
pub(super) fn read_certificate_sources(
    node: &Node,
    declared: &mut DeclaredNames,
    reader: &mut SettingsReader<'_>,
) -> Vec<CertificateSource> {
    let mut found = Vec::new();
    for (key, value) in entries(node, "`client-certificates`", reader.findings).unwrap_or_default() {
        let name = reader.label(key, "the name of a source of client certificates");
        if let Some(name) = name {
            declared.certificates.push(name.into());
            declared.certificate_spans.push(key.span);
        }
        found.extend(read_certificate_source(name.unwrap_or_default(), value, reader));
    }
    found
}

/// Checks the names of these sources against the names of issuers and key files, which are read later.
pub(super) fn check_names(declared: &DeclaredNames, reader: &mut SettingsReader<'_>) {
    for (name, span) in declared.certificates.iter().zip(&declared.certificate_spans) {
        if declared.issuers.contains(name) || declared.key_names.contains(name) {
            let message = format!(
                "an issuer or a file of API keys is also named `{name}`: each could authenticate the other's users"
            );
            reader.report(Finding::error(FindingCode::DuplicateName, Some(*span), message));
        }
    }
}

fn read_certificate_source(name: &str, node: &Node, reader: &mut SettingsReader<'_>) -> Option<CertificateSource> {
    let mut fields = MapReader::open(node, "a source of client certificates", reader.findings)?;
    let ca = fields.required("ca", reader.findings).and_then(|node| reader.file(node, "`ca`"));
    let crl = fields.optional("crl");
    let stale = fields.optional("stale-crl");
    let id = fields.optional("id");
    let service_apps = fields.optional("service-apps");
    fields.finish(reader.findings);
    let ids = [
        ("subject-cn", IdFrom::SubjectCn),
        ("subject", IdFrom::Subject),
        ("san-dns", IdFrom::SanDns),
        ("san-uri", IdFrom::SanUri),
        ("san-email", IdFrom::SanEmail),
    ];
    let id = reader.word(id, "`id`", &ids, IdFrom::SubjectCn);
    let words = [("refuse", false), ("accept", true)];
    let stale_crl = reader.word(stale, "`stale-crl`", &words, false);
    if let (Some(node), None) = (stale, crl) {
        reader.reject(node, "`stale-crl` applies to revocation lists, but there is no `crl`");
    }
    let service_apps = service_apps.map(|node| reader.texts(node, "`service-apps`")).unwrap_or_default();
    let crl = crl.map(|node| read_files(node, reader)).unwrap_or_default();
    let rules = CertificateRules { source: name.into(), id, service_apps };
    Some(CertificateSource { rules, ca: ca?, crl, stale_crl })
}

fn read_files(node: &Node, reader: &mut SettingsReader<'_>) -> Vec<PathBuf> {
    let items = list(node, "`crl`", reader.findings).unwrap_or_default();
    items.iter().filter_map(|item| reader.file(item, "`crl`")).collect()
}
