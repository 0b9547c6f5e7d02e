//! NoteTally: notes that are reported once each, with the number of their occurrences.

use crate::document::{Finding, FindingCode, Findings, Span};

/// NoteTally: each note with the span of its first occurrence and the number of occurrences.
#[derive(Default)]
pub(super) struct NoteTally(Vec<(String, Span, usize)>);

impl NoteTally {
    pub(super) fn count(&mut self, message: String, span: Span) {
        match self.0.iter_mut().find(|(known, ..)| *known == message) {
            Some((.., count)) => *count += 1,
            None => self.0.push((message, span, 1)),
        }
    }

    pub(super) fn report(self, findings: &mut Findings) {
        for (message, span, count) in self.0 {
            let times = if count == 1 { String::new() } else { format!(" (in {count} places)") };
            findings.push(Finding::note(FindingCode::UnknownKey, Some(span), format!("{message}{times}")));
        }
    }
}
