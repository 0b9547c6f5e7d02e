//! Operation: what a request does to a resource, by the letters and names of the vendors' tables.

use std::fmt;

/// Operation: one of the five operations that tables abbreviate, or another name that a route uses (`check-in`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Letter C.
    Create,
    /// Letter R.
    Read,
    /// Letter U.
    Update,
    /// Letter D.
    Delete,
    /// Letter M.
    Merge,
    /// Any other name, as the policy spells it.
    Named(Box<str>),
}

impl Operation {
    /// The five operations that have a letter, in the order of printed tables.
    pub const LETTERED: [Self; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Merge];

    /// The operation of a table's letter; `None` for any other character.
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::LETTERED.into_iter().find(|operation| operation.letter() == Some(letter))
    }

    /// The operation of that name: `read`, `merge`, or a name that the policy introduces.
    pub fn from_name(word: &str) -> Self {
        Self::LETTERED
            .into_iter()
            .find(|operation| operation.name() == word)
            .unwrap_or_else(|| Self::Named(word.into()))
    }

    /// The letter of the vendors' tables; `None` for a named operation.
    pub fn letter(&self) -> Option<char> {
        match self {
            Self::Create => Some('C'),
            Self::Read => Some('R'),
            Self::Update => Some('U'),
            Self::Delete => Some('D'),
            Self::Merge => Some('M'),
            Self::Named(_) => None,
        }
    }

    /// The name that routes, logs and metrics use.
    pub fn name(&self) -> &str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Named(word) => word,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
