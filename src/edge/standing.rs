//! Standing: what a long exchange was permitted for, so that it is judged again while it lasts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::decision::{ApprovalSet, Decision, Question, Reason, Stage, decide, mode};
use crate::identity::Verified;
use crate::policy::{Snapshot, access_of};
use crate::reload::Live;
use crate::request::CanonicalPath;
use crate::vocabulary::{Facts, Subject};

use super::Edge;
use super::api::Api;
use super::exchange::Exchange;
use super::judge::now;

/// Standing: who was permitted what by which policy, and until when.
pub(super) struct Standing {
    api: Arc<Api>,
    approvals: Arc<Live<ApprovalSet>>,
    /// The newest policy that permits it.
    policy: Arc<Option<Snapshot>>,
    caller: Option<Arc<Verified>>,
    method: String,
    path: String,
    query: Option<String>,
    address: Option<IpAddr>,
    websocket: bool,
    ends: Option<Instant>,
}

impl Standing {
    /// The standing of an exchange that was permitted; `None` where nothing was decided.
    pub(super) fn of(edge: &Edge, exchange: &Exchange) -> Option<Self> {
        Some(Self {
            api: exchange.api.clone()?,
            approvals: Arc::clone(&edge.approvals),
            policy: exchange.policy.clone()?,
            caller: exchange.caller.clone(),
            method: exchange.method.clone(),
            path: exchange.path.clone()?,
            query: exchange.query.clone(),
            address: exchange.client_address,
            websocket: exchange.websocket,
            ends: exchange.ends,
        })
    }

    /// Judges it at this moment.
    ///
    /// # Errors
    /// Its time is over, its token or key has ended, or the live policy refuses it: the word for the records.
    pub(super) fn check(&mut self) -> Result<(), &'static str> {
        if self.ends.is_some_and(|end| Instant::now() > end) {
            return Err("stream-age");
        }
        let now = now();
        let ended = |caller: &Arc<Verified>| now >= caller.expires || !self.api.keys.stand_by(caller);
        if self.caller.as_ref().is_some_and(ended) {
            return Err("stream-ended");
        }
        let live = self.api.policy.load();
        if Arc::ptr_eq(&self.policy, &live) {
            return Ok(());
        }
        if !live.as_ref().as_ref().is_some_and(|policy| self.is_permitted_by(policy)) {
            return Err("stream-ended");
        }
        self.policy = live;
        Ok(())
    }

    fn is_permitted_by(&self, policy: &Snapshot) -> bool {
        let Ok(path) = CanonicalPath::read(self.path.as_bytes(), policy.model.dialect) else { return false };
        let placed = policy.routes.place(&self.method, &path, self.query.as_deref());
        if self.websocket && !placed.as_ref().is_ok_and(|placed| placed.method.websocket) {
            return mode::apply(Decision::refuse(Reason::NoUpgrade), policy).is_permit();
        }
        let nobody = Subject::anonymous();
        let question = Question {
            access: access_of(&placed),
            subject: Ok(self.caller.as_ref().map_or(&nobody, |verified| &verified.subject)),
            facts: Facts { method: &self.method, path: &self.path, address: self.address },
            stage: Stage::Request,
        };
        mode::apply(decide(question, policy, &self.approvals.load(), now()), policy).is_permit()
    }
}
