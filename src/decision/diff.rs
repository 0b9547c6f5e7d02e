//! Diff: what two versions of a policy decide differently: who gained and who lost what, where, and through what.
//!
//! Compared is what a decision does, a permit with its masks and approvals, not what it says: reasons, names of rows
//! in `granted_by` and the order of cells are words about it. A row may be renamed or split: its name counts only
//! where a token claims it. What is held is compared by cell, place and gate; each change is then shown by a request
//! that the two versions answer differently, where the search finds one.

mod area;
mod gates;
mod holders;
mod routes;
mod indexed;
mod switches;
mod users;
mod examples;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::policy::{PolicyVersion, Snapshot};
use crate::vocabulary::Timestamp;

use examples::ExampleFinder;
use indexed::IndexedPolicy;

/// Diff: everything that changed between two versions of a policy.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The older version: its name and hash.
    pub old: [Box<str>; 2],
    /// The newer version: its name and hash.
    pub new: [Box<str>; 2],
    /// What is decided differently, the most dangerous first.
    pub changes: Vec<Change>,
    /// What no decision depends on: browsers, shadow mode, cases, locks.
    pub settings: Vec<String>,
}

/// Change: one thing that somebody gained or lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Whether more or less is permitted.
    pub direction: Direction,
    /// Who is concerned.
    pub who: AffectedCallers,
    /// What: cells, or a sentence.
    pub what: Vec<String>,
    /// The row that gives or gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The scope; empty is everywhere.
    #[serde(rename = "where", skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What must be open besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
    /// A request that shows it; `None` where none was found.
    pub example: Option<Example>,
}

/// Direction: whether more or less is permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More is permitted, or less masked.
    Gained,
    /// Less is permitted, or more masked.
    Lost,
    /// Neither, or both.
    Changed,
}

/// AffectedCallers: whom a change concerns, the widest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AffectedCallers {
    /// Anybody, without a credential.
    Anyone,
    /// Service apps that `users:` does not list.
    ServiceApps,
    /// Every authenticated caller.
    Everyone,
    /// The policy as a whole.
    Policy,
    /// Whoever calls a route: the holders that the change was seen with.
    Callers(Vec<String>),
    /// Whom a gate stops or lets pass.
    Gate(String),
    /// Whoever has a role.
    Role(String),
    /// The members of a group.
    Group(String),
    /// Whoever is given a row by its name: by a token's claim or by `users:`.
    Row(String),
    /// Listed users: how many, and the first ten ids.
    Users(usize, Vec<String>),
}

/// Example: a request that the two versions answer differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The caller, as `--as` takes it.
    #[serde(rename = "as")]
    pub caller: serde_json::Value,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The media type of the answer, where it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_as: Option<String>,
    /// The moment, where it is another one than that of the comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The older version's decision.
    pub old: String,
    /// The newer version's decision.
    pub new: String,
}

/// What changed from `old` to `new`; conditions are tried at `now` and at the moments that they name.
pub fn diff(old: &Snapshot, new: &Snapshot, now: Timestamp) -> Diff {
    let alias = gates::renamed(old, new);
    let (old_side, new_side) = (IndexedPolicy::new(old, &HashMap::new()), IndexedPolicy::new(new, &alias));
    let finder = ExampleFinder::new(&old_side, &new_side, now);
    let mut changes = switches::changes(&finder);
    changes.extend(routes::changes(&finder));
    changes.extend(gates::changes(&finder, &alias));
    let (held, explained) = holders::changes(&finder);
    changes.extend(held);
    changes.extend(users::changes(&finder, &explained));
    let mut joined: Vec<Change> = Vec::new();
    let mut places: HashMap<_, usize> = HashMap::new();
    for change in changes {
        let Change { direction, who, through, place, behind, example, .. } = &change;
        let key = (*direction, who.clone(), through.clone(), place.clone(), behind.clone(), example.is_some());
        match places.get(&key).copied().and_then(|at| joined.get_mut(at)) {
            Some(one) => one.what.extend(change.what),
            None => {
                places.insert(key, joined.len());
                joined.push(change);
            }
        }
    }
    joined.sort_by(|one, other| (&one.who, one.direction).cmp(&(&other.who, other.direction)));
    Diff { old: named(&old.version), new: named(&new.version), changes: joined, settings: switches::settings(old, new) }
}

fn named(version: &PolicyVersion) -> [Box<str>; 2] {
    [version.name.clone(), version.hash.clone()]
}

impl Diff {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty()
    }

    /// How many changes go in this direction.
    pub fn count(&self, direction: Direction) -> usize {
        self.changes.iter().filter(|change| change.direction == direction).count()
    }

    /// How much changed, in half a sentence.
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return "no difference".to_owned();
        }
        let count = |direction| self.count(direction);
        let settings = self.settings.len();
        format!(
            "{} gained, {} lost, {} changed, {settings} {}",
            count(Direction::Gained),
            count(Direction::Lost),
            count(Direction::Changed),
            if settings == 1 { "setting" } else { "settings" },
        )
    }
}

impl fmt::Display for AffectedCallers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => out.write_str("ANYONE, without a credential"),
            Self::ServiceApps => out.write_str("SERVICE APPS"),
            Self::Everyone => out.write_str("EVERYONE who is authenticated"),
            Self::Policy => out.write_str("policy"),
            Self::Callers(seen) if seen.is_empty() => out.write_str("callers"),
            Self::Callers(seen) => out.write_str(&seen.join(", ")),
            Self::Gate(name) => write!(out, "gate {name}"),
            Self::Role(name) => write!(out, "role {name}"),
            Self::Group(name) => write!(out, "group {name}"),
            Self::Row(name) => write!(out, "whoever is given `{name}` by name"),
            Self::Users(1, first) => write!(out, "user {}", first.join("")),
            Self::Users(count, first) => {
                let more = if *count > first.len() { ", …" } else { "" };
                write!(out, "{count} users ({}{more})", first.join(", "))
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.who, self.what.join(", "))?;
        if let Some(row) = &self.through {
            write!(out, " (by `{row}`)")?;
        }
        if !self.place.is_empty() {
            write!(out, " in {}", self.place)?;
        }
        if !self.behind.is_empty() {
            write!(out, ", behind {}", self.behind.join(" and "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Example {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} as {}", self.method, self.path, self.caller)?;
        if let Some(answered) = &self.answered_as {
            write!(out, ", answered as {answered}")?;
        }
        if let Some(at) = &self.at {
            write!(out, ", at {at}")?;
        }
        write!(out, ": {} → {}", self.old, self.new)
    }
}

impl Change {
    fn said(direction: Direction, who: AffectedCallers, what: impl Into<String>, example: Option<Example>) -> Self {
        let what = vec![what.into()];
        Self { direction, who, what, through: None, place: String::new(), behind: Vec::new(), example }
    }
}

#[cfg(test)]
mod tests;
