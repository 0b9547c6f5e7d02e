//! Reason: every way to be permitted or refused, each with a stable code.

use crate::identity::IdentityError;
use crate::policy::Snapshot;
use crate::request::RejectedRequest;

/// Reason: why it was decided so. The code is the audit field, the metric label, the problem type and the word that
/// `explain` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Permitted: every needed cell is in some usable row.
    Granted,
    /// Permitted: the route is public.
    Public,
    /// Permitted: a service app under `service-apps: all`.
    ServiceApp,
    /// The request cannot be read, or not in one way only.
    BadRequest(RejectedRequest),
    /// No credential, or one that is not valid.
    Unauthenticated(Option<IdentityError>),
    /// The issuer's keys are not to be had: nobody can be identified now.
    KeysUnavailable,
    /// No policy is loaded.
    NoPolicy,
    /// No API claims the request.
    NoApi,
    /// No route covers the path.
    NoRoute,
    /// The route does not list the method.
    NoMethod,
    /// The route is closed to everybody.
    Nobody,
    /// A condition does not hold: the route's, or that of the assignment which would give the cell.
    Condition,
    /// The path's tenant is not one of the caller's.
    NotAMember,
    /// The policy has groups, and the caller is not in exactly one of them.
    NoGroup,
    /// Under `one-role`, the caller has not exactly one role.
    NotOneRole,
    /// Nothing gives the caller the cell.
    NotGranted,
    /// The cell is given, but in another scope.
    OutOfScope,
    /// The cell was given and taken away again.
    TakenAway,
    /// The row is held, but the gate with this place in the file is closed.
    Gate(u8),
    /// The answer is of a media type that the caller may not read.
    WrongType,
    /// The answer holds fields that must be masked, which this version does not do.
    CannotMask,
    /// The route does not say `websocket: true`.
    NoUpgrade,
    /// Too many credentials from this address were not valid.
    TooManyFailures,
    /// The decision must be on disk before anybody sees it, and cannot be written.
    AuditUnavailable,
}

impl Reason {
    /// The codes of all reasons with the status that callers see and one sentence; the README's table.
    pub const TABLE: [(&'static str, u16, &'static str); 24] = [
        ("granted", 200, "permitted: the caller holds rows for everything the route needs"),
        ("public", 200, "permitted: the route is public"),
        ("service-app", 200, "permitted: a service app with full grants"),
        ("bad-request", 400, "the request cannot be read, or servers would read it differently"),
        ("unauthenticated", 401, "no credential, or one that is not valid"),
        ("keys-unavailable", 503, "the issuer's keys cannot be had now"),
        ("no-policy", 503, "no policy is loaded"),
        ("no-api", 404, "no API of the gateway claims the request"),
        ("no-route", 404, "no route of the policy covers the path"),
        ("no-method", 405, "the route does not list the method"),
        ("nobody", 403, "the policy closes the route to everybody"),
        ("condition", 403, "a condition of the route, or of the role's assignment, does not hold"),
        ("not-a-member", 403, "the tenant in the path is not one of the caller's"),
        ("no-group", 403, "the caller is not in exactly one of the policy's groups"),
        ("not-one-role", 403, "the caller has not exactly one role"),
        ("not-granted", 403, "nothing gives the caller what the route needs"),
        ("out-of-scope", 403, "the caller has it in another scope only"),
        ("taken-away", 403, "the policy takes it away from the caller"),
        ("gate", 403, "a gate is closed; the code names it behind the colon"),
        ("wrong-type", 403, "the answer is of a media type that the caller may not read"),
        ("cannot-mask", 403, "the answer must be masked for the caller, which this version does not do"),
        ("no-upgrade", 403, "the route does not open WebSockets"),
        ("too-many-failures", 429, "too many invalid credentials came from this address"),
        ("audit-unavailable", 503, "the decision must be kept before anybody sees it, and cannot be now"),
    ];

    /// The stable code, without a gate's name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Public => "public",
            Self::ServiceApp => "service-app",
            Self::BadRequest(_) => "bad-request",
            Self::Unauthenticated(_) => "unauthenticated",
            Self::KeysUnavailable => "keys-unavailable",
            Self::NoPolicy => "no-policy",
            Self::NoApi => "no-api",
            Self::NoRoute => "no-route",
            Self::NoMethod => "no-method",
            Self::Nobody => "nobody",
            Self::Condition => "condition",
            Self::NotAMember => "not-a-member",
            Self::NoGroup => "no-group",
            Self::NotOneRole => "not-one-role",
            Self::NotGranted => "not-granted",
            Self::OutOfScope => "out-of-scope",
            Self::TakenAway => "taken-away",
            Self::Gate(_) => "gate",
            Self::WrongType => "wrong-type",
            Self::CannotMask => "cannot-mask",
            Self::NoUpgrade => "no-upgrade",
            Self::TooManyFailures => "too-many-failures",
            Self::AuditUnavailable => "audit-unavailable",
        }
    }

    /// The full code: `gate:app-connection` where a gate of `policy` is closed.
    pub fn full_code(self, policy: Option<&Snapshot>) -> &str {
        match (self, policy) {
            (Self::Gate(at), Some(policy)) => policy.gate_code(usize::from(at)).unwrap_or(self.code()),
            _ => self.code(),
        }
    }

    /// What the reason means, in half a sentence.
    pub fn sentence(self) -> &'static str {
        Self::TABLE.iter().find(|(code, ..)| *code == self.code()).map_or("", |(_, _, sentence)| sentence)
    }

    /// The status that the caller sees of a refusal (security.md's table; RFC 9110, section 15).
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest(rejected) => rejected.status(),
            other => Self::TABLE.iter().find(|(code, ..)| *code == other.code()).map_or(403, |(_, status, _)| *status),
        }
    }

    /// What only the log is told.
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::BadRequest(rejected) => Some(rejected.code()),
            Self::Unauthenticated(Some(error)) => Some(error.code()),
            Self::Unauthenticated(None) => Some("no-credential"),
            _ => None,
        }
    }

    /// Whether it forwards.
    pub fn is_permit(self) -> bool {
        matches!(self, Self::Granted | Self::Public | Self::ServiceApp)
    }

    /// The one of two reasons about the same cell that came further.
    pub(super) fn further(self, other: Self) -> Self {
        let rank = |reason: Self| match reason {
            Self::NotGranted => 0,
            Self::OutOfScope => 1,
            Self::Condition => 2,
            Self::TakenAway => 3,
            Self::Gate(_) => 4,
            _ => 5,
        };
        match (self, other) {
            // The first closed gate in the file counts.
            (Self::Gate(one), Self::Gate(two)) => Self::Gate(one.min(two)),
            _ if rank(other) > rank(self) => other,
            _ => self,
        }
    }
}
