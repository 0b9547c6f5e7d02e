//! Guesses the operation and resource of a request from its method, path and tags.

use std::collections::HashMap;

use crate::policy::import::yaml::join_lines;
use crate::vocabulary::Operation;
use crate::vocabulary::name::folded;

use super::read::OperationDescription;

/// Last segments of a path that determine the operation of a POST.
const OPERATION_WORDS: [(&str, Operation); 11] = [
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

/// OperationGuess: a guessed operation, and the word of the path that determined it, if any.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OperationGuess<'p> {
    pub(super) operation: Operation,
    pub(super) word: Option<&'p str>,
}

/// Guesses the operation of `method` on `path`.
pub(super) fn guess_operation<'p>(method: &str, path: &'p str) -> OperationGuess<'p> {
    let last = path.rsplit('/').next().unwrap_or_default();
    if method == "POST"
        && let Some(operation) = find_operation(last)
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

/// GuessedResources: the guessed resource names, in the order of their first use.
#[derive(Debug, Default)]
pub(super) struct GuessedResources {
    names: Vec<String>,
    /// The index of each folded name: names that differ only in case or white space are one resource.
    known: HashMap<String, usize>,
}

impl GuessedResources {
    /// Guesses the resource of an operation: its first tag, otherwise the last word of its path.
    pub(super) fn guess_resource(&mut self, operation: &OperationDescription<'_>) -> &str {
        let tag = operation.tags.first().map(|tag| join_lines(tag)).filter(|tag| !tag.is_empty());
        let name = tag.unwrap_or_else(|| guess_from_path(operation.path).to_owned());
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

fn guess_from_path(path: &str) -> &str {
    let words = || path.rsplit('/').filter(|part| !part.is_empty() && !part.contains(['{', '}']));
    words().find(|word| find_operation(word).is_none()).or_else(|| words().next()).unwrap_or("Root")
}

fn find_operation(segment: &str) -> Option<Operation> {
    let word = segment.trim_start_matches(['_', '$', '.']).to_ascii_lowercase();
    OPERATION_WORDS.iter().find(|(known, _)| *known == word).map(|(_, operation)| operation.clone())
}

#[cfg(test)]
mod tests;
