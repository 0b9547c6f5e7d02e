//! TransferRate: whether a client sends a body, or takes a response, fast enough.

use std::time::Duration;

/// TransferRate: the bytes of one direction, measured over windows of the time spent waiting for the client.
#[derive(Debug, Default)]
pub(super) struct TransferRate {
    time: Duration,
    bytes: u64,
}

/// MinimumRate: the required bytes a second, and the length of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinimumRate {
    pub(super) bytes: u64,
    pub(super) window: Duration,
}

impl TransferRate {
    /// A rate whose first window begins at this time and byte count.
    pub(super) fn from(time: Duration, bytes: u64) -> Self {
        Self { time, bytes }
    }

    /// Whether a window ends now that had too few bytes; both arguments count from the beginning.
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
