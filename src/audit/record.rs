//! Record: the audit records of an exchange, each one line of JSON.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Outcome, Rfc3339Time};

/// RecordKind: the content of a record, named in its first field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A decision, before the client or the upstream has observed it.
    Decision,
    /// The outcome of the decision that has the same id and comes before it.
    Outcome,
    /// A decision and its outcome in one record.
    Exchange,
}

impl RecordKind {
    /// The value of the field `record`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Outcome => "outcome",
            Self::Exchange => "exchange",
        }
    }
}

/// Appends the record of `outcome` and a line feed to `line`; appends nothing and returns `false` if that fails.
///
/// A record has every field of its kind, `null` if the value is not known. An outcome holds no tokens, bodies or query
/// strings, so that a record cannot contain them.
pub fn append_record(line: &mut Vec<u8>, kind: RecordKind, outcome: &Outcome<'_>) -> bool {
    let before = line.len();
    if serde_json::to_writer(&mut *line, &Record { kind, outcome }).is_err() {
        line.truncate(before);
        return false;
    }
    line.push(b'\n');
    true
}

/// Record: the fields in the order in which they are written.
struct Record<'a, 'o> {
    kind: RecordKind,
    outcome: &'a Outcome<'o>,
}

impl Serialize for Record<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let outcome = self.outcome;
        map.serialize_entry("record", self.kind.word())?;
        map.serialize_entry("time", &Rfc3339Time(outcome.time))?;
        map.serialize_entry("id", &DisplayValue(outcome.id))?;
        match self.kind {
            RecordKind::Decision => serialize_decision(&mut map, outcome)?,
            RecordKind::Outcome => {
                serialize_verdict(&mut map, outcome)?;
                serialize_outcome(&mut map, outcome)?;
            }
            RecordKind::Exchange => {
                serialize_decision(&mut map, outcome)?;
                serialize_outcome(&mut map, outcome)?;
            }
        }
        map.end()
    }
}

fn serialize_decision<M: SerializeMap>(map: &mut M, outcome: &Outcome<'_>) -> Result<(), M::Error> {
    let subject = outcome.subject;
    map.serialize_entry("policy", &outcome.policy.map(|(name, _)| name))?;
    map.serialize_entry("policy_hash", &outcome.policy.map(|(_, hash)| hash))?;
    map.serialize_entry("api", &outcome.api)?;
    map.serialize_entry("peer", &outcome.peer.map(DisplayValue))?;
    map.serialize_entry("client_address", &outcome.client_address)?;
    map.serialize_entry("caller", &subject.and_then(|subject| subject.id.as_ref()).map(DisplayValue))?;
    map.serialize_entry("caller_kind", &subject.map(|subject| subject.kind.as_str()))?;
    map.serialize_entry("client", &subject.and_then(|subject| subject.client.as_deref()))?;
    map.serialize_entry("proof", &subject.map(|subject| subject.proof.as_str()))?;
    map.serialize_entry("method", outcome.method)?;
    map.serialize_entry("route", &outcome.route)?;
    map.serialize_entry("path", &outcome.path)?;
    map.serialize_entry("resource", &outcome.cell.map(|(_, resource)| resource))?;
    map.serialize_entry("operation", &outcome.cell.map(|(operation, _)| operation))?;
    map.serialize_entry("scope", &ScopeFields(outcome.scope))?;
    serialize_verdict(map, outcome)?;
    map.serialize_entry("granted_by", &outcome.granted_by)
}

/// Serializes the verdict. An outcome has it too, because the response may turn a permit into a refusal.
fn serialize_verdict<M: SerializeMap>(map: &mut M, outcome: &Outcome<'_>) -> Result<(), M::Error> {
    map.serialize_entry("verdict", outcome.verdict.word())?;
    map.serialize_entry("reason", outcome.reason)?;
    map.serialize_entry("detail", &outcome.detail)
}

fn serialize_outcome<M: SerializeMap>(map: &mut M, outcome: &Outcome<'_>) -> Result<(), M::Error> {
    map.serialize_entry("status", &outcome.status)?;
    map.serialize_entry("upstream_status", &outcome.upstream_status)?;
    map.serialize_entry("bytes_in", &outcome.received)?;
    map.serialize_entry("bytes_out", &outcome.sent)?;
    map.serialize_entry("duration_us", &as_micros(outcome.duration))?;
    map.serialize_entry("decision_us", &as_micros(outcome.decision))?;
    map.serialize_entry("upstream_us", &outcome.upstream.map(as_micros))?;
    map.serialize_entry("failure", &outcome.failure)
}

/// DisplayValue: a value that is serialized as its `Display` text.
struct DisplayValue<T>(T);

impl<T: fmt::Display> Serialize for DisplayValue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// ScopeFields: scope names and values as an object.
struct ScopeFields<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for ScopeFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
