//! Policies from what vendors publish: routes from an OpenAPI document, rows and columns from a permission matrix.
//!
//! Nothing that is written here permits anybody anything more than its source says: what cannot be understood is
//! left out and found.

pub mod matrix;
pub mod openapi;

mod tree;
mod yaml;

use crate::document::Findings;

/// ImportResult: what came of reading somebody else's file.
#[derive(Debug)]
pub struct ImportResult {
    /// The policy's text, or the part of it; `None` where there is nothing to write.
    pub policy: Option<String>,
    /// What was understood, a line each.
    pub understood: Vec<String>,
    /// What was not, and what is worth knowing.
    pub findings: Findings,
}

/// `count` things, by a word that takes an `s`.
fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
