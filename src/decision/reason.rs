//! Reason: every reason for a permit or a refusal, each with a stable code.

use crate::identity::IdentityError;
use crate::policy::Snapshot;
use crate::request::RejectedRequest;

/// Reason: why a request was permitted or refused.
///
/// The code is the audit field, the metric label, the problem type and what `explain` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Permitted: a usable row grants every needed cell.
    Granted,
    /// Permitted: the route is public.
    Public,
    /// Permitted: a service app under `service-apps: all`.
    ServiceApp,
    /// The request is malformed or ambiguous.
    BadRequest(RejectedRequest),
    /// The request has no credential, or an invalid one.
    Unauthenticated(Option<IdentityError>),
    /// The issuer's keys are not available, so no caller can be identified.
    KeysUnavailable,
    /// No policy is loaded.
    NoPolicy,
    /// The request belongs to no API.
    NoApi,
    /// No route covers the path.
    NoRoute,
    /// The route does not list the method.
    NoMethod,
    /// The policy closes the route to every caller.
    Nobody,
    /// A condition does not hold: that of the route, or of the assignment that would give the cell.
    Condition,
    /// The tenant of the request is not one of the caller's.
    NotAMember,
    /// The policy has groups, and the caller is not in exactly one of them.
    NoGroup,
    /// The policy requires `one-role`, and the caller does not have exactly one role.
    NotOneRole,
    /// No row gives the caller the cell.
    NotGranted,
    /// The cell is given, but only in another scope.
    OutOfScope,
    /// The cell is given, and `without` takes it away.
    TakenAway,
    /// The caller holds the row, but the gate at this position in the policy is closed.
    Gate(u8),
    /// The response has a media type that the caller may not read.
    WrongType,
    /// The response has fields that must be masked, which this version does not support.
    CannotMask,
    /// The route does not say `websocket: true`.
    NoUpgrade,
    /// Too many credentials from this address were invalid.
    TooManyFailures,
    /// The decision must be durable in the audit log before it takes effect, and cannot be written.
    AuditUnavailable,
}

impl Reason {
    /// The code of each reason, its status code and one sentence; the README's table.
    pub const TABLE: [(&'static str, u16, &'static str); 24] = [
        ("granted", 200, "permitted: the caller holds rows for everything the route needs"),
        ("public", 200, "permitted: the route is public"),
        ("service-app", 200, "permitted: a service app with full grants"),
        ("bad-request", 400, "the request is malformed, or servers would read it differently"),
        ("unauthenticated", 401, "no credential, or an invalid one"),
        ("keys-unavailable", 503, "the issuer's keys are not available"),
        ("no-policy", 503, "no policy is loaded"),
        ("no-api", 404, "the request belongs to no API of the gateway"),
        ("no-route", 404, "no route of the policy covers the path"),
        ("no-method", 405, "the route does not list the method"),
        ("nobody", 403, "the policy closes the route to every caller"),
        ("condition", 403, "a condition of the route, or of the role's assignment, does not hold"),
        ("not-a-member", 403, "the tenant in the path is not one of the caller's"),
        ("no-group", 403, "the caller is not in exactly one of the policy's groups"),
        ("not-one-role", 403, "the caller does not have exactly one role"),
        ("not-granted", 403, "no permission gives the caller what the route needs"),
        ("out-of-scope", 403, "the caller has the permission only in another scope"),
        ("taken-away", 403, "the policy takes the permission away from the caller"),
        ("gate", 403, "a gate is closed; the code names it after the colon"),
        ("wrong-type", 403, "the response has a media type that the caller may not read"),
        ("cannot-mask", 403, "the response must be masked for the caller, which this version does not support"),
        ("no-upgrade", 403, "the route does not open WebSockets"),
        ("too-many-failures", 429, "too many invalid credentials came from this address"),
        (
            "audit-unavailable",
            503,
            "the decision must be written to the audit log before it takes effect, and cannot be",
        ),
    ];

    /// The stable code, without the name of a gate.
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

    /// The status code of the response for a refusal (security.md's table; RFC 9110, section 15).
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest(rejected) => rejected.status(),
            other => Self::TABLE.iter().find(|(code, ..)| *code == other.code()).map_or(403, |(_, status, _)| *status),
        }
    }

    /// The detail code, which only the log contains.
    pub fn detail(self) -> Option<&'static str> {
        match self {
            Self::BadRequest(rejected) => Some(rejected.code()),
            Self::Unauthenticated(Some(error)) => Some(error.code()),
            Self::Unauthenticated(None) => Some("no-credential"),
            _ => None,
        }
    }

    /// Whether the request is permitted.
    pub fn is_permit(self) -> bool {
        matches!(self, Self::Granted | Self::Public | Self::ServiceApp)
    }

    /// The one of two reasons about the same cell that is closer to a permit.
    pub(super) fn closest_to_permit(self, other: Self) -> Self {
        let rank = |reason: Self| match reason {
            Self::NotGranted => 0,
            Self::OutOfScope => 1,
            Self::Condition => 2,
            Self::TakenAway => 3,
            Self::Gate(_) => 4,
            _ => 5,
        };
        match (self, other) {
            // The first closed gate in the policy counts.
            (Self::Gate(one), Self::Gate(two)) => Self::Gate(one.min(two)),
            _ if rank(other) > rank(self) => other,
            _ => self,
        }
    }
}
