//! PolicyStore: one API's policy as it is live, and the way in which a changed one takes its place.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::document::{Findings, Severity, Sources, report};
use crate::policy::{self, PolicyVersion, Snapshot, locked};

use super::cases;
use super::changes::{self, LastComparison};
use super::file::{self, ReadFailure};
use super::fingerprint::{FileObservation, Fingerprint};
use super::{Live, LiveOption};

/// How long requests that began under the old version are waited for, so that it is freed here and not by them.
const RETIREMENT: Duration = Duration::from_millis(250);

/// The most findings that one refused reload keeps and logs.
const MOST_FINDINGS: usize = 100;

/// PolicyStore: the policy of one API; it is replaced whole, or stays.
///
/// Writing a new version beside the old one and renaming it into place is never seen half-written. A file that is
/// written in place is loaded once it has been still for 50 ms, or has changed for 500 ms without a pause; the watcher
/// comes only when its writer has closed it, or has paused for a second.
pub struct PolicyStore {
    api: Box<str>,
    path: PathBuf,
    issuers: Box<[Box<str>]>,
    live: LiveOption<Snapshot>,
    state: Live<PolicyState>,
    changes: Arc<LastComparison>,
    seen: Mutex<ObservedVersions>,
    duty: PolicyRole,
    on_change: Box<OnChange>,
}

/// OnChange: what is told of a change, with the snapshot that is live behind it.
pub type OnChange = dyn Fn(&PolicyEvent, Option<&Arc<Snapshot>>) + Send + Sync;

/// PolicyRole: what a policy is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyRole {
    /// It decides.
    Decides,
    /// It is compared with the one that decides.
    Compared,
}

/// PolicyState: what `/policy` and `/ready` say about one API's policy.
#[derive(Debug, Clone)]
pub struct PolicyState {
    /// The version that is live; `None` refuses everything.
    pub version: Option<PolicyVersion>,
    /// Since when that is so.
    pub since: SystemTime,
    /// The last reload that was refused, until a later one is published or the live version's files are back.
    pub refused: Option<RefusedReload>,
    /// The version that was taken back, until the files change.
    pub withdrawn: Option<PolicyVersion>,
}

/// RefusedReload: files that did not become a policy.
#[derive(Debug, Clone)]
pub struct RefusedReload {
    /// When they were refused.
    pub at: SystemTime,
    /// Whether the file or folder is not there at all.
    pub gone: bool,
    /// What is wrong, a line for each finding: `file:line:column: error[code]: …`.
    pub findings: Vec<String>,
    /// The same as objects.
    pub json: serde_json::Value,
}

/// PolicyRefresh: what came of looking at the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyRefresh {
    /// They are what they were at the last look, or the live version's again.
    Unchanged,
    /// They are live now.
    Published(PolicyVersion),
    /// They are refused, and what was live still is.
    Refused,
    /// They are not there, and what was live still is.
    Gone,
}

/// PolicyEvent: a change of a policy's state, for metrics and for whatever depends on the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyEvent {
    /// A version is live that was not.
    Published(PolicyVersion),
    /// After a refusal the files of the live version are back.
    Restored(PolicyVersion),
    /// The version before is live again, because somebody asked for it.
    RolledBack(PolicyVersion),
    /// New files are refused.
    Refused,
    /// The files are gone.
    Gone,
}

impl std::fmt::Debug for PolicyStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PolicyStore").field("api", &self.api).field("path", &self.path).finish_non_exhaustive()
    }
}

impl PolicyStore {
    /// The store of the policy at `path`, loaded once; a policy that does not load leaves it without a snapshot.
    ///
    /// `issuers` is what [`policy::load`] asks for; `duty` words the log. `on_change` is told of every change, this first one included,
    /// behind the new state and before [`PolicyStore::refresh`] returns; it must not call that itself.
    pub fn open(
        api: impl Into<Box<str>>,
        path: impl Into<PathBuf>,
        issuers: Box<[Box<str>]>,
        duty: PolicyRole,
        on_change: Box<OnChange>,
    ) -> Self {
        let store = Self {
            api: api.into(),
            path: path.into(),
            issuers,
            live: LiveOption::empty(),
            state: Live::new(PolicyState { version: None, since: SystemTime::now(), refused: None, withdrawn: None }),
            changes: Arc::default(),
            seen: Mutex::new(ObservedVersions::default()),
            duty,
            on_change,
        };
        let look = store.look();
        store.take(look, &mut store.turn());
        store
    }

    /// The snapshot that is live; one request asks once.
    pub fn load(&self) -> Option<Arc<Snapshot>> {
        self.live.load()
    }

    /// What is live and what was refused; never waits for a load.
    pub fn state(&self) -> Arc<PolicyState> {
        self.state.load()
    }

    /// What the last reload changed; `None` until one has been compared.
    pub fn last_diff(&self) -> Arc<Option<changes::PolicyComparison>> {
        self.changes.last()
    }

    /// The API's name.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Where the policy stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the files, and where they changed loads them and publishes them whole, or keeps what is live.
    ///
    /// Blocks for the length of the load, and for an earlier call's.
    pub fn refresh(&self) -> PolicyRefresh {
        let mut seen = self.turn();
        let first = self.look();
        if seen.is(&first) {
            return PolicyRefresh::Unchanged;
        }
        let settled = first.settled(|| self.look());
        if seen.is(&settled) {
            return PolicyRefresh::Unchanged;
        }
        self.take(settled, &mut seen)
    }

    /// Makes the version live that was live before, until the files change; `None` where there is none.
    ///
    /// One step: what is taken back comes again from its files only. Waits for a load that is under way.
    pub fn rollback(&self) -> Option<PolicyVersion> {
        let mut seen = self.turn();
        let before = seen.before.take()?;
        let snapshot = before.snapshot;
        if let (Some(last), Some(live)) = (&seen.last, &seen.live)
            && last.is_same_policy(live)
        {
            seen.withdrawn = Some(last.clone());
        }
        let withdrawn = self.state().version.clone();
        seen.live = before.mark;
        let version = snapshot.version.clone();
        tracing::warn!(
            api = %self.api, policy = %version.name, version = %version.hash,
            withdrawn = withdrawn.as_ref().map(|withdrawn| &*withdrawn.hash),
            "policy is rolled back: the version before is live until the files change"
        );
        let old = self.live.load();
        self.live.publish(snapshot);
        let refused = self.state().refused.clone();
        self.state.publish(PolicyState {
            version: Some(version.clone()),
            since: SystemTime::now(),
            refused,
            withdrawn,
        });
        self.tell(&PolicyEvent::RolledBack(version.clone()));
        self.changes.compare(&self.api, old, self.live.load());
        Some(version)
    }

    fn turn(&self) -> MutexGuard<'_, ObservedVersions> {
        // A load that panicked has changed nothing but the mark of what it read, which keeps it from being tried again.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> FileObservation {
        FileObservation::from(file::read_at_most(&self.path, file::MOST_BYTES)).with_cases(cases::read(&self.path))
    }

    fn take(&self, look: FileObservation, seen: &mut ObservedVersions) -> PolicyRefresh {
        seen.last = Some(look.mark.clone());
        let mut findings = Findings::default();
        let mut sources = match look.found {
            Ok(sources) => sources,
            Err(unread) => {
                let gone = matches!(unread, ReadFailure::Gone(_));
                findings.push(unread.finding());
                return self.refuse(gone, &findings, &Sources::default());
            }
        };
        let is_withdrawn = seen.withdrawn.as_ref().is_some_and(|mark| mark.is_same_policy(&look.mark));
        if is_withdrawn || seen.live.as_ref() == Some(&look.mark) {
            self.restore();
            return PolicyRefresh::Unchanged;
        }
        seen.withdrawn = None;
        let live = self.live.load();
        let is_live = seen.live.as_ref().is_some_and(|mark| mark.is_same_policy(&look.mark));
        if is_live && !live.as_ref().is_some_and(|live| live.model.cases_must_pass) {
            // Only cases changed, which this policy does not ask for.
            seen.live = Some(look.mark);
            self.restore();
            return PolicyRefresh::Unchanged;
        }
        let mut loaded = policy::load(&sources, Some(&self.issuers));
        if let Some(candidate) = &loaded.snapshot {
            if let Some(live) = &live {
                loaded.findings.extend(locked::changes(live, candidate));
            }
            // The live policy's word counts too: no edit takes it back and breaks a case at once.
            let asked = live.as_ref().is_some_and(|live| live.model.cases_must_pass);
            if asked || candidate.model.cases_must_pass {
                let found = cases::judge(candidate, &mut sources, look.cases, &self.path, Some(&self.issuers));
                loaded.findings.extend(found);
            }
        }
        let Some(snapshot) = loaded.snapshot.filter(|_| !loaded.findings.has_errors()) else {
            return self.refuse(false, &loaded.findings, &sources);
        };
        if is_live {
            // Other cases, which the live version passes too.
            seen.live = Some(look.mark);
            self.restore();
            return PolicyRefresh::Unchanged;
        }
        for note in summarize_findings(&loaded.findings, &sources).lines {
            tracing::info!(api = %self.api, "{note}");
        }
        let mark = seen.live.replace(look.mark);
        // Only what decides can be taken back; the version before the one that is kept for that is free now.
        if let (PolicyRole::Decides, Some(snapshot)) = (self.duty, live) {
            seen.before = Some(PreviousVersion { snapshot, mark });
        }
        self.publish(Arc::new(snapshot))
    }

    fn publish(&self, snapshot: Arc<Snapshot>) -> PolicyRefresh {
        let version = snapshot.version.clone();
        let old = self.live.load();
        self.live.publish(snapshot);
        self.state.publish(PolicyState {
            version: Some(version.clone()),
            since: SystemTime::now(),
            refused: None,
            withdrawn: None,
        });
        let message = match self.duty {
            PolicyRole::Decides => "policy is live",
            PolicyRole::Compared => "candidate is compared",
        };
        tracing::info!(api = %self.api, policy = %version.name, version = %version.hash, "{message}");
        self.tell(&PolicyEvent::Published(version.clone()));
        match self.duty {
            PolicyRole::Decides => {
                self.changes.compare(&self.api, old, self.live.load());
            }
            PolicyRole::Compared => retire(old.as_ref()),
        }
        PolicyRefresh::Published(version)
    }

    fn restore(&self) {
        let state = self.state.load();
        let (Some(version), Some(_)) = (state.version.clone(), &state.refused) else { return };
        self.state.publish(PolicyState { refused: None, ..(*state).clone() });
        let message = match self.duty {
            PolicyRole::Decides if state.withdrawn.is_some() => {
                "policy files are back, the version before them stays live"
            }
            PolicyRole::Decides => "policy files are the live ones again",
            PolicyRole::Compared => "candidate files are the compared ones again",
        };
        tracing::info!(api = %self.api, policy = %version.name, version = %version.hash, "{message}");
        self.tell(&PolicyEvent::Restored(version));
    }

    fn refuse(&self, gone: bool, findings: &Findings, sources: &Sources) -> PolicyRefresh {
        let FindingSummary { lines, json } = summarize_findings(findings, sources);
        for line in &lines {
            tracing::error!(api = %self.api, "{line}");
        }
        let state = self.state.load();
        let message = match (self.duty, &state.version) {
            (PolicyRole::Decides, Some(_)) => "policy refused, the last good one stays live",
            (PolicyRole::Decides, None) => "policy refused and none is live: every request is refused",
            (PolicyRole::Compared, Some(_)) => "candidate refused, the last good one is still compared",
            (PolicyRole::Compared, None) => "candidate refused, nothing is compared",
        };
        let (policy, version) = state.version.as_ref().map(|live| (&*live.name, &*live.hash)).unzip();
        tracing::error!(api = %self.api, policy, version, "{message}");
        let refused = RefusedReload { at: SystemTime::now(), gone, findings: lines, json };
        self.state.publish(PolicyState { refused: Some(refused), ..(*state).clone() });
        let (event, refresh) = if gone {
            (PolicyEvent::Gone, PolicyRefresh::Gone)
        } else {
            (PolicyEvent::Refused, PolicyRefresh::Refused)
        };
        self.tell(&event);
        refresh
    }

    fn tell(&self, event: &PolicyEvent) {
        (self.on_change)(event, self.live.load().as_ref());
    }
}

/// ObservedVersions: what the last look saw, and what the live version was made from.
#[derive(Default)]
struct ObservedVersions {
    last: Option<Fingerprint>,
    live: Option<Fingerprint>,
    before: Option<PreviousVersion>,
    /// Files whose version was taken back: they come to nothing until others have stood in their place.
    withdrawn: Option<Fingerprint>,
}

/// PreviousVersion: the version before the live one, and what it was made from.
struct PreviousVersion {
    snapshot: Arc<Snapshot>,
    mark: Option<Fingerprint>,
}

impl ObservedVersions {
    fn is(&self, look: &FileObservation) -> bool {
        self.last.as_ref() == Some(&look.mark)
    }
}

/// FindingSummary: the findings of one load as they are logged and shown.
pub(super) struct FindingSummary {
    pub(super) lines: Vec<String>,
    json: serde_json::Value,
}

pub(super) fn summarize_findings(findings: &Findings, sources: &Sources) -> FindingSummary {
    let mut all = findings.sorted();
    if findings.has_errors() {
        // What stops the load must not be crowded out by notes.
        all.retain(|finding| finding.severity == Severity::Error);
    }
    let more = all.len().saturating_sub(MOST_FINDINGS);
    all.truncate(MOST_FINDINGS);
    let mut lines: Vec<String> = all.iter().map(|finding| one_line(&report::line(finding, sources))).collect();
    let mut first = Findings::default();
    all.into_iter().for_each(|finding| first.push(finding.clone()));
    if more > 0 {
        lines.push(format!("{more} more findings are left out"));
    }
    FindingSummary { lines, json: report::json(&first, sources) }
}

/// A finding quotes what somebody wrote; line breaks and other controls in it must not forge a line of the log.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Frees an old version, here if the requests that still read it end soon.
fn retire(old: Option<&Arc<Snapshot>>) {
    let Some(old) = old else { return };
    let end = Instant::now() + RETIREMENT;
    while Arc::strong_count(old) > 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests;
