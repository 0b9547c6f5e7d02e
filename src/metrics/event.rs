//! Events: the closed lists of label values in metrics, so that their number stays small.

/// CacheResult: how a look-up in the cache of verified tokens ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// The token was found.
    Hit,
    /// The token had to be verified.
    Miss,
}

impl CacheResult {
    /// All results.
    pub const ALL: [Self; 2] = [Self::Hit, Self::Miss];

    /// The label value in metrics.
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
    /// The keys were fetched.
    Fetched,
    /// The fetch failed; the previous keys stay.
    Failed,
}

impl FetchResult {
    /// The label value in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Failed => "failed",
        }
    }
}

/// IntrospectionResult: how the introspection of a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntrospectionResult {
    /// The token has a caller.
    Accepted,
    /// The token is not active, or not meant for this gateway.
    Refused,
    /// The issuer gave no valid answer.
    Failed,
    /// The call was not made, because the budget of this second was spent.
    Withheld,
}

impl IntrospectionResult {
    /// The label value in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Withheld => "withheld",
        }
    }
}

/// ReloadSubject: the subject of a reload.
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
    /// The label value in metrics.
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
    /// The files hold the live version.
    Unchanged,
    /// The previous version is live again.
    RolledBack,
    /// The new version was refused, and the last good version stays.
    Refused,
}

impl ReloadResult {
    /// The label value in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Unchanged => "unchanged",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
        }
    }
}
