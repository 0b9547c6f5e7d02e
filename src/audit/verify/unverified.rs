//! UnverifiedBytes: bytes of an audit file that are not a line of the chain.

use super::fault::LineLocation;
use crate::audit::chain::{Hash, IncrementalHash};

/// UnverifiedBytes: consecutive bytes that are not a line of the chain; the next segment may report them as torn.
pub(super) struct UnverifiedBytes {
    pub(super) location: LineLocation,
    pub(super) length: u64,
    pub(super) last: u8,
    pub(super) lines: u64,
    hashing: IncrementalHash,
}

impl UnverifiedBytes {
    /// No bytes yet, at `location`.
    pub(super) fn new(location: LineLocation) -> Self {
        Self { location, length: 0, last: 0, lines: 0, hashing: IncrementalHash::default() }
    }

    /// Appends a line; its last byte is not hashed yet, because the reported hash may not include it.
    pub(super) fn add_line(&mut self, bytes: &[u8]) {
        self.lines += 1;
        let Some((last, rest)) = bytes.split_last() else { return };
        if self.length > 0 {
            self.hashing.update(&[self.last]);
        }
        self.hashing.update(rest);
        self.last = *last;
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }

    /// Whether these are the torn bytes that a segment reports by their number and hash.
    pub(super) fn is_reported_as(&self, torn: u64, sha256: Option<&str>) -> bool {
        let is_reported = |hash: Hash| sha256 == Some(hash.as_str());
        if self.length == torn {
            return is_reported(self.hash(true));
        }
        // The segment wrote the line feed after them.
        self.last == b'\n' && self.length.checked_sub(1) == Some(torn) && is_reported(self.hash(false))
    }

    fn hash(&self, with_last: bool) -> Hash {
        let mut hashing = self.hashing.clone();
        if with_last {
            hashing.update(&[self.last]);
        }
        hashing.finish()
    }
}
