//! Judging: an arrival is read, matched, identified and decided under one version of the API's policy.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::decision::{Decision, Phase, Reason, UsageTrace, resolve_scope};
use crate::policy::{NoMatch, Snapshot};
use crate::request::{self, CanonicalPath, RawRequest, RejectedRequest};
use crate::vocabulary::{Cells, RequestFacts, Subject};

use super::api::{Api, host_name};
use super::arrival::{Arrival, Client, RequestFields, content_length};
use super::audit_state::strictest_audit_mode;
use super::candidate::CandidateEvaluation;
use super::clock::now;
use super::exchange::Exchange;
use super::forwarding::{self, ForwardingPlan};
use super::identify::{IdentificationInput, IdentificationStop, IssuerAnswer, IssuerQuery, identify, token_parameter};
use super::inquiry::{Inquiry, evaluate_inquiry, evaluate_overrides, refused};
use super::judgement::{Evaluation, Governed, Judgement};
use super::{Guard, cors};

impl Guard {
    /// Judges an arrival; the result is the judgement of `exchange`.
    ///
    /// Waits for the issuer of a token that only its issuer can read. Nothing else is awaited.
    pub async fn judge(&self, arrival: &Arrival<'_>, exchange: &mut Exchange) {
        let Err(query) = judge(self, arrival, exchange, None) else { return };
        let Some(api) = exchange.judgement().api().cloned() else { return };
        let answer = query.ask(&api).await;
        // An answered query is not asked again. If it were, the exchange would stay undecided, which forwards nothing.
        judge(self, arrival, exchange, Some(&answer)).ok();
    }

    /// Decides again on a permitted request whose form asks for `methods` too, by the live policy and the candidate.
    pub fn judge_form_overrides(&self, exchange: &mut Exchange, methods: &[String]) {
        let (approvals, now, address) = (self.approvals.load(), now(), exchange.client().address());
        let method = exchange.client().method().to_owned();
        let anonymous = Subject::anonymous();
        exchange.require_form_audit(methods);
        exchange.evaluate_again(methods, |policy, decision, caller, plan, usage| {
            let path = match CanonicalPath::read(plan.path().as_bytes(), policy.model.dialect) {
                Ok(path) => path,
                Err(rejected) => return Decision::refuse(Reason::BadRequest(rejected)),
            };
            let inquiry = Inquiry {
                method: &method,
                path: &path,
                query: plan.query(),
                route: &Err(NoMatch::NoRoute),
                subject: Ok(caller.map_or(&anonymous, |verified| &verified.subject)),
                address,
                websocket: false,
                phase: Phase::Request,
                approvals: &approvals,
                now,
            };
            evaluate_overrides(decision, &inquiry, methods, policy, usage)
        });
    }
}

/// Judges an arrival, with the issuer's answer about its token where the issuer was asked.
///
/// # Errors
/// The token's issuer has to be asked; nothing is decided before.
fn judge(
    guard: &Guard,
    arrival: &Arrival<'_>,
    exchange: &mut Exchange,
    answer: Option<&IssuerAnswer>,
) -> Result<(), IssuerQuery> {
    exchange.set_client(Client::of(arrival, &guard.trusted));
    let judgement = match choose_api(guard, arrival) {
        Err(reason) => Judgement::refused(None, reason),
        Ok(api) => {
            exchange.set_audit_mode(api.audit);
            match api.policy.load() {
                None => Judgement::refused(Some(Arc::clone(api)), Reason::NoPolicy),
                Some(policy) => judge_by_policy(guard, arrival, exchange, api, &policy, answer)?,
            }
        }
    };
    exchange.decide(judgement);
    Ok(())
}

/// Checks the header block and chooses the API by listener, host and path.
fn choose_api<'g>(guard: &'g Guard, arrival: &Arrival<'_>) -> Result<&'g Arc<Api>, Reason> {
    arrival.check(&guard.limits).map_err(Reason::BadRequest)?;
    let authority = arrival.host();
    let host = authority.and_then(|host| std::str::from_utf8(host).ok()).map(host_name);
    let target = request::origin_form(arrival.target, authority).map_err(Reason::BadRequest)?;
    let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
    let chosen = guard.apis.choose(arrival.listener, host.as_deref(), path).map_err(Reason::BadRequest)?;
    chosen.ok_or(Reason::NoApi)
}

fn judge_by_policy(
    guard: &Guard,
    arrival: &Arrival<'_>,
    exchange: &mut Exchange,
    api: &Arc<Api>,
    policy: &Arc<Snapshot>,
    answer: Option<&IssuerAnswer>,
) -> Result<Judgement, IssuerQuery> {
    let allowed = policy.model.cors.as_ref().and_then(|cors| cors::allowed_origin(cors, arrival.headers));
    let governed = |route| Governed::new(api, policy, route, allowed.map(Into::into));
    if allowed.is_some() && cors::is_preflight(arrival.method, arrival.headers) {
        return Ok(Judgement::Preflight(governed(None)));
    }
    let (method, target, host) = (arrival.method, arrival.target, arrival.host());
    let fields = RequestFields(arrival.headers);
    let raw = RawRequest { method, target, host, headers: &fields };
    let request = request::read(&raw, policy.model.dialect, api.overrides);
    let (approvals, now, address) = (guard.approvals.load(), now(), exchange.client().address());
    let candidate = CandidateEvaluation { guard, arrival, api, raw, address, approvals: &approvals, now };
    let request = match request {
        Ok(request) => request,
        Err(rejected) => {
            let candidate = candidate.evaluate(policy.model.dialect, Err(rejected), None);
            let evaluation = Evaluation::refused(Reason::BadRequest(rejected), candidate);
            return Ok(Judgement::Decided(governed(None), evaluation));
        }
    };
    let route = policy.routes.match_route(request.method, &request.path, request.query);
    let governed = governed(match &route {
        Ok(route) => Some(route.access.route),
        Err(NoMatch::NoMethod(route)) => Some(*route),
        Err(_) => None,
    });
    let own = route.as_ref().ok().and_then(|route| route.method.audit).unwrap_or(api.audit);
    let overrides = request.overrides.iter().map(String::as_str);
    exchange.set_audit_mode(strictest_audit_mode(policy, &request.path, request.query, overrides, own, api.audit));
    let (query, parameter) = (request.query, token_parameter(&route));
    let input = IdentificationInput { arrival, address, query, parameter, now, answer, counts: true };
    let identified = match identify(guard, api, input) {
        Ok(caller) => Ok(caller),
        Err(IdentificationStop::Identity(error)) => Err(error),
        Err(IdentificationStop::Refused(reason)) => {
            return Ok(Judgement::Decided(governed, Evaluation::refused(reason, None)));
        }
        Err(IdentificationStop::Ask(query)) => {
            exchange.await_issuer(governed);
            return Err(query);
        }
    };
    let anonymous = Subject::anonymous();
    let caller = identified.as_ref().ok().and_then(Option::as_ref);
    let subject = identified.as_ref().map_err(|error| *error);
    let subject = subject.map(|caller| caller.as_ref().map_or(&anonymous, |verified| &verified.subject));
    let websocket = arrival.is_websocket();
    let inquiry = Inquiry {
        method: request.method,
        path: &request.path,
        query: request.query,
        route: &route,
        subject,
        address,
        websocket,
        phase: Phase::Request,
        approvals: &approvals,
        now,
    };
    let mut usage = UsageTrace::default();
    let decision = evaluate_inquiry(&inquiry, &request.overrides, policy, &mut usage);
    let scope = match (&route, subject) {
        (Ok(route), Ok(subject)) => resolve_scope(&route.access, &policy.entitlements.for_subject(subject), policy),
        _ => None,
    };
    let is_unmapped =
        matches!(route, Err(NoMatch::NoRoute | NoMatch::NoMethod(_))) && (caller.is_some() || decision.is_shadowed());
    let mut plan = ForwardingPlan::of(&request, route.as_ref().ok(), api.overrides, decision.is_shadowed());
    plan.set_scope(policy, scope.as_ref());
    plan.set_websocket(websocket && decision.is_permit());
    // Only a request that is forwarded names the caller's roles to the upstream.
    if let (Ok(route), Ok(subject), Some(scope), true) = (&route, subject, &scope, decision.is_permit()) {
        let facts = RequestFacts { method: request.method, path: plan.path(), address };
        let roles = forwarding::roles(policy, facts, route, subject, scope, now);
        plan.set_roles(roles);
    }
    let candidate = candidate.evaluate(policy.model.dialect, Ok((&request, parameter)), Some(subject));
    let is_permit = decision.is_permit();
    let caller = caller.cloned();
    let mut evaluation = Evaluation::of(decision, candidate, caller, usage, is_unmapped, plan);
    if is_permit && is_too_long(arrival.headers, api) {
        evaluation.refuse(Reason::BadRequest(RejectedRequest::BodyTooLong));
    }
    Ok(Judgement::Decided(governed, evaluation))
}

/// Whether a request announces a longer body than its API allows.
fn is_too_long(headers: &HeaderMap, api: &Api) -> bool {
    content_length(headers).zip(api.body).is_some_and(|(length, most)| length > most)
}

impl Exchange {
    /// Judges the upstream's response by its media type, before any byte of it is sent to the client.
    ///
    /// Returns whether the response may be sent.
    pub fn judge_response(&mut self, status: StatusCode, headers: &HeaderMap) -> bool {
        // A response without a body has no media type to judge.
        if (status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS)
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            return true;
        }
        let mut types = headers.get_all(http::header::CONTENT_TYPE).iter();
        let single = types.next().filter(|_| types.next().is_none());
        let content_type = single.and_then(|value| value.to_str().ok());
        self.evaluate_response(single.cloned(), |policy, decision, method| {
            // A route lists HEAD as GET.
            let method = if method == "HEAD" { "GET" } else { method };
            refused_response(policy, decision, method, content_type)
        });
        self.permit().is_some()
    }
}

/// The refusal of a response of this media type, where a route by type was permitted and does not admit the type.
fn refused_response(
    policy: &Snapshot,
    decision: &Decision,
    method: &str,
    content_type: Option<&str>,
) -> Option<Decision> {
    let permit = decision.verdict.as_ref().ok()?;
    let route = policy.routes.route(permit.route()?)?;
    let entry = route.methods.iter().find(|entry| *entry.name == *method)?;
    let Cells::ByType(alternatives) = &entry.cells else { return None };
    let lacking = || policy.reported_cell(permit.missing_cells(alternatives, content_type));
    (!permit.admits(alternatives, content_type)).then(|| refused(Reason::WrongType, lacking(), policy))
}
