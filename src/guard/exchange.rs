//! Exchange: one request from its first byte to its last; counted and audited exactly once, at its end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::HeaderValue;

use crate::audit::{DecisionId, Outcome, PendingDecision, Sink, Verdict};
use crate::decision::{Decision, Permit, Reason, UsageTrace};
use crate::identity::VerifiedCaller;
use crate::metrics::{Limit, Metrics};
use crate::policy::Snapshot;
use crate::request::{CanonicalPath, RejectedRequest};
use crate::vocabulary::{AuditMode, Subject};

use super::Guard;
use super::api::Api;
use super::arrival::Client;
use super::audit_state::{AuditDurability, AuditState, strictest_audit_mode};
use super::forwarding::ForwardingPlan;
use super::in_flight::InFlightGuard;
use super::judgement::{Governed, Judgement};
use super::limit_counters::LimitCounters;
use super::stream::{Deadline, StreamAuthorization};
use super::transfer::Transfer;
use super::usage;

/// Exchange: the parts of one request, each with its own owner.
///
/// A door opens it with [`Guard::open`] and drops it at the end. Dropping records what was not recorded before: a panic
/// and the end of the runtime lose nothing.
pub struct Exchange {
    id: DecisionId,
    time: SystemTime,
    started: Instant,
    /// The time that reading, identifying and deciding took.
    decided: Duration,
    client: Client,
    judgement: Judgement,
    audit: AuditState,
    transfer: Transfer,
    deadline: Deadline,
    stream: Option<StreamAuthorization>,
    /// Where the exchange is counted; `None` once it has been.
    report: Option<(Arc<Metrics>, Arc<LimitCounters>)>,
    sink: Arc<Sink>,
    _in_flight: InFlightGuard,
}

impl Guard {
    /// Opens the exchange of a request that is about to be received.
    pub fn open(&self) -> Exchange {
        Exchange {
            id: self.ids.next(),
            time: SystemTime::now(),
            started: Instant::now(),
            decided: Duration::ZERO,
            client: Client::default(),
            judgement: Judgement::Undecided(None),
            audit: AuditState::new(self.audit_mode),
            transfer: Transfer::default(),
            deadline: Deadline::NONE,
            stream: None,
            report: Some((Arc::clone(&self.metrics), Arc::clone(&self.limit_counters))),
            sink: Arc::clone(&self.audit),
            _in_flight: self.in_flight.enter(),
        }
    }
}

// ── What doors and records read ──
impl Exchange {
    /// The id of the decision, also in the response.
    pub fn id(&self) -> DecisionId {
        self.id
    }

    /// When the exchange was opened, by the monotonic clock.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Who sent the request, as far as the connection tells.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The result so far.
    pub fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// The API that the request belongs to.
    pub fn api(&self) -> Option<&Arc<Api>> {
        self.judgement.api()
    }

    /// The version of the policy that decides.
    pub fn policy(&self) -> Option<&Snapshot> {
        self.judgement.policy()
    }

    /// The decision; `None` before it, and for a preflight.
    pub fn decision(&self) -> Option<&Decision> {
        self.judgement.decision()
    }

    /// The permission to forward the request; without it nothing is forwarded.
    pub fn permit(&self) -> Option<&Permit> {
        self.judgement.permit()
    }

    /// The request as it was decided.
    pub fn plan(&self) -> Option<&ForwardingPlan> {
        self.judgement.plan()
    }

    /// Whether shadow mode forwards the request although it would be refused.
    pub fn is_shadowed(&self) -> bool {
        self.decision().is_some_and(Decision::is_shadowed)
    }

    /// Whether the request opens a WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.plan().is_some_and(ForwardingPlan::is_websocket)
    }

    /// The allowed origin of a script that sent the request.
    pub fn origin(&self) -> Option<&str> {
        self.judgement.governed()?.origin()
    }

    /// The caller; `None` for an anonymous request, or one with invalid credentials.
    pub fn subject(&self) -> Option<&Subject> {
        self.judgement.evaluation()?.caller().map(|verified| &verified.subject)
    }

    /// The query parameters that the route reads scopes from.
    pub fn query_scopes(&self) -> Vec<Box<str>> {
        let route = self.permit().and_then(Permit::route);
        let route = self.policy().zip(route).and_then(|(policy, route)| policy.routes.route(route));
        route.map(|route| route.template.query().iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
    }

    /// The value of the scope that must be one of the caller's.
    pub(super) fn tenant(&self) -> Option<&str> {
        let caller = self.policy()?.model.scopes.iter().find(|scope| scope.caller)?;
        self.plan()?.scope().iter().find(|(name, _)| *name == caller.name).map(|(_, value)| &**value)
    }

    /// The counters of bytes, times and failures.
    pub fn transfer(&mut self) -> &mut Transfer {
        &mut self.transfer
    }

    /// When the exchange must end.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    pub(super) fn audit(&self) -> AuditState {
        self.audit
    }

    pub(super) fn stream(&mut self) -> &mut Option<StreamAuthorization> {
        &mut self.stream
    }
}

// ── What changes it, in the order of a request ──
impl Exchange {
    pub(super) fn set_client(&mut self, client: Client) {
        self.client = client;
    }

    pub(super) fn set_audit_mode(&mut self, mode: AuditMode) {
        self.audit.set_mode(mode);
    }

    /// Leaves the exchange undecided while the issuer of its token is asked.
    pub(super) fn await_issuer(&mut self, governed: Governed) {
        self.judgement = Judgement::Undecided(Some(governed));
    }

    pub(super) fn decide(&mut self, judgement: Judgement) {
        self.judgement = judgement;
        self.decided = self.started.elapsed();
    }

    /// Rejects a permitted request whose body cannot be forwarded.
    pub fn reject(&mut self, rejected: RejectedRequest) {
        self.judgement.reject(rejected);
    }

    /// Raises the audit mode to that of each method that a form asks for.
    pub(super) fn require_form_audit(&mut self, methods: &[String]) {
        let (Some(policy), Some(plan)) = (self.judgement.policy(), self.judgement.plan()) else { return };
        let Ok(path) = CanonicalPath::read(plan.path().as_bytes(), policy.model.dialect) else { return };
        let (own, methods) = (self.audit.mode(), methods.iter().map(String::as_str));
        let mode = strictest_audit_mode(policy, &path, plan.query(), methods, own, own);
        self.audit.set_mode(mode);
    }

    /// Replaces the decisions of the live policy and the candidate by what `evaluate` makes of them.
    pub(super) fn evaluate_again(
        &mut self,
        methods: &[String],
        evaluate: impl Fn(&Snapshot, Decision, Option<&Arc<VerifiedCaller>>, &ForwardingPlan, &mut UsageTrace) -> Decision,
    ) {
        if let Judgement::Decided(governed, evaluation) = &mut self.judgement {
            evaluation.evaluate_again(governed.policy(), methods, evaluate);
        }
    }

    /// Keeps the media type of the response, and replaces each decision that `refusal` refuses for it.
    ///
    /// `refusal` takes the policy, its decision, and the method of the request.
    pub(super) fn evaluate_response(
        &mut self,
        content_type: Option<HeaderValue>,
        refusal: impl Fn(&Snapshot, &Decision, &str) -> Option<Decision>,
    ) {
        if let Judgement::Decided(governed, evaluation) = &mut self.judgement {
            let method = self.client.method();
            let refusal = |policy: &Snapshot, decision: &Decision| refusal(policy, decision, method);
            evaluation.judge_response(governed.policy(), content_type, refusal);
        }
        if self.permit().is_none() {
            self.audit.supersede();
            if let Some(code) = self.decision().map(|decision| decision.reason.code()) {
                self.transfer.fail(code);
            }
        }
    }

    /// Starts to write the decision to disk.
    pub(super) fn record_decision(&self) -> PendingDecision {
        let (scope, anonymous) = (self.named_scope(), Subject::anonymous());
        self.sink.record_decision(&self.outcome(&scope, &anonymous))
    }

    pub(super) fn settle_audit(&mut self, durability: AuditDurability) {
        self.audit.settle(durability);
    }

    pub(super) fn refuse_unaudited(&mut self) {
        let judgement = std::mem::replace(&mut self.judgement, Judgement::Undecided(None));
        self.judgement = judgement.refuse_unaudited();
    }

    pub(super) fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    pub(super) fn set_stream(&mut self, stream: Option<StreamAuthorization>) {
        self.stream = stream;
    }

    /// Counts and audits the exchange; later calls do nothing.
    pub fn finish(&mut self) {
        let Some((metrics, limit_counters)) = self.report.take() else { return };
        // A connection that ended before its first request was read is no exchange.
        if self.client.method().is_empty() {
            return;
        }
        let (scope, anonymous) = (self.named_scope(), Subject::anonymous());
        let outcome = self.outcome(&scope, &anonymous);
        metrics.observe(&outcome);
        self.sink.record(self.audit.durability().remaining_record(), &outcome);
        if let Some(limit) = self.limit() {
            limit_counters.count(limit, self.client.address());
        }
        usage::record_usage(&self.judgement, self.id, self.time, self.client.method());
    }
}

// ── The record of it ──
impl Exchange {
    /// The limit that refused the exchange or cut it off.
    fn limit(&self) -> Option<Limit> {
        match self.decision().map(|decision| decision.reason) {
            Some(Reason::BadRequest(RejectedRequest::HeadersTooLong)) => return Some(Limit::HeaderBytes),
            Some(Reason::BadRequest(RejectedRequest::TooManyHeaders)) => return Some(Limit::HeaderCount),
            Some(Reason::BadRequest(RejectedRequest::TargetTooLong)) => return Some(Limit::TargetLength),
            Some(Reason::BadRequest(RejectedRequest::BodyTooLong)) => return Some(Limit::Body),
            Some(Reason::TooManyFailures) => return Some(Limit::FailedCredentials),
            _ => {}
        }
        match self.transfer.failure()? {
            "body-too-long" => Some(Limit::Body),
            "client-timeout" => Some(Limit::ClientTimeout),
            "client-slow" => Some(Limit::LeastRate),
            "stream-age" => Some(Limit::StreamAge),
            _ => None,
        }
    }

    fn named_scope(&self) -> Vec<(&str, &str)> {
        let scope = self.plan().map(ForwardingPlan::scope).unwrap_or_default();
        scope.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// Whether no credential was presented, which differs from an invalid one.
    fn is_anonymous(&self) -> bool {
        let reason = self.decision().map(|decision| decision.reason);
        self.subject().is_none() && matches!(reason, Some(Reason::Public | Reason::Unauthenticated(None)))
    }

    fn verdict(&self) -> Verdict {
        match self.permit() {
            _ if self.judgement.is_preflight() => Verdict::Preflight,
            Some(_) if self.is_shadowed() => Verdict::Shadow,
            Some(_) => Verdict::Permit,
            None => Verdict::Refuse,
        }
    }

    fn outcome<'a>(&'a self, scope: &'a [(&'a str, &'a str)], anonymous: &'a Subject) -> Outcome<'a> {
        let (policy, decision) = (self.policy(), self.decision());
        let reason = decision.map(|decision| decision.reason);
        let cell = policy.zip(decision).and_then(|(policy, decision)| policy.cell(decision.cell?));
        let row = policy.zip(decision).and_then(|(policy, decision)| policy.row(decision.granted_by?));
        let route = self.judgement.governed().and_then(Governed::route);
        Outcome {
            id: self.id,
            time: self.time,
            api: self.api().map(|api| &*api.name),
            policy: policy.map(|policy| (&*policy.version.name, &*policy.version.hash)),
            peer: self.client.peer(),
            client_address: self.client.address(),
            subject: self.subject().or_else(|| self.is_anonymous().then_some(anonymous)),
            method: self.client.method(),
            route: policy.zip(route).and_then(|(policy, route)| policy.template(route)),
            path: self.plan().map(ForwardingPlan::path),
            cell: cell.map(|cell| (cell.operation.name(), &*cell.resource)),
            scope,
            verdict: self.verdict(),
            reason: match reason {
                Some(reason) => reason.full_code(policy),
                None if self.judgement.is_preflight() => "preflight",
                None => "undecided",
            },
            detail: reason.and_then(Reason::detail),
            granted_by: row.map(|row| &*row.name),
            status: self.transfer.status(),
            upstream_status: self.transfer.upstream_status(),
            received: self.transfer.received(),
            sent: self.transfer.sent(),
            duration: self.started.elapsed(),
            decision: self.decided,
            upstream: self.transfer.upstream_took(),
            failure: self.transfer.failure(),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.report.is_some() {
            self.transfer.fail_first("cut-off");
            self.finish();
        }
    }
}
