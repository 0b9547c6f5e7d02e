//! AuditMode: whether a decision may take effect before its audit record is on disk.

/// AuditMode: whether a decision may take effect before its audit record is on disk; stricter modes order higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditMode {
    /// The decision may take effect before its record is on disk.
    Fast,
    /// The record is on disk before the request is forwarded or refused.
    Lossless,
}

impl AuditMode {
    /// The keywords of policies and settings.
    pub const KEYWORDS: [(&'static str, Self); 2] = [("fast", Self::Fast), ("lossless", Self::Lossless)];

    /// The keyword of this mode.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Lossless => "lossless",
        }
    }
}
