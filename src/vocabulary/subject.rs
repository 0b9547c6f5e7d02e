//! Subject: the caller, as the identity layer authenticated it or as `--as` and case files describe it.

use std::fmt;

use serde::Deserialize;

/// Subject: a caller with every attribute that a policy may use.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subject {
    /// The kind of caller.
    pub kind: SubjectKind,
    /// The caller's id; `None` for an anonymous caller, or one that `--as` describes without an id.
    pub id: Option<SubjectId>,
    /// The OAuth client (application) that the caller uses.
    pub client: Option<Box<str>>,
    /// The tenants that the caller belongs to.
    pub tenants: Vec<Box<str>>,
    /// The roles that the credential claims; the policy ignores unknown ones.
    pub roles: Vec<Assignment>,
    /// The groups that the credential claims.
    pub groups: Vec<Box<str>>,
    /// The rows that the credential claims directly; together they count as one unnamed role.
    pub permissions: Vec<Box<str>>,
    /// All claims, for conditions.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// Names of gates whose approval is assumed without the store (`--as` and case files only).
    pub approved: Vec<Box<str>>,
    /// How the caller authenticated.
    pub proof: Proof,
}

impl Subject {
    /// A caller without a credential.
    pub fn anonymous() -> Self {
        Self::default()
    }
}

/// SubjectKind: the kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// A caller that did not authenticate.
    #[default]
    Anonymous,
    /// A person.
    User,
    /// A service app: an application acting for itself.
    Service,
}

impl SubjectKind {
    /// The label that audit records and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User => "user",
            Self::Service => "service",
        }
    }
}

/// SubjectId: a name and the source that asserts it, so that one issuer cannot assert another issuer's users.
///
/// A token without a user identifies its caller by the client only; that name begins with
/// [`SubjectId::CLIENT_PREFIX`]. The identity layer refuses user ids with this prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId {
    /// The issuer, key file or certificate authority, by its name in the settings; empty if `--as` gives none.
    pub source: Box<str>,
    /// The name within that source, compared byte for byte.
    pub name: Box<str>,
}

impl SubjectId {
    /// The prefix of names of client-only callers, which separates them from users.
    pub const CLIENT_PREFIX: &'static str = "client:";

    /// Parses `source/name`, or a bare name.
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

/// Assignment: a role and the scope in which it is assigned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assignment {
    /// The role's name as claimed; the policy ignores unknown names.
    pub role: Box<str>,
    /// The accepted values of each bound scope name; empty: every scope.
    pub scope: Vec<(Box<str>, Vec<Box<str>>)>,
}

impl Assignment {
    /// The role in every scope.
    pub fn unbound(role: &str) -> Self {
        Self { role: role.into(), scope: Vec::new() }
    }
}

/// Proof: how a caller authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Proof {
    /// The caller did not authenticate.
    #[default]
    None,
    /// A JSON Web Token.
    Token,
    /// An API key, in a header or as HTTP Basic.
    ApiKey,
    /// A client certificate.
    Certificate,
    /// No credential: `--as` or a case file describes the caller.
    Stated,
}

impl Proof {
    /// The label that audit records use.
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

/// SubjectJson: the JSON form of a subject in `--as`, in `decide` and in case files.
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
            return Err(D::Error::custom("`tenant` and `tenants` are both present: write one of them"));
        }
        if json.group.is_some() && !json.groups.is_empty() {
            return Err(D::Error::custom("`group` and `groups` are both present: write one of them"));
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
