//! The file of API keys as people and `portcullis key` write it, read strictly; a secret never stands in it.

pub mod edit;

use std::sync::Arc;

use super::IdentityError;
use super::api_key::{ApiKey, KeyRing, LONGEST_ID, SecretDigest, is_id};
use super::issuer::ClaimLimits;
use super::jwt::VerifiedCaller;
use crate::document::reader::{self, MapReader, entries};
use crate::document::{Finding, FindingCode, Findings, Node, Sources, Value};
use crate::vocabulary::{Assignment, Proof, Subject, SubjectId, SubjectKind, Timestamp};

/// KeyEntry: one key of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyEntry {
    /// Its id, which a request presents.
    pub id: Box<str>,
    /// The digest of its secret.
    pub digest: SecretDigest,
    /// Whose key it is; without an id, which only the settings complete.
    pub subject: Subject,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// From when on it proves nobody; `None` is never.
    pub expires: Option<Timestamp>,
    /// Whether it was revoked, and when, where that is known.
    pub revoked: Option<Option<Timestamp>>,
    /// What somebody wants to remember about it.
    pub comment: Option<Box<str>>,
}

/// The keys that source number `file` holds, in its order; `None` where a finding is an error.
///
/// Messages repeat no value that stands where a secret could have been pasted by mistake.
pub fn read(sources: &Sources, file: u32, findings: &mut Findings) -> Option<Vec<KeyEntry>> {
    let mut own = Findings::default();
    let keys = crate::document::parse(sources, file, &mut own).and_then(|root| file_of_keys(&root, &mut own));
    let keys = keys.filter(|_| !own.has_errors());
    findings.extend(own);
    keys
}

/// The ring that `entries` make up under the name `source`, within the limits of `may_claim`.
pub fn ring(entries: Vec<KeyEntry>, source: &str, may_claim: &ClaimLimits) -> KeyRing {
    KeyRing::new(entries.into_iter().map(|entry| {
        let KeyEntry { id, digest, mut subject, expires, revoked, .. } = entry;
        subject.id = Some(SubjectId { source: source.into(), name: id.clone() });
        if let Some(roles) = &may_claim.roles {
            subject.roles.retain(|claimed| roles.contains(&claimed.role));
            // Who is held to some roles must not hand out the rows of others one by one.
            subject.permissions.clear();
        }
        if let Some(tenants) = &may_claim.tenants {
            subject.tenants.retain(|tenant| tenants.contains(tenant));
        }
        let kind_refused = match subject.kind {
            SubjectKind::Service => may_claim.services_refused,
            SubjectKind::User | SubjectKind::Anonymous => may_claim.users_refused,
        };
        let refused = match revoked {
            Some(_) => Some(IdentityError::ApiKeyRevoked),
            None => kind_refused.then_some(IdentityError::KindRefused),
        };
        let expires = expires.unwrap_or(Timestamp(u64::MAX));
        (id, ApiKey { digest, verified: Arc::new(VerifiedCaller { subject, expires }), refused })
    }))
}

fn file_of_keys(root: &Node, findings: &mut Findings) -> Option<Vec<KeyEntry>> {
    let mut fields = MapReader::open(root, "a file of API keys", findings)?;
    if let Some(node) = fields.required("version", findings) {
        reader::integer(node, "`version`", 1, 1, findings);
    }
    let keys = fields.required("keys", findings);
    fields.finish(findings);
    let keys = entries(keys?, "`keys`", findings)?;
    Some(keys.iter().filter_map(|(id, value)| entry(id, value, findings)).collect())
}

fn entry(id_node: &Node, value: &Node, findings: &mut Findings) -> Option<KeyEntry> {
    let id = id(id_node, findings);
    if !matches!(value.value, Value::Map(_)) {
        let message = "a key is a map of `digest` and whose key it is";
        findings.push(Finding::error(FindingCode::WrongSort, Some(value.span), message));
        return None;
    }
    let mut fields = MapReader::open(value, "a key", findings)?;
    let digest = fields.required("digest", findings).and_then(|node| digest(node, findings));
    let kinds = [("user", SubjectKind::User), ("service", SubjectKind::Service)];
    let kind = fields.optional("kind").and_then(|node| reader::keyword(node, "`kind`", &kinds, findings));
    let client = fields.optional("client").and_then(|node| reader::text(node, "`client`", findings));
    let tenants = [fields.optional("tenant"), fields.optional("tenants")];
    let groups = [fields.optional("group"), fields.optional("groups")];
    let tenants = one_or_many(tenants, ["`tenant`", "`tenants`"], findings);
    let groups = one_or_many(groups, ["`group`", "`groups`"], findings);
    let roles = fields.optional("roles").map(|node| roles(node, findings)).unwrap_or_default();
    let permissions = fields.optional("permissions").map(|node| names(node, "`permissions`", findings));
    let mut moment = |key: &'static str| fields.optional(key).map(|node| (node, moment(node, key, findings)));
    let (created, expires) = (moment("created"), moment("expires"));
    let revoked = fields.optional("revoked").map(|node| revoked(node, findings));
    let comment = fields.optional("comment").and_then(|node| reader::text(node, "`comment`", findings));
    fields.finish(findings);
    if let (Some((_, Some(created))), Some((node, Some(expires)))) = (created, expires)
        && expires <= created
    {
        let message = "`expires` lies before `created`";
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

fn id(node: &Node, findings: &mut Findings) -> Option<Box<str>> {
    // Whoever pastes `id:secret` here shall not read it in a log.
    let id = match &node.value {
        Value::Scalar { text, .. } if !is_id(text) => {
            let message = format!("an id is at most {LONGEST_ID} letters, digits and `.`, `_`, `@`, `+`, `-`");
            findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
            return None;
        }
        _ => reader::key(node, "an id", findings)?,
    };
    Some(id.into())
}

fn digest(node: &Node, findings: &mut Findings) -> Option<SecretDigest> {
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

/// Names under one of two keys, a single one or a list.
fn one_or_many(nodes: [Option<&Node>; 2], what: [&str; 2], findings: &mut Findings) -> Vec<Box<str>> {
    match nodes {
        [Some(_), Some(many)] => {
            let message = format!("{} and {} both stand there: write one of them", what[0], what[1]);
            findings.push(Finding::error(FindingCode::BadValue, Some(many.span), message));
            Vec::new()
        }
        [Some(one), None] => reader::text(one, what[0], findings).map(Into::into).into_iter().collect(),
        [None, Some(many)] => names(many, what[1], findings),
        [None, None] => Vec::new(),
    }
}

fn names(node: &Node, what: &str, findings: &mut Findings) -> Vec<Box<str>> {
    reader::texts(node, what, findings).into_iter().map(|(name, _)| name.into()).collect()
}

/// `[Level 2]`, or `[{ Level 2: { tenant: t1 } }]`.
fn roles(node: &Node, findings: &mut Findings) -> Vec<Assignment> {
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
                    Value::List(_) => names(values, "a scope's value", findings),
                    _ => reader::text(values, "a scope's value", findings).map(Into::into).into_iter().collect(),
                };
                scope.extend(reader::key(name, "a scope's name", findings).map(|name| (name.into(), values)));
            }
            found.extend(role.map(|role| Assignment { role: role.into(), scope }));
        }
    }
    found
}

/// A moment in its one spelling: in UTC, in whole seconds.
fn utc(written: &str) -> Option<Timestamp> {
    Timestamp::parse(written).filter(|moment| moment.to_string() == written)
}

fn moment(node: &Node, key: &str, findings: &mut Findings) -> Option<Timestamp> {
    let found = match &node.value {
        Value::Scalar { text, .. } => utc(text),
        _ => None,
    };
    if found.is_none() {
        let message = format!("`{key}` is a moment in UTC such as `2030-01-31T12:00:00Z`");
        findings.push(Finding::error(FindingCode::BadValue, Some(node.span), message));
    }
    found
}

/// `true`, or the moment at which it happened.
fn revoked(node: &Node, findings: &mut Findings) -> Option<Option<Timestamp>> {
    match &node.value {
        Value::Scalar { text, plain: true } if &**text == "true" => Some(None),
        Value::Scalar { text, .. } if utc(text).is_some() => Some(utc(text)),
        _ => {
            let message = "`revoked` is `true` or the moment at which that happened";
            let finding = Finding::error(FindingCode::BadValue, Some(node.span), message);
            findings.push(finding.help("take the line out where the key is not revoked"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
