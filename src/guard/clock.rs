//! The wall clock, as the pure layers take its time.

use std::time::SystemTime;

use crate::vocabulary::Timestamp;

/// The current time.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
