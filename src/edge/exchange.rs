//! Exchange: one request on its way through the gateway; Pingora's context.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderValue;

use crate::audit::{DecisionId, Outcome, PendingDecision, Sink, Verdict};
use crate::decision::{Decision, Permit, Reason, UsageTrace};
use crate::identity::VerifiedCaller;
use crate::metrics::{Limit, Metrics};
use crate::policy::Snapshot;
use crate::request::RejectedRequest;
use crate::vocabulary::{AuditMode, RouteId, Subject};

use super::account;
use super::api::Api;
use super::candidate::CandidateDecision;
use super::keep::AuditDurability;
use super::lifecycle::InFlightGuard;
use super::rate::TransferRate;
use super::reached::LimitCounters;
use super::standing::StreamAuthorization;
use super::tls::peer::PeerCertificate;

/// Exchange: everything that is known of one request; counted and audited exactly once, at its end.
pub struct Exchange {
    pub(super) id: DecisionId,
    pub(super) time: SystemTime,
    pub(super) started: Instant,
    pub(super) api: Option<Arc<Api>>,
    pub(super) policy: Option<Arc<Snapshot>>,
    /// What a long exchange goes on by; the records name the policy that it began under.
    pub(super) standing: Option<StreamAuthorization>,
    pub(super) caller: Option<Arc<VerifiedCaller>>,
    /// What the client has shown in its TLS handshake.
    pub(super) certificate: Option<Arc<PeerCertificate>>,
    /// Who asks where nobody proved anything.
    pub(super) nobody: Subject,
    pub(super) decision: Option<Decision>,
    /// What the API's candidate says, and which candidate that was.
    pub(super) candidate: Option<CandidateDecision>,
    /// Which row gave which cell.
    pub(super) uses: UsageTrace,
    /// Whether no route covers it though the caller may know so.
    pub(super) unmapped: bool,
    pub(super) preflight: bool,
    pub(super) audit: AuditMode,
    pub(super) kept: AuditDurability,
    pub(super) websocket: bool,
    pub(super) method: String,
    pub(super) route: Option<RouteId>,
    /// The canonical path that was decided and is forwarded.
    pub(super) path: Option<String>,
    /// The query that is forwarded.
    pub(super) query: Option<String>,
    pub(super) scope: Vec<(Box<str>, Box<str>)>,
    /// The caller's roles that hold in this scope.
    pub(super) roles: Vec<Box<str>>,
    /// The methods that were judged besides its own.
    pub(super) overrides: Vec<String>,
    /// The one `Content-Type` of the upstream's answer, once there is an answer.
    pub(super) content_type: Option<Option<HeaderValue>>,
    pub(super) origin: Option<Box<str>>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) client_address: Option<IpAddr>,
    /// Whether the socket's other end is a forwarder that is believed.
    pub(super) trusted_peer: bool,
    pub(super) secure: bool,
    pub(super) scan: Option<super::form::OverrideScanner>,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) decided: Duration,
    pub(super) upstream_started: Option<Instant>,
    pub(super) upstream_took: Option<Duration>,
    pub(super) upstream_status: Option<u16>,
    pub(super) status: Option<u16>,
    pub(super) failure: Option<&'static str>,
    pub(super) ends: Option<Instant>,
    /// Whether it ends by the API's own time, which is less than the age of streams.
    pub(super) is_totalled: bool,
    pub(super) body_rate: TransferRate,
    pub(super) answer_rate: Option<TransferRate>,
    /// Where it is counted; `None` once it has been.
    report: Option<(Arc<Metrics>, Arc<LimitCounters>)>,
    sink: Arc<Sink>,
    _in_flight: InFlightGuard,
}

impl Exchange {
    pub(super) fn new(
        id: DecisionId,
        audit: AuditMode,
        metrics: Arc<Metrics>,
        sink: Arc<Sink>,
        reached: Arc<LimitCounters>,
        in_flight: InFlightGuard,
    ) -> Self {
        Self {
            id,
            time: SystemTime::now(),
            started: Instant::now(),
            api: None,
            policy: None,
            standing: None,
            caller: None,
            certificate: None,
            nobody: Subject::anonymous(),
            decision: None,
            candidate: None,
            uses: UsageTrace::default(),
            unmapped: false,
            preflight: false,
            audit,
            kept: AuditDurability::Nothing,
            websocket: false,
            method: String::new(),
            route: None,
            path: None,
            query: None,
            scope: Vec::new(),
            roles: Vec::new(),
            overrides: Vec::new(),
            content_type: None,
            origin: None,
            peer: None,
            client_address: None,
            trusted_peer: false,
            secure: false,
            scan: None,
            received: 0,
            sent: 0,
            decided: Duration::ZERO,
            upstream_started: None,
            upstream_took: None,
            upstream_status: None,
            status: None,
            failure: None,
            ends: None,
            is_totalled: false,
            body_rate: TransferRate::default(),
            answer_rate: None,
            report: Some((metrics, reached)),
            sink,
            _in_flight: in_flight,
        }
    }

    /// The permission to forward; without it nothing leaves the building.
    pub(super) fn permit(&self) -> Option<&Permit> {
        self.decision.as_ref()?.verdict.as_ref().ok()
    }

    /// Whether it is forwarded though it would be refused.
    pub(super) fn is_shadowed(&self) -> bool {
        self.decision.as_ref().is_some_and(Decision::is_shadowed)
    }

    /// The refusal of what no policy is asked about; a candidate has no other word.
    pub(super) fn rejected(&mut self, rejected: RejectedRequest) -> Decision {
        self.candidate = None;
        Decision::refuse(Reason::BadRequest(rejected))
    }

    /// Refuses what no policy is asked about.
    pub(super) fn reject(&mut self, rejected: RejectedRequest) {
        self.decision = Some(self.rejected(rejected));
    }

    /// The policy that decided.
    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        self.policy.as_deref()
    }

    /// The caller, or nobody.
    pub(super) fn subject(&self) -> Option<&Subject> {
        self.caller.as_ref().map(|verified| &verified.subject)
    }

    /// Whether nothing was presented, which is not the same as something that is not valid.
    fn is_anonymous(&self) -> bool {
        let reason = self.decision.as_ref().map(|decision| decision.reason);
        self.caller.is_none() && matches!(reason, Some(Reason::Public | Reason::Unauthenticated(None)))
    }

    /// The query parameters that the route reads scopes from.
    pub(super) fn query_scopes(&self) -> Vec<Box<str>> {
        let route = self.permit().and_then(Permit::route);
        let route = self.snapshot().zip(route).and_then(|(policy, route)| policy.routes.route(route));
        route.map(|route| route.template.query().iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
    }

    /// The value of the scope that must be one of the caller's.
    pub(super) fn tenant(&self) -> Option<&str> {
        let scopes = &self.snapshot()?.model.scopes;
        let caller = scopes.iter().find(|scope| scope.caller)?;
        self.scope.iter().find(|(name, _)| *name == caller.name).map(|(_, value)| &**value)
    }

    /// Whether the exchange has not been counted and audited yet.
    pub(super) fn is_open(&self) -> bool {
        self.report.is_some()
    }

    /// Counts and audits the exchange; later calls do nothing.
    pub(super) fn finish(&mut self) {
        let Some((metrics, reached)) = self.report.take() else { return };
        // A connection that ended before its first request was read is no exchange.
        if self.method.is_empty() {
            return;
        }
        let scope = self.named_scope();
        let outcome = self.outcome(&scope);
        metrics.observe(&outcome);
        self.sink.record(self.kept.rest(), &outcome);
        if let Some(limit) = self.limit() {
            reached.count(limit, self.client_address);
        }
        account::record_usage(self);
    }

    /// The limit that refused it or cut it off.
    fn limit(&self) -> Option<Limit> {
        match self.decision.as_ref().map(|decision| decision.reason) {
            Some(Reason::BadRequest(RejectedRequest::HeadersTooLong)) => return Some(Limit::HeaderBytes),
            Some(Reason::BadRequest(RejectedRequest::TooManyHeaders)) => return Some(Limit::HeaderCount),
            Some(Reason::BadRequest(RejectedRequest::TargetTooLong)) => return Some(Limit::TargetLength),
            Some(Reason::BadRequest(RejectedRequest::BodyTooLong)) => return Some(Limit::Body),
            Some(Reason::TooManyFailures) => return Some(Limit::FailedCredentials),
            _ => {}
        }
        match self.failure? {
            "body-too-long" => Some(Limit::Body),
            "client-timeout" => Some(Limit::ClientTimeout),
            "client-slow" => Some(Limit::LeastRate),
            "stream-age" => Some(Limit::StreamAge),
            _ => None,
        }
    }

    /// The word for the records where its time is over.
    pub(super) fn overdue(&self) -> &'static str {
        if self.is_totalled { "upstream-timeout" } else { "stream-age" }
    }

    /// Sends the decision to the disk.
    pub(super) fn decide(&self) -> PendingDecision {
        let scope = self.named_scope();
        self.sink.decide(&self.outcome(&scope))
    }

    fn named_scope(&self) -> Vec<(&str, &str)> {
        self.scope.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    fn outcome<'a>(&'a self, scope: &'a [(&'a str, &'a str)]) -> Outcome<'a> {
        let snapshot = self.snapshot();
        let reason = self.decision.as_ref().map(|decision| decision.reason);
        let cell = self.decision.as_ref().and_then(|decision| decision.cell);
        let cell = snapshot.zip(cell).and_then(|(policy, cell)| policy.cell(cell));
        let granted = self.decision.as_ref().and_then(|decision| decision.granted_by);
        let verdict = match (self.preflight, self.permit()) {
            (true, _) => Verdict::Preflight,
            (false, Some(_)) if self.is_shadowed() => Verdict::Shadow,
            (false, Some(_)) => Verdict::Permit,
            (false, None) => Verdict::Refuse,
        };
        Outcome {
            id: self.id,
            time: self.time,
            api: self.api.as_ref().map(|api| &*api.name),
            policy: snapshot.map(|policy| (&*policy.version.name, &*policy.version.hash)),
            peer: self.peer,
            client_address: self.client_address,
            subject: self.subject().or_else(|| self.is_anonymous().then_some(&self.nobody)),
            method: &self.method,
            route: snapshot.zip(self.route).and_then(|(policy, route)| policy.template(route)),
            path: self.path.as_deref(),
            cell: cell.map(|cell| (cell.operation.word(), &*cell.resource)),
            scope,
            verdict,
            reason: match reason {
                Some(reason) => reason.full_code(snapshot),
                None if self.preflight => "preflight",
                None => "undecided",
            },
            detail: reason.and_then(Reason::detail),
            granted_by: snapshot.zip(granted).and_then(|(policy, row)| policy.row(row)).map(|row| &*row.name),
            status: self.status,
            upstream_status: self.upstream_status,
            received: self.received,
            sent: self.sent,
            duration: self.started.elapsed(),
            decision: self.decided,
            upstream: self.upstream_took,
            failure: self.failure,
        }
    }
}

impl Drop for Exchange {
    /// A panic in a filter and the end of the runtime never reach Pingora's `logging`; nothing is lost all the same.
    fn drop(&mut self) {
        if self.is_open() {
            self.failure = self.failure.or(Some("cut-off"));
            self.finish();
        }
    }
}
