//! Claims: the claims that hold each part of a subject, the rule for service apps, and the limits on claims.

use super::reader::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, Value, list};
use crate::identity::issuer::{ClaimLimits, ClaimPath, ClaimPaths, ServiceRule};

/// Reads the map under `claims`.
pub(super) fn read_claims(node: &Node, reader: &mut SettingsReader<'_>) -> Option<ClaimPaths> {
    let mut claims = ClaimPaths::default();
    let mut fields = MapReader::open(node, "`claims`", reader.findings)?;
    if let Some(path) = fields.optional("id").and_then(|node| read_claim_path(node, "`id`", reader)) {
        claims.id = path;
    }
    if let Some(path) = fields.optional("client-only").and_then(|node| read_claim_path(node, "`client-only`", reader)) {
        claims.client_only = path;
    }
    if let Some(node) = fields.optional("client") {
        let items = list(node, "`client`", reader.findings).unwrap_or_default();
        claims.client = items.iter().filter_map(|item| read_claim_path(item, "`client`", reader)).collect();
    }
    let mut path =
        |key: &'static str, what: &str| fields.optional(key).and_then(|node| read_claim_path(node, what, reader));
    claims.tenants = path("tenants", "`tenants`");
    claims.roles = path("roles", "`roles`");
    claims.groups = path("groups", "`groups`");
    claims.permissions = path("permissions", "`permissions`");
    claims.split = reader.flag(fields.optional("split"), "`split`", false);
    fields.finish(reader.findings);
    Some(claims)
}

/// Reads the map under `service-apps`.
pub(super) fn read_service_apps(node: &Node, reader: &mut SettingsReader<'_>) -> Option<ServiceRule> {
    let mut fields = MapReader::open(node, "`service-apps`", reader.findings)?;
    let claim = fields.optional("claim");
    let values = fields.optional("values");
    let clients = fields.optional("clients");
    fields.finish(reader.findings);
    let path = claim.and_then(|node| read_claim_path(node, "`claim`", reader));
    let texts = values.map(|node| reader.texts(node, "`values`"));
    let clients_read = clients.map(|node| reader.texts(node, "`clients`")).unwrap_or_default();
    match (claim, values) {
        (Some(_), None) => report_missing(node, "`claim` in `service-apps` needs `values` beside it", reader),
        (None, Some(_)) => report_missing(node, "`values` in `service-apps` needs `claim` beside it", reader),
        (None, None) if clients.is_none() => {
            report_missing(node, "`service-apps` needs `clients`, or `claim` and `values`", reader)
        }
        _ => {}
    }
    Some(ServiceRule { claim: path.zip(texts), clients: clients_read })
}

/// Reads the map under `may-claim`.
pub(super) fn read_claim_limits(node: &Node, reader: &mut SettingsReader<'_>) -> Option<ClaimLimits> {
    let mut fields = MapReader::open(node, "`may-claim`", reader.findings)?;
    let roles = fields.optional("roles").map(|node| reader.names(node, "`roles`"));
    let tenants = fields.optional("tenants").map(|node| reader.names(node, "`tenants`"));
    let kinds = fields.optional("kinds");
    fields.finish(reader.findings);
    let (mut users_refused, mut services_refused) = (false, false);
    if let Some(node) = kinds {
        let items = list(node, "`kinds`", reader.findings).unwrap_or_default();
        (users_refused, services_refused) = (true, true);
        for item in items {
            match reader.word(Some(item), "a kind", &[("user", Some(true)), ("service", Some(false))], None) {
                Some(true) => users_refused = false,
                Some(false) => services_refused = false,
                None => {}
            }
        }
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let message = "`kinds` is an empty list: no credential would be accepted";
            reader.report(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
        }
    }
    Some(ClaimLimits { roles, tenants, users_refused, services_refused })
}

/// Reads a claim's path: a dotted text, or a list of names where a name has a dot inside.
fn read_claim_path(node: &Node, what: &str, reader: &mut SettingsReader<'_>) -> Option<ClaimPath> {
    if let Value::List(items) = &node.value {
        let names: Vec<Box<str>> =
            items.iter().filter_map(|item| reader.text(item, "a claim's name")).map(Into::into).collect();
        if items.is_empty() {
            let finding = Finding::error(FindingCode::EmptyValue, Some(node.span), format!("{what} is an empty path"));
            reader.report(finding);
        }
        return (!names.is_empty()).then(|| ClaimPath(names.into()));
    }
    let raw = reader.text(node, what)?;
    if raw.contains("://") {
        let message = format!("{what} is a path of names with dots between them, but `{raw}` is one name");
        reader.reject(node, message).help(format!("write [\"{raw}\"]"));
        return None;
    }
    if raw.split('.').any(str::is_empty) || raw.contains(char::is_whitespace) {
        reader.reject(node, format!("{what} is a path such as `realm_access.roles`, not `{raw}`"));
        return None;
    }
    Some(ClaimPath::from_dotted(raw))
}

fn report_missing(node: &Node, message: &str, reader: &mut SettingsReader<'_>) {
    reader.report(Finding::error(FindingCode::MissingKey, Some(node.span), message));
}
