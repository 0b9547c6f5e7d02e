//! PolicyEdit: one word of a policy, or of what a caller's credential claims, written otherwise, to see what comes of it.

use std::fmt;

use crate::document::{Findings, Sources, Span};
use crate::vocabulary::{Assignment, Subject};

use super::outline::PolicyOutline;
use super::snapshot::Snapshot;
use super::source::{AssignmentSource, BySource, PolicySource, Spanned, UserSource};
use super::{compile, validate};

/// PolicyEdit: the smallest thing that can be written otherwise; names are those of the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant says what its names are of")]
pub enum PolicyEdit {
    /// A user is given a permission.
    UserGets { user: Box<str>, row: Box<str> },
    /// A permission is no longer taken from a user.
    UserKeeps { user: Box<str>, row: Box<str> },
    /// A group is given a permission.
    GroupGets { group: Box<str>, row: Box<str> },
    /// A permission is no longer taken from a group.
    GroupKeeps { group: Box<str>, row: Box<str> },
    /// A role is given a permission.
    RoleGets { role: Box<str>, row: Box<str> },
    /// The policy assigns a role to a user.
    Assigned { user: Box<str>, role: Box<str>, scope: NamedValues },
    /// The policy puts a user into a group.
    Grouped { user: Box<str>, group: Box<str> },
    /// The policy gives a user a tenant.
    Joined { user: Box<str>, tenant: Box<str> },
    /// An approval is granted.
    Approved { gate: Box<str>, values: NamedValues },
    /// A profile lists a feature.
    Listed { profile: Box<str>, feature: Box<str> },
    /// A condition holds.
    Holds { condition: Box<str> },
    /// The caller's credential claims a role; under `one-role` instead of all others.
    ClaimsRole { role: Box<str>, scope: NamedValues, alone: bool },
    /// The caller's credential claims one group.
    ClaimsGroup { group: Box<str> },
    /// The caller's credential claims a tenant.
    ClaimsTenant { tenant: Box<str> },
}

/// NamedValues: one for each name, the scope of an assignment, or what an approval is for.
pub type NamedValues = Vec<(Box<str>, Box<str>)>;

impl PolicyEdit {
    /// The caller as its credential would state it.
    pub fn apply_to(&self, subject: &mut Subject) {
        match self {
            Self::ClaimsRole { role, scope, alone } => {
                if *alone {
                    subject.roles.clear();
                    subject.permissions.clear();
                }
                let scope = scope.iter().map(|(name, value)| (name.clone(), vec![value.clone()])).collect();
                subject.roles.push(Assignment { role: role.clone(), scope });
            }
            Self::ClaimsGroup { group } => subject.groups = vec![group.clone()],
            Self::ClaimsTenant { tenant } => subject.tenants.push(tenant.clone()),
            _ => {}
        }
    }

    /// Whether it is the policy that is written otherwise.
    pub fn is_of_policy(&self) -> bool {
        !matches!(self, Self::ClaimsRole { .. } | Self::ClaimsGroup { .. } | Self::ClaimsTenant { .. })
    }
}

impl fmt::Display for PolicyEdit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserGets { user, row } => write!(out, "give `{row}` to the user `{user}`"),
            Self::UserKeeps { user, row } => write!(out, "take `{row}` out of `without` of the user `{user}`"),
            Self::GroupGets { group, row } => write!(out, "give `{row}` to the group `{group}`"),
            Self::GroupKeeps { group, row } => write!(out, "take `{row}` out of `without` of the group `{group}`"),
            Self::RoleGets { role, row } => write!(out, "give `{row}` to the role `{role}`"),
            Self::Assigned { user, role, scope } => {
                write!(out, "assign the role `{role}` to the user `{user}`{}", EditedScope(scope))
            }
            Self::Grouped { user, group } => write!(out, "put the user `{user}` into the group `{group}`"),
            Self::Joined { user, tenant } => write!(out, "add `{tenant}` to `tenants` of the user `{user}`"),
            Self::Approved { gate, values } => {
                let pairs: Vec<String> = values.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                write!(out, "add `{{ {} }}` to `granted` of the gate `{gate}`", pairs.join(", "))
            }
            Self::Listed { profile, feature } => {
                write!(out, "list the feature `{feature}` in the profile `{profile}`")
            }
            Self::Holds { condition } => write!(out, "the condition `{condition}` would have to hold"),
            Self::ClaimsRole { role, scope, alone } => {
                let alone = if *alone { " and no other" } else { "" };
                write!(out, "let the caller's credential claim the role `{role}`{}{alone}", EditedScope(scope))
            }
            Self::ClaimsGroup { group } => {
                write!(out, "let the caller's credential claim the group `{group}` and no other")
            }
            Self::ClaimsTenant { tenant } => write!(out, "let the caller's credential claim the tenant `{tenant}`"),
        }
    }
}

struct EditedScope<'a>(&'a [(Box<str>, Box<str>)]);

impl fmt::Display for EditedScope<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = " in ";
        for (name, value) in self.0 {
            write!(out, "{before}{name} `{value}`")?;
            before = " and ";
        }
        Ok(())
    }
}

impl PolicyOutline {
    /// The policy with all `changes`, and of its users no other than `user`; `None` where it would not load.
    pub fn amended(&self, changes: &[PolicyEdit], user: Option<&str>) -> Option<Snapshot> {
        let mut written = self.written.clone();
        written.users = user.and_then(|id| self.user_source(id)).cloned().into_iter().collect();
        changes.iter().try_for_each(|change| amend(&mut written, change))?;
        let mut findings = Findings::default();
        let model = validate::validate(&written, None, &mut findings)?;
        let snapshot = compile::compile(model, &written, &Sources::default(), &mut findings)?;
        (!findings.has_errors()).then_some(snapshot)
    }

    /// Where a change would be written; `None` where it is none of the policy's, or of an entry that is not there.
    pub fn place_of(&self, change: &PolicyEdit) -> Option<Span> {
        match change {
            PolicyEdit::UserKeeps { user, row } => self.user_takes(user, row),
            PolicyEdit::GroupKeeps { group, row } => self.group_takes(group, row),
            PolicyEdit::GroupGets { group, .. } => self.group(group),
            PolicyEdit::RoleGets { role, .. } => self.role(role),
            PolicyEdit::UserGets { user, .. }
            | PolicyEdit::Assigned { user, .. }
            | PolicyEdit::Grouped { user, .. }
            | PolicyEdit::Joined { user, .. } => self.user(user),
            PolicyEdit::Approved { gate, .. } => self.gate(gate),
            PolicyEdit::Listed { profile, .. } => self.profile(profile),
            PolicyEdit::Holds { .. }
            | PolicyEdit::ClaimsRole { .. }
            | PolicyEdit::ClaimsGroup { .. }
            | PolicyEdit::ClaimsTenant { .. } => None,
        }
    }
}

/// Writes one change into a policy; `None` where it does not say what is to be changed.
fn amend(written: &mut PolicySource, change: &PolicyEdit) -> Option<()> {
    match change {
        PolicyEdit::UserGets { user: id, row } => user(written, id)?.permissions.push(new(row)),
        PolicyEdit::UserKeeps { user: id, row } => user(written, id)?.without.retain(|taken| taken.text != *row),
        PolicyEdit::GroupGets { group, row } => {
            written.groups.iter_mut().find(|known| known.name.text == *group)?.permissions.push(new(row));
        }
        PolicyEdit::GroupKeeps { group, row } => {
            let group = written.groups.iter_mut().find(|known| known.name.text == *group)?;
            group.without.retain(|taken| taken.text != *row);
        }
        PolicyEdit::RoleGets { role, row } => {
            written.roles.iter_mut().find(|known| known.name.text == *role)?.permissions.push(new(row));
        }
        PolicyEdit::Assigned { user: id, role, scope } => {
            let scope = scope.iter().map(|(name, value)| (new(name), vec![new(value)])).collect();
            let roles = user(written, id)?.roles.get_or_insert_default();
            roles.push(AssignmentSource { role: new(role), scope, when: None });
        }
        PolicyEdit::Grouped { user: id, group } => user(written, id)?.group = Some(new(group)),
        PolicyEdit::Joined { user: id, tenant } => {
            user(written, id)?.tenants.get_or_insert_default().push(new(tenant));
        }
        PolicyEdit::Approved { gate, values } => {
            let gate = written.gates.iter_mut().find(|known| known.name.text == *gate)?;
            let BySource::Approval(approval) = &mut gate.by else { return None };
            let pairs = values.iter().map(|(name, value)| (new(name), new(value))).collect();
            approval.granted.push((NOWHERE, pairs));
        }
        PolicyEdit::Listed { profile, feature } => {
            written.profiles.iter_mut().find(|known| known.name.text == *profile)?.features.push(new(feature));
        }
        PolicyEdit::Holds { condition } => hold(written, condition),
        PolicyEdit::ClaimsRole { .. } | PolicyEdit::ClaimsGroup { .. } | PolicyEdit::ClaimsTenant { .. } => {}
    }
    Some(())
}

/// The entry of an id, made where there is none.
fn user<'w>(written: &'w mut PolicySource, id: &str) -> Option<&'w mut UserSource> {
    let at = written.users.iter().position(|user| *user.id.text == *id).unwrap_or_else(|| {
        written.users.push(UserSource {
            id: new(id),
            group: None,
            roles: None,
            tenants: None,
            permissions: Vec::new(),
            without: Vec::new(),
        });
        written.users.len() - 1
    });
    written.users.get_mut(at)
}

/// Writes `true` wherever the condition stands.
fn hold(written: &mut PolicySource, condition: &str) {
    let methods = written.routes.iter_mut().flat_map(|route| &mut route.methods);
    let routes = methods.filter_map(|method| method.when.as_mut());
    let roles = written.users.iter_mut().flat_map(|user| user.roles.iter_mut().flatten());
    let roles = roles.filter_map(|assignment| assignment.when.as_mut());
    let gates = written.gates.iter_mut().filter_map(|gate| match &mut gate.by {
        BySource::Condition(when) => Some(when),
        _ => None,
    });
    routes.chain(roles).chain(gates).filter(|when| *when.text == *condition).for_each(|when| when.text = "true".into());
}

const NOWHERE: Span = Span { file: 0, start: 0, end: 0 };

fn new(text: &str) -> Spanned {
    Spanned { text: text.into(), span: NOWHERE }
}

#[cfg(test)]
mod tests;
