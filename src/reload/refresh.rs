//! RefreshResult: the result of checking files that may have changed.

/// RefreshResult: the result of checking the files of keys or authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshResult {
    /// The files have not changed since the last check.
    Unchanged,
    /// The new content is live.
    Published,
    /// The new content was refused, and the old version stays live.
    Refused,
}
