//! The evaluation of a candidate policy on a request that the live policy decides.

use std::net::IpAddr;
use std::sync::Arc;

use crate::decision::{ApprovalSet, Decision, NoTrace, Phase, Reason};
use crate::identity::IdentityError;
use crate::policy::Snapshot;
use crate::request::{self, CanonicalRequest, Dialect, RawRequest, RejectedRequest};
use crate::vocabulary::{Subject, Timestamp};

use super::Guard;
use super::api::Api;
use super::arrival::Arrival;
use super::identify::{IdentificationInput, IdentificationStop, identify, token_parameter};
use super::inquiry::{Inquiry, evaluate_inquiry};

/// CandidateDecision: a candidate policy, and its decision.
pub(super) type CandidateDecision = (Arc<Snapshot>, Decision);

/// CandidateEvaluation: what the evaluation of a candidate shares with that of the live policy.
#[derive(Clone, Copy)]
pub(super) struct CandidateEvaluation<'a> {
    pub(super) guard: &'a Guard,
    pub(super) arrival: &'a Arrival<'a>,
    pub(super) api: &'a Api,
    pub(super) raw: RawRequest<'a>,
    pub(super) address: Option<IpAddr>,
    pub(super) approvals: &'a ApprovalSet,
    pub(super) now: Timestamp,
}

/// LiveReading: the request as the live policy's dialect reads it, with the query parameter that may carry its token.
pub(super) type LiveReading<'a> = Result<(&'a CanonicalRequest<'a>, Option<&'a str>), RejectedRequest>;

impl CandidateEvaluation<'_> {
    /// The candidate's decision; `None` where there is no candidate, or nothing to compare.
    ///
    /// It reuses what the live policy found where the candidate would find the same. A candidate may read paths by
    /// another dialect, and take tokens from another parameter.
    pub(super) fn evaluate(
        &self,
        dialect: Dialect,
        live: LiveReading<'_>,
        subject: Option<Result<&Subject, IdentityError>>,
    ) -> Option<CandidateDecision> {
        let policy = self.api.candidate.as_ref()?.load()?;
        let again = (policy.model.dialect != dialect)
            .then(|| request::read(&self.raw, policy.model.dialect, self.api.overrides));
        let request = match (&again, live) {
            (Some(Ok(request)), _) | (None, Ok((request, _))) => request,
            (Some(Err(rejected)), _) => {
                let decision = Decision::refuse(Reason::BadRequest(*rejected));
                return Some((policy, decision));
            }
            (None, Err(_)) => return None,
        };
        let route = policy.routes.match_route(request.method, &request.path, request.query);
        let parameter = token_parameter(&route);
        let known = subject.filter(|_| live.is_ok_and(|(_, live)| live == parameter));
        let caller;
        let anonymous = Subject::anonymous();
        let subject = match known {
            Some(subject) => subject,
            None => {
                let input = IdentificationInput {
                    arrival: self.arrival,
                    address: self.address,
                    query: request.query,
                    parameter,
                    now: self.now,
                    answer: None,
                    counts: false,
                };
                match identify(self.guard, self.api, input) {
                    Ok(found) => {
                        caller = found;
                        Ok(caller.as_ref().map_or(&anonymous, |verified| &verified.subject))
                    }
                    Err(IdentificationStop::Identity(error)) => Err(error),
                    // A candidate asks no issuer.
                    Err(IdentificationStop::Refused(_) | IdentificationStop::Ask(_)) => return None,
                }
            }
        };
        let inquiry = Inquiry {
            method: request.method,
            path: &request.path,
            query: request.query,
            route: &route,
            subject,
            address: self.address,
            websocket: self.arrival.is_websocket(),
            phase: Phase::Request,
            approvals: self.approvals,
            now: self.now,
        };
        let decision = evaluate_inquiry(&inquiry, &request.overrides, &policy, &mut NoTrace);
        Some((policy, decision))
    }
}
