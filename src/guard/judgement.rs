//! Judgement: what the guard found about one request, from the choice of its API to the decision.

use std::sync::Arc;

use http::HeaderValue;

use crate::decision::{Decision, Permit, Reason, UsageTrace};
use crate::identity::VerifiedCaller;
use crate::policy::Snapshot;
use crate::request::RejectedRequest;
use crate::vocabulary::RouteId;

use super::api::Api;
use super::candidate::CandidateDecision;
use super::forwarding::ForwardingPlan;

/// Judgement: how far the guard came with a request, and the result.
///
/// Only a request that a policy governs can have a permit, a caller or the decision of a candidate.
///
/// The parts have private fields and no public constructor, so that no door can make a permit:
///
/// ```compile_fail,E0451
/// use portcullis::guard::judgement::{Evaluation, Governed, Judgement};
///
/// fn forge(governed: Governed, decision: portcullis::decision::Decision) -> Judgement {
///     Judgement::Decided(governed, Evaluation { decision, candidate: None, caller: None })
/// }
/// ```
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for a request and stays in its exchange: a box would allocate"
)]
pub enum Judgement {
    /// There is no result yet: the request was not read, or its token's issuer has not answered.
    Undecided(Option<Governed>),
    /// The request was refused before any policy was asked.
    Refused(EarlyRefusal),
    /// The request is a CORS preflight, which the gateway answers itself.
    Preflight(Governed),
    /// A policy has decided.
    Decided(Governed, Evaluation),
}

/// EarlyRefusal: a refusal that no policy was asked about: no API claims the request, or the API has no policy.
pub struct EarlyRefusal {
    api: Option<Arc<Api>>,
    decision: Decision,
}

impl EarlyRefusal {
    pub(super) fn new(api: Option<Arc<Api>>, reason: Reason) -> Self {
        Self { api, decision: Decision::refuse(reason) }
    }
}

/// Governed: the API of a request and the version of its policy that decides on it.
#[derive(Clone)]
pub struct Governed {
    api: Arc<Api>,
    policy: Arc<Snapshot>,
    route: Option<RouteId>,
    /// The origin of a script that the policy's `cors` allows.
    origin: Option<Box<str>>,
}

impl Governed {
    pub(super) fn new(
        api: &Arc<Api>,
        policy: &Arc<Snapshot>,
        route: Option<RouteId>,
        origin: Option<Box<str>>,
    ) -> Self {
        Self { api: Arc::clone(api), policy: Arc::clone(policy), route, origin }
    }

    pub(super) fn api(&self) -> &Arc<Api> {
        &self.api
    }

    pub(super) fn policy(&self) -> &Arc<Snapshot> {
        &self.policy
    }

    pub(super) fn route(&self) -> Option<RouteId> {
        self.route
    }

    pub(super) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

/// Evaluation: the decision of a policy, and what it was made from.
pub struct Evaluation {
    decision: Decision,
    candidate: Option<CandidateDecision>,
    caller: Option<Arc<VerifiedCaller>>,
    usage: UsageTrace,
    is_unmapped: bool,
    /// The request as it was decided; a permit is never without one.
    plan: Option<ForwardingPlan>,
    /// The one `Content-Type` of the upstream's response, once there is a response.
    response_type: Option<Option<HeaderValue>>,
}

impl Evaluation {
    /// A refusal without an evaluation: the request cannot be read, or its credential was not verified.
    pub(super) fn refused(reason: Reason, candidate: Option<CandidateDecision>) -> Self {
        Self {
            decision: Decision::refuse(reason),
            candidate,
            caller: None,
            usage: UsageTrace::default(),
            is_unmapped: false,
            plan: None,
            response_type: None,
        }
    }

    /// A decision on the request of `plan`.
    pub(super) fn of(
        decision: Decision,
        candidate: Option<CandidateDecision>,
        caller: Option<Arc<VerifiedCaller>>,
        usage: UsageTrace,
        is_unmapped: bool,
        plan: ForwardingPlan,
    ) -> Self {
        Self { decision, candidate, caller, usage, is_unmapped, plan: Some(plan), response_type: None }
    }

    /// Replaces the decision by a refusal that no policy makes; no candidate is compared with it.
    pub(super) fn refuse(&mut self, reason: Reason) {
        self.candidate = None;
        self.decision = Decision::refuse(reason);
    }

    /// Replaces the decision by the refusal of a request whose audit record could not be written.
    pub(super) fn refuse_unaudited(&mut self) {
        self.refuse(Reason::AuditUnavailable);
        self.is_unmapped = false;
    }

    /// Replaces the decisions by what `evaluate` makes of each: of the live policy's, with its usage, and the
    /// candidate's.
    pub(super) fn evaluate_again(
        &mut self,
        policy: &Snapshot,
        methods: &[String],
        evaluate: impl Fn(&Snapshot, Decision, Option<&Arc<VerifiedCaller>>, &ForwardingPlan, &mut UsageTrace) -> Decision,
    ) {
        let Some(plan) = &mut self.plan else { return };
        plan.add_overrides(methods);
        let mut usage = self.usage;
        let decision = evaluate(policy, self.decision.clone(), self.caller.as_ref(), plan, &mut usage);
        self.candidate = self.candidate.take().map(|(policy, decision)| {
            let decision = evaluate(&policy, decision, self.caller.as_ref(), plan, &mut UsageTrace::default());
            (policy, decision)
        });
        (self.decision, self.usage) = (decision, usage);
    }

    /// Keeps the media type of the response, and replaces each decision that `refusal` refuses for it.
    pub(super) fn judge_response(
        &mut self,
        policy: &Snapshot,
        content_type: Option<HeaderValue>,
        refusal: impl Fn(&Snapshot, &Decision) -> Option<Decision>,
    ) {
        if let Some((policy, decision)) = &mut self.candidate
            && let Some(refused) = refusal(policy, decision)
        {
            *decision = refused;
        }
        if let Some(refused) = refusal(policy, &self.decision) {
            self.decision = refused;
        }
        self.response_type = Some(content_type);
    }

    pub(super) fn decision(&self) -> &Decision {
        &self.decision
    }

    pub(super) fn candidate(&self) -> Option<&CandidateDecision> {
        self.candidate.as_ref()
    }

    pub(super) fn caller(&self) -> Option<&Arc<VerifiedCaller>> {
        self.caller.as_ref()
    }

    pub(super) fn usage(&self) -> &UsageTrace {
        &self.usage
    }

    /// Whether no route covers the request, and the caller may know so.
    pub(super) fn is_unmapped(&self) -> bool {
        self.is_unmapped
    }

    pub(super) fn plan(&self) -> Option<&ForwardingPlan> {
        self.plan.as_ref()
    }

    pub(super) fn response_type(&self) -> Option<&Option<HeaderValue>> {
        self.response_type.as_ref()
    }
}

impl Judgement {
    pub(super) fn refused(api: Option<Arc<Api>>, reason: Reason) -> Self {
        Self::Refused(EarlyRefusal::new(api, reason))
    }

    /// Rejects the request after its body was read.
    pub(super) fn reject(&mut self, rejected: RejectedRequest) {
        if let Self::Decided(_, evaluation) = self {
            evaluation.refuse(Reason::BadRequest(rejected));
        }
    }

    /// Refuses the request because its audit record could not be written.
    pub(super) fn refuse_unaudited(self) -> Self {
        match self {
            Self::Undecided(None) => Self::refused(None, Reason::AuditUnavailable),
            Self::Refused(EarlyRefusal { api, .. }) => Self::refused(api, Reason::AuditUnavailable),
            Self::Undecided(Some(governed)) | Self::Preflight(governed) => {
                Self::Decided(governed, Evaluation::refused(Reason::AuditUnavailable, None))
            }
            Self::Decided(governed, mut evaluation) => {
                evaluation.refuse_unaudited();
                Self::Decided(governed, evaluation)
            }
        }
    }

    /// The API that the request belongs to.
    pub fn api(&self) -> Option<&Arc<Api>> {
        match self {
            Self::Refused(refusal) => refusal.api.as_ref(),
            _ => self.governed().map(Governed::api),
        }
    }

    /// The API, with the policy that decides.
    pub(super) fn governed(&self) -> Option<&Governed> {
        match self {
            Self::Refused(_) => None,
            Self::Undecided(governed) => governed.as_ref(),
            Self::Preflight(governed) | Self::Decided(governed, _) => Some(governed),
        }
    }

    pub(super) fn evaluation(&self) -> Option<&Evaluation> {
        match self {
            Self::Decided(_, evaluation) => Some(evaluation),
            _ => None,
        }
    }

    /// The version of the policy that decides.
    pub fn policy(&self) -> Option<&Snapshot> {
        self.governed().map(|governed| &*governed.policy)
    }

    /// The decision; `None` before it, and for a preflight.
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Refused(refusal) => Some(&refusal.decision),
            Self::Decided(_, evaluation) => Some(&evaluation.decision),
            Self::Undecided(_) | Self::Preflight(_) => None,
        }
    }

    /// The permission to forward the request; without it nothing is forwarded.
    pub fn permit(&self) -> Option<&Permit> {
        self.evaluation()?.decision.verdict.as_ref().ok()
    }

    /// The request as it was decided.
    pub fn plan(&self) -> Option<&ForwardingPlan> {
        self.evaluation()?.plan.as_ref()
    }

    /// Whether the request is a preflight that the gateway answers.
    pub fn is_preflight(&self) -> bool {
        matches!(self, Self::Preflight(_))
    }
}
