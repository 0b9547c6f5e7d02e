//! Timestamp: a moment as the edge hands it to the pure layers, which have no clock.

/// Timestamp: whole seconds since 1970-01-01T00:00:00Z (the `NumericDate` of RFC 7519, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment `seconds` later; the end of time where that would overflow.
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The moment `seconds` earlier; 1970 where that would underflow.
    pub fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}
