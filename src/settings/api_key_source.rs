//! ApiKeySource: a trusted file of API keys, and the header or scheme that carries its keys.

use std::path::PathBuf;

use crate::identity::issuer::ClaimLimits;

/// ApiKeySource: a file of API keys as an identity source.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKeySource {
    /// The name, which is the first half of every id that it authenticates.
    pub name: Box<str>,
    /// The file; it is reloaded when it changes.
    pub file: PathBuf,
    /// The header that carries `id:secret`; `None` accepts no header.
    pub header: Option<Box<str>>,
    /// Whether HTTP Basic carries the keys.
    pub basic: bool,
    /// The limits on what its keys may claim.
    pub claim_limits: ClaimLimits,
}

impl ApiKeySource {
    /// Whether both files take keys in the same header or scheme, so that a key could belong to either.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let header = self.header.as_ref().zip(other.header.as_ref());
        (self.basic && other.basic) || header.is_some_and(|(one, two)| one.eq_ignore_ascii_case(two))
    }
}
