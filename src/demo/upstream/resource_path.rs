//! ResourcePath: the resource that a path of the upstream names.

/// The deepest path, in segments below the tenant.
const DEPTH: usize = 16;

/// ResourcePath: the resource of a path; a key is the tenant, followed by collections and ids in alternation.
///
/// As in ASP.NET literals are case-insensitive: names of collections are lower-cased here, tenants and ids are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResourcePath {
    /// A WebSocket hub: `/rtm` or `/clientrtm`.
    Hub,
    /// The POST with which a SignalR client requests the transports of a hub.
    Negotiate,
    /// The merge of two patients of this tenant.
    Merge(String),
    /// The data of this tenant that the calling app may read.
    DataAccess(String),
    /// A collection, by its key.
    Collection(Vec<String>),
    /// An item of a collection, by its key.
    Item(Vec<String>),
    /// A path without a resource.
    Nothing,
}

impl ResourcePath {
    /// Parses `path`, which is decoded once.
    pub(super) fn of(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        // ASP.NET routing treats `Patients/` and `Patients` as equal.
        let path = path.strip_suffix('/').unwrap_or(path);
        let Some(segments) = path.split('/').map(decode).collect::<Option<Vec<String>>>() else {
            return Self::Nothing;
        };
        if segments.len() > DEPTH || segments.iter().any(String::is_empty) {
            return Self::Nothing;
        }
        let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
        match texts.as_slice() {
            [hub] if is_hub(hub) => Self::Hub,
            [hub, word] if is_hub(hub) && is_literal(word, "negotiate") => Self::Negotiate,
            [tenant, api, below @ ..] if is_literal(api, "api") => Self::in_tenant(tenant, below),
            _ => Self::Nothing,
        }
    }

    fn in_tenant(tenant: &str, below: &[&str]) -> Self {
        match below {
            [] => return Self::Nothing,
            [patients, word] if is_literal(patients, "Patients") && is_literal(word, "Merge") => {
                return Self::Merge(tenant.to_owned());
            }
            [app, word] if is_literal(app, "AppConnection") && is_literal(word, "GetCurrentDataAccess") => {
                return Self::DataAccess(tenant.to_owned());
            }
            _ => {}
        }
        let mut key = vec![tenant.to_owned()];
        match below {
            [actions, modules] if is_literal(actions, "Actions") && is_literal(modules, "Modules") => {
                key.push("modules".to_owned())
            }
            // Noah's paths to the actions of a session omit the collection of sessions.
            [patients, patient, session, action, rest @ ..]
                if is_literal(patients, "Patients") && is_literal(action, "action") =>
            {
                key.extend(["patients", patient, "sessions", session, "actions"].map(str::to_owned));
                extend(&mut key, rest);
            }
            _ => extend(&mut key, below),
        }
        if key.len() % 2 == 0 { Self::Collection(key) } else { Self::Item(key) }
    }
}

fn extend(key: &mut Vec<String>, segments: &[&str]) {
    for segment in segments {
        let collection = key.len() % 2 == 1;
        key.push(if collection { segment.to_ascii_lowercase() } else { (*segment).to_owned() });
    }
}

fn is_hub(segment: &str) -> bool {
    is_literal(segment, "rtm") || is_literal(segment, "clientrtm")
}

fn is_literal(segment: &str, literal: &str) -> bool {
    segment.eq_ignore_ascii_case(literal)
}

/// Decodes a percent-encoded segment (RFC 3986, section 2.1).
fn decode(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
