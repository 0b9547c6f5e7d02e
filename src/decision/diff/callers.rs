//! Example callers: the subjects that a comparison sends its example requests as.

use std::collections::BTreeSet;

use crate::vocabulary::{Assignment, Subject, SubjectId, SubjectKind};

/// The maximum number of groups that a caller is tried in.
const MAX_GROUPS: usize = 6;

/// A user that no policy lists, with an optional role and an optional group.
pub(super) fn example_user(role: Option<&str>, group: Option<&str>) -> Subject {
    Subject {
        kind: SubjectKind::User,
        id: Some(SubjectId { source: "".into(), name: "somebody-0".into() }),
        roles: role.into_iter().map(Assignment::unbound).collect(),
        groups: group.into_iter().map(Into::into).collect(),
        ..Subject::default()
    }
}

/// A service app that no policy lists.
pub(super) fn example_service() -> Subject {
    Subject { kind: SubjectKind::Service, id: None, client: Some("unlisted-app-0".into()), ..example_user(None, None) }
}

/// The subject as it is, and as a member of each of the first groups.
pub(super) fn with_groups(subject: &Subject, groups: &BTreeSet<&str>) -> Vec<Subject> {
    let members = groups.iter().take(MAX_GROUPS);
    let members = members.map(|group| Subject { groups: vec![(*group).into()], ..subject.clone() });
    std::iter::once(subject.clone()).chain(members).collect()
}

/// A caller as JSON for `--as`.
pub(super) fn caller_json(subject: &Subject) -> serde_json::Value {
    let mut out = serde_json::Map::new();
    if subject.kind != SubjectKind::User {
        out.insert("kind".into(), subject.kind.as_str().into());
    }
    out.extend(subject.id.as_ref().map(|id| ("id".into(), id.to_string().into())));
    out.extend(subject.client.as_ref().map(|client| ("client".into(), (**client).into())));
    let lists = [
        ("tenants", &subject.tenants),
        ("groups", &subject.groups),
        ("permissions", &subject.permissions),
        ("approved", &subject.approved),
    ];
    for (key, names) in lists {
        if !names.is_empty() {
            out.insert(key.into(), names.iter().map(|name| &**name).collect());
        }
    }
    if !subject.roles.is_empty() {
        out.insert("roles".into(), subject.roles.iter().map(role_json).collect());
    }
    if !subject.claims.is_empty() {
        out.insert("claims".into(), subject.claims.clone().into());
    }
    out.into()
}

fn role_json(claimed: &Assignment) -> serde_json::Value {
    if claimed.scope.is_empty() {
        return (*claimed.role).into();
    }
    let scope = claimed
        .scope
        .iter()
        .map(|(name, values)| (name.to_string(), values.iter().map(|value| &**value).collect::<serde_json::Value>()));
    serde_json::json!({ &*claimed.role: scope.collect::<serde_json::Map<_, _>>() })
}
