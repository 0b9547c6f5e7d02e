//! RequestFacts: the attributes of a request that a condition may read besides caller and scope.

/// RequestFacts: the attributes of a request that a condition may read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    /// The method, as received.
    pub method: &'a str,
    /// The canonical path.
    pub path: &'a str,
    /// The client's address as the gateway determined it; `None` in a query from the command line.
    pub address: Option<core::net::IpAddr>,
}
