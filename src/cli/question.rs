//! Question: a caller that was stated, a method and a path, decided on the road that the proxy takes.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::decision::{ApprovalSet, Decision, Question, Stage, Witness, decide_watched};
use crate::policy::{Placed, Snapshot, Unplaced};
use crate::request::{CanonicalRequest, Overrides, RawRequest, RejectedRequest, read};
use crate::vocabulary::{Facts, Subject, Timestamp};

/// Asked: one question, as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) subject: &'a Subject,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) stage: Stage<'a>,
}

/// Road: what became of a question on its way to the decision.
pub(super) struct Road<'a> {
    pub(super) request: Result<&'a CanonicalRequest<'a>, RejectedRequest>,
    pub(super) placed: Result<&'a Placed<'a>, Unplaced>,
    pub(super) decision: &'a Decision,
    pub(super) approvals: &'a ApprovalSet,
    pub(super) now: Timestamp,
}

/// Decides a question and hands the whole road to `then`; nothing but [`decide_watched`] finds the verdict.
pub(super) fn answer<W: Witness, T>(
    policy: &Snapshot,
    asked: Asked<'_>,
    now: Timestamp,
    witness: &mut W,
    then: impl FnOnce(&Road<'_>, &W) -> T,
) -> T {
    let headers: [(&str, &str); 0] = [];
    let raw = RawRequest {
        method: asked.method,
        target: asked.target.as_bytes(),
        host: asked.host.map(str::as_bytes),
        headers: &headers,
    };
    let request = read(&raw, policy.model.dialect, Overrides::Reject);
    let request = request.as_ref().map_err(|rejected| *rejected);
    let placed = request.map_err(Unplaced::Rejected);
    let placed = placed.and_then(|request| policy.routes.place(request.method, &request.path, request.query));
    let placed = placed.as_ref().map_err(|unplaced| *unplaced);
    let facts =
        Facts { method: asked.method, path: request.map_or("", |request| request.path.as_str()), address: None };
    let access = placed.map(|placed| &placed.access);
    let question = Question { access, subject: Ok(asked.subject), facts, stage: asked.stage };
    // No store here: what stands in for it is the policy's `granted:` and the caller's `approved`.
    let approvals = ApprovalSet::default();
    let decision = decide_watched(question, policy, &approvals, now, witness);
    then(&Road { request, placed, decision: &decision, approvals: &approvals, now }, witness)
}

/// The moment at which a question is asked.
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_secs()))
}

/// Stated: a caller as JSON; an object only, since a list would be read by position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stated(pub(super) Subject);

impl<'de> Deserialize<'de> for Stated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Stated;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a caller: `{ id, kind, client, tenant, roles, permissions, … }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Stated, A::Error> {
                Subject::deserialize(MapAccessDeserializer::new(map)).map(Stated)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The caller that `--as` states: JSON, or `@` and the name of a file with it.
pub(super) fn subject(written: &str) -> Result<Subject, String> {
    let stated = |text: &str, name: &str| {
        serde_json::from_str(text).map(|Stated(subject)| subject).map_err(|error| format!("{name}: {}", told(&error)))
    };
    match written.strip_prefix('@') {
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => stated(&text, &format!("`{file}`")),
            Err(error) => Err(format!("`{file}` cannot be read: {error}")),
        },
        None => stated(written, "`--as`"),
    }
}

/// An error of the JSON reader, with its line and column, in the words of the subject's page.
pub(super) fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let role = "data did not match any variant of untagged enum WrittenRole";
    let values = "data did not match any variant of untagged enum WrittenValues";
    text.replace(role, "a role is a name, or `{ name: { scope: value or list } }`")
        .replace(values, "a role's scope is a value or a list of values")
}

#[cfg(test)]
mod tests;
