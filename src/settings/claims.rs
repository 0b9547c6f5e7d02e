//! Claims: where in a token the parts of a subject stand, which tokens are service apps, and what they may claim.

use super::value::SettingsReader;
use crate::document::{Finding, FindingCode, MapReader, Node, Value, list};
use crate::identity::issuer::{ClaimLimits, ClaimPath, ClaimPaths, ServiceRule};

/// The map under `claims`.
pub(super) fn claims(node: &Node, reading: &mut SettingsReader<'_>) -> Option<ClaimPaths> {
    let mut claims = ClaimPaths::default();
    let mut fields = MapReader::open(node, "`claims`", reading.findings)?;
    if let Some(path) = fields.optional("id").and_then(|node| claim_path(node, "`id`", reading)) {
        claims.id = path;
    }
    if let Some(path) = fields.optional("client-only").and_then(|node| claim_path(node, "`client-only`", reading)) {
        claims.client_only = path;
    }
    if let Some(node) = fields.optional("client") {
        let items = list(node, "`client`", reading.findings).unwrap_or_default();
        claims.client = items.iter().filter_map(|item| claim_path(item, "`client`", reading)).collect();
    }
    let mut path =
        |key: &'static str, what: &str| fields.optional(key).and_then(|node| claim_path(node, what, reading));
    claims.tenants = path("tenants", "`tenants`");
    claims.roles = path("roles", "`roles`");
    claims.groups = path("groups", "`groups`");
    claims.permissions = path("permissions", "`permissions`");
    claims.split = reading.flag(fields.optional("split"), "`split`", false);
    fields.finish(reading.findings);
    Some(claims)
}

/// The map under `service-apps`.
pub(super) fn service_apps(node: &Node, reading: &mut SettingsReader<'_>) -> Option<ServiceRule> {
    let mut fields = MapReader::open(node, "`service-apps`", reading.findings)?;
    let claim = fields.optional("claim");
    let values = fields.optional("values");
    let clients = fields.optional("clients");
    fields.finish(reading.findings);
    let path = claim.and_then(|node| claim_path(node, "`claim`", reading));
    let texts = values.map(|node| reading.texts(node, "`values`"));
    let clients_read = clients.map(|node| reading.texts(node, "`clients`")).unwrap_or_default();
    match (claim, values) {
        (Some(_), None) => missing(node, "`claim` in `service-apps` needs `values` beside it", reading),
        (None, Some(_)) => missing(node, "`values` in `service-apps` needs `claim` beside it", reading),
        (None, None) if clients.is_none() => {
            missing(node, "`service-apps` needs `clients`, or `claim` and `values`", reading)
        }
        _ => {}
    }
    Some(ServiceRule { claim: path.zip(texts), clients: clients_read })
}

/// The map under `may-claim`.
pub(super) fn claim_limits(node: &Node, reading: &mut SettingsReader<'_>) -> Option<ClaimLimits> {
    let mut fields = MapReader::open(node, "`may-claim`", reading.findings)?;
    let roles = fields.optional("roles").map(|node| reading.names(node, "`roles`"));
    let tenants = fields.optional("tenants").map(|node| reading.names(node, "`tenants`"));
    let kinds = fields.optional("kinds");
    fields.finish(reading.findings);
    let (mut users_refused, mut services_refused) = (false, false);
    if let Some(node) = kinds {
        let items = list(node, "`kinds`", reading.findings).unwrap_or_default();
        (users_refused, services_refused) = (true, true);
        for item in items {
            match reading.word(Some(item), "a kind", &[("user", Some(true)), ("service", Some(false))], None) {
                Some(true) => users_refused = false,
                Some(false) => services_refused = false,
                None => {}
            }
        }
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            let message = "`kinds` is an empty list: no token could pass";
            reading.finding(Finding::error(FindingCode::EmptyValue, Some(node.span), message));
        }
    }
    Some(ClaimLimits { roles, tenants, users_refused, services_refused })
}

/// A claim's path: a dotted text, or the list of its names where one of them has a dot inside.
fn claim_path(node: &Node, what: &str, reading: &mut SettingsReader<'_>) -> Option<ClaimPath> {
    if let Value::List(items) = &node.value {
        let names: Vec<Box<str>> =
            items.iter().filter_map(|item| reading.text(item, "a claim's name")).map(Into::into).collect();
        if items.is_empty() {
            let finding = Finding::error(FindingCode::EmptyValue, Some(node.span), format!("{what} is an empty path"));
            reading.finding(finding);
        }
        return (!names.is_empty()).then(|| ClaimPath(names.into()));
    }
    let written = reading.text(node, what)?;
    if written.contains("://") {
        let message = format!("{what} is a path of names with dots between them, but `{written}` is one name");
        reading.bad(node, message).help(format!("write [\"{written}\"]"));
        return None;
    }
    if written.split('.').any(str::is_empty) || written.contains(char::is_whitespace) {
        reading.bad(node, format!("{what} is a path such as `realm_access.roles`, not `{written}`"));
        return None;
    }
    Some(ClaimPath::from_dotted(written))
}

fn missing(node: &Node, message: &str, reading: &mut SettingsReader<'_>) {
    reading.finding(Finding::error(FindingCode::MissingKey, Some(node.span), message));
}
