//! AuditMode: whether a decision may be seen before it is on disk.

/// AuditMode: whether a decision may be seen before it is on disk; the stricter one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditMode {
    /// It may.
    Fast,
    /// It is on disk before the request is forwarded or refused.
    Lossless,
}

impl AuditMode {
    /// The words that policies and settings use.
    pub const KEYWORDS: [(&'static str, Self); 2] = [("fast", Self::Fast), ("lossless", Self::Lossless)];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Lossless => "lossless",
        }
    }
}
