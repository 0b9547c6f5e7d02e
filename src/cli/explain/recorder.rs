//! TraceRecorder: records the steps of a decision, so that an explanation can show them.

use crate::decision::{Reason, Trace, TraceStep};
use crate::policy::RowId;
use crate::vocabulary::{CellId, Scope};

/// TraceRecorder: a trace that keeps the scope, and the result of each needed cell.
#[derive(Debug, Default)]
pub(super) struct TraceRecorder {
    pub(super) scope: Option<Scope<'static>>,
    pub(super) granted: Vec<(CellId, RowId)>,
    pub(super) denied: Vec<(CellId, Reason)>,
}

impl Trace for TraceRecorder {
    fn record(&mut self, step: TraceStep<'_>) {
        match step {
            TraceStep::Scope(scope) => {
                let mut copy: Scope<'static> = Default::default();
                for (target, value) in copy.iter_mut().zip(scope) {
                    *target = value.as_deref().map(|value| value.to_owned().into());
                }
                self.scope = Some(copy);
            }
            TraceStep::Granted { cell, row } => self.granted.push((cell, row)),
            TraceStep::Missing { cell, reason } => self.denied.push((cell, reason)),
        }
    }
}
