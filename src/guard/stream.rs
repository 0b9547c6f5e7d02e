//! StreamAuthorization: the deadline of an exchange, and what it was permitted for while it lasts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::decision::{ApprovalSet, NoTrace, Phase, Reason};
use crate::identity::{IdentityError, VerifiedCaller};
use crate::policy::Snapshot;
use crate::reload::Live;
use crate::request::CanonicalPath;
use crate::vocabulary::Subject;

use super::api::Api;
use super::arrival::Client;
use super::clock::now;
use super::inquiry::{Inquiry, evaluate_inquiry, refused};
use super::judgement::Judgement;
use super::peer_certificate::PeerCertificate;

/// How long the decision of a policy with conditions holds, since conditions may read the time.
const RECHECK: Duration = Duration::from_secs(1);

/// StreamEnd: why an exchange must end before it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// Its token, key or certificate has ended, or the live policy refuses it.
    Unauthorized,
    /// The API's total time is over.
    TotalTime,
    /// The age of streams is reached.
    StreamAge,
}

impl StreamEnd {
    /// The code in audit records and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "stream-ended",
            Self::TotalTime => "upstream-timeout",
            Self::StreamAge => "stream-age",
        }
    }
}

/// Deadline: when an exchange must end at the latest.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    ends: Option<Instant>,
    end: StreamEnd,
}

impl Deadline {
    /// No deadline: that of an exchange that is not forwarded.
    pub(super) const NONE: Self = Self { ends: None, end: StreamEnd::StreamAge };

    /// The earlier of the age of streams and the API's total time, from `started` on.
    pub(super) fn new(started: Instant, stream_age: Duration, total: Option<Duration>) -> Self {
        let total = total.unwrap_or(Duration::MAX);
        let end = if total < stream_age { StreamEnd::TotalTime } else { StreamEnd::StreamAge };
        Self { ends: started.checked_add(stream_age.min(total)), end }
    }

    /// Whether the API's total time ends the exchange, and not the age of streams.
    pub fn is_total_time(&self) -> bool {
        self.end == StreamEnd::TotalTime
    }

    /// Checks that the deadline has not passed.
    ///
    /// # Errors
    /// The exchange must end.
    pub fn check(&self) -> Result<(), StreamEnd> {
        if self.ends.is_some_and(|end| Instant::now() > end) { Err(self.end) } else { Ok(()) }
    }
}

/// StreamAuthorization: what a long exchange was permitted for, so that it can be decided again while it lasts.
pub struct StreamAuthorization {
    api: Arc<Api>,
    approvals: Arc<Live<ApprovalSet>>,
    /// The newest policy that permits it.
    policy: Arc<Snapshot>,
    caller: Option<Arc<VerifiedCaller>>,
    certificate: Option<Arc<PeerCertificate>>,
    method: String,
    path: String,
    query: Option<String>,
    address: Option<IpAddr>,
    websocket: bool,
    overrides: Vec<String>,
    response_type: Option<Option<HeaderValue>>,
    deadline: Deadline,
    decided: Instant,
}

impl StreamAuthorization {
    /// The authorization of an exchange that a policy decided; `None` where there is nothing to forward.
    pub(super) fn new(
        judgement: &Judgement,
        client: &Client,
        deadline: Deadline,
        approvals: &Arc<Live<ApprovalSet>>,
    ) -> Option<Self> {
        let Judgement::Decided(governed, evaluation) = judgement else { return None };
        let plan = evaluation.plan()?;
        Some(Self {
            api: Arc::clone(governed.api()),
            approvals: Arc::clone(approvals),
            policy: Arc::clone(governed.policy()),
            caller: evaluation.caller().cloned(),
            certificate: client.certificate().cloned(),
            method: client.method().to_owned(),
            path: plan.path().to_owned(),
            query: plan.query().map(str::to_owned),
            address: client.address(),
            websocket: plan.is_websocket(),
            overrides: plan.overrides().to_vec(),
            response_type: evaluation.response_type().cloned(),
            deadline,
            decided: Instant::now(),
        })
    }

    /// Decides again at this moment.
    ///
    /// # Errors
    /// The deadline has passed, the token, key or certificate has ended, or the live policy refuses the exchange.
    pub fn check(&mut self) -> Result<(), StreamEnd> {
        self.deadline.check()?;
        let live = self.api.policy.load().ok_or(StreamEnd::Unauthorized)?;
        let now = now();
        let ended = |caller: &Arc<VerifiedCaller>| now >= caller.expires || !self.api.keys.is_still_valid(caller);
        // A connection whose certificate was revoked carries nothing more, whichever caller its requests name.
        let cut = self.certificate.as_ref().is_some_and(|shown| !shown.stands_by(self.caller.as_ref(), now));
        if cut || self.caller.as_ref().is_some_and(ended) {
            if !refused(Reason::Unauthenticated(Some(IdentityError::Expired)), None, &live).is_permit() {
                return Err(StreamEnd::Unauthorized);
            }
            // Only a policy in shadow mode lets it continue. Under the next policy it has no caller.
            (self.caller, self.certificate) = (None, None);
        }
        let has_conditions = !live.model.conditions.is_empty();
        if Arc::ptr_eq(&self.policy, &live) && !(has_conditions && self.decided.elapsed() >= RECHECK) {
            return Ok(());
        }
        if !self.is_permitted_by(&live) {
            return Err(StreamEnd::Unauthorized);
        }
        (self.policy, self.decided) = (live, Instant::now());
        Ok(())
    }

    fn is_permitted_by(&self, policy: &Snapshot) -> bool {
        let Ok(path) = CanonicalPath::read(self.path.as_bytes(), policy.model.dialect) else { return false };
        let query = self.query.as_deref();
        let route = policy.routes.match_route(&self.method, &path, query);
        let anonymous = Subject::anonymous();
        let approvals = self.approvals.load();
        let inquiry = Inquiry {
            method: &self.method,
            path: &path,
            query,
            route: &route,
            subject: Ok(self.caller.as_ref().map_or(&anonymous, |verified| &verified.subject)),
            address: self.address,
            websocket: self.websocket,
            phase: match &self.response_type {
                Some(content_type) => Phase::Response(content_type.as_ref().and_then(|kind| kind.to_str().ok())),
                None => Phase::Request,
            },
            approvals: &approvals,
            now: now(),
        };
        evaluate_inquiry(&inquiry, &self.overrides, policy, &mut NoTrace).is_permit()
    }
}
