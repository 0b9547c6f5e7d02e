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
use super::identify::{IdentificationInput, IdentificationStop, identify};
use super::judge::token_parameter;
use super::read;
use super::weigh::{Inquiry, evaluate_inquiry};

/// CandidateDecision: the candidate that was asked, and its word.
pub(super) type CandidateDecision = (Arc<Snapshot>, Decision);

/// CandidateEvaluation: what the candidate's judgement shares with the live policy's.
#[derive(Clone, Copy)]
pub(super) struct CandidateEvaluation<'a> {
    pub(super) edge: &'a Edge,
    pub(super) session: &'a Session,
    pub(super) api: &'a Api,
    pub(super) raw: RawRequest<'a>,
    pub(super) approvals: &'a ApprovalSet,
    pub(super) now: Timestamp,
}

/// LiveReading: the request as the live policy's dialect reads it, with the query parameter that may carry its token.
pub(super) type LiveReading<'a> = Result<(&'a CanonicalRequest<'a>, Option<&'a str>), RejectedRequest>;

impl CandidateEvaluation<'_> {
    /// The candidate's word; `None` where there is no candidate, or nothing to compare.
    ///
    /// What the live policy has found out is taken over where the candidate would find the same: it may read paths
    /// by another dialect, and tokens from another parameter.
    pub(super) fn judge(
        &self,
        exchange: &Exchange,
        dialect: Dialect,
        read: LiveReading<'_>,
        subject: Option<Result<&Subject, IdentityError>>,
    ) -> Option<CandidateDecision> {
        let policy = self.api.candidate.as_ref()?.load()?;
        let again = (policy.model.dialect != dialect)
            .then(|| request::read(&self.raw, policy.model.dialect, self.api.overrides));
        let request = match (&again, read) {
            (Some(Ok(request)), _) | (None, Ok((request, _))) => request,
            (Some(Err(rejected)), _) => {
                let decision = Decision::refuse(Reason::BadRequest(*rejected));
                return Some((policy, decision));
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
                let asked =
                    IdentificationInput { session, address, query, parameter, now, answered: None, counts: false };
                match identify(self.edge, self.api, asked) {
                    Ok(found) => {
                        caller = found;
                        Ok(caller.as_ref().map_or(&nobody, |verified| &verified.subject))
                    }
                    Err(IdentificationStop::Identity(error)) => Err(error),
                    // Who only watches asks nobody.
                    Err(IdentificationStop::Refused(_) | IdentificationStop::Ask(_)) => return None,
                }
            }
        };
        let asked = Inquiry {
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
        let decision = evaluate_inquiry(&asked, &request.overrides, &policy, &mut NoTrace);
        Some((policy, decision))
    }
}
