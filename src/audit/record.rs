//! Record: what is written of an exchange, each as one line of JSON.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Outcome, Rfc3339Time};

/// RecordKind: what a record holds; the word of its first field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// What was decided, before anybody has seen it.
    Decision,
    /// What became of it: a decision with the same id stands before it.
    Outcome,
    /// Both at once.
    Exchange,
}

impl RecordKind {
    /// The word in the field `record`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Outcome => "outcome",
            Self::Exchange => "exchange",
        }
    }
}

/// Appends the record of `outcome` to `line`, with the line feed that ends it; nothing where it cannot be written.
///
/// Every field of its sort stands in every record, `null` where it is not known. Tokens, bodies and query strings are
/// not in an outcome and so cannot be in a record.
pub fn append(line: &mut Vec<u8>, sort: RecordKind, outcome: &Outcome<'_>) -> bool {
    let before = line.len();
    if serde_json::to_writer(&mut *line, &Record { sort, outcome }).is_err() {
        line.truncate(before);
        return false;
    }
    line.push(b'\n');
    true
}

/// Record: the fields in the order in which they are written.
struct Record<'a, 'o> {
    sort: RecordKind,
    outcome: &'a Outcome<'o>,
}

impl Serialize for Record<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let of = self.outcome;
        map.serialize_entry("record", self.sort.word())?;
        map.serialize_entry("time", &Rfc3339Time(of.time))?;
        map.serialize_entry("id", &DisplayValue(of.id))?;
        match self.sort {
            RecordKind::Decision => decision(&mut map, of)?,
            RecordKind::Outcome => {
                judgement(&mut map, of)?;
                outcome(&mut map, of)?;
            }
            RecordKind::Exchange => {
                decision(&mut map, of)?;
                outcome(&mut map, of)?;
            }
        }
        map.end()
    }
}

fn decision<M: SerializeMap>(map: &mut M, of: &Outcome<'_>) -> Result<(), M::Error> {
    let subject = of.subject;
    map.serialize_entry("policy", &of.policy.map(|(name, _)| name))?;
    map.serialize_entry("policy_hash", &of.policy.map(|(_, hash)| hash))?;
    map.serialize_entry("api", &of.api)?;
    map.serialize_entry("peer", &of.peer.map(DisplayValue))?;
    map.serialize_entry("client_address", &of.client_address)?;
    map.serialize_entry("caller", &subject.and_then(|subject| subject.id.as_ref()).map(DisplayValue))?;
    map.serialize_entry("caller_kind", &subject.map(|subject| subject.kind.as_str()))?;
    map.serialize_entry("client", &subject.and_then(|subject| subject.client.as_deref()))?;
    map.serialize_entry("proof", &subject.map(|subject| subject.proof.as_str()))?;
    map.serialize_entry("method", of.method)?;
    map.serialize_entry("route", &of.route)?;
    map.serialize_entry("path", &of.path)?;
    map.serialize_entry("resource", &of.cell.map(|(_, resource)| resource))?;
    map.serialize_entry("operation", &of.cell.map(|(operation, _)| operation))?;
    map.serialize_entry("scope", &ScopeFields(of.scope))?;
    judgement(map, of)?;
    map.serialize_entry("granted_by", &of.granted_by)
}

/// What was decided; in an outcome too, since what was permitted may be refused by its answer.
fn judgement<M: SerializeMap>(map: &mut M, of: &Outcome<'_>) -> Result<(), M::Error> {
    map.serialize_entry("verdict", of.verdict.word())?;
    map.serialize_entry("reason", of.reason)?;
    map.serialize_entry("detail", &of.detail)
}

fn outcome<M: SerializeMap>(map: &mut M, of: &Outcome<'_>) -> Result<(), M::Error> {
    map.serialize_entry("status", &of.status)?;
    map.serialize_entry("upstream_status", &of.upstream_status)?;
    map.serialize_entry("bytes_in", &of.received)?;
    map.serialize_entry("bytes_out", &of.sent)?;
    map.serialize_entry("duration_us", &micros(of.duration))?;
    map.serialize_entry("decision_us", &micros(of.decision))?;
    map.serialize_entry("upstream_us", &of.upstream.map(micros))?;
    map.serialize_entry("failure", &of.failure)
}

/// DisplayValue: a value that is written as the text it prints.
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

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
