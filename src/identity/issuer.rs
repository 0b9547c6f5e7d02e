//! Issuer: whose tokens are believed, for what, and how its claims are read.

/// Issuer: one source of tokens, as the settings describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// Its name in the settings; the first half of every id it vouches for.
    pub name: Box<str>,
    /// The exact value of `iss` (RFC 7519, section 4.1.1).
    pub iss: Box<str>,
    /// A token must name one of these in `aud`; never empty.
    pub audiences: Vec<Box<str>>,
    /// Where in the claims each part of a subject stands.
    pub claims: ClaimPaths,
    /// Which of its tokens belong to service apps.
    pub service: ServiceRule,
    /// What its tokens may claim at most.
    pub may_claim: ClaimLimits,
    /// Seconds by which `exp` and `nbf` may be missed; at most 30.
    pub leeway: u64,
    /// The longest lifetime, in seconds, that a token may have from now to `exp`.
    pub max_lifetime: u64,
    /// The longest token, in bytes.
    pub max_length: usize,
}

/// ClaimPath: the names that lead to a claim, outermost first (`realm_access`, `roles`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(pub Box<[Box<str>]>);

impl ClaimPath {
    /// The path that a dotted text spells: `realm_access.roles`.
    pub fn dotted(text: &str) -> Self {
        Self(text.split('.').map(Into::into).collect())
    }
}

/// ClaimPaths: where in the claims each part of a subject stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimPaths {
    /// The user's id; `sub` unless configured.
    pub id: ClaimPath,
    /// The id of a token without a user, in the name space of clients; `client_id` unless configured.
    pub client_only: ClaimPath,
    /// The OAuth client; the first path that leads to a text counts (`client_id`, then `azp`).
    pub client: Vec<ClaimPath>,
    /// Text, list of texts, or text with blanks between names where `split` is set.
    pub tenants: Option<ClaimPath>,
    /// As `tenants`.
    pub roles: Option<ClaimPath>,
    /// As `tenants`.
    pub groups: Option<ClaimPath>,
    /// As `tenants`.
    pub permissions: Option<ClaimPath>,
    /// Whether a text in a list claim is several names with blanks between them (as `scope` of RFC 8693).
    pub split: bool,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self {
            id: ClaimPath::dotted("sub"),
            client_only: ClaimPath::dotted("client_id"),
            client: vec![ClaimPath::dotted("client_id"), ClaimPath::dotted("azp")],
            tenants: None,
            roles: None,
            groups: None,
            permissions: None,
            split: false,
        }
    }
}

/// ServiceRule: which tokens belong to service apps; one match is enough, nothing configured matches nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceRule {
    /// A claim that holds, or lists, one of these texts.
    pub claim: Option<(ClaimPath, Vec<Box<str>>)>,
    /// OAuth clients that are service apps.
    pub clients: Vec<Box<str>>,
}

/// ClaimLimits: what an issuer's tokens may claim at most; `None` is no limit, what exceeds it is ignored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClaimLimits {
    /// The roles it may hand out; where they are limited it hands out no rows directly.
    pub roles: Option<Vec<Box<str>>>,
    /// The tenants it may place callers in.
    pub tenants: Option<Vec<Box<str>>>,
    /// Whether its tokens may be users.
    pub users_refused: bool,
    /// Whether its tokens may be service apps.
    pub services_refused: bool,
}
