//! RefreshResult: what comes of looking at files that may have changed.

/// RefreshResult: what came of looking at the files of keys or authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshResult {
    /// They are what they were at the last look.
    Unchanged,
    /// They are live now.
    Published,
    /// They are refused, and what was live still is.
    Refused,
}
