//! Change: the types that a comparison of two policy versions returns.

use std::fmt;

use serde::Serialize;

/// Diff: the changes between two versions of a policy.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The older version: its name and hash.
    pub old: [Box<str>; 2],
    /// The newer version: its name and hash.
    pub new: [Box<str>; 2],
    /// The changes to decisions, the most dangerous first.
    pub changes: Vec<Change>,
    /// The changes that affect no decision: CORS, shadow mode, cases, locks.
    pub settings: Vec<String>,
}

/// Change: one change of what callers are permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Whether more or less is permitted.
    pub direction: Direction,
    /// The callers that the change affects.
    pub who: AffectedCallers,
    /// The cells that changed, or a sentence.
    pub what: Vec<String>,
    /// The row that gives the cells, or gave them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// The scope of the change; empty is every scope.
    #[serde(rename = "where", skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The conditions that must also be met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
    /// A request that shows the change; `None` if none was found.
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

/// AffectedCallers: the callers that a change affects, the largest set first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AffectedCallers {
    /// Every caller, even without a credential.
    Anyone,
    /// Service apps that `users:` does not list.
    ServiceApps,
    /// Every authenticated caller.
    Everyone,
    /// The policy as a whole.
    Policy,
    /// The callers of a route: the names of those that the change was found with.
    Callers(Vec<String>),
    /// The callers that a gate stops or admits.
    Gate(String),
    /// The callers that have a role.
    Role(String),
    /// The members of a group.
    Group(String),
    /// The callers that have a row by its name, from a token's claim or from `users:`.
    Row(String),
    /// Listed users: their number and the first ten ids.
    Users(usize, Vec<String>),
}

/// Example: a request that the two versions decide differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The caller, as JSON for `--as`.
    #[serde(rename = "as")]
    pub caller: serde_json::Value,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The media type of the response, if it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_as: Option<String>,
    /// The time of the request, if it differs from that of the comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The older version's decision.
    pub old: String,
    /// The newer version's decision.
    pub new: String,
}

impl Diff {
    /// Whether the two versions do not differ.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.settings.is_empty()
    }

    /// The number of changes in this direction.
    pub fn count(&self, direction: Direction) -> usize {
        self.changes.iter().filter(|change| change.direction == direction).count()
    }

    /// The numbers of changes, in half a sentence.
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
            Self::Callers(names) if names.is_empty() => out.write_str("callers"),
            Self::Callers(names) => out.write_str(&names.join(", ")),
            Self::Gate(name) => write!(out, "gate {name}"),
            Self::Role(name) => write!(out, "role {name}"),
            Self::Group(name) => write!(out, "group {name}"),
            Self::Row(name) => write!(out, "callers given `{name}` by name"),
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
        if !self.scope.is_empty() {
            write!(out, " in {}", self.scope)?;
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
    /// A change that a sentence describes.
    pub(super) fn sentence(
        direction: Direction,
        who: AffectedCallers,
        what: impl Into<String>,
        example: Option<Example>,
    ) -> Self {
        let what = vec![what.into()];
        Self { direction, who, what, through: None, scope: String::new(), behind: Vec::new(), example }
    }
}
