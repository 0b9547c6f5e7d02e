//! The second judgement: what a candidate policy says of a request that the live one decides.

use std::sync::Arc;

use pingora::proxy::Session;

use crate::decision::{ApprovalSet, Decision, NoTrace, Phase, Reason};
use crate::identity::IdentityError;
use crate::policy::Snapshot;
use crate::request::{self, CanonicalRequest, Dialect, RawRequest, RejectedRequest};
use crate::vocabulary::{Subject, Timestamp};

use super::Edge;
use super::api::Api;
use super::exchange::Exchange;
use super::identify::{Identifying, Stop, identify};
use super::judge::token_parameter;
use super::read;
use super::weigh::{Asked, weigh};

/// Judged: the candidate that was asked, and its word.
pub(super) type Judged = (Arc<Option<Snapshot>>, Decision);

/// Second: what the candidate's judgement shares with the live policy's.
#[derive(Clone, Copy)]
pub(super) struct Second<'a> {
    pub(super) edge: &'a Edge,
    pub(super) session: &'a Session,
    pub(super) api: &'a Api,
    pub(super) raw: RawRequest<'a>,
    pub(super) approvals: &'a ApprovalSet,
    pub(super) now: Timestamp,
}

/// Read: the request as the live policy's dialect reads it, with the query parameter that may carry its token.
pub(super) type Read<'a> = Result<(&'a CanonicalRequest<'a>, Option<&'a str>), RejectedRequest>;

impl Second<'_> {
    /// The candidate's word; `None` where there is no candidate, or nothing to compare.
    ///
    /// What the live policy has found out is taken over where the candidate would find the same: it may read paths
    /// by another dialect, and tokens from another parameter.
    pub(super) fn judge(
        &self,
        exchange: &Exchange,
        dialect: Dialect,
        read: Read<'_>,
        subject: Option<Result<&Subject, IdentityError>>,
    ) -> Option<Judged> {
        let loaded = self.api.candidate.as_ref()?.load();
        let policy = loaded.as_ref().as_ref()?;
        let again = (policy.model.dialect != dialect)
            .then(|| request::read(&self.raw, policy.model.dialect, self.api.overrides));
        let request = match (&again, read) {
            (Some(Ok(request)), _) | (None, Ok((request, _))) => request,
            (Some(Err(rejected)), _) => {
                let decision = Decision::refuse(Reason::BadRequest(*rejected));
                return Some((Arc::clone(&loaded), decision));
            }
            (None, Err(_)) => return None,
        };
        let placed = policy.routes.place(request.method, &request.path, request.query);
        let parameter = token_parameter(&placed);
        let known = subject.filter(|_| read.is_ok_and(|(_, live)| live == parameter));
        let caller;
        let nobody = Subject::anonymous();
        let subject = match known {
            Some(subject) => subject,
            None => {
                let (address, query) = (exchange.client_address, request.query);
                let (session, now) = (self.session, self.now);
                let asked = Identifying { session, address, query, parameter, now, answered: None, counts: false };
                match identify(self.edge, self.api, asked) {
                    Ok(found) => {
                        caller = found;
                        Ok(caller.as_ref().map_or(&nobody, |verified| &verified.subject))
                    }
                    Err(Stop::Identity(error)) => Err(error),
                    // Who only watches asks nobody.
                    Err(Stop::Refused(_) | Stop::Ask(_)) => return None,
                }
            }
        };
        let asked = Asked {
            method: request.method,
            path: &request.path,
            query: request.query,
            placed: &placed,
            subject,
            address: exchange.client_address,
            websocket: read::is_websocket(self.session.req_header()),
            stage: Phase::Request,
            approvals: self.approvals,
            now: self.now,
        };
        let decision = weigh(&asked, &request.overrides, policy, &mut NoTrace);
        Some((Arc::clone(&loaded), decision))
    }
}
