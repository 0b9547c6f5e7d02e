//! PolicyOutline: the spans of a policy's entries, read again from its texts, because a snapshot stores no spans.

use std::collections::HashMap;

use crate::document::{Findings, Sources, Span};

use super::source::{GateSource, GroupSource, PolicySource, ProfileSource, RoleSource, Spanned, UserSource};

/// PolicyOutline: the source of a policy, indexed for looking up spans.
#[derive(Debug)]
pub struct PolicyOutline {
    /// Everything except the users, of which there may be many.
    pub(super) source: PolicySource,
    users: Vec<UserSource>,
    by_id: HashMap<Box<str>, usize>,
}

impl PolicyOutline {
    /// Reads the texts of a policy that was loaded without errors.
    pub fn read(sources: &Sources) -> Self {
        let mut source = super::load::parse(sources, &mut Findings::default());
        let users = std::mem::take(&mut source.users);
        let by_id = users.iter().enumerate().map(|(at, user)| (user.id.text.clone(), at)).collect();
        Self { source, users, by_id }
    }

    /// The span of a method of a route.
    pub fn method(&self, template: &str, method: &str) -> Option<Span> {
        let route = self.source.routes.iter().find(|route| *route.template.text == *template)?;
        let method = route.methods.iter().find(|entry| *entry.method.text == *method)?;
        Some(method.method.span)
    }

    /// The span of a permission.
    pub fn row(&self, row: &str) -> Option<Span> {
        self.source.rows.iter().find(|known| *known.name.text == *row).map(|row| row.name.span)
    }

    /// The span of a permission under `everyone`.
    pub fn everyone(&self, row: &str) -> Option<Span> {
        span_of(&self.source.everyone, row)
    }

    /// The span of a group.
    pub fn group(&self, name: &str) -> Option<Span> {
        self.group_source(name).map(|group| group.name.span)
    }

    /// The span of a permission that a group grants.
    pub fn group_gives(&self, group: &str, row: &str) -> Option<Span> {
        span_of(&self.group_source(group)?.permissions, row)
    }

    /// The span of a permission under `without` of a group.
    pub fn group_takes(&self, group: &str, row: &str) -> Option<Span> {
        span_of(&self.group_source(group)?.without, row)
    }

    /// The span of a role.
    pub fn role(&self, name: &str) -> Option<Span> {
        self.role_source(name).map(|role| role.name.span)
    }

    /// The span of a permission that a role itself grants: in every scope or, if `bounded`, within a scope.
    pub fn role_gives(&self, role: &str, row: &str, bounded: bool) -> Option<Span> {
        let role = self.role_source(role)?;
        if bounded {
            return role.within.iter().find_map(|within| span_of(&within.permissions, row));
        }
        span_of(&role.permissions, row)
    }

    /// The span of an included role.
    pub fn role_includes(&self, role: &str, included: &str) -> Option<Span> {
        span_of(&self.role_source(role)?.includes, included)
    }

    /// The chain of inclusions from a role to the one that itself grants a permission, and the span of that permission.
    pub fn role_path(&self, role: &str, row: &str, bounded: bool) -> Option<(Vec<&str>, Span)> {
        let role = self.role_source(role)?;
        let name = &*role.name.text;
        if let Some(span) = self.role_gives(name, row, bounded) {
            return Some((vec![name], span));
        }
        // A loaded policy has no inclusion cycles.
        role.includes.iter().find_map(|included| {
            let (way, span) = self.role_path(&included.text, row, bounded)?;
            Some((std::iter::once(name).chain(way).collect(), span))
        })
    }

    /// The span of an entry under `users:`.
    pub fn user(&self, id: &str) -> Option<Span> {
        self.user_source(id).map(|user| user.id.span)
    }

    /// The span of a permission that a user's entry grants.
    pub fn user_gives(&self, id: &str, row: &str) -> Option<Span> {
        span_of(&self.user_source(id)?.permissions, row)
    }

    /// The span of a permission under `without` of a user.
    pub fn user_takes(&self, id: &str, row: &str) -> Option<Span> {
        span_of(&self.user_source(id)?.without, row)
    }

    /// The span of the role with that index in a user's list.
    pub fn user_role(&self, id: &str, at: usize) -> Option<Span> {
        self.user_source(id)?.roles.as_ref()?.get(at).map(|assignment| assignment.role.span)
    }

    /// The span of a user's group.
    pub fn user_group(&self, id: &str) -> Option<Span> {
        self.user_source(id)?.group.as_ref().map(|group| group.span)
    }

    /// The span of a gate.
    pub fn gate(&self, name: &str) -> Option<Span> {
        self.gate_source(name).map(|gate| gate.name.span)
    }

    /// The span of a profile.
    pub fn profile(&self, name: &str) -> Option<Span> {
        self.profile_source(name).map(|profile| profile.name.span)
    }

    /// The span of a feature that a profile lists.
    pub fn profile_lists(&self, profile: &str, feature: &str) -> Option<Span> {
        span_of(&self.profile_source(profile)?.features, feature)
    }

    pub(super) fn user_source(&self, id: &str) -> Option<&UserSource> {
        self.users.get(*self.by_id.get(id)?)
    }

    fn group_source(&self, name: &str) -> Option<&GroupSource> {
        self.source.groups.iter().find(|group| *group.name.text == *name)
    }

    fn role_source(&self, name: &str) -> Option<&RoleSource> {
        self.source.roles.iter().find(|role| *role.name.text == *name)
    }

    fn gate_source(&self, name: &str) -> Option<&GateSource> {
        self.source.gates.iter().find(|gate| *gate.name.text == *name)
    }

    fn profile_source(&self, name: &str) -> Option<&ProfileSource> {
        self.source.profiles.iter().find(|profile| *profile.name.text == *name)
    }
}

fn span_of(names: &[Spanned], wanted: &str) -> Option<Span> {
    names.iter().find(|name| *name.text == *wanted).map(|name| name.span)
}

#[cfg(test)]
mod tests;
