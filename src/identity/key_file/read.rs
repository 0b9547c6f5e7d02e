//! Reads the file of API keys strictly, as people and `portcullis key` write it; it never holds a secret.

use std::sync::Arc;

use crate::document::reader::{self, MapReader, entries};
use crate::document::{Finding, FindingCode, Findings, Node, Sources, Value};
use crate::identity::IdentityError;
use crate::identity::api_key::{ApiKey, KeyRing, MAX_ID_LENGTH, SecretDigest, is_key_id};
use crate::identity::issuer::ClaimLimits;
use crate::identity::jwt::VerifiedCaller;
use crate::vocabulary::{Assignment, Proof, Subject, SubjectId, SubjectKind, Timestamp};

/// KeyEntry: one key of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyEntry {
    /// The id, which a request presents.
    pub id: Box<str>,
    /// The digest of the secret.
    pub digest: SecretDigest,
    /// The caller, without an id: its source is known from the settings only.
    pub subject: Subject,
    /// When the key was created.
    pub created: Option<Timestamp>,
    /// When the key expires; `None` is never.
    pub expires: Option<Timestamp>,
    /// `Some` where the key is revoked, with the time where that is known.
    pub revoked: Option<Option<Timestamp>>,
    /// A comment for people.
    pub comment: Option<Box<str>>,
}

/// Reads the keys of source number `file`, in their order; `None` where a finding is an error.
///
/// Messages repeat no value from a position where a secret could have been pasted by mistake.
pub fn read(sources: &Sources, file: u32, findings: &mut Findings) -> Option<Vec<KeyEntry>> {
    let mut own = Findings::default();
    let keys = crate::document::parse(sources, file, &mut own).and_then(|root| read_file(&root, &mut own));
    let keys = keys.filter(|_| !own.has_errors());
    findings.extend(own);
    keys
}

/// Builds the ring of `entries` for the source named `source`, within `claim_limits`.
pub fn build_ring(entries: Vec<KeyEntry>, source: &str, claim_limits: &ClaimLimits) -> KeyRing {
    KeyRing::new(entries.into_iter().map(|entry| {
        let KeyEntry { id, digest, mut subject, expires, revoked, .. } = entry;
        subject.id = Some(SubjectId { source: source.into(), name: id.clone() });
        if let Some(roles) = &claim_limits.roles {
            subject.roles.retain(|claimed| roles.contains(&claimed.role));
            // A source with limited roles must not grant the rows of other roles directly.
            subject.permissions.clear();
        }
        if let Some(tenants) = &claim_limits.tenants {
            subject.tenants.retain(|tenant| tenants.contains(tenant));
        }
        let kind_refused = match subject.kind {
            SubjectKind::Service => claim_limits.services_refused,
            SubjectKind::User | SubjectKind::Anonymous => claim_limits.users_refused,
        };
        let refusal = match revoked {
            Some(_) => Some(IdentityError::ApiKeyRevoked),
            None => kind_refused.then_some(IdentityError::KindRefused),
        };
        let expires = expires.unwrap_or(Timestamp(u64::MAX));
        (id, ApiKey { digest, caller: Arc::new(VerifiedCaller { subject, expires }), refusal })
    }))
}

fn read_file(root: &Node, findings: &mut Findings) -> Option<Vec<KeyEntry>> {
    let mut fields = MapReader::open(root, "a file of API keys", findings)?;
    if let Some(node) = fields.required("version", findings) {
        reader::integer(node, "`version`", 1, 1, findings);
    }
    let keys = fields.required("keys", findings);
    fields.finish(findings);
    let keys = entries(keys?, "`keys`", findings)?;
    Some(keys.iter().filter_map(|(id, value)| read_entry(id, value, findings)).collect())
}

fn read_entry(id_node: &Node, value: &Node, findings: &mut Findings) -> Option<KeyEntry> {
    let id = read_id(id_node, findings);
    if !matches!(value.value, Value::Map(_)) {
        let message = "a key is a map of its `digest` and its caller";
        findings.push(Finding::error(FindingCode::WrongSort, Some(value.span), message));
        return None;
    }
    let mut fields = MapReader::open(value, "a key", findings)?;
    let digest = fields.required("digest", findings).and_then(|node| read_digest(node, findings));
    let kinds = [("user", SubjectKind::User), ("service", SubjectKind::Service)];
    let kind = fields.optional("kind").and_then(|node| reader::keyword(node, "`kind`", &kinds, findings));
    let client = fields.optional("client").and_then(|node| reader::text(node, "`client`", findings));
    let tenants = [fields.optional("tenant"), fields.optional("tenants")];
    let groups = [fields.optional("group"), fields.optional("groups")];
    let tenants = read_one_or_many(tenants, ["`tenant`", "`tenants`"], findings);
    let groups = read_one_or_many(groups, ["`group`", "`groups`"], findings);
    let roles = fields.optional("roles").map(|node| read_roles(node, findings)).unwrap_or_default();
    let permissions = fields.optional("permissions").map(|node| read_names(node, "`permissions`", findings));
    let mut time = |key: &'static str| fields.optional(key).map(|node| (node, read_time(node, key, findings)));
    let (created, expires) = (time("created"), time("expires"));
    let revoked = fields.optional("revoked").map(|node| read_revocation(node, findings));
    let comment = fields.optional("comment").and_then(|node| reader::text(node, "`comment`", findings));
    fields.finish(findings);
    if let (Some((_, Some(created))), Some((node, Some(expires)))) = (created, expires)
        && expires <= created
    {
        let message = "`expires` is before `created`";
        findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
    }
    let subject = Subject {
        kind: kind.unwrap_or(SubjectKind::User),
        client: client.map(Into::into),
        tenants,
        roles,
        groups,
        permissions: permissions.unwrap_or_default(),
        proof: Proof::ApiKey,
        ..Subject::default()
    };
    Some(KeyEntry {
        id: id?,
        digest: digest?,
        subject,
        created: created.and_then(|(_, at)| at),
        expires: expires.and_then(|(_, at)| at),
        revoked: revoked.map(Option::flatten),
        comment: comment.map(Into::into),
    })
}

fn read_id(node: &Node, findings: &mut Findings) -> Option<Box<str>> {
    // A pasted `id:secret` must not appear in a log, so the message does not repeat the value.
    let id = match &node.value {
        Value::Scalar { text, .. } if !is_key_id(text) => {
            let message = format!("an id is at most {MAX_ID_LENGTH} letters, digits and `.`, `_`, `@`, `+`, `-`");
            findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
            return None;
        }
        _ => reader::key(node, "an id", findings)?,
    };
    Some(id.into())
}

fn read_digest(node: &Node, findings: &mut Findings) -> Option<SecretDigest> {
    let found = match &node.value {
        Value::Scalar { text, .. } => SecretDigest::parse(text),
        _ => None,
    };
    if found.is_none() {
        let message = "`digest` is `sha256:` and 64 digits 0-9 and a-f";
        let finding = Finding::error(FindingCode::BadValue, Some(node.span), message);
        findings.push(finding.help("`portcullis key create` makes a key and writes its digest"));
    }
    found
}

/// Reads names under one of two keys: a single name or a list.
fn read_one_or_many(nodes: [Option<&Node>; 2], what: [&str; 2], findings: &mut Findings) -> Vec<Box<str>> {
    match nodes {
        [Some(_), Some(many)] => {
            let message = format!("{} and {} both stand there: write one of them", what[0], what[1]);
            findings.push(Finding::error(FindingCode::BadValue, Some(many.span), message));
            Vec::new()
        }
        [Some(one), None] => reader::text(one, what[0], findings).map(Into::into).into_iter().collect(),
        [None, Some(many)] => read_names(many, what[1], findings),
        [None, None] => Vec::new(),
    }
}

fn read_names(node: &Node, what: &str, findings: &mut Findings) -> Vec<Box<str>> {
    reader::texts(node, what, findings).into_iter().map(|(name, _)| name.into()).collect()
}

/// Reads roles: `[Level 2]`, or `[{ Level 2: { tenant: t1 } }]`.
fn read_roles(node: &Node, findings: &mut Findings) -> Vec<Assignment> {
    let mut found = Vec::new();
    for item in reader::list(node, "`roles`", findings).unwrap_or_default() {
        if !matches!(item.value, Value::Map(_)) {
            found.extend(reader::text(item, "a role", findings).map(Assignment::unbound));
            continue;
        }
        for (role, bounds) in entries(item, "a role", findings).unwrap_or_default() {
            let role = reader::key(role, "a role", findings);
            let mut scope = Vec::new();
            for (name, values) in entries(bounds, "a role's scope", findings).unwrap_or_default() {
                let values = match &values.value {
                    Value::List(_) => read_names(values, "a scope's value", findings),
                    _ => reader::text(values, "a scope's value", findings).map(Into::into).into_iter().collect(),
                };
                scope.extend(reader::key(name, "a scope's name", findings).map(|name| (name.into(), values)));
            }
            found.extend(role.map(|role| Assignment { role: role.into(), scope }));
        }
    }
    found
}

/// Parses a time in its canonical spelling: in UTC, in whole seconds.
fn parse_utc(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).filter(|time| time.to_string() == text)
}

fn read_time(node: &Node, key: &str, findings: &mut Findings) -> Option<Timestamp> {
    let found = match &node.value {
        Value::Scalar { text, .. } => parse_utc(text),
        _ => None,
    };
    if found.is_none() {
        let message = format!("`{key}` is a time in UTC such as `2030-01-31T12:00:00Z`");
        findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
    }
    found
}

/// Reads `true` or the time of the revocation.
fn read_revocation(node: &Node, findings: &mut Findings) -> Option<Option<Timestamp>> {
    match &node.value {
        Value::Scalar { text, plain: true } if &**text == "true" => Some(None),
        Value::Scalar { text, .. } if parse_utc(text).is_some() => Some(parse_utc(text)),
        _ => {
            let message = "`revoked` is `true` or the time of the revocation";
            let finding = Finding::error(FindingCode::BadValue, Some(node.span), message);
            findings.push(finding.help("remove the line where the key is not revoked"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
