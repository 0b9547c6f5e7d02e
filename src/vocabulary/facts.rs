//! RequestFacts: what a condition may know about a request beside its caller and scope.

/// RequestFacts: the request as a condition sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    /// The method, as it was sent.
    pub method: &'a str,
    /// The canonical path.
    pub path: &'a str,
    /// The client's address, as the gateway believes it; `None` where a question was only stated.
    pub address: Option<core::net::IpAddr>,
}
