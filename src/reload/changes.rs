//! LastComparison: what the last reload of a policy decides differently, found out behind its publishing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::decision::diff::{Diff, Direction, diff};
use crate::policy::Snapshot;
use crate::vocabulary::Timestamp;

use super::Live;
use super::policy::one_line;

/// The most lines that a reload logs, and the most changes that are kept of it.
const MOST_LINES: usize = 20;
const MOST_KEPT: usize = 1_000;

/// LastComparison: the last comparison of one API's policy, and whether one is being made.
#[derive(Debug)]
pub(super) struct LastComparison {
    last: Live<Option<PolicyComparison>>,
    busy: AtomicBool,
}

/// PolicyComparison: what one reload changed, as it is shown.
#[derive(Debug, Clone)]
pub struct PolicyComparison {
    /// When the comparison was done.
    pub at: SystemTime,
    /// The changes, the first thousand.
    pub json: serde_json::Value,
}

impl Default for LastComparison {
    fn default() -> Self {
        Self { last: Live::new(None), busy: AtomicBool::new(false) }
    }
}

impl LastComparison {
    pub(super) fn last(&self) -> Arc<Option<PolicyComparison>> {
        self.last.load()
    }

    /// Compares two versions on a thread of its own, which then frees the older; gives that back where there is
    /// nothing to compare, or no thread for it.
    ///
    /// One comparison runs at a time: reloads that follow faster are not compared, so that old versions cannot pile up.
    pub(super) fn compare(
        self: &Arc<Self>,
        api: &str,
        old: Option<Arc<Snapshot>>,
        new: Option<Arc<Snapshot>>,
    ) -> Option<Arc<Snapshot>> {
        let (Some(old), Some(new)) = (old.clone(), new) else { return old };
        if self.busy.swap(true, Ordering::AcqRel) {
            tracing::info!(api, "the last reload is still being compared; this one is not");
            return Some(old);
        }
        let (changes, name, before) = (Arc::clone(self), api.to_owned(), Arc::clone(&old));
        let thread = std::thread::Builder::new().name("policy-diff".to_owned());
        let started = thread.spawn(move || {
            let _done = ComparisonGuard(&changes.busy);
            changes.run(&name, &before, &new);
        });
        match started {
            Ok(_) => None,
            Err(error) => {
                self.busy.store(false, Ordering::Release);
                tracing::warn!(api, %error, "the reload cannot be compared");
                Some(old)
            }
        }
    }

    fn run(&self, api: &str, old: &Snapshot, new: &Snapshot) {
        let at = SystemTime::now();
        let now = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let mut found = diff(old, new, Timestamp(now));
        log(api, &found);
        let left_out = found.changes.len().saturating_sub(MOST_KEPT);
        found.changes.truncate(MOST_KEPT);
        let mut json = serde_json::to_value(&found).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.insert("left_out".to_owned(), left_out.into());
        }
        self.last.publish(Some(PolicyComparison { at, json }));
    }
}

/// ComparisonGuard: ends a comparison, also one that panicked.
struct ComparisonGuard<'a>(&'a AtomicBool);

impl Drop for ComparisonGuard<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn log(api: &str, found: &Diff) {
    let [policy, old] = &found.old;
    tracing::info!(api, %policy, %old, new = %found.new[1], "policy changed: {}", found.summary());
    let direction = |direction| match direction {
        Direction::Gained => "gained",
        Direction::Lost => "lost",
        Direction::Changed => "changed",
    };
    let changes = found.changes.iter().map(|change| format!("{}: {change}", direction(change.direction)));
    let settings = found.settings.iter().map(|line| format!("setting: {line}"));
    let count = found.changes.len() + found.settings.len();
    for line in changes.chain(settings).take(MOST_LINES) {
        tracing::info!(api, "{}", one_line(&line));
    }
    if count > MOST_LINES {
        tracing::info!(api, "{} more changes: see /apis/{api}/diff", count - MOST_LINES);
    }
}
