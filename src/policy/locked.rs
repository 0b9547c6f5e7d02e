//! Locked roles and profiles: the changes that a reload may not make.

use std::collections::BTreeSet;

use crate::document::{Finding, FindingCode, Findings, Span};

use super::model::{Profile, Role, ScopeBounds};
use super::snapshot::Snapshot;

/// The changes of `candidate` to the locked roles and profiles of `live`, each an error with its span in the candidate.
///
/// Roles and profiles that only the candidate locks may change.
pub fn changes(live: &Snapshot, candidate: &Snapshot) -> Findings {
    let mut findings = Findings::default();
    for role in live.model.roles.iter().filter(|role| role.locked) {
        let now = candidate.model.roles.iter().find(|other| other.name == role.name);
        let what =
            now.map(|now| (describe_differences(&role_terms(role, live), &role_terms(now, candidate)), now.span));
        findings.extend(report_change("role", &role.name, what));
    }
    for profile in live.model.profiles.iter().filter(|profile| profile.locked) {
        let now = candidate.model.profiles.iter().find(|other| other.name == profile.name);
        let what = now
            .map(|now| (describe_differences(&profile_terms(profile, live), &profile_terms(now, candidate)), now.span));
        findings.extend(report_change("profile", &profile.name, what));
    }
    findings
}

/// The finding about one locked entry; `what` is its differences in the candidate, `None` if the candidate lacks it.
fn report_change(sort: &str, name: &str, what: Option<(Vec<String>, Span)>) -> Findings {
    let mut findings = Findings::default();
    let (message, span) = match what {
        None => (format!("the live policy locks the {sort} `{name}`, which is gone or renamed here"), None),
        Some((differences, span)) if !differences.is_empty() => {
            let message = format!("the live policy locks the {sort} `{name}`: {}", differences.join("; "));
            (message, Some(span))
        }
        Some(_) => return findings,
    };
    let finding = Finding::error(FindingCode::Locked, span, message);
    findings.push(finding.help("a reload cannot change it; a restart with this policy can"));
    findings
}

/// LockedTerms: all properties of a role or profile by names: each a kind and a description.
type LockedTerms = BTreeSet<(&'static str, String)>;

/// The properties of a role, including the cells of its rows and the roles that it includes.
fn role_terms(role: &Role, policy: &Snapshot) -> LockedTerms {
    let mut terms = LockedTerms::new();
    for part in &role.parts {
        let whereabouts = format_bounds(&part.scope, policy);
        for row in part.rows.iter().filter_map(|row| policy.row(*row)) {
            let mut cells: Vec<String> =
                row.cells.iter().filter_map(|cell| policy.cell(*cell)).map(ToString::to_string).collect();
            cells.sort_unstable();
            terms.insert(("the permission", format!("`{}` ({}){whereabouts}", row.name, cells.join(", "))));
        }
    }
    terms.extend(role.includes.iter().map(|name| ("the inclusion of", format!("`{name}`"))));
    let scopes = policy.model.scopes.iter().enumerate().filter(|(at, _)| role.assign_within >> at & 1 == 1);
    terms.extend(scopes.map(|(_, scope)| ("the assignment within", format!("`{}`", scope.name))));
    if role.policy_only {
        terms.insert(("the words", "`assign: policy-only`".to_owned()));
    }
    terms.extend(role.locked.then(lock_term));
    terms
}

fn profile_terms(profile: &Profile, policy: &Snapshot) -> LockedTerms {
    let gates = profile.features.iter().filter_map(|at| policy.gate(usize::from(*at)));
    let mut terms: LockedTerms = gates.map(|gate| ("the feature", format!("`{}`", gate.name))).collect();
    terms.extend(profile.within.iter().map(|within| ("the place", format_bounds(within, policy).trim().to_owned())));
    terms.extend(profile.locked.then(lock_term));
    terms
}

fn lock_term() -> (&'static str, String) {
    ("the word", "`locked`".to_owned())
}

/// Formats ` in { tenant: t1, pacs: p7 | p8 }`, sorted by name; empty for every scope.
fn format_bounds(bounds: &ScopeBounds, policy: &Snapshot) -> String {
    let named = bounds.iter().filter_map(|(at, values)| {
        let scope = policy.model.scopes.get(usize::from(*at))?;
        let mut values: Vec<&str> = values.iter().map(|value| &**value).collect();
        values.sort_unstable();
        Some(format!("{}: {}", scope.name, values.join(" | ")))
    });
    let mut named: Vec<String> = named.collect();
    named.sort_unstable();
    if named.is_empty() { String::new() } else { format!(" in {{ {} }}", named.join(", ")) }
}

fn describe_differences(live: &LockedTerms, candidate: &LockedTerms) -> Vec<String> {
    let lost = live.difference(candidate).map(|(what, name)| format!("{what} {name} is missing here"));
    let gained = candidate.difference(live).map(|(what, name)| format!("{what} {name} is new here"));
    lost.chain(gained).collect()
}

#[cfg(test)]
mod tests;
