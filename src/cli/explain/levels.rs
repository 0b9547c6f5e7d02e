//! LevelEvaluator: for one permission each word that is said of it, with its line, and what the judge makes of them.

use serde::Serialize;

use crate::decision::{EvaluationContext, Evaluator, Reason};
use crate::document::{Sources, Span};
use crate::policy::entitlements::{ScopedGrant, fits};
use crate::policy::model::{GateOpener, Group, ScopeBounds};
use crate::policy::outline::PolicyOutline;
use crate::policy::{RowId, Snapshot};

use super::caller::printed;

/// RowExplanation: one permission that has a needed cell.
#[derive(Debug, Serialize)]
pub(super) struct RowExplanation {
    pub(super) permission: String,
    pub(super) place: Option<String>,
    /// `usable`, or the reason that it would be refused for.
    pub(super) result: String,
    /// What is said of it, from everyone to the user.
    pub(super) words: Vec<LevelVerdict>,
    /// The gates on it.
    pub(super) gates: Vec<GateVerdict>,
}

/// LevelVerdict: what one level says of a permission.
#[derive(Debug, Serialize)]
pub(super) struct LevelVerdict {
    /// `service-apps`, `everyone`, `group`, `role`, `claim` or `user`.
    pub(super) level: &'static str,
    /// Whether it gives the permission, or takes it away.
    pub(super) gives: bool,
    /// Whether it counts for this request.
    pub(super) counts: bool,
    pub(super) text: String,
    pub(super) place: Option<String>,
}

/// GateVerdict: a gate on a permission, and what opens it.
#[derive(Debug, Serialize)]
pub(super) struct GateVerdict {
    pub(super) gate: String,
    pub(super) open: bool,
    pub(super) text: String,
    pub(super) place: Option<String>,
}

/// LevelEvaluator: everything that words are read from.
pub(super) struct LevelEvaluator<'a> {
    pub(super) seat: &'a EvaluationContext<'a>,
    pub(super) judge: &'a Evaluator<'a>,
    pub(super) outline: &'a PolicyOutline,
    pub(super) sources: &'a Sources,
}

impl LevelEvaluator<'_> {
    /// The account of one permission.
    pub(super) fn row(&self, row: RowId) -> RowExplanation {
        let policy = self.seat.policy;
        let name = policy.row(row).map(|row| row.name.to_string()).unwrap_or_default();
        let state = self.judge.row_status(row);
        let gate = u8::try_from(state.closed_gates.trailing_zeros()).unwrap_or(u8::MAX);
        let reason = match (state.held, state.granted, state.granted_conditionally, state.granted_anywhere) {
            (true, ..) if state.closed_gates == 0 => Reason::Granted,
            (true, ..) => Reason::Gate(gate),
            (_, true, ..) => Reason::TakenAway,
            (_, _, true, _) => Reason::Condition,
            (_, _, _, true) => Reason::OutOfScope,
            _ => Reason::NotGranted,
        };
        let result = if state.is_usable() { "usable" } else { reason.full_code(Some(policy)) };
        RowExplanation {
            place: self.at(self.outline.row(&name)),
            result: result.to_owned(),
            words: self.words(row, &name),
            gates: self.gates(row, state.closed_gates),
            permission: name,
        }
    }

    /// The words in the order of the formula.
    fn words(&self, row: RowId, name: &str) -> Vec<LevelVerdict> {
        if self.judge.holds_every_row() {
            return vec![word("service-apps", true, "`service-apps: every-permission` gives it", None)];
        }
        let model = &self.seat.policy.model;
        let mut found = Vec::new();
        if model.everyone.contains(&row) {
            found.push(word("everyone", true, "everyone is given it", self.at(self.outline.everyone(name))));
        }
        let group = self.group();
        if let Some(group) = group.filter(|group| group.permissions.contains(&row)) {
            let place = self.at(self.outline.group_gives(&group.name, name));
            found.push(word("group", true, format!("the group `{}` gives it", group.name), place));
        }
        let entitlements = self.seat.entitlements.where_holds(self.seat.holds);
        entitlements.each_grant(self.seat.scope, self.seat.across, |grant| {
            if has(grant.rows, row) {
                found.push(self.grant(&grant, name));
            }
        });
        let claims = entitlements.claims().map(|subject| subject.permissions.as_slice()).unwrap_or_default();
        if claims.iter().any(|claimed| **claimed == *name) {
            found.push(word("claim", true, "the caller claims it", None));
        }
        if let Some(group) = group.filter(|group| group.without.contains(&row)) {
            let place = self.at(self.outline.group_takes(&group.name, name));
            found.push(word("group", false, format!("the group `{}` takes it away", group.name), place));
        }
        if let Some(entry) = entitlements.entry() {
            let id = entry.id().to_string();
            if entry.without.contains(&row) {
                let place = self.at(self.outline.user_takes(&id, name));
                found.push(word("user", false, format!("the user entry `{id}` takes it away"), place));
            }
            if entry.permissions.contains(&row) {
                let place = self.at(self.outline.user_gives(&id, name));
                found.push(word("user", true, format!("the user entry `{id}` gives it"), place));
            }
        }
        found
    }

    /// What one assignment of a role says.
    fn grant(&self, grant: &ScopedGrant<'_>, row: &str) -> LevelVerdict {
        let (seat, policy) = (self.seat, self.seat.policy);
        let model = &policy.model;
        let role = usize::try_from(grant.role).ok().and_then(|at| model.roles.get(at));
        let name = role.map_or("", |role| &role.name);
        let entry = seat.entitlements.entry();
        let bound = entry.and_then(|entry| entry.roles?.get(grant.at));
        let id = entry.map(|entry| entry.id().to_string());
        let given = match (bound, seat.subject.roles.get(grant.at)) {
            (Some(bound), _) => bounds(policy, &bound.scope),
            (None, Some(claimed)) => printed(claimed).strip_prefix(name).unwrap_or_default().trim().to_owned(),
            (None, None) => String::new(),
        };
        let way = self.outline.role_way(name, row, !grant.bounds.is_empty());
        let mut text = format!("the role `{name}`");
        if let Some(id) = id.as_ref().filter(|_| bound.is_some()) {
            text.push_str(&format!(" of the user entry `{id}`"));
        }
        if !given.is_empty() {
            text.push_str(&format!(" {given}"));
        }
        text.push_str(" gives it");
        let through: Vec<&str> = way.iter().flat_map(|(way, _)| way.iter().skip(1).copied()).collect();
        if !through.is_empty() {
            text.push_str(&format!(", through `{}`", through.join("`, `")));
        }
        if !grant.bounds.is_empty() {
            text.push_str(&format!(", within {}", bounds(policy, grant.bounds)));
        }
        let inside = fits(grant.bounds, seat.scope, seat.across);
        match (grant.assigned && inside, grant.there) {
            (false, _) => text.push_str(", which is not the request's scope"),
            (true, false) => {
                let when = bound.and_then(|bound| policy.condition(bound.when?)).map_or("", |when| when.text());
                text.push_str(&format!(", but its condition does not hold: {when}"));
            }
            (true, true) => {}
        }
        LevelVerdict {
            level: "role",
            gives: true,
            counts: grant.assigned && inside && grant.there,
            text,
            place: self.at(way.map(|(_, place)| place)),
        }
    }

    fn gates(&self, row: RowId, closed: u64) -> Vec<GateVerdict> {
        let gates = self.seat.policy.model.gates.iter().enumerate();
        let here = gates.filter(|(_, gate)| gate.closes.contains(&row));
        let words = here.map(|(at, gate)| {
            let open = closed >> at & 1 == 0;
            let text = match &gate.by {
                GateOpener::Approval(_) => "by approval".to_owned(),
                GateOpener::Condition(condition) => {
                    let when = self.seat.policy.condition(*condition).map_or("", |condition| condition.text());
                    format!("by condition: {when}")
                }
                GateOpener::Feature => self.feature(at, &gate.name),
            };
            GateVerdict { gate: gate.name.to_string(), open, text, place: self.at(self.outline.gate(&gate.name)) }
        });
        words.collect()
    }

    /// Which profile that applies lists a feature, or would have to.
    fn feature(&self, at: usize, feature: &str) -> String {
        let seat = self.seat;
        let own = self.group().and_then(|group| group.profile).and_then(|at| usize::try_from(at).ok());
        let here = |within: &[ScopeBounds]| within.iter().any(|within| fits(within, seat.scope, seat.across));
        let profiles = seat.policy.model.profiles.iter().enumerate();
        let applying = profiles.filter(|(number, profile)| own == Some(*number) || here(&profile.within));
        let told: Vec<String> = applying
            .map(|(_, profile)| {
                let lists = profile.features.iter().any(|known| usize::from(*known) == at);
                let (word, place) = match lists {
                    true => ("lists", self.outline.profile_lists(&profile.name, feature)),
                    false => ("does not list", self.outline.profile(&profile.name)),
                };
                let place = self.at(place).map(|at| format!(" ({at})")).unwrap_or_default();
                format!("the profile `{}` {word} it{place}", profile.name)
            })
            .collect();
        if told.is_empty() {
            "by feature: no profile applies".to_owned()
        } else {
            format!("by feature: {}", told.join(", "))
        }
    }

    fn group(&self) -> Option<&Group> {
        // A service app that holds every row is asked for no group, and so has none.
        let at = self.seat.entitlements.group().filter(|_| !self.judge.holds_every_row())?;
        self.seat.policy.model.groups.get(usize::try_from(at).ok()?)
    }

    fn at(&self, place: Option<Span>) -> Option<String> {
        self.sources.locate(place?).map(|at| at.to_string())
    }
}

fn word(level: &'static str, gives: bool, text: impl Into<String>, place: Option<String>) -> LevelVerdict {
    LevelVerdict { level, gives, counts: true, text: text.into(), place }
}

/// `(tenant: t1; pacs: p7, p8)`, and nothing for no bound.
pub(super) fn bounds(policy: &Snapshot, bounds: &[(u8, Box<[Box<str>]>)]) -> String {
    let scopes = bounds.iter().map(|(at, values)| {
        let name = policy.model.scopes.get(usize::from(*at)).map_or("", |scope| &scope.name);
        format!("{name}: {}", values.join(", "))
    });
    let scopes = scopes.collect::<Vec<_>>().join("; ");
    if scopes.is_empty() { scopes } else { format!("({scopes})") }
}

fn has(rows: &[u64], row: RowId) -> bool {
    let word = usize::try_from(row.0 / 64).ok().and_then(|at| rows.get(at)).copied().unwrap_or(0);
    word >> (row.0 % 64) & 1 == 1
}
