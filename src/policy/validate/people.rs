//! Resolution of profiles, groups and users.

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::ids::RowId;
use crate::policy::model::{Group, Profile, Role, ScopedRole, User};
use crate::policy::source::{AssignmentSource, GateOpenerSource, PolicySource, Spanned, UserSource};

use super::conditions::ConditionRegistry;
use super::names::DefinedNames;
use super::scopes::DeclaredScopes;
use super::sources::IdentitySources;

/// The greatest number of conditional assignments: a decision stores their results as bits of one word.
const MAX_CONDITIONAL: usize = 64;

/// PeopleResolver: the definitions to which the entries of users refer.
pub(super) struct PeopleResolver<'a> {
    pub(super) policy: &'a PolicySource,
    pub(super) rows: &'a DefinedNames<'a>,
    pub(super) role_names: &'a DefinedNames<'a>,
    pub(super) roles: &'a [Role],
    pub(super) groups: &'a DefinedNames<'a>,
    pub(super) scopes: DeclaredScopes<'a>,
    pub(super) sources: IdentitySources<'a>,
}

pub(super) fn resolve_profiles(
    policy: &PolicySource,
    scopes: DeclaredScopes<'_>,
    findings: &mut Findings,
) -> Vec<Profile> {
    let gates = || (0_u8..).zip(&policy.gates);
    let features: Vec<&str> = gates()
        .filter(|(_, gate)| matches!(gate.by, GateOpenerSource::Feature))
        .map(|(_, gate)| &*gate.name.text)
        .collect();
    let mut profiles = Vec::with_capacity(policy.profiles.len());
    for profile in &policy.profiles {
        let mut opens = Vec::new();
        for name in &profile.features {
            match gates().find(|(_, gate)| gate.name.text == name.text) {
                Some((at, gate)) if matches!(gate.by, GateOpenerSource::Feature) => opens.push(at),
                Some((_, gate)) => {
                    let message = format!("the gate `{}` is not by feature, so no profile opens it", name.text);
                    let finding = Finding::error(FindingCode::BadValue, Some(name.span), message);
                    findings.push(finding.also(gate.name.span, "the gate"));
                }
                None => {
                    let message = format!("no gate by feature is called `{}`", name.text);
                    let finding = Finding::error(FindingCode::UnknownName, Some(name.span), message);
                    findings.push(match features.as_slice() {
                        [] => finding.help("a feature is a gate with `by: feature`"),
                        known => finding.suggest(&name.text, known.iter().copied()),
                    });
                }
            }
        }
        profiles.push(Profile {
            name: profile.name.text.clone(),
            features: opens,
            within: profile.within.iter().map(|within| scopes.resolve_bounds(within, findings)).collect(),
            locked: profile.locked,
            span: profile.name.span,
        });
    }
    profiles
}

pub(super) fn resolve_groups(
    policy: &PolicySource,
    rows: &DefinedNames<'_>,
    profiles: &DefinedNames<'_>,
    findings: &mut Findings,
) -> Vec<Group> {
    let mut groups = Vec::with_capacity(policy.groups.len());
    for group in &policy.groups {
        let what = format!("the group `{}`", group.name.text);
        refuse_contradictions(&group.permissions, &group.without, &what, findings);
        groups.push(Group {
            name: group.name.text.clone(),
            profile: group.profile.as_ref().and_then(|profile| profiles.resolve(profile, findings)),
            permissions: rows.resolve_all(&group.permissions, findings).into_iter().map(RowId).collect(),
            without: rows.resolve_all(&group.without, findings).into_iter().map(RowId).collect(),
        });
    }
    groups
}

impl PeopleResolver<'_> {
    pub(super) fn resolve_users(&self, conditions: &mut ConditionRegistry, findings: &mut Findings) -> Vec<User> {
        let sources = &self.policy.users;
        let mut first_by_id: HashMap<Box<str>, &Spanned> = HashMap::with_capacity(sources.len());
        let mut users = Vec::with_capacity(sources.len());
        for user in sources {
            let id = self.sources.qualify_id(&user.id, findings);
            if let Some(first) = first_by_id.insert(id.clone(), &user.id) {
                let message = format!("the user `{id}` is defined twice");
                findings.push(
                    Finding::error(FindingCode::DuplicateName, Some(user.id.span), message)
                        .also(first.span, "first here"),
                );
            }
            users.push(self.resolve_user(id, user, conditions, findings));
        }
        users
    }

    fn resolve_user(
        &self,
        id: Box<str>,
        source: &UserSource,
        conditions: &mut ConditionRegistry,
        findings: &mut Findings,
    ) -> User {
        refuse_contradictions(&source.permissions, &source.without, &format!("`{id}`"), findings);
        let roles = source.roles.as_ref().map(|list| self.resolve_assignments(list, conditions, findings));
        if let Some(list) = &source.roles {
            self.check_one_role(list, findings);
        }
        let rows = |names: &[Spanned], findings: &mut Findings| {
            self.rows.resolve_all(names, findings).into_iter().map(RowId).collect()
        };
        User {
            id,
            group: source.group.as_ref().and_then(|group| self.groups.resolve(group, findings)),
            roles,
            tenants: source.tenants.as_ref().map(|tenants| tenants.iter().map(|tenant| tenant.text.clone()).collect()),
            permissions: rows(&source.permissions, findings),
            without: rows(&source.without, findings),
        }
    }

    fn resolve_assignments(
        &self,
        list: &[AssignmentSource],
        conditions: &mut ConditionRegistry,
        findings: &mut Findings,
    ) -> Box<[ScopedRole]> {
        let bounds = list.iter().enumerate().filter_map(|(at, source)| {
            let bound = self.resolve_assignment(source, conditions, findings);
            if source.when.is_some() && at >= MAX_CONDITIONAL {
                let message = format!("only the first {MAX_CONDITIONAL} roles of a user may have conditions");
                findings.push(Finding::error(FindingCode::BadValue, Some(source.role.span), message));
            }
            bound
        });
        bounds.collect()
    }

    fn resolve_assignment(
        &self,
        source: &AssignmentSource,
        conditions: &mut ConditionRegistry,
        findings: &mut Findings,
    ) -> Option<ScopedRole> {
        let scope = self.scopes.resolve_bounds(&source.scope, findings);
        let when = source.when.as_ref().map(|when| conditions.read(when, findings));
        let role = self.role_names.resolve(&source.role, findings)?;
        let required = self.roles.get(usize::try_from(role).ok()?).map_or(0, |role| role.assign_within);
        let missing = (0_u8..)
            .zip(self.scopes.0)
            .find(|(at, _)| required >> at & 1 == 1 && !scope.iter().any(|(named, _)| named == at));
        if let Some((_, name)) = missing {
            let message = format!("the role `{}` must be assigned within a `{}`", source.role.text, name.name);
            let finding = Finding::error(FindingCode::MissingKey, Some(source.role.span), message);
            findings.push(finding.help(format!("write `{}: {{ {}: … }}`", source.role.text, name.name)));
        }
        // An invalid condition must not count as no condition.
        if matches!(when, Some(None)) { None } else { Some(ScopedRole { role, scope, when: when.flatten() }) }
    }

    /// Under `one-role`, every request of a user with two roles would be refused.
    fn check_one_role(&self, list: &[AssignmentSource], findings: &mut Findings) {
        let Some(first) = list.first().filter(|_| self.policy.one_role) else { return };
        if let Some(second) = list.iter().find(|other| other.role.text != first.role.text) {
            let message = "under `one-role` a user has one role";
            let finding = Finding::error(FindingCode::Contradiction, Some(second.role.span), message);
            findings.push(finding.also(first.role.span, "the first"));
        }
    }
}

fn refuse_contradictions(granted: &[Spanned], withdrawn: &[Spanned], who: &str, findings: &mut Findings) {
    for row in withdrawn {
        if let Some(before) = granted.iter().find(|granted| granted.text == row.text) {
            let message = format!("`{}` is granted to {who} and withdrawn in the same entry", row.text);
            findings.push(
                Finding::error(FindingCode::Contradiction, Some(row.span), message).also(before.span, "granted here"),
            );
        }
    }
}
