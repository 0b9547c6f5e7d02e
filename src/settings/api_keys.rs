//! Files of API keys: whose keys are believed, and how they are presented.

use std::path::PathBuf;

use super::DeclaredNames;
use super::claims;
use super::headers::{is_taken, own_name};
use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, reader::entries};
use crate::identity::issuer::ClaimLimits;

/// ApiKeySource: a file of API keys, as a source of identity.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKeySource {
    /// Its name; the first half of every id it vouches for.
    pub name: Box<str>,
    /// The file; it is read again when it changes.
    pub file: PathBuf,
    /// The header that carries `id:secret`; `None` is no header.
    pub header: Option<Box<str>>,
    /// Whether HTTP Basic carries its keys.
    pub basic: bool,
    /// What its keys may claim at most.
    pub claim_limits: ClaimLimits,
}

impl ApiKeySource {
    /// Whether a request's key could be from this file or from the other one: both are presented in the same way.
    pub(super) fn collides(&self, other: &Self) -> bool {
        let header = self.header.as_ref().zip(other.header.as_ref());
        (self.basic && other.basic) || header.is_some_and(|(one, two)| one.eq_ignore_ascii_case(two))
    }
}

/// The map under `api-keys`.
pub(super) fn key_sources(
    node: &Node,
    known: &mut DeclaredNames,
    reading: &mut SettingsReader<'_>,
) -> Vec<ApiKeySource> {
    for (key, value) in entries(node, "`api-keys`", reading.findings).unwrap_or_default() {
        let name = reading.label(key, "the name of a file of API keys");
        known.key_names.extend(name.map(Into::into));
        let name = name.unwrap_or_default();
        if known.issuers.iter().any(|issuer| **issuer == *name) {
            let message = format!("an issuer is called `{name}` too: one could speak for the other one's users");
            reading.finding(Finding::error(FindingCode::DuplicateName, Some(key.span), message));
        }
        known.key_sources.extend(key_source(name, value, reading));
    }
    known.key_sources.clone()
}

fn key_source(name: &str, node: &Node, reading: &mut SettingsReader<'_>) -> Option<ApiKeySource> {
    let mut fields = MapReader::open(node, "a file of API keys", reading.findings)?;
    let file = fields.required("file", reading.findings);
    let file = file.and_then(|node| reading.guarded_file(node, "`file`"));
    let header = fields.optional("header");
    let basic = reading.flag(fields.optional("basic"), "`basic`", false);
    let claim_limits = fields.optional("may-claim").and_then(|node| claims::claim_limits(node, reading));
    fields.finish(reading.findings);
    if header.is_none() && !basic {
        let message = "API keys need `header`, `basic: true` or both: nobody could present one";
        reading
            .finding(Finding::error(FindingCode::MissingKey, Some(node.span), message))
            .help("write `header: X-Api-Key`");
    }
    let header = match header {
        Some(node) => {
            let name = own_name(node, "`header`", reading)?;
            if is_taken(&name) {
                let message = format!("`header` cannot be `{name}`, which has a meaning of its own");
                reading.bad(node, message).help("`basic: true` takes keys in `Authorization: Basic`");
            }
            Some(name)
        }
        None => None,
    };
    Some(ApiKeySource { name: name.into(), file: file?, header, basic, claim_limits: claim_limits.unwrap_or_default() })
}
