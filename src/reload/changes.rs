//! LastComparison: what the last reload of a policy decides differently, computed after publishing it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::decision::diff::{Diff, Direction, diff};
use crate::policy::Snapshot;
use crate::vocabulary::Timestamp;

use super::Live;
use super::findings::escape_controls;

/// The most lines that a reload logs.
const MAX_LOGGED_LINES: usize = 20;
/// The most changes that are kept of a reload.
const MAX_KEPT_CHANGES: usize = 1_000;

/// LastComparison: the last comparison of one API's policy, and whether a comparison is running.
#[derive(Debug)]
pub(super) struct LastComparison {
    last: Live<Option<PolicyComparison>>,
    is_running: AtomicBool,
}

/// PolicyComparison: the changes of one reload, in the form in which they are shown.
#[derive(Debug, Clone)]
pub struct PolicyComparison {
    /// The time of the comparison.
    pub at: SystemTime,
    /// The first thousand changes.
    pub json: serde_json::Value,
}

impl Default for LastComparison {
    fn default() -> Self {
        Self { last: Live::new(None), is_running: AtomicBool::new(false) }
    }
}

impl LastComparison {
    pub(super) fn last(&self) -> Arc<Option<PolicyComparison>> {
        self.last.load()
    }

    /// Compares two versions on a separate thread, which then frees the older version.
    ///
    /// Returns the older version if there is nothing to compare or the thread cannot be started. Only one comparison
    /// runs at a time. A reload during a comparison is not compared, so that old versions cannot accumulate.
    pub(super) fn compare_versions(
        self: &Arc<Self>,
        api: &str,
        old: Option<Arc<Snapshot>>,
        new: Option<Arc<Snapshot>>,
    ) -> Option<Arc<Snapshot>> {
        let (Some(old), Some(new)) = (old.clone(), new) else { return old };
        if self.is_running.swap(true, Ordering::AcqRel) {
            tracing::info!(api, "the last reload is still being compared; this reload is not compared");
            return Some(old);
        }
        let (changes, name, before) = (Arc::clone(self), api.to_owned(), Arc::clone(&old));
        let thread = std::thread::Builder::new().name("policy-diff".to_owned());
        let started = thread.spawn(move || {
            let _guard = ComparisonGuard(&changes.is_running);
            changes.run_comparison(&name, &before, &new);
        });
        match started {
            Ok(_) => None,
            Err(error) => {
                self.is_running.store(false, Ordering::Release);
                tracing::warn!(api, %error, "the reload cannot be compared");
                Some(old)
            }
        }
    }

    fn run_comparison(&self, api: &str, old: &Snapshot, new: &Snapshot) {
        let at = SystemTime::now();
        let now = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let mut found = diff(old, new, Timestamp(now));
        log_changes(api, &found);
        let left_out = found.changes.len().saturating_sub(MAX_KEPT_CHANGES);
        found.changes.truncate(MAX_KEPT_CHANGES);
        let mut json = serde_json::to_value(&found).unwrap_or_default();
        if let Some(object) = json.as_object_mut() {
            object.insert("left_out".to_owned(), left_out.into());
        }
        self.last.publish(Some(PolicyComparison { at, json }));
    }
}

/// ComparisonGuard: marks a comparison as ended, after a panic too.
struct ComparisonGuard<'a>(&'a AtomicBool);

impl Drop for ComparisonGuard<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn log_changes(api: &str, found: &Diff) {
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
    for line in changes.chain(settings).take(MAX_LOGGED_LINES) {
        tracing::info!(api, "{}", escape_controls(&line));
    }
    if count > MAX_LOGGED_LINES {
        tracing::info!(api, "{} more changes: see /apis/{api}/diff", count - MAX_LOGGED_LINES);
    }
}
