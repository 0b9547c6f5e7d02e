//! Client certificates: whose certificates are believed, and whom they name.

use std::path::PathBuf;

use super::DeclaredNames;
use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, list, reader::entries};
use crate::identity::{CertificateRules, IdFrom};

/// CertificateSource: authorities whose client certificates are believed, as a source of identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSource {
    /// Its name, and how a certificate names its holder.
    pub rules: CertificateRules,
    /// The authorities (PEM); read again when they change.
    pub ca: PathBuf,
    /// Their revocation lists (PEM or DER); none where revocation is not asked about.
    pub crl: Vec<PathBuf>,
    /// Whether a revocation list counts beyond its `nextUpdate`.
    pub stale_crl: bool,
}

/// The map under `client-certificates`.
pub(super) fn certificate_sources(
    node: &Node,
    known: &mut DeclaredNames,
    reading: &mut SettingsReader<'_>,
) -> Vec<CertificateSource> {
    let mut found = Vec::new();
    for (key, value) in entries(node, "`client-certificates`", reading.findings).unwrap_or_default() {
        let name = reading.label(key, "the name of a source of client certificates");
        if let Some(name) = name {
            known.certificates.push(name.into());
            known.certificate_places.push(key.span);
        }
        found.extend(certificate_source(name.unwrap_or_default(), value, reading));
    }
    found
}

/// Judges the names of the sources against those of the others, which are read after them.
pub(super) fn distinct(known: &DeclaredNames, reading: &mut SettingsReader<'_>) {
    for (name, span) in known.certificates.iter().zip(&known.certificate_places) {
        if known.issuers.contains(name) || known.key_names.contains(name) {
            let message = format!(
                "an issuer or a file of API keys is called `{name}` too: one could speak for the other one's users"
            );
            reading.finding(Finding::error(FindingCode::DuplicateName, Some(*span), message));
        }
    }
}

fn certificate_source(name: &str, node: &Node, reading: &mut SettingsReader<'_>) -> Option<CertificateSource> {
    let mut fields = MapReader::open(node, "a source of client certificates", reading.findings)?;
    let ca = fields.required("ca", reading.findings).and_then(|node| reading.file(node, "`ca`"));
    let crl = fields.optional("crl");
    let stale = fields.optional("stale-crl");
    let id = fields.optional("id");
    let service_apps = fields.optional("service-apps");
    fields.finish(reading.findings);
    let ids = [
        ("subject-cn", IdFrom::SubjectCn),
        ("subject", IdFrom::Subject),
        ("san-dns", IdFrom::SanDns),
        ("san-uri", IdFrom::SanUri),
        ("san-email", IdFrom::SanEmail),
    ];
    let id = reading.word(id, "`id`", &ids, IdFrom::SubjectCn);
    let words = [("refuse", false), ("accept", true)];
    let stale_crl = reading.word(stale, "`stale-crl`", &words, false);
    if let (Some(node), None) = (stale, crl) {
        reading.bad(node, "`stale-crl` says what becomes of old lists, but there is no `crl`");
    }
    let service_apps = service_apps.map(|node| reading.texts(node, "`service-apps`")).unwrap_or_default();
    let crl = crl.map(|node| files(node, reading)).unwrap_or_default();
    let rules = CertificateRules { source: name.into(), id, service_apps };
    Some(CertificateSource { rules, ca: ca?, crl, stale_crl })
}

fn files(node: &Node, reading: &mut SettingsReader<'_>) -> Vec<PathBuf> {
    let items = list(node, "`crl`", reading.findings).unwrap_or_default();
    items.iter().filter_map(|item| reading.file(item, "`crl`")).collect()
}
