//! Subject: who asks, as the identity layer proved it or as `--as` and case files state it.

use std::fmt;

use serde::Deserialize;

/// Subject: a caller, with everything that a policy may ask about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subject {
    /// What sort of caller this is.
    pub kind: SubjectKind,
    /// Who it is; `None` for an anonymous caller, or one that was stated without an id.
    pub id: Option<SubjectId>,
    /// The OAuth client (application) that the caller uses.
    pub client: Option<Box<str>>,
    /// The tenants that the caller belongs to.
    pub tenants: Vec<Box<str>>,
    /// The roles that were claimed for the caller; unknown ones are ignored by the policy.
    pub roles: Vec<Assignment>,
    /// The groups that were claimed for the caller.
    pub groups: Vec<Box<str>>,
    /// Rows that were claimed directly: together they are one role without a name.
    pub permissions: Vec<Box<str>>,
    /// All claims, for conditions.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// Approvals that stand in for the store's: names of gates (`--as` and case files only).
    pub approved: Vec<Box<str>>,
    /// How the caller proved itself.
    pub proof: Proof,
}

impl Subject {
    /// A caller without any credential.
    pub fn anonymous() -> Self {
        Self::default()
    }
}

/// SubjectKind: what sort of caller a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// Nobody proved anything.
    #[default]
    Anonymous,
    /// A person.
    User,
    /// A service app: an application acting for itself.
    Service,
}

impl SubjectKind {
    /// The word that audit records and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User => "user",
            Self::Service => "service",
        }
    }
}

/// SubjectId: a name and the source that vouches for it, so that one issuer cannot speak for another one's users.
///
/// The name of a caller that is known by its client only (a token without a user) begins with
/// [`SubjectId::CLIENT_PREFIX`]; identity refuses user ids that begin so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId {
    /// The issuer, key file or certificate authority, by its name in the settings; empty where it was stated.
    pub source: Box<str>,
    /// The name within that source, compared byte for byte.
    pub name: Box<str>,
}

impl SubjectId {
    /// What the name of a client-only caller begins with: its own name space beside the users'.
    pub const CLIENT_PREFIX: &'static str = "client:";

    /// The id that `written` spells: `source/name`, or a bare name.
    pub fn parse(json: &str) -> Self {
        match json.split_once('/') {
            Some((source, name)) => Self { source: source.into(), name: name.into() },
            None => Self { source: "".into(), name: json.into() },
        }
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_empty() { out.write_str(&self.name) } else { write!(out, "{}/{}", self.source, self.name) }
    }
}

/// Assignment: a role, and the scope that it was given in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment {
    /// The role's name as claimed; unknown names are ignored.
    pub role: Box<str>,
    /// For each bound scope name the values that fit; empty: everywhere.
    pub scope: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Assignment {
    /// The role everywhere.
    pub fn unbound(role: &str) -> Self {
        Self { role: role.into(), scope: Vec::new() }
    }
}

/// Proof: how a caller proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Proof {
    /// Not at all.
    #[default]
    None,
    /// A JSON Web Token.
    Token,
    /// An API key, in a header or as HTTP Basic.
    ApiKey,
    /// A client certificate.
    Certificate,
    /// It was written down (`--as`, case files).
    Stated,
}

impl Proof {
    /// The word that audit records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token => "token",
            Self::ApiKey => "api-key",
            Self::Certificate => "certificate",
            Self::Stated => "stated",
        }
    }
}

/// The subject as JSON: the same spelling in `--as`, in `decide` and in case files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectJson {
    kind: Option<SubjectKind>,
    id: Option<String>,
    client: Option<Box<str>>,
    tenant: Option<Box<str>>,
    #[serde(default)]
    tenants: Vec<Box<str>>,
    #[serde(default)]
    roles: Vec<RoleJson>,
    group: Option<Box<str>>,
    #[serde(default)]
    groups: Vec<Box<str>>,
    #[serde(default)]
    permissions: Vec<Box<str>>,
    #[serde(default)]
    claims: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    approved: Vec<Box<str>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a role is a name, or `{ name: { scope: value or list } }`")]
enum RoleJson {
    Name(Box<str>),
    Bound(std::collections::BTreeMap<Box<str>, std::collections::BTreeMap<Box<str>, ScopeValuesJson>>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a role's scope is a value or a list of values")]
enum ScopeValuesJson {
    One(Box<str>),
    Any(Vec<Box<str>>),
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let json = SubjectJson::deserialize(deserializer)?;
        if json.tenant.is_some() && !json.tenants.is_empty() {
            return Err(D::Error::custom("`tenant` and `tenants` both stand there: write one of them"));
        }
        if json.group.is_some() && !json.groups.is_empty() {
            return Err(D::Error::custom("`group` and `groups` both stand there: write one of them"));
        }
        let mut roles = Vec::new();
        for role in json.roles {
            match role {
                RoleJson::Name(name) => roles.push(Assignment { role: name, scope: Vec::new() }),
                RoleJson::Bound(bound) => {
                    for (role, scope) in bound {
                        let scope = scope
                            .into_iter()
                            .map(|(name, values)| match values {
                                ScopeValuesJson::One(value) => (name, vec![value]),
                                ScopeValuesJson::Any(values) => (name, values),
                            })
                            .collect();
                        roles.push(Assignment { role, scope });
                    }
                }
            }
        }
        let kind = json.kind.unwrap_or(SubjectKind::User);
        Ok(Self {
            kind,
            id: json.id.as_deref().map(SubjectId::parse),
            client: json.client,
            tenants: json.tenant.into_iter().chain(json.tenants).collect(),
            roles,
            groups: json.group.into_iter().chain(json.groups).collect(),
            permissions: json.permissions,
            claims: json.claims,
            approved: json.approved,
            proof: if kind == SubjectKind::Anonymous { Proof::None } else { Proof::Stated },
        })
    }
}

#[cfg(test)]
mod tests;
