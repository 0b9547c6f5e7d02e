//! PolicyOutline: where a policy says what, read again from its texts; a snapshot keeps no lines, so requests pay nothing.

use std::collections::HashMap;

use crate::document::{Findings, Sources, Span};

use super::source::{GateSource, GroupSource, PolicySource, ProfileSource, RoleSource, Spanned, UserSource};

/// PolicyOutline: a policy as written, to be asked for places.
#[derive(Debug)]
pub struct PolicyOutline {
    /// Everything but the users, of whom there may be many.
    pub(super) source: PolicySource,
    users: Vec<UserSource>,
    by_id: HashMap<Box<str>, usize>,
}

impl PolicyOutline {
    /// Reads the texts of a policy that has been loaded without errors.
    pub fn read(sources: &Sources) -> Self {
        let mut source = super::load::parse(sources, &mut Findings::default());
        let users = std::mem::take(&mut source.users);
        let by_id = users.iter().enumerate().map(|(at, user)| (user.id.text.clone(), at)).collect();
        Self { source, users, by_id }
    }

    /// Where a method of a route stands.
    pub fn method(&self, template: &str, method: &str) -> Option<Span> {
        let route = self.source.routes.iter().find(|route| *route.template.text == *template)?;
        let method = route.methods.iter().find(|entry| *entry.method.text == *method)?;
        Some(method.method.span)
    }

    /// Where a permission stands.
    pub fn row(&self, row: &str) -> Option<Span> {
        self.source.rows.iter().find(|known| *known.name.text == *row).map(|row| row.name.span)
    }

    /// Where `everyone` is given a permission.
    pub fn everyone(&self, row: &str) -> Option<Span> {
        span_of(&self.source.everyone, row)
    }

    /// Where a group stands.
    pub fn group(&self, name: &str) -> Option<Span> {
        self.group_source(name).map(|group| group.name.span)
    }

    /// Where a group is given a permission.
    pub fn group_gives(&self, group: &str, row: &str) -> Option<Span> {
        span_of(&self.group_source(group)?.permissions, row)
    }

    /// Where a permission is taken from a group.
    pub fn group_takes(&self, group: &str, row: &str) -> Option<Span> {
        span_of(&self.group_source(group)?.without, row)
    }

    /// Where a role stands.
    pub fn role(&self, name: &str) -> Option<Span> {
        self.role_source(name).map(|role| role.name.span)
    }

    /// Where a role itself is given a permission, everywhere or, if `bounded`, within a scope.
    pub fn role_gives(&self, role: &str, row: &str, bounded: bool) -> Option<Span> {
        let role = self.role_source(role)?;
        if bounded {
            return role.within.iter().find_map(|within| span_of(&within.permissions, row));
        }
        span_of(&role.permissions, row)
    }

    /// Where a role includes another one.
    pub fn role_includes(&self, role: &str, included: &str) -> Option<Span> {
        span_of(&self.role_source(role)?.includes, included)
    }

    /// The way from a role to the one that is given a permission itself, both included, and where that stands.
    pub fn role_path(&self, role: &str, row: &str, bounded: bool) -> Option<(Vec<&str>, Span)> {
        let role = self.role_source(role)?;
        let name = &*role.name.text;
        if let Some(span) = self.role_gives(name, row, bounded) {
            return Some((vec![name], span));
        }
        // A policy that was loaded has no circles.
        role.includes.iter().find_map(|included| {
            let (way, span) = self.role_path(&included.text, row, bounded)?;
            Some((std::iter::once(name).chain(way).collect(), span))
        })
    }

    /// Where an entry under `users:` stands.
    pub fn user(&self, id: &str) -> Option<Span> {
        self.user_source(id).map(|user| user.id.span)
    }

    /// Where a user is given a permission.
    pub fn user_gives(&self, id: &str, row: &str) -> Option<Span> {
        span_of(&self.user_source(id)?.permissions, row)
    }

    /// Where a permission is taken from a user.
    pub fn user_takes(&self, id: &str, row: &str) -> Option<Span> {
        span_of(&self.user_source(id)?.without, row)
    }

    /// Where the role with that place in a user's list is assigned.
    pub fn user_role(&self, id: &str, at: usize) -> Option<Span> {
        self.user_source(id)?.roles.as_ref()?.get(at).map(|assignment| assignment.role.span)
    }

    /// Where a user's group is named.
    pub fn user_group(&self, id: &str) -> Option<Span> {
        self.user_source(id)?.group.as_ref().map(|group| group.span)
    }

    /// Where a gate stands.
    pub fn gate(&self, name: &str) -> Option<Span> {
        self.gate_source(name).map(|gate| gate.name.span)
    }

    /// Where a profile stands.
    pub fn profile(&self, name: &str) -> Option<Span> {
        self.profile_source(name).map(|profile| profile.name.span)
    }

    /// Where a profile lists a feature.
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
