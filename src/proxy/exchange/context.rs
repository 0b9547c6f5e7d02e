//! ProxyContext: what Pingora carries from phase to phase of one exchange.

use crate::guard::Exchange;

use super::form::OverrideScanner;
use super::rate::TransferRate;

/// ProxyContext: the exchange of the guard, and what the proxy keeps of the bytes that flow.
pub struct ProxyContext {
    /// The exchange, which the guard judges and records.
    pub(super) exchange: Exchange,
    /// Looks for a method override in a body that streams to the upstream.
    pub(super) scanner: Option<OverrideScanner>,
    /// The rate at which the client sends the body.
    pub(super) request_rate: TransferRate,
    /// The rate at which the client takes the response, from its first byte on.
    pub(super) response_rate: Option<TransferRate>,
}

impl ProxyContext {
    pub(super) fn new(exchange: Exchange) -> Self {
        Self { exchange, scanner: None, request_rate: TransferRate::default(), response_rate: None }
    }
}
