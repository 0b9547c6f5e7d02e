//! Outcome: one request from its first byte to its last, as metrics and audit record it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use crate::vocabulary::Subject;

/// Outcome: a request, its decision and its result, borrowed from the exchange.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// The decision's id, also in the response.
    pub id: DecisionId,
    /// When the request's header was complete.
    pub time: SystemTime,
    /// The API's name in the settings; `None` if no API claims the request.
    pub api: Option<&'a str>,
    /// The name and hash of the policy that decided; `None` if there was none.
    pub policy: Option<(&'a str, &'a str)>,
    /// The address of the peer's socket.
    pub peer: Option<SocketAddr>,
    /// The client's address: from a trusted forwarder, or else the peer's address.
    pub client_address: Option<IpAddr>,
    /// The subject of the request; `None` if the credentials were not valid.
    pub subject: Option<&'a Subject>,
    /// The method as received (the reader limits it to a token of 32 letters); empty if it was unreadable.
    pub method: &'a str,
    /// The route's template.
    pub route: Option<&'a str>,
    /// The canonical path that was decided and forwarded.
    pub path: Option<&'a str>,
    /// The operation and the resource of the cell that determined the decision.
    pub cell: Option<(&'a str, &'a str)>,
    /// Scope names and the request's values.
    pub scope: &'a [(&'a str, &'a str)],
    /// The verdict.
    pub verdict: Verdict,
    /// The reason's stable code: `granted`, `not-granted`, `gate:app-connection`, …
    pub reason: &'a str,
    /// A detail of a refusal for the log, never for the caller: `token-expired`, `dot-segment`, …
    pub detail: Option<&'a str>,
    /// The row that granted the request.
    pub granted_by: Option<&'a str>,
    /// The status that the client received; `None` if the connection ended first.
    pub status: Option<u16>,
    /// The upstream's status.
    pub upstream_status: Option<u16>,
    /// The length of the request's body in bytes.
    pub received: u64,
    /// The length of the response's body in bytes.
    pub sent: u64,
    /// The time from the complete header to the last byte.
    pub duration: Duration,
    /// The time for reading, identifying and deciding.
    pub decision: Duration,
    /// The time from choosing the upstream to its response's header.
    pub upstream: Option<Duration>,
    /// The failure after the decision: `upstream-connect`, `upstream-timeout`, `client-gone`, …
    pub failure: Option<&'a str>,
}

/// Verdict: the outcome of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The request was forwarded.
    Permit,
    /// The gateway refused the request.
    Refuse,
    /// The request was forwarded although it is refused, because the policy is in shadow mode.
    Shadow,
    /// The gateway answered a CORS preflight; there was no decision.
    Preflight,
}

impl Verdict {
    /// The name of the verdict in audit records and metrics.
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
/// The first eight bytes identify the process and are random at its start; the last eight are a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecisionId(pub u128);

impl std::fmt::Display for DecisionId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}
