//! TransferRate: whether a client sends a body, or takes an answer, as fast as it has to.

use std::time::Duration;

/// TransferRate: the bytes of one direction, weighed over windows of the time in which the client was waited for.
#[derive(Debug, Default)]
pub(super) struct TransferRate {
    time: Duration,
    bytes: u64,
}

/// MinimumRate: how many bytes a second are enough, and over how long a time that is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinimumRate {
    pub(super) bytes: u64,
    pub(super) window: Duration,
}

impl TransferRate {
    /// A rate whose first window begins here.
    pub(super) fn from(time: Duration, bytes: u64) -> Self {
        Self { time, bytes }
    }

    /// Whether the window that ends now, if one does, had too few bytes; both counts are those since the beginning.
    pub(super) fn is_too_low(&mut self, least: MinimumRate, time: Duration, bytes: u64) -> bool {
        let (took, came) = (time.saturating_sub(self.time), bytes.saturating_sub(self.bytes));
        if took < least.window {
            return false;
        }
        *self = Self { time, bytes };
        u128::from(came) * 1000 < u128::from(least.bytes) * took.as_millis()
    }
}

#[cfg(test)]
mod tests;
