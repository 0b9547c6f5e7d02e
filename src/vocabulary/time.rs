//! Timestamp: the time that callers pass to the pure layers, which have no clock.

use std::fmt;

/// Timestamp: whole seconds since 1970-01-01T00:00:00Z (the `NumericDate` of RFC 7519, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Parses `2030-01-31T12:00:00Z`, or the same with another offset (RFC 3339, section 5.6).
    ///
    /// `None` if the text is no such timestamp, or lies before 1970.
    pub fn parse(input: &str) -> Option<Self> {
        let moment = chrono::DateTime::parse_from_rfc3339(input).ok()?;
        u64::try_from(moment.timestamp()).ok().map(Self)
    }

    /// The timestamp `seconds` later; the greatest one on overflow.
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The timestamp `seconds` earlier; 1970 on underflow.
    pub fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

impl fmt::Display for Timestamp {
    /// Writes the timestamp in UTC, as [`Timestamp::parse`] reads it; later than the year 9999 becomes its end.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
        let last = || chrono::DateTime::from_timestamp(253_402_300_799, 0).unwrap_or_default();
        let moment = moment.filter(|moment| *moment <= last()).unwrap_or_else(last);
        write!(out, "{}", moment.format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

#[cfg(test)]
mod tests;
