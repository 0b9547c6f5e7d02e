//! ResourcePath: what a path of the upstream names.

/// The deepest path, in segments below the tenant.
const DEPTH: usize = 16;

/// ResourcePath: what a path names; keys begin with the tenant, then collections and ids take turns.
///
/// As in ASP.NET the literals ignore case: collections are folded here, tenants and ids never are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResourcePath {
    /// A WebSocket hub: `/rtm` or `/clientrtm`.
    Hub,
    /// The POST by which a SignalR client asks a hub for its transports.
    Negotiate,
    /// The merge of two patients of this tenant.
    Merge(String),
    /// What the calling app may see of this tenant.
    DataAccess(String),
    /// A collection, by its key.
    Collection(Vec<String>),
    /// An item of a collection, by its key.
    Item(Vec<String>),
    /// Nothing that this upstream has.
    Nothing,
}

impl ResourcePath {
    /// The place that `path` names, decoded once.
    pub(super) fn of(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        // ASP.NET routing does not tell `Patients/` from `Patients`.
        let path = path.strip_suffix('/').unwrap_or(path);
        let Some(segments) = path.split('/').map(decoded).collect::<Option<Vec<String>>>() else {
            return Self::Nothing;
        };
        if segments.len() > DEPTH || segments.iter().any(String::is_empty) {
            return Self::Nothing;
        }
        let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
        match texts.as_slice() {
            [hub] if is_hub(hub) => Self::Hub,
            [hub, word] if is_hub(hub) && same(word, "negotiate") => Self::Negotiate,
            [tenant, api, below @ ..] if same(api, "api") => Self::in_tenant(tenant, below),
            _ => Self::Nothing,
        }
    }

    fn in_tenant(tenant: &str, below: &[&str]) -> Self {
        match below {
            [] => return Self::Nothing,
            [patients, word] if same(patients, "Patients") && same(word, "Merge") => {
                return Self::Merge(tenant.to_owned());
            }
            [app, word] if same(app, "AppConnection") && same(word, "GetCurrentDataAccess") => {
                return Self::DataAccess(tenant.to_owned());
            }
            _ => {}
        }
        let mut key = vec![tenant.to_owned()];
        match below {
            [actions, modules] if same(actions, "Actions") && same(modules, "Modules") => {
                key.push("modules".to_owned())
            }
            // Noah writes the actions of a session without naming the collection of sessions.
            [patients, patient, session, action, rest @ ..] if same(patients, "Patients") && same(action, "action") => {
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
    same(segment, "rtm") || same(segment, "clientrtm")
}

fn same(written: &str, literal: &str) -> bool {
    written.eq_ignore_ascii_case(literal)
}

/// The text that a percent-encoded segment spells (RFC 3986, section 2.1).
fn decoded(segment: &str) -> Option<String> {
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
