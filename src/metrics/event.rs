//! What metrics tell apart: closed lists of words, so that labels stay few.

/// CacheResult: how a look-up in the cache of verified tokens ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// The token was known.
    Hit,
    /// It had to be verified.
    Miss,
}

impl CacheResult {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Hit, Self::Miss];

    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// FetchResult: how a fetch of an issuer's keys ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchResult {
    /// With keys.
    Fetched,
    /// Without; keys that were held before stay.
    Failed,
}

impl FetchResult {
    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Failed => "failed",
        }
    }
}

/// IntrospectionResult: how a question about a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntrospectionResult {
    /// With a caller.
    Accepted,
    /// With a token that is not active, or not for us.
    Refused,
    /// Without an answer.
    Failed,
    /// Without a question: too many were asked in this second.
    Withheld,
}

impl IntrospectionResult {
    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
        }
    }
}

/// ReloadSubject: what was reloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadSubject {
    /// The policy of an API.
    Policy,
    /// The candidate of an API.
    Candidate,
    /// Keys from a file.
    Keys,
    /// A listener's certificate.
    Certificate,
    /// The authorities of client certificates, with their revocation lists.
    ClientCa,
}

impl ReloadSubject {
    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Candidate => "candidate",
            Self::Keys => "keys",
            Self::Certificate => "certificate",
            Self::ClientCa => "client-ca",
        }
    }
}

/// ReloadResult: how a reload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadResult {
    /// The new version is live.
    Published,
    /// What was read is what is live.
    Unchanged,
    /// The version before is live again.
    RolledBack,
    /// It was refused and the last good version stays.
    Refused,
}

impl ReloadResult {
    /// The word that metrics use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Unchanged => "unchanged",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
        }
    }
}
