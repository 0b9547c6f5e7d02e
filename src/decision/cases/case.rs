//! Case: one request of a cases file and its expected decision.

use crate::document::Span;
use crate::vocabulary::Timestamp;

use super::name::SpannedName;

/// Case: a request and its expected decision.
#[derive(Debug)]
pub struct Case {
    /// The span of the request.
    pub span: Span,
    /// The name of the caller.
    pub caller: Box<str>,
    /// The variant of the policy that decides.
    pub variant: Option<Box<str>>,
    /// The method.
    pub method: Box<str>,
    /// The path with its query.
    pub target: Box<str>,
    /// The expected decision.
    pub expected: Expectation,
    /// The media type of the response, if the case is about the response.
    pub answered_as: Option<Box<str>>,
    /// The time of the request; `None` is the time of the run.
    pub at: Option<Timestamp>,
    /// The rules that the case proves.
    pub proves: Vec<Box<str>>,
    /// The row of the language's table of decisions that the case shows.
    pub decision: Option<u64>,
    /// The author's note.
    pub note: Option<Box<str>>,
}

/// Expectation: the expected decision of a case.
#[derive(Debug)]
pub enum Expectation {
    /// A permit; fields that are `None` are not compared.
    Permit {
        /// The row that grants the first needed cell.
        by: Option<SpannedName>,
        /// The exact field sets that are masked.
        masks: Option<Vec<SpannedName>>,
        /// The exact gates whose approval is asked for.
        asks: Option<Vec<SpannedName>>,
    },
    /// A refusal with its reason.
    Refuse(SpannedName),
}

impl Case {
    /// The case in one line: verdict, caller, variant, request and media type of the response.
    pub fn title(&self) -> String {
        let Self { caller, method, target, .. } = self;
        let verdict = if self.is_permit() { "permit" } else { "refuse" };
        let variant = self.variant.as_ref().map(|variant| format!(" in {variant}")).unwrap_or_default();
        let answered = self.answered_as.as_ref().map(|kind| format!(" answered as {kind}")).unwrap_or_default();
        format!("{verdict} {caller}{variant}: {method} {target}{answered}")
    }

    /// Whether the expected decision is a permit.
    pub fn is_permit(&self) -> bool {
        matches!(self.expected, Expectation::Permit { .. })
    }

    /// Whether the title, reason, row, rules, decision number or note of the case contain `wanted`.
    pub fn mentions(&self, wanted: &str) -> bool {
        let why = match &self.expected {
            Expectation::Permit { by, .. } => by.as_ref(),
            Expectation::Refuse(reason) => Some(reason),
        };
        self.title().contains(wanted)
            || why.is_some_and(|name| name.text.contains(wanted))
            || self.proves.iter().any(|rule| **rule == *wanted)
            || self.decision.is_some_and(|number| number.to_string() == wanted)
            || self.note.as_ref().is_some_and(|note| note.contains(wanted))
    }
}
