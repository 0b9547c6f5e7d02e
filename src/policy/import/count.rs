//! Counts as text.

/// Formats a count with its noun, which takes an `s` in the plural.
pub(super) fn count_noun(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
