//! Reads the files of API keys that the settings trust.

use super::api_key_source::ApiKeySource;
use super::claims;
use super::declared_names::DeclaredNames;
use super::headers::{is_reserved, read_header_name};
use super::reader::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, reader::entries};

/// Reads the map under `api-keys`.
pub(super) fn read_key_sources(
    node: &Node,
    declared: &mut DeclaredNames,
    reader: &mut SettingsReader<'_>,
) -> Vec<ApiKeySource> {
    for (key, value) in entries(node, "`api-keys`", reader.findings).unwrap_or_default() {
        let name = reader.label(key, "the name of a file of API keys");
        declared.key_names.extend(name.map(Into::into));
        let name = name.unwrap_or_default();
        if declared.issuers.iter().any(|issuer| **issuer == *name) {
            let message = format!("an issuer is also named `{name}`: each could authenticate the other's users");
            reader.report(Finding::error(FindingCode::DuplicateName, Some(key.span), message));
        }
        declared.key_sources.extend(read_key_source(name, value, reader));
    }
    declared.key_sources.clone()
}

fn read_key_source(name: &str, node: &Node, reader: &mut SettingsReader<'_>) -> Option<ApiKeySource> {
    let mut fields = MapReader::open(node, "a file of API keys", reader.findings)?;
    let file = fields.required("file", reader.findings);
    let file = file.and_then(|node| reader.private_file(node, "`file`"));
    let header = fields.optional("header");
    let basic = reader.flag(fields.optional("basic"), "`basic`", false);
    let claim_limits = fields.optional("may-claim").and_then(|node| claims::read_claim_limits(node, reader));
    fields.finish(reader.findings);
    if header.is_none() && !basic {
        let message = "API keys need `header`, `basic: true` or both: no request could present one";
        reader
            .report(Finding::error(FindingCode::MissingKey, Some(node.span), message))
            .help("write `header: X-Api-Key`");
    }
    let header = match header {
        Some(node) => {
            let name = read_header_name(node, "`header`", reader)?;
            if is_reserved(&name) {
                let message = format!("`header` cannot be `{name}`, which already has a meaning");
                reader.reject(node, message).help("`basic: true` takes keys in `Authorization: Basic`");
            }
            Some(name)
        }
        None => None,
    };
    Some(ApiKeySource { name: name.into(), file: file?, header, basic, claim_limits: claim_limits.unwrap_or_default() })
}
