//! Guesses: what an operation does to which resource, as far as its method, path and tags tell.

use std::collections::HashMap;

use crate::policy::import::yaml::one_line;
use crate::vocabulary::Operation;
use crate::vocabulary::name::folded;

use super::read::OperationDescription;

/// Last segments that say more than POST does.
const TELLING: [(&str, Operation); 11] = [
    ("search", Operation::Read),
    ("query", Operation::Read),
    ("lookup", Operation::Read),
    ("find", Operation::Read),
    ("filter", Operation::Read),
    ("list", Operation::Read),
    ("count", Operation::Read),
    ("merge", Operation::Merge),
    ("update", Operation::Update),
    ("delete", Operation::Delete),
    ("remove", Operation::Delete),
];

/// OperationGuess: an operation, and the word of the path that told more than the method.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OperationGuess<'p> {
    pub(super) operation: Operation,
    pub(super) word: Option<&'p str>,
}

/// What `method` does on `path`.
pub(super) fn operation<'p>(method: &str, path: &'p str) -> OperationGuess<'p> {
    let last = path.rsplit('/').next().unwrap_or_default();
    if method == "POST"
        && let Some(operation) = telling(last)
    {
        return OperationGuess { operation, word: Some(last) };
    }
    let operation = match method {
        "GET" | "QUERY" => Operation::Read,
        "DELETE" => Operation::Delete,
        "PUT" | "PATCH" => Operation::Update,
        _ => Operation::Create,
    };
    OperationGuess { operation, word: None }
}

/// GuessedResources: the names that were guessed, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct GuessedResources {
    names: Vec<String>,
    /// Names that differ only in case or white space are one resource, as the first is spelt.
    known: HashMap<String, usize>,
}

impl GuessedResources {
    /// The resource of an operation: its first tag, else the last word of its path.
    pub(super) fn of(&mut self, operation: &OperationDescription<'_>) -> &str {
        let tag = operation.tags.first().map(|tag| one_line(tag)).filter(|tag| !tag.is_empty());
        let name = tag.unwrap_or_else(|| of_path(operation.path).to_owned());
        let next = self.names.len();
        let at = *self.known.entry(folded(&name)).or_insert(next);
        if at == next {
            self.names.push(name);
        }
        self.names.get(at).map_or("", String::as_str)
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}

fn of_path(path: &str) -> &str {
    let words = || path.rsplit('/').filter(|part| !part.is_empty() && !part.contains(['{', '}']));
    words().find(|word| telling(word).is_none()).or_else(|| words().next()).unwrap_or("Root")
}

fn telling(segment: &str) -> Option<Operation> {
    let word = segment.trim_start_matches(['_', '$', '.']).to_ascii_lowercase();
    TELLING.iter().find(|(known, _)| *known == word).map(|(_, operation)| operation.clone())
}

#[cfg(test)]
mod tests;
