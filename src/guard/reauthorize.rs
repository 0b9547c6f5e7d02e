//! Re-authorization: a long exchange is checked while it lasts, and ends when it is no longer permitted.

use std::time::Duration;

use super::Guard;
use super::exchange::Exchange;
use super::stream::{Deadline, StreamAuthorization, StreamEnd};

/// The age from which an exchange is a stream: it ends with its token, and when a new policy refuses it.
const STREAM: Duration = Duration::from_secs(5);

impl Guard {
    /// Sets the deadline of a permitted exchange.
    pub fn set_deadline(&self, exchange: &mut Exchange) -> Deadline {
        let total = exchange.judgement().api().and_then(|api| api.total);
        let deadline = Deadline::new(exchange.started(), self.limits.stream_age, total);
        exchange.set_deadline(deadline);
        deadline
    }

    /// Returns the authorization of an exchange, to be checked while nothing flows; `None` where nothing was decided.
    pub fn authorize_stream(&self, exchange: &Exchange) -> Option<StreamAuthorization> {
        StreamAuthorization::new(exchange.judgement(), exchange.client(), exchange.deadline(), &self.approvals)
    }

    /// Checks whether an exchange may continue: its deadline, and from a certain age on its authorization.
    ///
    /// # Errors
    /// The exchange must end.
    pub fn check_stream(&self, exchange: &mut Exchange) -> Result<(), StreamEnd> {
        let is_stream = exchange.is_websocket() || exchange.started().elapsed() >= STREAM;
        if !is_stream {
            return exchange.deadline().check();
        }
        if exchange.stream().is_none() {
            let authorization = self.authorize_stream(exchange);
            exchange.set_stream(authorization);
        }
        exchange.stream().as_mut().map_or(Err(StreamEnd::Unauthorized), StreamAuthorization::check)
    }
}
