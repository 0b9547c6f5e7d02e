//! What a table's cell gives: letters, words, and the mark that something has to be approved.

use crate::vocabulary::Operation;

/// CellContent: what a cell says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct CellContent {
    pub(super) operations: Vec<Operation>,
    /// Whether it says that approval is needed.
    pub(super) approval: bool,
}

/// Cells that say that nothing is given.
const NOTHING: [&str; 8] = ["", "-", "–", "—", "no", "none", "n/a", "."];

/// Cells that give something, but do not say what.
const MARKS: [&str; 16] =
    ["x", "y", "yes", "true", "1", "✓", "✔", "✗", "●", "•", "all", "full", "*", "limited", "partial", "own"];

/// Reads a cell; the error says why it is not understood.
///
/// Nothing is read that could give more than the vendor says: a cell with a word too many is no cell.
pub(super) fn read(text: &str) -> Result<CellContent, String> {
    let lower = text.to_lowercase();
    if NOTHING.contains(&&*lower) {
        return Ok(CellContent::default());
    }
    if MARKS.contains(&&*lower) {
        return Err(format!("`{text}` does not say which operations it gives"));
    }
    let (letters, approval) = without_approval(text);
    let mut given = CellContent { operations: Vec::new(), approval };
    for part in letters.split(['/', ',', ';', '+', '&', '|']).map(str::trim).filter(|part| !part.is_empty()) {
        given.operations.extend(operations(part).ok_or_else(|| format!("`{text}` is not understood"))?);
    }
    if given.operations.is_empty() {
        return Err(format!("`{text}` is not understood"));
    }
    sort(&mut given.operations);
    Ok(given)
}

/// Letters first, in the order in which tables print them; nothing twice.
pub(super) fn sort(operations: &mut Vec<Operation>) {
    operations.sort();
    operations.dedup();
}

/// `CRU Requires approval` without its mark.
fn without_approval(text: &str) -> (&str, bool) {
    let trimmed = text.trim_end_matches([')', '*', '.']).trim_end();
    let lower = trimmed.to_ascii_lowercase();
    for mark in ["requires approval", "approval required", "needs approval", "with approval"] {
        if let Some(rest) = lower.strip_suffix(mark).and_then(|rest| text.get(..rest.len())) {
            return (rest.trim_end_matches(['(', ',', ';', '-', ' ', '–']), true);
        }
    }
    (text, false)
}

/// `C R U`, `read`, or one word of the vendor's own.
fn operations(part: &str) -> Option<Vec<Operation>> {
    let words: Vec<&str> = part.split_whitespace().collect();
    let known: Option<Vec<Vec<Operation>>> = words.iter().map(|word| letters(word).or_else(|| verb(word))).collect();
    if let Some(known) = known {
        return Some(known.concat());
    }
    match words.as_slice() {
        [word] if is_word(word) => Some(vec![Operation::from_name(&word.to_ascii_lowercase())]),
        _ => None,
    }
}

fn letters(word: &str) -> Option<Vec<Operation>> {
    let found: Option<Vec<Operation>> = word.chars().map(|c| Operation::from_letter(c.to_ascii_uppercase())).collect();
    let same_case = word.chars().all(char::is_uppercase) || word.chars().all(char::is_lowercase);
    found.filter(|_| same_case)
}

fn verb(word: &str) -> Option<Vec<Operation>> {
    let word = word.to_ascii_lowercase();
    Operation::LETTERED.into_iter().find(|operation| operation.name() == word).map(|operation| vec![operation])
}

/// A word that can be an operation; capitals are letters of a table that nobody explained, and `Cr` is none of both.
fn is_word(word: &str) -> bool {
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
