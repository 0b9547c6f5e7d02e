//! ConditionRegistry: parses each text of a condition once.

use std::collections::HashMap;

use crate::document::{Finding, FindingCode, Findings};
use crate::policy::condition::{Condition, ConditionEnvironment};
use crate::policy::ids::ConditionId;
use crate::policy::source::Spanned;

/// ConditionRegistry: the conditions parsed so far.
pub(super) struct ConditionRegistry {
    environment: ConditionEnvironment,
    known: HashMap<Box<str>, ConditionId>,
    pub(super) all: Vec<Condition>,
}

impl ConditionRegistry {
    pub(super) fn new() -> Self {
        Self { environment: ConditionEnvironment::default(), known: HashMap::new(), all: Vec::new() }
    }

    /// The id of the condition in `source`; a finding if it is invalid.
    pub(super) fn read(&mut self, source: &Spanned, findings: &mut Findings) -> Option<ConditionId> {
        if let Some(known) = self.known.get(&source.text) {
            return Some(*known);
        }
        match Condition::read(&source.text, &self.environment) {
            Ok(condition) => {
                let id = ConditionId(u32::try_from(self.all.len()).ok()?);
                self.known.insert(source.text.clone(), id);
                self.all.push(condition);
                Some(id)
            }
            Err(message) => {
                let finding = Finding::error(
                    FindingCode::BadCondition,
                    Some(source.span),
                    format!("`{}` is not a condition: {message}", source.text),
                );
                findings.push(
                    finding.help("a condition compares `now`, `caller` and `request`: \"caller.claims.acr == 'mfa'\""),
                );
                None
            }
        }
    }
}
