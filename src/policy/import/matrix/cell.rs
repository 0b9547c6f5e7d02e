//! Reads a table's cell: operation letters, operation words, and the mark that approval is required.

use crate::vocabulary::Operation;

/// CellContent: the content of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CellContent {
    pub(super) operations: Vec<Operation>,
    /// Whether approval is required.
    pub(super) approval: bool,
}

/// Cells that grant nothing.
const EMPTY_CELLS: [&str; 8] = ["", "-", "–", "—", "no", "none", "n/a", "."];

/// Cells that grant something without naming an operation.
const MARKS: [&str; 16] =
    ["x", "y", "yes", "true", "1", "✓", "✔", "✗", "●", "•", "all", "full", "*", "limited", "partial", "own"];

/// Reads a cell.
///
/// A cell with an unknown word is refused, so that no cell grants more than the vendor intends.
///
/// # Errors
///
/// The reason why the cell is not understood.
pub(super) fn read(text: &str) -> Result<CellContent, String> {
    let lower = text.to_lowercase();
    if EMPTY_CELLS.contains(&&*lower) {
        return Ok(CellContent::default());
    }
    if MARKS.contains(&&*lower) {
        return Err(format!("`{text}` does not name the operations that it grants"));
    }
    let (letters, approval) = strip_approval(text);
    let mut content = CellContent { operations: Vec::new(), approval };
    for part in letters.split(['/', ',', ';', '+', '&', '|']).map(str::trim).filter(|part| !part.is_empty()) {
        content.operations.extend(read_operations(part).ok_or_else(|| format!("`{text}` is not understood"))?);
    }
    if content.operations.is_empty() {
        return Err(format!("`{text}` is not understood"));
    }
    sort_operations(&mut content.operations);
    Ok(content)
}

/// Sorts operations, letters first in the order of tables, and removes duplicates.
pub(super) fn sort_operations(operations: &mut Vec<Operation>) {
    operations.sort();
    operations.dedup();
}

/// Strips the approval mark from a cell such as `CRU Requires approval`.
fn strip_approval(text: &str) -> (&str, bool) {
    let trimmed = text.trim_end_matches([')', '*', '.']).trim_end();
    let lower = trimmed.to_ascii_lowercase();
    for mark in ["requires approval", "approval required", "needs approval", "with approval"] {
        if let Some(rest) = lower.strip_suffix(mark).and_then(|rest| text.get(..rest.len())) {
            return (rest.trim_end_matches(['(', ',', ';', '-', ' ', '–']), true);
        }
    }
    (text, false)
}

/// Reads `C R U`, `read`, or one word of the vendor.
fn read_operations(part: &str) -> Option<Vec<Operation>> {
    let words: Vec<&str> = part.split_whitespace().collect();
    let known: Option<Vec<Vec<Operation>>> =
        words.iter().map(|word| read_letters(word).or_else(|| read_verb(word))).collect();
    if let Some(known) = known {
        return Some(known.concat());
    }
    match words.as_slice() {
        [word] if is_operation_word(word) => Some(vec![Operation::from_name(&word.to_ascii_lowercase())]),
        _ => None,
    }
}

fn read_letters(word: &str) -> Option<Vec<Operation>> {
    let found: Option<Vec<Operation>> = word.chars().map(|c| Operation::from_letter(c.to_ascii_uppercase())).collect();
    let same_case = word.chars().all(char::is_uppercase) || word.chars().all(char::is_lowercase);
    found.filter(|_| same_case)
}

fn read_verb(word: &str) -> Option<Vec<Operation>> {
    let word = word.to_ascii_lowercase();
    Operation::LETTERED.into_iter().find(|operation| operation.name() == word).map(|operation| vec![operation])
}

/// Whether a word can be an operation; capitals are unexplained letters of a table, and `Cr` is neither.
fn is_operation_word(word: &str) -> bool {
    let capitals = word.chars().all(|c| c.is_ascii_uppercase() || "crudm".contains(c));
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic());
    let mark = MARKS.contains(&&*word.to_lowercase());
    begins
        && !capitals
        && !mark
        && word.len() > 1
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests;
