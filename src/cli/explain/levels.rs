//! LevelEvaluator: explains one permission by the verdict of each level, from `everyone` to the user entry.

use serde::Serialize;

use crate::decision::{EvaluationContext, Evaluator, Reason};
use crate::document::{Sources, Span};
use crate::policy::RowId;
use crate::policy::entitlements::{ScopedGrant, bounds_match};
use crate::policy::model::{GateOpener, Group, ScopeBounds};
use crate::policy::outline::PolicyOutline;

use super::bounds::{print_assignment, print_bounds};

/// RowExplanation: one permission that has a needed cell.
#[derive(Debug, Serialize)]
pub(super) struct RowExplanation {
    pub(super) permission: String,
    pub(super) place: Option<String>,
    /// `usable`, or the reason code of the refusal.
    pub(super) result: String,
    /// The verdicts of the levels, from `everyone` to the user entry.
    pub(super) words: Vec<LevelVerdict>,
    /// The gates on it.
    pub(super) gates: Vec<GateVerdict>,
}

/// LevelVerdict: the verdict of one level on a permission.
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

/// GateVerdict: the state of a gate on a permission, and the way to open it.
#[derive(Debug, Serialize)]
pub(super) struct GateVerdict {
    pub(super) gate: String,
    pub(super) open: bool,
    pub(super) text: String,
    pub(super) place: Option<String>,
}

/// LevelEvaluator: the evaluation that the verdicts are read from.
pub(super) struct LevelEvaluator<'a> {
    pub(super) context: &'a EvaluationContext<'a>,
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) outline: &'a PolicyOutline,
    pub(super) sources: &'a Sources,
}

impl LevelEvaluator<'_> {
    /// Explains one permission.
    pub(super) fn explain_row(&self, row: RowId) -> RowExplanation {
        let policy = self.context.policy;
        let name = policy.row(row).map(|row| row.name.to_string()).unwrap_or_default();
        let state = self.evaluator.row_status(row);
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
            place: self.locate(self.outline.row(&name)),
            result: result.to_owned(),
            words: self.level_verdicts(row, &name),
            gates: self.gate_verdicts(row, state.closed_gates),
            permission: name,
        }
    }

    /// The verdicts in the order in which the evaluation applies the levels.
    fn level_verdicts(&self, row: RowId, name: &str) -> Vec<LevelVerdict> {
        if self.evaluator.holds_every_row() {
            return vec![verdict("service-apps", true, "`service-apps: every-permission` gives it", None)];
        }
        let model = &self.context.policy.model;
        let mut found = Vec::new();
        if model.everyone.contains(&row) {
            found.push(verdict("everyone", true, "everyone is given it", self.locate(self.outline.everyone(name))));
        }
        let group = self.group();
        if let Some(group) = group.filter(|group| group.permissions.contains(&row)) {
            let place = self.locate(self.outline.group_gives(&group.name, name));
            found.push(verdict("group", true, format!("the group `{}` gives it", group.name), place));
        }
        let entitlements = self.context.entitlements.apply_conditions(self.context.holds);
        entitlements.for_each_grant(self.context.scope, self.context.across, |grant| {
            if contains_row(grant.rows, row) {
                found.push(self.role_verdict(&grant, name));
            }
        });
        let claims = entitlements.effective_claims().map(|subject| subject.permissions.as_slice()).unwrap_or_default();
        if claims.iter().any(|claimed| **claimed == *name) {
            found.push(verdict("claim", true, "the caller claims it", None));
        }
        if let Some(group) = group.filter(|group| group.without.contains(&row)) {
            let place = self.locate(self.outline.group_takes(&group.name, name));
            found.push(verdict("group", false, format!("the group `{}` takes it away", group.name), place));
        }
        if let Some(entry) = entitlements.entry() {
            let id = entry.id().to_string();
            if entry.without.contains(&row) {
                let place = self.locate(self.outline.user_takes(&id, name));
                found.push(verdict("user", false, format!("the user entry `{id}` takes it away"), place));
            }
            if entry.permissions.contains(&row) {
                let place = self.locate(self.outline.user_gives(&id, name));
                found.push(verdict("user", true, format!("the user entry `{id}` gives it"), place));
            }
        }
        found
    }

    /// The verdict of one assignment of a role.
    fn role_verdict(&self, grant: &ScopedGrant<'_>, row: &str) -> LevelVerdict {
        let (context, policy) = (self.context, self.context.policy);
        let model = &policy.model;
        let role = usize::try_from(grant.role).ok().and_then(|index| model.roles.get(index));
        let name = role.map_or("", |role| &role.name);
        let entry = context.entitlements.entry();
        let bound = entry.and_then(|entry| entry.roles?.get(grant.at));
        let id = entry.map(|entry| entry.id().to_string());
        let assigned_in = match (bound, context.subject.roles.get(grant.at)) {
            (Some(bound), _) => print_bounds(policy, &bound.scope),
            (None, Some(claimed)) => print_assignment(claimed).strip_prefix(name).unwrap_or_default().trim().to_owned(),
            (None, None) => String::new(),
        };
        let inclusion = self.outline.role_path(name, row, !grant.bounds.is_empty());
        let mut text = format!("the role `{name}`");
        if let Some(id) = id.as_ref().filter(|_| bound.is_some()) {
            text.push_str(&format!(" of the user entry `{id}`"));
        }
        if !assigned_in.is_empty() {
            text.push_str(&format!(" {assigned_in}"));
        }
        text.push_str(" gives it");
        let through: Vec<&str> = inclusion.iter().flat_map(|(roles, _)| roles.iter().skip(1).copied()).collect();
        if !through.is_empty() {
            text.push_str(&format!(", through `{}`", through.join("`, `")));
        }
        if !grant.bounds.is_empty() {
            text.push_str(&format!(", within {}", print_bounds(policy, grant.bounds)));
        }
        let inside = bounds_match(grant.bounds, context.scope, context.across);
        match (grant.in_scope && inside, grant.active) {
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
            counts: grant.in_scope && inside && grant.active,
            text,
            place: self.locate(inclusion.map(|(_, place)| place)),
        }
    }

    fn gate_verdicts(&self, row: RowId, closed: u64) -> Vec<GateVerdict> {
        let gates = self.context.policy.model.gates.iter().enumerate();
        let closing = gates.filter(|(_, gate)| gate.closes.contains(&row));
        let verdicts = closing.map(|(index, gate)| {
            let open = closed >> index & 1 == 0;
            let text = match &gate.by {
                GateOpener::Approval(_) => "by approval".to_owned(),
                GateOpener::Condition(condition) => {
                    let when = self.context.policy.condition(*condition).map_or("", |condition| condition.text());
                    format!("by condition: {when}")
                }
                GateOpener::Feature => self.describe_feature(index, &gate.name),
            };
            GateVerdict { gate: gate.name.to_string(), open, text, place: self.locate(self.outline.gate(&gate.name)) }
        });
        verdicts.collect()
    }

    /// For each profile that applies, whether it lists the feature.
    fn describe_feature(&self, gate: usize, feature: &str) -> String {
        let context = self.context;
        let own = self.group().and_then(|group| group.profile).and_then(|index| usize::try_from(index).ok());
        let fits_here =
            |within: &[ScopeBounds]| within.iter().any(|within| bounds_match(within, context.scope, context.across));
        let profiles = context.policy.model.profiles.iter().enumerate();
        let applying = profiles.filter(|(index, profile)| own == Some(*index) || fits_here(&profile.within));
        let texts: Vec<String> = applying
            .map(|(_, profile)| {
                let lists = profile.features.iter().any(|known| usize::from(*known) == gate);
                let (verb, place) = match lists {
                    true => ("lists", self.outline.profile_lists(&profile.name, feature)),
                    false => ("does not list", self.outline.profile(&profile.name)),
                };
                let place = self.locate(place).map(|place| format!(" ({place})")).unwrap_or_default();
                format!("the profile `{}` {verb} it{place}", profile.name)
            })
            .collect();
        if texts.is_empty() {
            "by feature: no profile applies".to_owned()
        } else {
            format!("by feature: {}", texts.join(", "))
        }
    }

    fn group(&self) -> Option<&Group> {
        // For a service app that holds every permission, the evaluation ignores groups.
        let group = self.context.entitlements.group().filter(|_| !self.evaluator.holds_every_row())?;
        self.context.policy.model.groups.get(usize::try_from(group).ok()?)
    }

    fn locate(&self, span: Option<Span>) -> Option<String> {
        self.sources.locate(span?).map(|location| location.to_string())
    }
}

fn verdict(level: &'static str, gives: bool, text: impl Into<String>, place: Option<String>) -> LevelVerdict {
    LevelVerdict { level, gives, counts: true, text: text.into(), place }
}

/// Whether the bit set `rows` contains `row`.
fn contains_row(rows: &[u64], row: RowId) -> bool {
    let word = usize::try_from(row.0 / 64).ok().and_then(|index| rows.get(index)).copied().unwrap_or(0);
    word >> (row.0 % 64) & 1 == 1
}
