//! Status: the state of the gateway that the admin listener reports, and the trait that provides it.

use serde::Serialize;

use crate::audit::Rfc3339Time;
use crate::metrics::{ComparisonReport, CoverageReport};

/// Status: the running gateway as the admin listener sees it; called for each request, so it must be fast.
pub trait Status: Send + Sync + 'static {
    /// The live versions and the failures of every part.
    fn report(&self) -> StatusReport;

    /// The metrics in the Prometheus text format.
    fn metrics_text(&self) -> String;

    /// The changes of an API's last policy reload, null before the first change; `None` where there is no such API.
    fn diff(&self, api: &str) -> Option<serde_json::Value>;

    /// The parts of an API's policy that requests use, and those they lack; `None` where there is no such API.
    fn coverage(&self, api: &str) -> Option<CoverageReport>;

    /// The requests that an API's candidate decides differently; `None` where there is no such API or no candidate.
    fn candidate(&self, api: &str) -> Option<ComparisonReport>;

    /// Makes the previous version of an API's policy live; `None` where there is no such API.
    fn rollback(&self, api: &str) -> Option<Rollback>;

    /// Starts a reload of everything that can be reloaded and returns without waiting for it.
    fn reload(&self);
}

/// StatusReport: the live versions and the failures of every part.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StatusReport {
    /// Whether the process is shutting down and finishes the requests in flight.
    pub draining: bool,
    /// The APIs of the settings.
    pub apis: Vec<ApiStatus>,
    /// The issuers of the settings, then the files of API keys, then the authorities of client certificates.
    pub issuers: Vec<IssuerStatus>,
    /// The certificates of each TLS listener.
    pub certificates: Vec<IssuerStatus>,
    /// Whether audit records can be written.
    pub audit: AuditStatus,
}

impl StatusReport {
    /// Whether the gateway should receive traffic.
    ///
    /// It is not ready while it drains, or while requests are refused because their decisions cannot be written. It is
    /// not ready while an API has no policy, or no issuer has keys, or an issuer's keys have not been tried yet.
    ///
    /// A refused policy leaves the last good one live, and with one unreachable issuer the callers of the others are
    /// served. Both are reported, and neither takes the whole gateway out of service.
    pub fn ready(&self) -> bool {
        let policies = !self.apis.is_empty() && self.apis.iter().all(|api| api.policy.is_some());
        let available = |issuer: &IssuerStatus| issuer.state != KeysState::Unavailable;
        let keys = self.issuers.is_empty() || self.issuers.iter().any(available);
        // At the start, readiness waits for the first answer of each issuer.
        let attempted = self.issuers.iter().all(|issuer| available(issuer) || issuer.error.is_some());
        !self.draining && policies && keys && attempted && !self.audit.refuses
    }
}

/// AuditStatus: the state of the audit log, and its last failure.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AuditStatus {
    /// Whether records can be written.
    pub state: AuditState,
    /// Whether requests are refused because records cannot be written.
    pub refuses: bool,
    /// The time since which records cannot be written.
    pub since: Option<Rfc3339Time>,
    /// The reason why records cannot be written.
    pub error: Option<Box<str>>,
}

/// AuditState: whether audit records can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditState {
    /// Records are written, or the audit log is off.
    #[default]
    Writing,
    /// Records cannot be written.
    Failing,
}

/// ApiStatus: one API and its policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApiStatus {
    /// Its name in the settings.
    pub name: Box<str>,
    /// The live policy; `None` where none could be loaded, so that every request is refused.
    pub policy: Option<LivePolicy>,
    /// The candidate policy, where the settings name one; it never affects readiness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateStatus>,
    /// The newest version, where it was refused; absent once the version on disk is live.
    pub refused: Option<RefusedReload>,
    /// The hash of the version that was rolled back, until the files change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Box<str>>,
}

/// Rollback: the result of a rollback request.
#[derive(Debug, Clone, PartialEq)]
pub enum Rollback {
    /// The previous version is live.
    Live(LivePolicy),
    /// There is no previous version: the live one is the first, or the result of a rollback.
    Nothing,
}

/// CandidateStatus: a policy that is compared with the live one and never enforced.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateStatus {
    /// The compared version; `None` where none could be loaded.
    pub policy: Option<LivePolicy>,
    /// The newest version, where it was refused.
    pub refused: Option<RefusedReload>,
}

/// LivePolicy: the live version of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LivePolicy {
    /// The policy's name.
    pub name: Box<str>,
    /// The hash of its texts.
    pub hash: Box<str>,
    /// The time when it became live.
    pub since: Rfc3339Time,
    /// The refused requests that are forwarded.
    pub shadow: ShadowMode,
}

/// ShadowMode: the refused requests that a policy forwards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShadowMode {
    /// None: the policy is enforced.
    #[default]
    Off,
    /// The refused requests for these resources.
    Resources(Vec<Box<str>>),
    /// Every refused request.
    All,
}

/// RefusedReload: a version of a policy that did not become live.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedReload {
    /// The time of the refusal.
    pub at: Rfc3339Time,
    /// The findings, as `document::report::json` writes them.
    pub findings: serde_json::Value,
}

/// IssuerStatus: the state of one issuer's keys, of a file of API keys, or of certificates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IssuerStatus {
    /// Its name in the settings.
    pub name: Box<str>,
    /// The state of its keys.
    pub state: KeysState,
    /// The number of its keys.
    pub keys: usize,
    /// The time when they were last read or fetched.
    pub since: Option<Rfc3339Time>,
    /// The reason why the last attempt failed.
    pub error: Option<Box<str>>,
}

/// KeysState: the state of an issuer's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeysState {
    /// The keys are loaded and up to date.
    Available,
    /// The keys are loaded, but the last attempt to refresh them failed.
    Stale,
    /// No keys are loaded.
    Unavailable,
}
