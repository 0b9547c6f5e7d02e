//! Roles and users, resolved; inclusion flattened, circles refused.

use std::collections::HashMap;

use crate::document::{Code, Finding, Findings};
use crate::policy::model::{Bound, Role, ScopeName, User};
use crate::policy::source::{AssignmentSource, Source, UserSource, Written};
use crate::policy::standing::RowId;
use crate::vocabulary::name::nearest;

use super::{Names, Sources};

pub(super) fn roles(written: &Source, rows: &Names<'_>, names: &Names<'_>, findings: &mut Findings) -> Vec<Role> {
    let own: Vec<Vec<u32>> = written.roles.iter().map(|role| rows.resolve_all(&role.permissions, findings)).collect();
    let included: Vec<Vec<u32>> =
        written.roles.iter().map(|role| names.resolve_all(&role.includes, findings)).collect();
    let mut flat: Vec<Flat> = vec![Flat::Open; own.len()];
    for at in 0..own.len() {
        flatten(at, &own, &included, &mut flat, &mut Vec::new(), written, findings);
    }
    let roles = written.roles.iter().zip(flat).map(|(role, flat)| Role {
        name: role.name.text.clone(),
        rows: flat.rows().iter().copied().map(RowId).collect(),
        includes: role.includes.iter().map(|name| name.text.clone()).collect(),
    });
    roles.collect()
}

#[derive(Clone)]
enum Flat {
    Open,
    Done(Vec<u32>),
}

impl Flat {
    fn rows(&self) -> &[u32] {
        match self {
            Self::Open => &[],
            Self::Done(rows) => rows,
        }
    }
}

fn flatten(
    at: usize,
    own: &[Vec<u32>],
    included: &[Vec<u32>],
    flat: &mut Vec<Flat>,
    path: &mut Vec<usize>,
    written: &Source,
    findings: &mut Findings,
) {
    if let Some(start) = path.iter().position(|known| *known == at) {
        let names: Vec<&str> = path
            .iter()
            .skip(start)
            .chain([&at])
            .filter_map(|at| written.roles.get(*at))
            .map(|role| &*role.name.text)
            .collect();
        let place = written.roles.get(at).map(|role| role.name.place);
        findings.push(Finding::error(
            Code::Cycle,
            place,
            format!("roles include each other in a circle: {}", names.join(" → ")),
        ));
        if let Some(slot) = flat.get_mut(at) {
            *slot = Flat::Done(own.get(at).cloned().unwrap_or_default());
        }
        return;
    }
    if matches!(flat.get(at), Some(Flat::Done(_)) | None) {
        return;
    }
    path.push(at);
    let mut rows = own.get(at).cloned().unwrap_or_default();
    for &other in included.get(at).map(Vec::as_slice).unwrap_or_default() {
        let Ok(other) = usize::try_from(other) else { continue };
        flatten(other, own, included, flat, path, written, findings);
        rows.extend(flat.get(other).map(Flat::rows).unwrap_or_default());
    }
    path.pop();
    rows.sort_unstable();
    rows.dedup();
    if let Some(slot) = flat.get_mut(at) {
        *slot = Flat::Done(rows);
    }
}

pub(super) fn users(
    written: &Source,
    rows: &Names<'_>,
    roles: &Names<'_>,
    scopes: &[ScopeName],
    sources: Sources<'_>,
    findings: &mut Findings,
) -> Vec<User> {
    let mut seen: HashMap<Box<str>, &Written> = HashMap::with_capacity(written.users.len());
    let mut users = Vec::with_capacity(written.users.len());
    for user in &written.users {
        let id = sources.full(&user.id, findings);
        if let Some(first) = seen.insert(id.clone(), &user.id) {
            let message = format!("the user `{id}` is defined twice");
            findings.push(
                Finding::error(Code::DuplicateName, Some(user.id.place), message).also(first.place, "first here"),
            );
        }
        users.push(User { id, ..self::user(user, rows, roles, scopes, findings) });
    }
    users
}

fn user(
    source: &UserSource,
    rows: &Names<'_>,
    roles: &Names<'_>,
    scopes: &[ScopeName],
    findings: &mut Findings,
) -> User {
    let permissions = rows.resolve_all(&source.permissions, findings);
    let without = rows.resolve_all(&source.without, findings);
    for taken in &source.without {
        if let Some(given) = source.permissions.iter().find(|given| given.text == taken.text) {
            let message = format!("`{}` is given to `{}` and taken away in the same entry", taken.text, source.id.text);
            findings
                .push(Finding::error(Code::Contradiction, Some(taken.place), message).also(given.place, "given here"));
        }
    }
    let bounds =
        source.roles.as_ref().map(|list| list.iter().filter_map(|role| bound(role, roles, scopes, findings)).collect());
    User {
        id: source.id.text.clone(),
        roles: bounds,
        tenants: source.tenants.as_ref().map(|tenants| tenants.iter().map(|tenant| tenant.text.clone()).collect()),
        permissions: permissions.into_iter().map(RowId).collect(),
        without: without.into_iter().map(RowId).collect(),
    }
}

fn bound(source: &AssignmentSource, roles: &Names<'_>, scopes: &[ScopeName], findings: &mut Findings) -> Option<Bound> {
    let role = roles.resolve(&source.role, findings);
    let mut scope = Vec::new();
    for (name, values) in &source.scope {
        match scopes.iter().position(|known| *known.name == *name.text).and_then(|at| u8::try_from(at).ok()) {
            Some(at) => scope.push((at, values.iter().map(|value| value.text.clone()).collect())),
            None => {
                let finding =
                    Finding::error(Code::UnknownName, Some(name.place), format!("no scope is called `{}`", name.text));
                let near = nearest(&name.text, scopes.iter().map(|scope| &*scope.name));
                findings.push(match near {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => finding.help("scopes are declared under `scopes:`"),
                });
            }
        }
    }
    Some(Bound { role: role?, scope })
}
