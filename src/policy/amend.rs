//! PolicyEdit: one small change to a policy or to the claims of a credential, for evaluating its effect.

use std::fmt;

use crate::document::{Findings, Sources, Span};
use crate::vocabulary::{Assignment, Subject};

use super::outline::PolicyOutline;
use super::snapshot::Snapshot;
use super::source::{AssignmentSource, GateOpenerSource, PolicySource, Spanned, UserSource};
use super::{compile, validate};

/// PolicyEdit: the smallest change to a policy or to a caller's claims; names are those of the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant documents its names")]
pub enum PolicyEdit {
    /// Grants a permission to a user.
    GrantToUser { user: Box<str>, row: Box<str> },
    /// Removes a permission from `without` of a user.
    RestoreToUser { user: Box<str>, row: Box<str> },
    /// Grants a permission to a group.
    GrantToGroup { group: Box<str>, row: Box<str> },
    /// Removes a permission from `without` of a group.
    RestoreToGroup { group: Box<str>, row: Box<str> },
    /// Grants a permission to a role.
    GrantToRole { role: Box<str>, row: Box<str> },
    /// Assigns a role to a user.
    AssignRole { user: Box<str>, role: Box<str>, scope: NamedValues },
    /// Assigns a user to a group.
    AssignGroup { user: Box<str>, group: Box<str> },
    /// Adds a tenant to a user.
    AddTenant { user: Box<str>, tenant: Box<str> },
    /// Grants an approval.
    GrantApproval { gate: Box<str>, values: NamedValues },
    /// Adds a feature to a profile.
    ListFeature { profile: Box<str>, feature: Box<str> },
    /// Makes a condition hold.
    SatisfyCondition { condition: Box<str> },
    /// Adds a role to the credential's claims; `alone` replaces all others, for `one-role`.
    ClaimRole { role: Box<str>, scope: NamedValues, alone: bool },
    /// Replaces the claimed groups by one group.
    ClaimGroup { group: Box<str> },
    /// Adds a tenant to the credential's claims.
    ClaimTenant { tenant: Box<str> },
}

/// NamedValues: one value per name: the scope of an assignment, or the keys of an approval.
pub type NamedValues = Vec<(Box<str>, Box<str>)>;

impl PolicyEdit {
    /// Applies a change of claims to the caller.
    pub fn apply_to(&self, subject: &mut Subject) {
        match self {
            Self::ClaimRole { role, scope, alone } => {
                if *alone {
                    subject.roles.clear();
                    subject.permissions.clear();
                }
                let scope = scope.iter().map(|(name, value)| (name.clone(), vec![value.clone()])).collect();
                subject.roles.push(Assignment { role: role.clone(), scope });
            }
            Self::ClaimGroup { group } => subject.groups = vec![group.clone()],
            Self::ClaimTenant { tenant } => subject.tenants.push(tenant.clone()),
            _ => {}
        }
    }

    /// Whether it changes the policy, not the claims.
    pub fn changes_policy(&self) -> bool {
        !matches!(self, Self::ClaimRole { .. } | Self::ClaimGroup { .. } | Self::ClaimTenant { .. })
    }
}

impl fmt::Display for PolicyEdit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GrantToUser { user, row } => write!(out, "give `{row}` to the user `{user}`"),
            Self::RestoreToUser { user, row } => write!(out, "take `{row}` out of `without` of the user `{user}`"),
            Self::GrantToGroup { group, row } => write!(out, "give `{row}` to the group `{group}`"),
            Self::RestoreToGroup { group, row } => write!(out, "take `{row}` out of `without` of the group `{group}`"),
            Self::GrantToRole { role, row } => write!(out, "give `{row}` to the role `{role}`"),
            Self::AssignRole { user, role, scope } => {
                write!(out, "assign the role `{role}` to the user `{user}`{}", EditedScope(scope))
            }
            Self::AssignGroup { user, group } => write!(out, "put the user `{user}` into the group `{group}`"),
            Self::AddTenant { user, tenant } => write!(out, "add `{tenant}` to `tenants` of the user `{user}`"),
            Self::GrantApproval { gate, values } => {
                let pairs: Vec<String> = values.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                write!(out, "add `{{ {} }}` to `granted` of the gate `{gate}`", pairs.join(", "))
            }
            Self::ListFeature { profile, feature } => {
                write!(out, "list the feature `{feature}` in the profile `{profile}`")
            }
            Self::SatisfyCondition { condition } => write!(out, "the condition `{condition}` would have to hold"),
            Self::ClaimRole { role, scope, alone } => {
                let alone = if *alone { " and no other" } else { "" };
                write!(out, "let the caller's credential claim the role `{role}`{}{alone}", EditedScope(scope))
            }
            Self::ClaimGroup { group } => {
                write!(out, "let the caller's credential claim the group `{group}` and no other")
            }
            Self::ClaimTenant { tenant } => write!(out, "let the caller's credential claim the tenant `{tenant}`"),
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
    /// The policy with all `changes` and with `user` as its only user; `None` if it would not load.
    pub fn apply_edits(&self, changes: &[PolicyEdit], user: Option<&str>) -> Option<Snapshot> {
        let mut source = self.source.clone();
        source.users = user.and_then(|id| self.user_source(id)).cloned().into_iter().collect();
        changes.iter().try_for_each(|change| apply_edit(&mut source, change))?;
        let mut findings = Findings::default();
        let model = validate::validate(&source, None, &mut findings)?;
        let snapshot = compile::compile(model, &source, &Sources::default(), &mut findings)?;
        (!findings.has_errors()).then_some(snapshot)
    }

    /// The span of the entry that a change edits; `None` for claims, conditions and missing entries.
    pub fn span_of(&self, change: &PolicyEdit) -> Option<Span> {
        match change {
            PolicyEdit::RestoreToUser { user, row } => self.user_takes(user, row),
            PolicyEdit::RestoreToGroup { group, row } => self.group_takes(group, row),
            PolicyEdit::GrantToGroup { group, .. } => self.group(group),
            PolicyEdit::GrantToRole { role, .. } => self.role(role),
            PolicyEdit::GrantToUser { user, .. }
            | PolicyEdit::AssignRole { user, .. }
            | PolicyEdit::AssignGroup { user, .. }
            | PolicyEdit::AddTenant { user, .. } => self.user(user),
            PolicyEdit::GrantApproval { gate, .. } => self.gate(gate),
            PolicyEdit::ListFeature { profile, .. } => self.profile(profile),
            PolicyEdit::SatisfyCondition { .. }
            | PolicyEdit::ClaimRole { .. }
            | PolicyEdit::ClaimGroup { .. }
            | PolicyEdit::ClaimTenant { .. } => None,
        }
    }
}

/// Applies one change to a policy; `None` if the policy lacks the entry to change.
fn apply_edit(source: &mut PolicySource, change: &PolicyEdit) -> Option<()> {
    match change {
        PolicyEdit::GrantToUser { user: id, row } => user_entry(source, id)?.permissions.push(spanned(row)),
        PolicyEdit::RestoreToUser { user: id, row } => {
            user_entry(source, id)?.without.retain(|withdrawn| withdrawn.text != *row)
        }
        PolicyEdit::GrantToGroup { group, row } => {
            source.groups.iter_mut().find(|known| known.name.text == *group)?.permissions.push(spanned(row));
        }
        PolicyEdit::RestoreToGroup { group, row } => {
            let group = source.groups.iter_mut().find(|known| known.name.text == *group)?;
            group.without.retain(|withdrawn| withdrawn.text != *row);
        }
        PolicyEdit::GrantToRole { role, row } => {
            source.roles.iter_mut().find(|known| known.name.text == *role)?.permissions.push(spanned(row));
        }
        PolicyEdit::AssignRole { user: id, role, scope } => {
            let scope = scope.iter().map(|(name, value)| (spanned(name), vec![spanned(value)])).collect();
            let roles = user_entry(source, id)?.roles.get_or_insert_default();
            roles.push(AssignmentSource { role: spanned(role), scope, when: None });
        }
        PolicyEdit::AssignGroup { user: id, group } => user_entry(source, id)?.group = Some(spanned(group)),
        PolicyEdit::AddTenant { user: id, tenant } => {
            user_entry(source, id)?.tenants.get_or_insert_default().push(spanned(tenant));
        }
        PolicyEdit::GrantApproval { gate, values } => {
            let gate = source.gates.iter_mut().find(|known| known.name.text == *gate)?;
            let GateOpenerSource::Approval(approval) = &mut gate.by else { return None };
            let pairs = values.iter().map(|(name, value)| (spanned(name), spanned(value))).collect();
            approval.granted.push((NO_SPAN, pairs));
        }
        PolicyEdit::ListFeature { profile, feature } => {
            source.profiles.iter_mut().find(|known| known.name.text == *profile)?.features.push(spanned(feature));
        }
        PolicyEdit::SatisfyCondition { condition } => force_condition(source, condition),
        PolicyEdit::ClaimRole { .. } | PolicyEdit::ClaimGroup { .. } | PolicyEdit::ClaimTenant { .. } => {}
    }
    Some(())
}

/// The entry of an id, which is created if missing.
fn user_entry<'w>(source: &'w mut PolicySource, id: &str) -> Option<&'w mut UserSource> {
    let at = source.users.iter().position(|user| *user.id.text == *id).unwrap_or_else(|| {
        source.users.push(UserSource {
            id: spanned(id),
            group: None,
            roles: None,
            tenants: None,
            permissions: Vec::new(),
            without: Vec::new(),
        });
        source.users.len() - 1
    });
    source.users.get_mut(at)
}

/// Replaces every occurrence of the condition by `true`.
fn force_condition(source: &mut PolicySource, condition: &str) {
    let methods = source.routes.iter_mut().flat_map(|route| &mut route.methods);
    let routes = methods.filter_map(|method| method.when.as_mut());
    let roles = source.users.iter_mut().flat_map(|user| user.roles.iter_mut().flatten());
    let roles = roles.filter_map(|assignment| assignment.when.as_mut());
    let gates = source.gates.iter_mut().filter_map(|gate| match &mut gate.by {
        GateOpenerSource::Condition(when) => Some(when),
        _ => None,
    });
    routes.chain(roles).chain(gates).filter(|when| *when.text == *condition).for_each(|when| when.text = "true".into());
}

const NO_SPAN: Span = Span { file: 0, start: 0, end: 0 };

fn spanned(text: &str) -> Spanned {
    Spanned { text: text.into(), span: NO_SPAN }
}

#[cfg(test)]
mod tests;
