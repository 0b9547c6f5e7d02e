//! Issuer: a trusted source of tokens, how its claims are read and what its tokens may claim.

/// Issuer: one source of tokens, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// Its name in the settings, which is the first half of every id that it authenticates.
    pub name: Box<str>,
    /// The exact value of `iss` (RFC 7519, section 4.1.1).
    pub iss: Box<str>,
    /// The accepted audiences; a token must name one of them in `aud`. Never empty.
    pub audiences: Vec<Box<str>>,
    /// The claims that hold each part of a subject.
    pub claims: ClaimPaths,
    /// The rule that identifies tokens of service apps.
    pub service: ServiceRule,
    /// The limits on what its tokens may claim.
    pub claim_limits: ClaimLimits,
    /// The clock difference, in seconds, that `exp` and `nbf` tolerate; at most 30.
    pub leeway: u64,
    /// The longest time, in seconds, from now to a token's `exp`.
    pub max_lifetime: u64,
    /// The longest token, in bytes.
    pub max_length: usize,
}

/// ClaimPath: the member names on the path to a claim, outermost first (`realm_access`, `roles`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(pub Box<[Box<str>]>);

impl ClaimPath {
    /// Splits a dotted text such as `realm_access.roles` into a path.
    pub fn from_dotted(text: &str) -> Self {
        Self(text.split('.').map(Into::into).collect())
    }
}

/// ClaimPaths: the claims that hold each part of a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimPaths {
    /// The user's id; `sub` unless configured.
    pub id: ClaimPath,
    /// The id of a token without a user, in the namespace of clients; `client_id` unless configured.
    pub client_only: ClaimPath,
    /// The OAuth client; the first path with a string is used (`client_id`, then `azp`).
    pub client: Vec<ClaimPath>,
    /// The tenants: a string, a list of strings, or a string of names separated by spaces where `split` is set.
    pub tenants: Option<ClaimPath>,
    /// The roles, in the same forms as `tenants`.
    pub roles: Option<ClaimPath>,
    /// The groups, in the same forms as `tenants`.
    pub groups: Option<ClaimPath>,
    /// The permissions, in the same forms as `tenants`.
    pub permissions: Option<ClaimPath>,
    /// Whether a string claim holds several names separated by spaces (as `scope` of RFC 8693).
    pub split: bool,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self {
            id: ClaimPath::from_dotted("sub"),
            client_only: ClaimPath::from_dotted("client_id"),
            client: vec![ClaimPath::from_dotted("client_id"), ClaimPath::from_dotted("azp")],
            tenants: None,
            roles: None,
            groups: None,
            permissions: None,
            split: false,
        }
    }
}

/// ServiceRule: which tokens belong to service apps. One match is enough; an empty rule matches no token.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceRule {
    /// A claim that is or lists one of these strings.
    pub claim: Option<(ClaimPath, Vec<Box<str>>)>,
    /// The OAuth clients that are service apps.
    pub clients: Vec<Box<str>>,
}

/// ClaimLimits: the limits on what an issuer's tokens may claim. `None` is no limit; claims beyond a limit are ignored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClaimLimits {
    /// The roles that its tokens may claim; where they are limited, its tokens claim no rows directly.
    pub roles: Option<Vec<Box<str>>>,
    /// The tenants that its tokens may claim.
    pub tenants: Option<Vec<Box<str>>>,
    /// Whether tokens of users are refused.
    pub users_refused: bool,
    /// Whether tokens of service apps are refused.
    pub services_refused: bool,
}
