//! StreamAuthorization: what a long exchange was permitted for, so that it is judged again while it lasts.

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

use super::Edge;
use super::api::Api;
use super::exchange::Exchange;
use super::judge::now;
use super::tls::peer::PeerCertificate;
use super::weigh::{Inquiry, evaluate_inquiry, refused};

/// StreamAuthorization: who was permitted what by which policy, and until when.
pub(super) struct StreamAuthorization {
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
    content_type: Option<Option<HeaderValue>>,
    ends: Option<Instant>,
    overdue: &'static str,
    judged: Instant,
}

/// How long the word of a policy that looks at the time is believed.
const BELIEVED: Duration = Duration::from_secs(1);

impl StreamAuthorization {
    /// The standing of an exchange that was permitted; `None` where nothing was decided.
    pub(super) fn of(edge: &Edge, exchange: &Exchange) -> Option<Self> {
        Some(Self {
            api: exchange.api.clone()?,
            approvals: Arc::clone(&edge.approvals),
            policy: exchange.policy.clone()?,
            caller: exchange.caller.clone(),
            certificate: exchange.certificate.clone(),
            method: exchange.method.clone(),
            path: exchange.path.clone()?,
            query: exchange.query.clone(),
            address: exchange.client_address,
            websocket: exchange.websocket,
            overrides: exchange.overrides.clone(),
            content_type: exchange.content_type.clone(),
            ends: exchange.ends,
            overdue: exchange.overdue(),
            judged: Instant::now(),
        })
    }

    /// Judges it at this moment.
    ///
    /// # Errors
    /// Its time is over, its token, key or certificate has ended, or the live policy refuses it: the word for the records.
    pub(super) fn check(&mut self) -> Result<(), &'static str> {
        if self.ends.is_some_and(|end| Instant::now() > end) {
            return Err(self.overdue);
        }
        let live = self.api.policy.load().ok_or("stream-ended")?;
        let now = now();
        let ended = |caller: &Arc<VerifiedCaller>| now >= caller.expires || !self.api.keys.stand_by(caller);
        // A connection whose certificate was revoked carries nothing more, whoever is named by what it carries.
        let cut = self.certificate.as_ref().is_some_and(|shown| !shown.stands_by(self.caller.as_ref(), now));
        if cut || self.caller.as_ref().is_some_and(ended) {
            let expired = |policy| refused(Reason::Unauthenticated(Some(IdentityError::Expired)), None, policy);
            if !expired(&live).is_permit() {
                return Err("stream-ended");
            }
            // Only a policy that forwards its refusals lets it go on; under the next one nobody stands behind it.
            (self.caller, self.certificate) = (None, None);
        }
        let by_time = !live.model.conditions.is_empty();
        if Arc::ptr_eq(&self.policy, &live) && !(by_time && self.judged.elapsed() >= BELIEVED) {
            return Ok(());
        }
        if !self.is_permitted_by(&live) {
            return Err("stream-ended");
        }
        (self.policy, self.judged) = (live, Instant::now());
        Ok(())
    }

    fn is_permitted_by(&self, policy: &Snapshot) -> bool {
        let Ok(path) = CanonicalPath::read(self.path.as_bytes(), policy.model.dialect) else { return false };
        let query = self.query.as_deref();
        let placed = policy.routes.place(&self.method, &path, query);
        let nobody = Subject::anonymous();
        let approvals = self.approvals.load();
        let asked = Inquiry {
            method: &self.method,
            path: &path,
            query,
            placed: &placed,
            subject: Ok(self.caller.as_ref().map_or(&nobody, |verified| &verified.subject)),
            address: self.address,
            websocket: self.websocket,
            stage: match &self.content_type {
                Some(content_type) => Phase::Answer(content_type.as_ref().and_then(|kind| kind.to_str().ok())),
                None => Phase::Request,
            },
            approvals: &approvals,
            now: now(),
        };
        evaluate_inquiry(&asked, &self.overrides, policy, &mut NoTrace).is_permit()
    }
}
