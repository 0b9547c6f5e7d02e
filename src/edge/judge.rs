//! From what Pingora read to a decision: read, placed, joined, decided, all under one snapshot.

use std::sync::Arc;
use std::time::SystemTime;

use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use crate::decision::{ApprovalSet, Decision, Question, Reason, Stage, decide, mode, scope_of};
use crate::identity::{IdentityError, Presented, Verified};
use crate::metrics::CacheResult;
use crate::policy::{Placed, Snapshot, Unplaced, access_of};
use crate::reload::verified::Lookup;
use crate::request::{self, CanonicalPath, CanonicalRequest, Overrides, RawRequest, RejectedRequest, query};
use crate::vocabulary::{Cells, Facts, Subject, Timestamp};

use super::Edge;
use super::api::{Api, host_name};
use super::exchange::Exchange;
use super::{cors, read};

/// This moment, as the pure layers take it.
pub(super) fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Decides about the request whose header `session` has read; the answer stands in `exchange`.
pub(super) fn judge(edge: &Edge, session: &Session, exchange: &mut Exchange) {
    let decision = match prepare(edge, session, exchange) {
        Ok((api, policy)) => match policy.as_ref() {
            Some(snapshot) => judge_by(edge, session, exchange, &api, snapshot),
            None => Some(Decision::refuse(Reason::NoPolicy)),
        },
        Err(reason) => Some(Decision::refuse(reason)),
    };
    exchange.preflight = decision.is_none();
    exchange.decision = decision;
    exchange.decided = exchange.started.elapsed();
}

/// Header, API and policy; the exchange keeps the last two.
fn prepare(
    edge: &Edge,
    session: &Session,
    exchange: &mut Exchange,
) -> Result<(Arc<Api>, Arc<Option<Snapshot>>), Reason> {
    let header = session.req_header();
    exchange.method = header.method.as_str().chars().take(32).collect();
    exchange.peer = read::peer(session);
    exchange.client_address = read::client_address(header, exchange.peer, &edge.trusted);
    exchange.trusted_peer = exchange.peer.is_some_and(|peer| read::is_trusted(peer.ip(), &edge.trusted));
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
    exchange.api = Some(Arc::clone(api));
    exchange.policy = Some(Arc::clone(&policy));
    Ok((Arc::clone(api), policy))
}

/// The decision; `None` for a preflight that the gateway answers.
fn judge_by(edge: &Edge, session: &Session, exchange: &mut Exchange, api: &Api, policy: &Snapshot) -> Option<Decision> {
    let header = session.req_header();
    if let Some(cors) = &policy.model.cors {
        exchange.origin = cors::allowed(cors, &header.headers).map(Into::into);
        if exchange.origin.is_some() && cors::is_preflight(header.method.as_str(), &header.headers) {
            return None;
        }
    }
    let raw = RawRequest {
        method: header.method.as_str(),
        target: header.raw_path(),
        host: read::host(header),
        headers: &read::Fields(header),
    };
    let request = match request::read(&raw, policy.model.dialect, api.overrides) {
        Ok(request) => request,
        Err(rejected) => return Some(Decision::refuse(Reason::BadRequest(rejected))),
    };
    let placed = policy.routes.place(request.method, &request.path, request.query);
    match &placed {
        Ok(placed) => exchange.route = Some(placed.access.route),
        Err(Unplaced::NoMethod(route)) => exchange.route = Some(*route),
        Err(_) => {}
    }
    let subject = match identify(edge, session, exchange, api, &request, placed.as_ref().ok()) {
        Ok(caller) => {
            exchange.caller = caller;
            Ok(())
        }
        Err(Stop::Identity(error)) => Err(error),
        Err(Stop::Refused(reason)) => return Some(Decision::refuse(reason)),
    };
    let nobody = Subject::anonymous();
    let subject = subject.map(|()| exchange.caller.as_ref().map_or(&nobody, |verified| &verified.subject));
    let approvals = edge.approvals.load();
    let access = access_of(&placed);
    let facts = Facts { method: request.method, path: request.path.as_str(), address: exchange.client_address };
    let question = Question { access, subject, facts, stage: Stage::Request };
    let mut decision = decide(question, policy, &approvals, now());
    if decision.is_permit()
        && let Some(refused) =
            refused_override(&request.overrides, question, &request.path, request.query, policy, &approvals)
    {
        decision = refused;
    }
    let scope = match (&placed, subject) {
        (Ok(placed), Ok(subject)) => scope_of(&placed.access, &policy.standings.of(subject), policy),
        _ => None,
    };
    let named = policy.model.scopes.iter().zip(scope.iter().flatten());
    exchange.scope = named.filter_map(|(name, value)| Some((name.name.clone(), value.as_deref()?.into()))).collect();
    keep_target(exchange, api, &request, placed.as_ref().ok());
    let decision = mode::apply(decision, policy);
    Some(check_rest(session, exchange, api, policy, placed.ok().as_ref(), decision))
}

/// What the permit cannot know: upgrades, and bodies that are announced as too long.
fn check_rest(
    session: &Session,
    exchange: &mut Exchange,
    api: &Api,
    policy: &Snapshot,
    placed: Option<&Placed<'_>>,
    mut decision: Decision,
) -> Decision {
    let header = session.req_header();
    let Ok(permit) = &decision.verdict else { return decision };
    if permit.masks().next().is_some() {
        return Decision::refuse(Reason::CannotMask);
    }
    let upgrade = header
        .headers
        .get_all(http::header::UPGRADE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let websocket = upgrade.map(<[u8]>::trim_ascii).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
    if websocket && !placed.is_some_and(|placed| placed.method.websocket) {
        decision = mode::apply(Decision::refuse(Reason::NoUpgrade), policy);
        if !decision.is_permit() {
            return decision;
        }
    }
    exchange.websocket = websocket;
    match (read::content_length(header), api.body) {
        (Some(length), Some(most)) if length > most => {
            Decision::refuse(Reason::BadRequest(RejectedRequest::BodyTooLong))
        }
        _ => decision,
    }
}

/// Keeps the target that is forwarded: the path as the route prints it, the query without what is the gateway's.
fn keep_target(exchange: &mut Exchange, api: &Api, request: &CanonicalRequest<'_>, placed: Option<&Placed<'_>>) {
    let mut path = String::with_capacity(request.path.as_str().len());
    match placed {
        Some(placed) => placed.route.template.print(request.path.as_str(), &mut path),
        None => path.push_str(request.path.as_str()),
    }
    exchange.path = Some(path);
    exchange.query = request.query.map(|written| {
        let token = placed.and_then(|placed| placed.method.token_from.as_deref());
        let strip = api.overrides == Overrides::Strip;
        let unwanted = |name: &str| {
            query::same_name(name, query::TOKEN)
                || token.is_some_and(|token| query::same_name(name, token))
                || (strip && query::is_method_override(name))
        };
        query::without(written, unwanted).into_owned()
    });
    if exchange.query.as_deref() == Some("") && request.query != Some("") {
        exchange.query = None;
    }
}

/// A request that overrides its method asks for two operations: the refusal of the first one that is not permitted.
fn refused_override(
    methods: &[String],
    question: Question<'_>,
    path: &CanonicalPath<'_>,
    query: Option<&str>,
    policy: &Snapshot,
    approvals: &ApprovalSet,
) -> Option<Decision> {
    let mut decisions = methods.iter().map(|method| {
        let placed = policy.routes.place(method, path, query);
        let access = access_of(&placed);
        let facts = Facts { method, ..question.facts };
        decide(Question { access, facts, ..question }, policy, approvals, now())
    });
    decisions.find(|decision| !decision.is_permit())
}

/// The refusal of a permitted request whose form asks for other methods, if one of them is not permitted.
pub(super) fn judge_overrides(edge: &Edge, exchange: &Exchange, methods: &[String]) -> Option<Decision> {
    let (policy, path) = (exchange.snapshot()?, exchange.path.as_deref()?);
    let nobody = Subject::anonymous();
    let path = match CanonicalPath::read(path.as_bytes(), policy.model.dialect) {
        Ok(path) => path,
        Err(rejected) => return Some(Decision::refuse(Reason::BadRequest(rejected))),
    };
    let question = Question {
        access: Err(Unplaced::NoRoute),
        subject: Ok(exchange.subject().unwrap_or(&nobody)),
        facts: Facts { method: &exchange.method, path: path.as_str(), address: exchange.client_address },
        stage: Stage::Request,
    };
    let query = exchange.query.as_deref();
    let refused = refused_override(methods, question, &path, query, policy, &edge.approvals.load());
    refused.map(|refused| mode::apply(refused, policy)).filter(|decision| !decision.is_permit())
}

/// The refusal of an answer whose media type the caller may not read, before any byte of it has left.
pub(super) fn judge_answer(exchange: &Exchange, answer: &ResponseHeader) -> Option<Decision> {
    let (policy, permit) = (exchange.snapshot()?, exchange.permit()?);
    let route = policy.routes.route(permit.route()?)?;
    let method = if exchange.method == "HEAD" { "GET" } else { &exchange.method };
    let entry = route.methods.iter().find(|entry| *entry.name == *method)?;
    // Answers without a body have nothing to tell.
    let bodiless = answer.status.is_informational() || matches!(answer.status.as_u16(), 204 | 304);
    let Cells::ByType(candidates) = &entry.cells else { return None };
    let mut types = answer.headers.get_all(http::header::CONTENT_TYPE).iter();
    let content_type = types.next().filter(|_| types.next().is_none()).and_then(|value| value.to_str().ok());
    if bodiless || permit.admits(candidates, content_type) {
        return None;
    }
    let refused = Decision { cell: exchange.decision.as_ref()?.cell, ..Decision::refuse(Reason::WrongType) };
    Some(mode::apply(refused, policy)).filter(|decision| !decision.is_permit())
}

enum Stop {
    Identity(IdentityError),
    Refused(Reason),
}

/// Who asks: by an API key, or by a token from the cache or verified now; neither is looked at where the address has
/// failed too often.
fn identify(
    edge: &Edge,
    session: &Session,
    exchange: &Exchange,
    api: &Api,
    request: &CanonicalRequest<'_>,
    placed: Option<&Placed<'_>>,
) -> Result<Option<Arc<Verified>>, Stop> {
    let credentials = read::credentials(session.req_header(), &api.keys);
    let parameter = placed.and_then(|placed| placed.method.token_from.as_deref());
    let in_query = match (parameter, request.query) {
        (Some(name), Some(written)) => {
            // Two tokens are two credentials.
            query::single(written, name).map_err(|_| Stop::Identity(IdentityError::SeveralCredentials))?
        }
        // A server may believe a token in the query on any route (RFC 6750, section 2.3): beside another credential
        // it would speak for somebody else.
        (None, Some(written)) if query::parameters(written).any(|(name, _)| query::same_name(&name, query::TOKEN)) => {
            let alone = matches!(credentials.presented(), Ok(Presented::Anonymous));
            return if alone { Ok(None) } else { Err(Stop::Identity(IdentityError::SeveralCredentials)) };
        }
        _ => None,
    };
    let credentials = credentials.with_query_token(in_query.as_deref());
    let now = now();
    let failed = |error| {
        // Only what had to be verified, or may be a guess: a retried token or key that has expired locks nobody out.
        let costly = matches!(error, IdentityError::BadSignature | IdentityError::UnknownKey);
        let guessed = matches!(error, IdentityError::UnknownApiKey | IdentityError::WrongSecret);
        if let (Some(address), true) = (exchange.client_address, costly || guessed) {
            edge.failures.count(address, now);
        }
        Stop::Identity(error)
    };
    let has_failed_too_often = || exchange.client_address.is_some_and(|address| edge.failures.is_over(address, now));
    let token = match credentials.presented().map_err(failed)? {
        Presented::Anonymous => return Ok(None),
        Presented::Token(token) => token,
        Presented::Basic(_) | Presented::Key { .. } if has_failed_too_often() => {
            return Err(Stop::Refused(Reason::TooManyFailures));
        }
        key @ (Presented::Basic(_) | Presented::Key { .. }) => {
            return api.keys.verify(key, now).map(Some).map_err(failed);
        }
    };
    match api.tokens.look_up(token, now) {
        Lookup::Found(verified) => {
            edge.metrics.token_cache(CacheResult::Hit);
            Ok(Some(verified))
        }
        Lookup::Missing(slot) => {
            edge.metrics.token_cache(CacheResult::Miss);
            if has_failed_too_often() {
                return Err(Stop::Refused(Reason::TooManyFailures));
            }
            let verified = api.issuers.verify(token, now).map_err(failed)?;
            Ok(Some(api.tokens.keep(slot, verified, now)))
        }
    }
}
