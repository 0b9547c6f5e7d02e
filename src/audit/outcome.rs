//! Outcome: one request from its first byte to its last, as metrics and audit see it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use crate::vocabulary::Subject;

/// Outcome: what was asked, what was decided and what became of it; borrowed from the exchange.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// The decision's id, also in the response.
    pub id: DecisionId,
    /// When the request's header was complete.
    pub time: SystemTime,
    /// The API's name in the settings; `None` where no API claims the request.
    pub api: Option<&'a str>,
    /// The name and hash of the policy that decided; `None` where there was none.
    pub policy: Option<(&'a str, &'a str)>,
    /// The socket's other end.
    pub peer: Option<SocketAddr>,
    /// The client's address, believed from a trusted forwarder or the socket's other end.
    pub client_address: Option<IpAddr>,
    /// Who asked; `None` where the credentials were not valid.
    pub subject: Option<&'a Subject>,
    /// The method as received (bounded by the reader: a token of at most 32 letters), empty where it was unreadable.
    pub method: &'a str,
    /// The route's template.
    pub route: Option<&'a str>,
    /// The canonical path that was decided and forwarded.
    pub path: Option<&'a str>,
    /// The operation and the resource of the cell that the decision turned on.
    pub cell: Option<(&'a str, &'a str)>,
    /// Scope names and the request's values.
    pub scope: &'a [(&'a str, &'a str)],
    /// Whether it was forwarded.
    pub verdict: Verdict,
    /// The reason's stable code: `granted`, `not-granted`, `gate:app-connection`, …
    pub reason: &'a str,
    /// More about a refusal for the log, never for the caller: `token-expired`, `dot-segment`, …
    pub detail: Option<&'a str>,
    /// The row that granted it.
    pub granted_by: Option<&'a str>,
    /// The status that the client saw; `None` where the connection ended first.
    pub status: Option<u16>,
    /// The upstream's status.
    pub upstream_status: Option<u16>,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the response's body.
    pub sent: u64,
    /// From the complete header to the last byte.
    pub duration: Duration,
    /// Time that reading, identifying and deciding took.
    pub decision: Duration,
    /// From choosing the upstream to its response's header.
    pub upstream: Option<Duration>,
    /// What went wrong after the decision: `upstream-connect`, `upstream-timeout`, `client-gone`, …
    pub failure: Option<&'a str>,
}

/// Verdict: what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was forwarded.
    Permit,
    /// It was answered by the gateway.
    Refuse,
    /// It was forwarded though it would be refused: the policy is in shadow mode.
    Shadow,
    /// A CORS preflight was answered by the gateway; nothing was decided.
    Preflight,
}

impl Verdict {
    /// The word that audit records and metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Refuse => "refuse",
            Self::Shadow => "shadow",
            Self::Preflight => "preflight",
        }
    }
}

/// DecisionId: sixteen bytes that name one decision, printed as 32 hexadecimal digits.
///
/// The first eight bytes tell the process, random at its start; the last eight count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecisionId(pub u128);

impl std::fmt::Display for DecisionId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}
