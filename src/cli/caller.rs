//! Parses callers that are given on the command line or in files.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::vocabulary::{Subject, Timestamp};

/// The current time, at which a request is evaluated.
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_secs()))
}

/// CallerJson: a caller as a JSON object; a list is refused, because its items would be assigned by position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CallerJson(pub(super) Subject);

impl<'de> Deserialize<'de> for CallerJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = CallerJson;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a caller: `{ id, kind, client, tenant, roles, permissions, … }`")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CallerJson, A::Error> {
                Subject::deserialize(MapAccessDeserializer::new(map)).map(CallerJson)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Parses the argument of `--as`: JSON, or `@` and the name of a file with it.
pub(super) fn parse_subject(argument: &str) -> Result<Subject, String> {
    let parse = |text: &str, name: &str| {
        serde_json::from_str(text).map(|CallerJson(subject)| subject).map_err(|error| format!("{name}: {}", error))
    };
    match argument.strip_prefix('@') {
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => parse(&text, &format!("`{file}`")),
            Err(error) => Err(format!("`{file}` cannot be read: {error}")),
        },
        None => parse(argument, "`--as`"),
    }
}

#[cfg(test)]
mod tests;
