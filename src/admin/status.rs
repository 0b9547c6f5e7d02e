//! Status: what the admin listener tells, and whom it asks.

use serde::Serialize;

use crate::audit::Rfc3339Time;
use crate::metrics::{ComparisonReport, CoverageReport};

/// Status: the running gateway as the admin listener sees it; asked anew for each request, so it must be quick.
pub trait Status: Send + Sync + 'static {
    /// What is live and what is wrong.
    fn report(&self) -> StatusReport;

    /// The metrics in prometheus' text format.
    fn metrics_text(&self) -> String;

    /// What the last reload of an API's policy changed: null until one did; `None` where no API has the name.
    fn diff(&self, api: &str) -> Option<serde_json::Value>;

    /// What of an API's policy requests use, and what they lack; `None` where there is no such API.
    fn coverage(&self, api: &str) -> Option<CoverageReport>;

    /// Where an API's candidate decides otherwise; `None` where there is no such API, or it has no candidate.
    fn candidate(&self, api: &str) -> Option<ComparisonReport>;

    /// Makes the version of an API's policy live that was live before; `None` where there is no such API.
    fn rollback(&self, api: &str) -> Option<Rollback>;

    /// Asks for a reload of everything that reloads and returns without waiting for it.
    fn reload(&self);
}

/// StatusReport: what is live and what is wrong.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StatusReport {
    /// Whether the process has been told to end and finishes what is in flight.
    pub draining: bool,
    /// The APIs of the settings.
    pub apis: Vec<ApiStatus>,
    /// The issuers of the settings, behind them the files of API keys, and the authorities of client certificates.
    pub issuers: Vec<IssuerStatus>,
    /// The listeners that speak TLS, each with its own certificates.
    pub certificates: Vec<IssuerStatus>,
    /// Whether audit records can be written.
    pub audit: AuditStatus,
}

impl StatusReport {
    /// Whether traffic should come: not while draining, not while an API has no policy, not while no issuer at all has
    /// keys or one has not been asked yet, and not while requests are refused because their decisions cannot be kept.
    ///
    /// A policy that was refused leaves the last good one live, and one issuer of several that cannot be reached
    /// leaves the others' callers to be served: both are told, and neither takes the whole gateway out of service.
    pub fn ready(&self) -> bool {
        let policies = !self.apis.is_empty() && self.apis.iter().all(|api| api.policy.is_some());
        let available = |issuer: &IssuerStatus| issuer.state != KeysState::Unavailable;
        let keys = self.issuers.is_empty() || self.issuers.iter().any(available);
        // At the start, one that has not answered yet is waited for.
        let asked = self.issuers.iter().all(|issuer| available(issuer) || issuer.error.is_some());
        !self.draining && policies && keys && asked && !self.audit.refuses
    }
}

/// AuditStatus: whether audit records can be written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AuditStatus {
    /// Whether they can.
    pub state: AuditState,
    /// Whether requests are refused because they cannot.
    pub refuses: bool,
    /// Since when they cannot.
    pub since: Option<Rfc3339Time>,
    /// Why they cannot.
    pub error: Option<Box<str>>,
}

/// AuditState: whether audit records can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditState {
    /// They are written, or there are none.
    #[default]
    Writing,
    /// They are not.
    Failing,
}

/// ApiStatus: one API and its policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApiStatus {
    /// Its name in the settings.
    pub name: Box<str>,
    /// The policy that decides; `None` where none could be loaded and everything is refused.
    pub policy: Option<LivePolicy>,
    /// The policy that is compared with it, where the settings name one; it is told and never decides readiness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateStatus>,
    /// The newest version, where that was refused; gone once what is on disk is live.
    pub refused: Option<RefusedReload>,
    /// The hash of the version that was taken back, until the files change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Box<str>>,
}

/// Rollback: what came of asking for the version before.
#[derive(Debug, Clone, PartialEq)]
pub enum Rollback {
    /// It is live.
    Live(LivePolicy),
    /// There is none: the live version is the first, or was gone back to already.
    Nothing,
}

/// CandidateStatus: a policy that decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateStatus {
    /// The version that is compared; `None` where none could be loaded.
    pub policy: Option<LivePolicy>,
    /// The newest version, where that was refused.
    pub refused: Option<RefusedReload>,
}

/// LivePolicy: the version of a policy that decides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LivePolicy {
    /// The policy's name.
    pub name: Box<str>,
    /// The hash of its texts.
    pub hash: Box<str>,
    /// Since when it decides.
    pub since: Rfc3339Time,
    /// Whose refusals are forwarded.
    pub shadow: ShadowMode,
}

/// ShadowMode: whose refusals a policy forwards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShadowMode {
    /// Nobody's: it is enforced.
    #[default]
    Off,
    /// Those about these resources.
    Resources(Vec<Box<str>>),
    /// All.
    All,
}

/// RefusedReload: a version of a policy that did not become live.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RefusedReload {
    /// When it was refused.
    pub at: Rfc3339Time,
    /// Why, as `document::report::json` writes findings.
    pub findings: serde_json::Value,
}

/// IssuerStatus: one issuer and its keys, or one file of API keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IssuerStatus {
    /// Its name in the settings.
    pub name: Box<str>,
    /// What can be said of its keys.
    pub state: KeysState,
    /// How many are held.
    pub keys: usize,
    /// When they were last read or fetched.
    pub since: Option<Rfc3339Time>,
    /// Why the last attempt failed.
    pub error: Option<Box<str>>,
}

/// KeysState: what can be said of an issuer's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeysState {
    /// They are held and as new as they should be.
    Available,
    /// They are held, but the last attempt to renew them failed.
    Stale,
    /// There are none.
    Unavailable,
}
