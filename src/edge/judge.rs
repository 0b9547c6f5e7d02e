//! From what Pingora read to a decision: read, placed, joined, decided, all under one snapshot.

use std::sync::Arc;
use std::time::SystemTime;

use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use crate::decision::{Decision, Phase, Reason, UsageTrace, scope_of};
use crate::policy::condition::ConditionContext;
use crate::policy::{NoMatch, RouteMatch, Snapshot};
use crate::request::{self, CanonicalPath, CanonicalRequest, OverrideMode, RawRequest, RejectedRequest, query};
use crate::vocabulary::{Cells, RequestFacts, Scope, Subject, Timestamp};

use super::Edge;
use super::api::{Api, host_name};
use super::candidate::CandidateEvaluation;
use super::exchange::Exchange;
use super::identify::{IdentificationInput, IdentificationStop, IssuerAnswer, IssuerQuery, identify};
use super::keep::strictest_audit_mode;
use super::weigh::{Inquiry, evaluate_inquiry, evaluate_overrides, refused};
use super::{cors, read};

/// This moment, as the pure layers take it.
pub(super) fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Decides about the request whose header `session` has read; the answer stands in `exchange`.
///
/// Where a token's issuer has to be asked first nothing is decided: judge again with what it said.
pub(super) fn judge(
    edge: &Edge,
    session: &Session,
    exchange: &mut Exchange,
    answered: Option<&IssuerAnswer>,
) -> Result<(), IssuerQuery> {
    let decision = match prepare(edge, session, exchange) {
        Ok((api, policy)) => match policy {
            Some(policy) => judge_by(edge, session, exchange, &api, &policy, answered)?,
            None => Some(Decision::refuse(Reason::NoPolicy)),
        },
        Err(reason) => Some(Decision::refuse(reason)),
    };
    exchange.preflight = decision.is_none();
    exchange.decision = decision;
    exchange.decided = exchange.started.elapsed();
    Ok(())
}

/// Header, API and policy; the exchange keeps the last two.
fn prepare(
    edge: &Edge,
    session: &Session,
    exchange: &mut Exchange,
) -> Result<(Arc<Api>, Option<Arc<Snapshot>>), Reason> {
    let header = session.req_header();
    exchange.method = header.method.as_str().chars().take(32).collect();
    exchange.peer = read::peer(session);
    exchange.client_address = read::client_address(header, exchange.peer, &edge.trusted);
    exchange.trusted_peer = exchange.peer.is_some_and(|peer| read::is_trusted(peer.ip(), &edge.trusted));
    exchange.certificate = read::certificate(session).map(Arc::clone);
    exchange.secure = session.digest().is_some_and(|digest| digest.ssl_digest.is_some());
    read::check_header(session, &edge.limits).map_err(Reason::BadRequest)?;
    let authority = read::host(header);
    let host = authority.and_then(|host| std::str::from_utf8(host).ok()).map(host_name);
    let local = session.server_addr().and_then(|address| address.as_inet()).copied();
    let listener = local.and_then(|local| edge.listener(local)).unwrap_or_default();
    let target = request::origin_form(header.raw_path(), authority).map_err(Reason::BadRequest)?;
    let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
    let api = edge.apis.choose(listener, host.as_deref(), path).map_err(Reason::BadRequest)?.ok_or(Reason::NoApi)?;
    let policy = api.policy.load();
    exchange.audit = api.audit;
    exchange.api = Some(Arc::clone(api));
    exchange.policy.clone_from(&policy);
    Ok((Arc::clone(api), policy))
}

/// The decision; `None` for a preflight that the gateway answers.
fn judge_by(
    edge: &Edge,
    session: &Session,
    exchange: &mut Exchange,
    api: &Api,
    policy: &Snapshot,
    answered: Option<&IssuerAnswer>,
) -> Result<Option<Decision>, IssuerQuery> {
    let header = session.req_header();
    if let Some(cors) = &policy.model.cors {
        exchange.origin = cors::allowed(cors, &header.headers).map(Into::into);
        if exchange.origin.is_some() && cors::is_preflight(header.method.as_str(), &header.headers) {
            return Ok(None);
        }
    }
    let fields = read::RequestHeaderView(header);
    let (method, target, host) = (header.method.as_str(), header.raw_path(), read::host(header));
    let raw = RawRequest { method, target, host, headers: &fields };
    let request = request::read(&raw, policy.model.dialect, api.overrides);
    let (approvals, now) = (edge.approvals.load(), now());
    let second = CandidateEvaluation { edge, session, api, raw, approvals: &approvals, now };
    let request = match request {
        Ok(request) => request,
        Err(rejected) => {
            let decision = Decision::refuse(Reason::BadRequest(rejected));
            exchange.candidate = second.judge(exchange, policy.model.dialect, Err(rejected), None);
            return Ok(Some(decision));
        }
    };
    let placed = policy.routes.place(request.method, &request.path, request.query);
    match &placed {
        Ok(placed) => exchange.route = Some(placed.access.route),
        Err(NoMatch::NoMethod(route)) => exchange.route = Some(*route),
        Err(_) => {}
    }
    let own = placed.as_ref().ok().and_then(|placed| placed.method.audit).unwrap_or(api.audit);
    let besides = request.overrides.iter().map(String::as_str);
    exchange.audit = strictest_audit_mode(policy, &request.path, request.query, besides, own, api.audit);
    let (address, query, parameter) = (exchange.client_address, request.query, token_parameter(&placed));
    let identifying = IdentificationInput { session, address, query, parameter, now, answered, counts: true };
    let identified = match identify(edge, api, identifying) {
        Ok(caller) => {
            exchange.caller = caller;
            Ok(())
        }
        Err(IdentificationStop::Identity(error)) => Err(error),
        Err(IdentificationStop::Refused(reason)) => return Ok(Some(Decision::refuse(reason))),
        Err(IdentificationStop::Ask(question)) => return Err(question),
    };
    let nobody = Subject::anonymous();
    let caller = exchange.caller.clone();
    let subject = identified.map(|()| caller.as_ref().map_or(&nobody, |verified| &verified.subject));
    let websocket = read::is_websocket(header);
    let asked = Inquiry {
        method: request.method,
        path: &request.path,
        query: request.query,
        placed: &placed,
        subject,
        address,
        websocket,
        stage: Phase::Request,
        approvals: &approvals,
        now,
    };
    let decision = evaluate_inquiry(&asked, &request.overrides, policy, &mut exchange.uses);
    exchange.overrides.clone_from(&request.overrides);
    let scope = match (&placed, subject) {
        (Ok(placed), Ok(subject)) => scope_of(&placed.access, &policy.standings.of(subject), policy),
        _ => None,
    };
    let named = policy.model.scopes.iter().zip(scope.iter().flatten());
    exchange.scope = named.filter_map(|(name, value)| Some((name.name.clone(), value.as_deref()?.into()))).collect();
    exchange.unmapped =
        matches!(placed, Err(NoMatch::NoRoute | NoMatch::NoMethod(_))) && (caller.is_some() || decision.is_shadowed());
    keep_target(exchange, api, &request, placed.as_ref().ok(), decision.is_shadowed());
    exchange.websocket = websocket && decision.is_permit();
    // Only what is forwarded tells the upstream who asks.
    if let (Ok(placed), Ok(subject), Some(scope), true) = (&placed, subject, &scope, decision.is_permit()) {
        let facts = RequestFacts { method: asked.method, path: exchange.path.as_deref().unwrap_or_default(), address };
        exchange.roles = roles(facts, placed.access.across, subject, scope, policy, now);
    }
    exchange.candidate = second.judge(exchange, policy.model.dialect, Ok((&request, parameter)), Some(subject));
    Ok(Some(match (read::content_length(header), api.body) {
        (Some(length), Some(most)) if length > most && decision.is_permit() => {
            exchange.rejected(RejectedRequest::BodyTooLong)
        }
        _ => decision,
    }))
}

/// The names of the caller's roles that hold here, for the upstream.
fn roles(
    facts: RequestFacts<'_>,
    across: u8,
    subject: &Subject,
    scope: &Scope<'_>,
    policy: &Snapshot,
    now: Timestamp,
) -> Vec<Box<str>> {
    let standing = policy.standings.of(subject);
    let at = ConditionContext { now, subject, facts, scope, standing: &standing, policy };
    let there = standing.where_holds(|id| policy.condition(id).is_some_and(|condition| condition.holds(&at)));
    there.roles_within(scope, across, &policy.model).into_iter().map(Into::into).collect()
}

pub(super) fn token_parameter<'p>(placed: &Result<RouteMatch<'p>, NoMatch>) -> Option<&'p str> {
    placed.as_ref().ok().and_then(|placed| placed.method.token_from.as_deref())
}

/// Keeps the target that is forwarded: the path as the route prints it, the query without what is the gateway's. What
/// is forwarded though it would be refused keeps its token: the server behind may be the one to read it.
fn keep_target(
    exchange: &mut Exchange,
    api: &Api,
    request: &CanonicalRequest<'_>,
    placed: Option<&RouteMatch<'_>>,
    shadowed: bool,
) {
    let path = placed.map(|placed| placed.printed(&request.path));
    exchange.path = path.or_else(|| Some(request.path.as_str().to_owned()));
    exchange.query = request.query.map(|written| {
        let token = placed.and_then(|placed| placed.method.token_from.as_deref());
        let strip = api.overrides == OverrideMode::Strip;
        let is_token = |name: &str| {
            query::is_taken_for(name, query::TOKEN) || token.is_some_and(|token| query::is_taken_for(name, token))
        };
        let unwanted = |name: &str| (!shadowed && is_token(name)) || (strip && query::is_method_override(name));
        query::without(written, unwanted).into_owned()
    });
    if exchange.query.as_deref() == Some("") && request.query != Some("") {
        exchange.query = None;
    }
}

/// Judges a permitted request again whose form asks for other methods too, by both policies.
pub(super) fn judge_form(edge: &Edge, exchange: &mut Exchange, methods: &[String]) {
    let (approvals, now, mut uses) = (edge.approvals.load(), now(), exchange.uses);
    let candidate = exchange.candidate.take();
    exchange.overrides.extend_from_slice(methods);
    if let (Some(policy), Some(path)) = (exchange.snapshot(), &exchange.path)
        && let Ok(path) = CanonicalPath::read(path.as_bytes(), policy.model.dialect)
    {
        let methods = methods.iter().map(String::as_str);
        let own = exchange.audit;
        exchange.audit = strictest_audit_mode(policy, &path, exchange.query.as_deref(), methods, own, own);
    }
    let again = |policy: &Snapshot, decision: Decision, uses: &mut UsageTrace| {
        let path = exchange.path.as_deref().unwrap_or_default();
        let path = match CanonicalPath::read(path.as_bytes(), policy.model.dialect) {
            Ok(path) => path,
            Err(rejected) => return Decision::refuse(Reason::BadRequest(rejected)),
        };
        let asked = Inquiry {
            method: &exchange.method,
            path: &path,
            query: exchange.query.as_deref(),
            placed: &Err(NoMatch::NoRoute),
            subject: Ok(exchange.subject().unwrap_or(&exchange.nobody)),
            address: exchange.client_address,
            websocket: false,
            stage: Phase::Request,
            approvals: &approvals,
            now,
        };
        evaluate_overrides(decision, &asked, methods, policy, uses)
    };
    let decided = exchange.snapshot().zip(exchange.decision.clone());
    let decision = decided.map(|(policy, decision)| again(policy, decision, &mut uses));
    let candidate = candidate.map(|(policy, decision)| {
        let decision = again(&policy, decision, &mut UsageTrace::default());
        (policy, decision)
    });
    (exchange.decision, exchange.candidate, exchange.uses) = (decision, candidate, uses);
}

/// Judges an answer by its media type, before any byte of it has left; whether it may not go to the caller.
pub(super) fn judge_answer(exchange: &mut Exchange, answer: &ResponseHeader) -> bool {
    // Answers without a body have nothing to tell.
    let status = answer.status.as_u16();
    if (answer.status.is_informational() && status != 101) || matches!(status, 204 | 304) {
        return false;
    }
    let mut types = answer.headers.get_all(http::header::CONTENT_TYPE).iter();
    let single = types.next().filter(|_| types.next().is_none());
    let content_type = single.and_then(|value| value.to_str().ok());
    exchange.content_type = Some(single.cloned());
    if let Some((policy, decision)) = &exchange.candidate
        && let Some(refused) = refused_answer(policy, decision, &exchange.method, content_type)
    {
        exchange.candidate = exchange.candidate.take().map(|(policy, _)| (policy, refused));
    }
    let decided = exchange.snapshot().zip(exchange.decision.as_ref());
    if let Some(refused) =
        decided.and_then(|(policy, decision)| refused_answer(policy, decision, &exchange.method, content_type))
    {
        exchange.decision = Some(refused);
    }
    exchange.permit().is_none()
}

/// The refusal of an answer of this media type, where a route by type was permitted and does not admit it.
fn refused_answer(
    policy: &Snapshot,
    decision: &Decision,
    method: &str,
    content_type: Option<&str>,
) -> Option<Decision> {
    let permit = decision.verdict.as_ref().ok()?;
    let route = policy.routes.route(permit.route()?)?;
    let method = if method == "HEAD" { "GET" } else { method };
    let entry = route.methods.iter().find(|entry| *entry.name == *method)?;
    let Cells::ByType(candidates) = &entry.cells else { return None };
    let lacking = || policy.telling(permit.lacking(candidates, content_type));
    (!permit.admits(candidates, content_type)).then(|| refused(Reason::WrongType, lacking(), policy))
}
