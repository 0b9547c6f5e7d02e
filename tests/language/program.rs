//! Runs the program on the questions, and converts its answers for comparison with the reference evaluator.

use portcullis::decision::{ApprovalSet, Decision, Phase, Question, decide};
use portcullis::document::{Sources, report};
use portcullis::identity::IdentityError;
use portcullis::policy::{self, NoMatch, Snapshot};
use portcullis::request::{OverrideMode, RawRequest, read};
use portcullis::vocabulary::{self, Access, Cells, Proof, RequestFacts, Subject, SubjectId, Timestamp};

use crate::model::{Caller, Kind, Request, ResponseType};
use crate::reference::Answer;

/// The snapshot of a policy that must load.
pub(crate) fn load(yaml: &str) -> Snapshot {
    load_files(&[yaml.to_owned()])
}

/// The snapshot of a policy in several files.
pub(crate) fn load_files(files: &[String]) -> Snapshot {
    let mut sources = Sources::default();
    for (at, text) in files.iter().enumerate() {
        sources.add(format!("{at}.yaml"), text);
    }
    let loaded = policy::load(&sources, None);
    let findings = || report::human(&loaded.findings, &sources);
    loaded.snapshot.unwrap_or_else(|| panic!("{}\n{}", findings(), files.concat()))
}

/// The caller as the identity layer would return it.
///
/// # Errors
///
/// The credential is not valid.
pub(crate) fn subject(caller: &Caller) -> Result<Subject, IdentityError> {
    if caller.invalid {
        return Err(IdentityError::BadSignature);
    }
    let boxed = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<Box<str>>>();
    let roles = caller.roles.iter().map(|claimed| vocabulary::Assignment {
        role: claimed.role.into(),
        scope: claimed.bound.iter().map(|(name, values)| ((*name).into(), boxed(values))).collect(),
    });
    let mut claims = serde_json::Map::new();
    if caller.mfa {
        claims.insert("acr".to_owned(), "mfa".into());
    }
    Ok(Subject {
        kind: match caller.kind {
            Kind::Anonymous => vocabulary::SubjectKind::Anonymous,
            Kind::User => vocabulary::SubjectKind::User,
            Kind::Service => vocabulary::SubjectKind::Service,
        },
        id: caller.id.map(SubjectId::parse),
        client: caller.client.map(Into::into),
        tenants: boxed(&caller.tenants),
        roles: roles.collect(),
        groups: boxed(&caller.groups),
        permissions: boxed(&caller.permissions),
        claims,
        approved: boxed(&caller.approved),
        proof: Proof::Stated,
    })
}

/// The answers to one request by all of `callers`, in their order.
pub(crate) fn answers(
    policy: &Snapshot,
    request: &Request,
    callers: &[Result<Subject, IdentityError>],
    now: u64,
) -> Vec<Answer> {
    let phase = match request.response {
        ResponseType::Unknown => Phase::Request,
        ResponseType::ContentType(content_type) => Phase::Response(content_type),
    };
    ask(policy, request, phase, callers, now, |decision, _| answer(&decision, policy))
}

/// Whether the permit of the request alone, if there is one, admits a response with that `Content-Type`.
pub(crate) fn admitted(
    policy: &Snapshot,
    request: &Request,
    content_type: Option<&str>,
    callers: &[Result<Subject, IdentityError>],
    now: u64,
) -> Vec<bool> {
    ask(policy, request, Phase::Request, callers, now, |decision, access| match (decision.verdict, access) {
        (Ok(permit), Ok(Access { cells: Cells::ByType(candidates), .. })) => permit.admits(candidates, content_type),
        (verdict, _) => verdict.is_ok(),
    })
}

fn ask<T>(
    policy: &Snapshot,
    request: &Request,
    phase: Phase<'_>,
    callers: &[Result<Subject, IdentityError>],
    now: u64,
    report: impl Fn(Decision, Result<&Access<'_>, NoMatch>) -> T,
) -> Vec<T> {
    let headers: [(&str, &str); 0] = [];
    let target = request.target();
    let raw = RawRequest { method: request.method, target: target.as_bytes(), host: None, headers: &headers };
    let canonical = read(&raw, policy.model.dialect, OverrideMode::Reject);
    let matched = canonical.as_ref().map_err(|error| NoMatch::Rejected(*error));
    let matched = matched.and_then(|request| policy.routes.match_route(request.method, &request.path, request.query));
    let access = policy::access_of(&matched);
    let approvals = ApprovalSet::default();
    let path = canonical.as_ref().map_or("", |request| request.path.as_str());
    let facts = RequestFacts { method: request.method, path, address: None };
    let one = |subject: &Result<Subject, IdentityError>| {
        let subject = subject.as_ref().map_err(|error| *error);
        report(decide(Question { access, subject, facts, phase }, policy, &approvals, Timestamp(now)), access)
    };
    callers.iter().map(one).collect()
}

fn answer(decision: &Decision, policy: &Snapshot) -> Answer {
    let reason = decision.reason.full_code(Some(policy)).to_owned();
    let Ok(permit) = &decision.verdict else { return Answer { reason, ..Answer::default() } };
    Answer {
        reason,
        masks: permit.masks().map(|at| policy.model.fields[at].name.to_string()).collect(),
        asks: permit.asks().map(|at| policy.model.gates[at].name.to_string()).collect(),
    }
}
