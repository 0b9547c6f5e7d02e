//! Transfer: what was sent in both directions, when the upstream answered, and what failed.

use std::time::{Duration, Instant};

/// Transfer: the counters of one exchange, for its audit record and the metrics.
#[derive(Debug, Default)]
pub struct Transfer {
    received: u64,
    sent: u64,
    status: Option<u16>,
    upstream_began: Option<Instant>,
    upstream_took: Option<Duration>,
    upstream_status: Option<u16>,
    failure: Option<&'static str>,
}

impl Transfer {
    /// Counts bytes of the request's body, and returns all of them.
    pub fn receive(&mut self, bytes: usize) -> u64 {
        self.received = self.received.saturating_add(count(bytes));
        self.received
    }

    /// Counts bytes of the response's body.
    pub fn send(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(count(bytes));
    }

    /// Counts the body of the gateway's own answer, in place of what was counted before.
    pub fn send_own(&mut self, bytes: usize) {
        self.sent = count(bytes);
    }

    /// Begins to measure the upstream's time.
    pub fn begin_upstream(&mut self) {
        self.upstream_began = Some(Instant::now());
    }

    /// Notes the header of the upstream's response.
    pub fn receive_response(&mut self, status: u16) {
        self.upstream_took = self.upstream_began.map(|began| began.elapsed());
        self.upstream_status = Some(status);
    }

    /// Notes a failure, in place of an earlier one.
    pub fn fail(&mut self, code: &'static str) {
        self.failure = Some(code);
    }

    /// Notes a failure where there is none yet.
    pub fn fail_first(&mut self, code: &'static str) {
        self.failure = self.failure.or(Some(code));
    }

    /// Notes the status that the client saw; `None` where the connection ended before.
    pub fn set_status(&mut self, status: Option<u16>) {
        self.status = status;
    }

    /// Bytes of the request's body.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of the response's body.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The status that the client saw.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The status of the upstream's response.
    pub fn upstream_status(&self) -> Option<u16> {
        self.upstream_status
    }

    /// The time from the choice of the upstream to its response's header.
    pub fn upstream_took(&self) -> Option<Duration> {
        self.upstream_took
    }

    /// The code of what failed after the decision.
    pub fn failure(&self) -> Option<&'static str> {
        self.failure
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
