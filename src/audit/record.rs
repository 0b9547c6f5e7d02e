//! Record: one outcome as one line of JSON, decision and outcome together.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Moment, Outcome};

/// Appends the record of `outcome` to `line`, with the line feed that ends it; nothing where it cannot be written.
///
/// Every field stands in every record, `null` where it is not known. Tokens, bodies and query strings are not in an
/// outcome and so cannot be in a record.
pub fn append(line: &mut Vec<u8>, outcome: &Outcome<'_>) -> bool {
    let before = line.len();
    if serde_json::to_writer(&mut *line, &Record::of(outcome)).is_err() {
        line.truncate(before);
        return false;
    }
    line.push(b'\n');
    true
}

/// Record: the fields in the order in which they are written.
#[derive(Serialize)]
struct Record<'a> {
    time: Moment,
    id: Printed<super::DecisionId>,
    policy: Option<&'a str>,
    policy_hash: Option<&'a str>,
    api: Option<&'a str>,
    peer: Option<Printed<SocketAddr>>,
    client_address: Option<IpAddr>,
    caller: Option<Printed<&'a crate::vocabulary::subject::Id>>,
    caller_kind: Option<&'static str>,
    client: Option<&'a str>,
    proof: Option<&'static str>,
    method: &'a str,
    route: Option<&'a str>,
    path: Option<&'a str>,
    resource: Option<&'a str>,
    operation: Option<&'a str>,
    scope: Scope<'a>,
    verdict: &'static str,
    reason: &'a str,
    detail: Option<&'a str>,
    granted_by: Option<&'a str>,
    status: Option<u16>,
    upstream_status: Option<u16>,
    bytes_in: u64,
    bytes_out: u64,
    duration_us: u64,
    decision_us: u64,
    upstream_us: Option<u64>,
    failure: Option<&'a str>,
}

impl<'a> Record<'a> {
    fn of(outcome: &Outcome<'a>) -> Self {
        let subject = outcome.subject;
        Self {
            time: Moment(outcome.time),
            id: Printed(outcome.id),
            policy: outcome.policy.map(|(name, _)| name),
            policy_hash: outcome.policy.map(|(_, hash)| hash),
            api: outcome.api,
            peer: outcome.peer.map(Printed),
            client_address: outcome.client_address,
            caller: subject.and_then(|subject| subject.id.as_ref()).map(Printed),
            caller_kind: subject.map(|subject| subject.kind.word()),
            client: subject.and_then(|subject| subject.client.as_deref()),
            proof: subject.map(|subject| subject.proof.word()),
            method: outcome.method,
            route: outcome.route,
            path: outcome.path,
            operation: outcome.cell.map(|(operation, _)| operation),
            resource: outcome.cell.map(|(_, resource)| resource),
            scope: Scope(outcome.scope),
            verdict: outcome.verdict.word(),
            reason: outcome.reason,
            detail: outcome.detail,
            granted_by: outcome.granted_by,
            status: outcome.status,
            upstream_status: outcome.upstream_status,
            bytes_in: outcome.received,
            bytes_out: outcome.sent,
            duration_us: micros(outcome.duration),
            decision_us: micros(outcome.decision),
            upstream_us: outcome.upstream.map(micros),
            failure: outcome.failure,
        }
    }
}

/// Printed: a value that is written as the text it prints.
struct Printed<T>(T);

impl<T: fmt::Display> Serialize for Printed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Scope: scope names and values as an object.
struct Scope<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Scope<'_> {
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
