//! ImportResult: the outcome of an import.

use crate::document::Findings;

/// ImportResult: the outcome of the import of a vendor's file.
#[derive(Debug)]
pub struct ImportResult {
    /// The text of the policy or of a part of one; `None` where there is nothing to write.
    pub policy: Option<String>,
    /// A summary of what was understood, one line per file or aspect.
    pub understood: Vec<String>,
    /// What was not understood, and notes.
    pub findings: Findings,
}
